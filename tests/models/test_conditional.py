"""Models that are told who is in a picture: the battery, then one property of the step at a time."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from model_case import ModelCase, array
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.images import to_float
from sdgan_tf.models import ACDCGAN, DRGAN, EncoderPairGAN, TablePairGAN

TINY = {"training_identities": 3, "image_size": 8, "dim": 2, "d_i": 2, "d_o": 3}
MODELS = (ACDCGAN, DRGAN, EncoderPairGAN, TablePairGAN)


class TestTableAndNames(ModelCase):
    """As the paper has it, but for the average."""

    model_class = ACDCGAN
    arguments = {**TINY, "ema": 0.9}


class TestEncoderAndPairs(ModelCase):
    """What the paper does not have switched on, with grey pictures."""

    model_class = EncoderPairGAN
    arguments = {
        **TINY,
        **{"channels": 1, "codes": "normal", "norm": "none", "r1": 0.1},
        **{"augment": "translation", "ema": 0.9, "seed": 5},
    }

    @pytest.fixture(scope="class")
    @classmethod
    def vivid(cls):
        """Return a model that saw all identities, whose codes and pictures differ."""
        model = cls.make()
        model.train_step(cls.batch(model))
        generator = model.best_generator
        for layer, factor in ((generator.finish, 10), (generator.encoder.finish, 100)):
            layer.kernel.assign(factor * array(layer.kernel))
        return model


def make(model_class, rate=1.0, **arguments):
    """Return a model of not too small weights, which optimizers move by `rate` times the slope."""
    model = model_class(**{**TINY, **arguments})
    for network in (model.generator, model.discriminator):
        for variable in network.trainable_variables:
            if variable.name.split(":")[0].endswith("kernel"):
                variable.assign(5 * array(variable))
    model.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate))
    return model


def weights(network):
    """Return copies of the trained weights."""
    return [array(variable) for variable in network.trainable_variables]


def batch(model, tuples, labels=(2, 0, 2)):
    """Return real tuples as floats, and who is in them."""
    images = to_float(tf.constant(tuples(len(labels), model.k)))
    return images, tf.constant(labels, tf.int64)


def assert_descended(before, network, loss):
    """Check that `network` has moved from `before`, where it is put back, by minus the slopes."""
    after = weights(network)
    for variable, value in zip(network.trainable_variables, before):
        variable.assign(value)
    values = [keras_compat.tensor_of(variable) for variable in network.trainable_variables]
    with tf.GradientTape() as tape:
        total = loss()
    found = tape.gradient(total, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    assert max(float(tf.reduce_max(tf.abs(tf.convert_to_tensor(slope)))) for slope in found) > 1e-3
    for new, old, slope in zip(after, before, found):
        change = tf.convert_to_tensor(slope).numpy()
        np.testing.assert_allclose(new, old - change, rtol=1e-3, atol=1e-4)
    return float(total)


def by_hand(model, real, labels):
    """Return the losses of the next step, with separate passes for real and fake tuples.

    Both as functions, of the discriminator's and of the generator's weights.
    """

    def fakes(stream):
        observations = model.latents.tuples(3, 1, model._random(stream))[:, 0, 2:]
        if isinstance(model, (ACDCGAN, TablePairGAN)) and not isinstance(model, DRGAN):
            identity = tf.gather(tf.convert_to_tensor(model.generator.table.kernel), labels)
        else:
            identity = tf.tanh(model.generator.encoder(real[:, :1], training=True))
        pictures = model.generator(tf.concat([identity, observations], 1), training=True)
        if isinstance(model, ACDCGAN):
            return pictures[:, None]
        return tf.stack([pictures, real[:, 0]], 1)

    def judged(tuples):
        out = model.discriminator(tuples, training=True)
        if not isinstance(model, ACDCGAN):
            return out, 0.0
        logits = out[:, 1:]
        chosen = tf.gather(logits, labels, batch_dims=1)
        return out[:, 0], tf.reduce_mean(tf.reduce_logsumexp(logits, 1) - chosen)

    def discriminator_loss():
        (score, naming), (fake, fake_naming) = judged(real), judged(discriminator_fakes)
        adversarial = tf.reduce_mean(tf.nn.softplus(-score)) + tf.reduce_mean(tf.nn.softplus(fake))
        return (adversarial + naming + fake_naming) / 2

    def generator_loss():
        score, naming = judged(fakes("codes of the generator"))
        return tf.reduce_mean(tf.nn.softplus(-score)) + naming

    discriminator_fakes = fakes("codes of the discriminator")
    return discriminator_loss, generator_loss


@pytest.mark.parametrize("model_class", MODELS)
def test_both_networks_descend_the_papers_losses(model_class, tuples):
    model = make(model_class)
    real, labels = batch(model, tuples)
    expected_d, expected_g = by_hand(model, real, labels)

    before = weights(model.discriminator)
    logs = model._update_discriminator(real, labels)
    loss = assert_descended(before, model.discriminator, expected_d)
    assert float(logs["d_loss"]) == pytest.approx(loss, rel=1e-4)

    before = weights(model.generator)
    loss = float(model._update_generator(real, labels))
    assert loss == pytest.approx(assert_descended(before, model.generator, expected_g), rel=1e-4)


def test_rows_of_the_table_move_with_their_identities_alone(tuples):
    model = make(ACDCGAN)
    before = array(model.generator.table.kernel)
    model._update_generator(*batch(model, tuples, labels=(2, 0, 2)))
    moved = np.any(array(model.generator.table.kernel) != before, axis=1)
    assert moved.tolist() == [True, False, True]


def test_the_penalty_adds_the_squared_slope_of_the_score(tuples):
    losses = []
    for r1 in (0.0, 0.5):
        model = make(ACDCGAN, norm="none", r1=r1)
        real, labels = batch(model, tuples)
        losses.append(float(model._update_discriminator(real, labels)["d_loss"]))
    with tf.GradientTape() as tape:
        tape.watch(real)
        score = make(ACDCGAN, norm="none").discriminator(real)[:, 0]
    slope = tf.reduce_sum(tf.square(tape.gradient(score, real)), [1, 2, 3, 4])
    assert losses[1] - losses[0] == pytest.approx(0.25 * np.mean(slope), rel=1e-2)
    assert losses[1] - losses[0] > 1e-5


def test_tables_show_their_rows_by_turns():
    model = make(ACDCGAN, training_identities=5)
    table = array(model.generator.table.kernel)
    codes = model.identity_codes([0, 1, 4, 5, 9]).numpy()
    np.testing.assert_array_equal(codes, table[[0, 1, 4, 0, 4]])
    # `generate` counts from the seed times 2**32 on.
    later = model.identity_codes([2**32 + number for number in range(5)]).numpy()
    assert not np.array_equal(later, table)
    np.testing.assert_array_equal(np.sort(later, axis=0), np.sort(table, axis=0))
    np.testing.assert_array_equal(
        model.observation_codes([7]), model.latents.observation_codes([7])
    )


def test_encoders_show_the_first_pictures_that_they_saw(tuples):
    model = make(EncoderPairGAN)
    assert np.all(array(model.generator.references.pictures) == 0)
    real, labels = batch(model, tuples, labels=(2, 0, 2))
    model.train_step((real, labels))
    other = -real
    model.train_step((other, tf.constant([0, 1, 1], tf.int64)))
    expected = [real[1, 0], other[1, 0], real[0, 0]]
    np.testing.assert_array_equal(array(model.generator.references.pictures), expected)

    codes = tf.tanh(model.generator.encoder(tf.stack(expected)[:, None], training=False))
    np.testing.assert_allclose(model.identity_codes([0, 1, 2, 3]), tf.gather(codes, [0, 1, 2, 0]))
    assert len(np.unique(codes, axis=0)) == 3 and np.abs(codes).max() < 1


def test_an_export_samples_the_same_identities(tuples, tmp_path):
    model = make(EncoderPairGAN, rate=0.0)
    model.train_step(batch(model, tuples, labels=(2, 0, 1)))
    signatures = tf.saved_model.load(str(model.export(tmp_path / "1"))).signatures
    seeds = {"identity_seed": [0, 2**32, 5], "observation_seed": [5, 5, 6]}
    answers = signatures["sample"](**{k: tf.constant(v, tf.int64) for k, v in seeds.items()})
    grid = model.generate(seeds["identity_seed"], [5, 6])
    np.testing.assert_array_equal(answers["images"], grid[[0, 1, 2], [0, 0, 1]])
    assert len(np.unique(answers["identity"].numpy().round(5), axis=0)) == 3


def test_the_papers_sizes():
    model = ACDCGAN(training_identities=10_000)
    assert sum(model.parameters().values()) == 32_796_596
    first, second = model.default_optimizers()
    assert first is not second and isinstance(first, keras.optimizers.Adam)
    assert (float(first.learning_rate), first.beta_1) == pytest.approx((2e-4, 0.5))


@pytest.mark.parametrize("model_class", MODELS)
def test_scores_do_not_depend_on_neighbours(model_class, tuples):
    model = make(model_class)
    images = tf.constant(tuples(5, model.k))
    scores = model.score(images)
    assert scores.shape == [5] and scores.dtype == tf.float32
    np.testing.assert_allclose(model.score(images[2:3]), scores[2:3], rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"training_identities": 1}, "training_identities=1, d_i=2"),
        ({"d_i": 0}, "d_i=0"),
        ({"d_o": 0}, "d_o=0"),
        ({"r1": -1.0}, "r1=-1.0"),
        ({"norm": "layer"}, "norm='layer'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ACDCGAN(**{**TINY, **arguments})


def test_tuples_without_labels_are_refused(tuples):
    model = make(ACDCGAN)
    with pytest.raises(ValueError, match="labels=True"):
        model.train_step(tf.constant(tuples(3, 1)))
    with pytest.raises(ValueError, match=r"\[batch, 1, 8, 8, 3\]"):
        model.train_step((tf.constant(tuples(3, 2)), tf.constant([0, 1, 2], tf.int64)))
    assert model.completed_steps == 0
