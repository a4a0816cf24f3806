"""Stacked GAN: the battery for each kind of stage, its losses, and what crosses from one level to the other."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf.models import StackedGAN, stacked
from tests.models.model_case import ModelCase, array, arrays, descending, differ, gradients, weights

TINY = {"training_identities": 3, "image_size": 16, "dim": 2, "noise_top": 3, "noise_bottom": 2}


class StackedCase(ModelCase):
    """The battery, with images that differ by more than a shade of grey."""

    model_class = StackedGAN

    @pytest.fixture(scope="class")
    @classmethod
    def vivid(cls):
        model = cls.make()
        for name in ("feature_generator", "generator"):
            for variable in model.best(name).trainable_variables:
                if variable.name.split(":")[0].endswith("kernel"):
                    variable.assign(8 * array(variable))
        return model


class TestEncoder(StackedCase):
    """The first stage, in colour."""

    arguments = {**TINY, "stage": "encoder", "channels": 3}
    monitor = "e_loss"
    # No generator moves in it, so averages stand still.
    test_averaged_networks_follow_and_copy_batch_norm = None


class TestJoint(StackedCase):
    """The last one, with averages."""

    arguments = {**TINY, "stage": "joint", "crossing": 0.5, "ema": 0.9, "seed": 5}


class TestUnlabelled(StackedCase):
    """The last one, whose rows are new identities."""

    arguments = {**TINY, "stage": "joint", "labelled": False}


def make(stage, rate=1.0, **arguments):
    """Return a model whose weights are not too small, moved by `rate` times the gradient."""
    model = StackedGAN(**{**TINY, "stage": stage, **arguments})
    for network in model.networks.values():
        for variable in network.trainable_variables:
            if variable.name.split(":")[0].endswith("kernel"):
                variable.assign(4 * np.asarray(variable))
    model.compile(**descending(rate, model.players), run_eagerly=True)
    return model


def batch(count=4):
    """Return digits and their labels."""
    images = np.random.default_rng(0).integers(0, 256, (count, 1, 16, 16, 1), dtype=np.uint8)
    return {"images": tf.constant(images), "identity": tf.range(count, dtype=tf.int64) % 3}


def test_each_stage_moves_its_own_networks():
    moved = {
        "encoder": {"encoder"},
        "top": {"feature_generator", "feature_discriminator", "feature_recogniser"},
        "bottom": {"generator", "discriminator", "recogniser"},
    }
    moved["joint"] = moved["top"] | moved["bottom"]
    for stage, names in moved.items():
        model = make(stage, rate=0.1)
        before = {name: weights(network) for name, network in model.networks.items()}
        logs = model.train_step(batch())
        assert set(logs) == set(model.LOGS)
        changed = {
            name
            for name, network in model.networks.items()
            for old, new in zip(before[name], weights(network))
            if not np.array_equal(old, new)
        }
        assert changed == names
        assert set(model.players) == set(model.optimizers)


@pytest.mark.parametrize("crossing", [0.0, 0.5])
def test_gradients_cross_the_stack_where_they_are_let(crossing):
    model = make("joint", crossing=crossing, condition=0.3, entropy=2.0)
    fields = batch()
    labels = fields["identity"]
    features = model.encoder.features(tf.cast(fields["images"][:, 0], tf.float32) / 127.5 - 1)
    top, bottom = model._codes(labels, "codes of the generators")

    def upper():
        made = model.feature_generator(top, training=True)
        seen = model.feature_discriminator.look(made)
        score = model.feature_discriminator.judge(seen)
        read = tf.sigmoid(model.feature_recogniser(seen))
        named = tf.nn.log_softmax(model.encoder.classify(made))
        named = tf.gather(named, labels, batch_dims=1)
        loss = tf.reduce_mean(tf.nn.softplus(-score)) - 0.3 * tf.reduce_mean(named)
        return loss + 2.0 * tf.reduce_mean((read - top[:, 3:]) ** 2)

    def lower():
        given = model.feature_generator(top, training=True)
        images = model.generator(tf.concat([given, bottom], 1), training=True)
        seen = model.discriminator.features(images)
        score = model.discriminator.compare(seen[:, None])
        read = tf.sigmoid(model.recogniser(seen))
        found = model.encoder.features(images)
        loss = tf.reduce_mean(tf.nn.softplus(-score)) + 0.3 * tf.reduce_mean((found - given) ** 2)
        return loss + 2.0 * tf.reduce_mean((read - bottom) ** 2)

    expected = {
        "feature_generator": gradients(
            lambda: upper() + crossing * lower(), model.feature_generator
        ),
        "generator": gradients(lower, model.generator),
    }
    across = gradients(lower, model.feature_generator)
    assert max(np.abs(gradient).max() for gradient in across) > 1e-3
    before = {name: weights(model.networks[name]) for name in expected}
    losses = float(upper()), float(lower())
    logs = model._update_generators(features, labels)
    told = float(logs["top_g_loss"]), float(logs["g_loss"])
    assert told == pytest.approx(losses, rel=1e-4)
    for name, changes in expected.items():
        for old, new, change in zip(before[name], weights(model.networks[name]), changes):
            np.testing.assert_allclose(new, old - change, rtol=2e-3, atol=3e-4)


def test_discriminators_find_the_noise_again():
    model = make("bottom", entropy=3.0)
    fields = batch()
    images = tf.cast(fields["images"][:, 0], tf.float32) / 127.5 - 1
    features = model.encoder.features(images)
    _, bottom = model._codes(fields["identity"], "codes of the discriminators")
    assert np.min(bottom) >= 0 and np.max(bottom) <= 1
    fake = model.generator(tf.concat([features, bottom], 1), training=True)
    seen = model.discriminator.features(fake)
    error = tf.reduce_mean((tf.sigmoid(model.recogniser(seen)) - bottom) ** 2)
    of_real = model.discriminator(images[:, None])
    of_fake = model.discriminator(fake[:, None])
    expected = 0.5 * tf.reduce_mean(tf.nn.softplus(-of_real) + tf.nn.softplus(of_fake)) + 3 * error
    logs = model._update_discriminators(images, features, fields["identity"])
    assert float(logs["d_loss"]) == pytest.approx(float(expected), rel=1e-4)


def test_rows_show_one_label_after_another():
    model = make("joint")
    codes = model.identity_codes(range(6)).numpy()
    np.testing.assert_array_equal(codes[:, :3].argmax(1), [0, 1, 2, 0, 1, 2])
    assert len(np.unique(codes[:, 3:], axis=0)) == 6
    for seed in (1, -1, 7):
        rows, _ = model.grid_codes(6, 1, seed)
        np.testing.assert_array_equal(rows[:, :3].argmax(1), [0, 1, 2, 0, 1, 2])
        assert not np.array_equal(rows, codes)
    features = model.feature_generator(model._split(model.draw(2, "x"))[0])
    assert features.shape == (2, 16)


def test_without_labels_rows_are_new_identities():
    model = make("joint", labelled=False)
    assert (model.latents.d_i, model.latents.d_o, model.labels) == (3, 2, None)
    assert len(np.unique(model.identity_codes(range(6)).numpy(), axis=0)) == 6
    features = model.feature_generator(model._split(model.draw(2, "x"))[0])
    assert features.shape == (2, 16)


@pytest.mark.parametrize("stage", ["top", "bottom", "joint"])
def test_without_labels_nobody_is_told_who_is_imagined(stage):
    # The lower level still learns from real features, of which it is known whom they show.
    known = {"top": set(), "bottom": {"accuracy"}, "joint": set()}[stage]
    moved = []
    for labels in ([0, 1, 2, 0], [1, 1, 0, 2]):
        model = make(stage, rate=0.1, labelled=False)
        logs = model.train_step({**batch(), "identity": tf.constant(labels, tf.int64)})
        assert {"top_condition", "accuracy"} & set(logs) == known
        assert set(logs) == set(model.LOGS)
        moved.append([value for network in model.networks.values() for value in weights(network)])
    for one, other in zip(*moved):
        np.testing.assert_array_equal(one, other)


def test_the_encoder_reads_images():
    model = make("encoder")
    images = batch()["images"].numpy()[:, 0]
    read = model.read(images, batch_size=3)["category"]
    assert read.shape == (4, 3)
    np.testing.assert_allclose(read.sum(1), 1, rtol=1e-5)
    with pytest.raises(ValueError, match=r"channels=1\. Received: shape \(4, 1, 16, 16, 3\)"):
        model.read(np.repeat(images, 3, -1))


def test_the_encoder_pays_for_large_features():
    model = make("encoder")
    fields = batch()
    images = tf.cast(fields["images"][:, 0], tf.float32) / 127.5 - 1
    features = model.encoder.features(images)
    named = tf.nn.log_softmax(model.encoder.classify(features))
    named = tf.gather(named, fields["identity"], batch_dims=1)
    size = float(tf.reduce_mean(features**2))
    expected = stacked.FEATURE_PENALTY * size - float(tf.reduce_mean(named))
    assert size > 1e-3
    assert float(model.train_step(fields)["e_loss"]) == pytest.approx(expected, rel=1e-4)


def test_training_it_names_the_labels():
    model = StackedGAN(**{**TINY, "dim": 8}, stage="encoder")
    model.compile(e_optimizer=keras.optimizers.Adam(5e-3))
    fields = batch(12)
    before = arrays(model, "generator")
    data = tf.data.Dataset.from_tensors(fields).repeat()
    model.fit(data, steps_per_epoch=60, verbose=0)
    named = model.read(fields["images"].numpy()[:, 0])["category"].argmax(1)
    assert np.mean(named == fields["identity"].numpy()) > 0.9
    assert not differ(arrays(model, "generator"), before)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"training_identities": 1}, "training_identities=1"),
        ({"stage": "middle"}, "stage='middle'"),
        ({"crossing": -1.0}, "crossing=-1.0"),
        ({"entropy": -1.0}, "entropy=-1.0"),
        ({"noise_top": 0}, "name='top', width=0"),
        ({"image_size": 30}, "image_size=30"),
        ({"norm": "none"}, "norm='none'"),
    ],
)
def test_what_is_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        StackedGAN(**{**TINY, **arguments})
