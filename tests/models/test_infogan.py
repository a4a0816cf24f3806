"""InfoGAN: the battery, the step's losses by hand, the control, and what is read."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf.models import InfoGAN
from tests.models.model_case import ModelCase, arrays, descending, differ, gradients, weights

TINY = {"image_size": 8, "channels": 3, "dim": 2, "categories": 3, "noise": 4}


class TestReleased(ModelCase):
    """As released, for digits, in small."""

    model_class = InfoGAN
    arguments = {**TINY, "channels": 1}


class TestEverythingElse(ModelCase):
    """Networks of another family, two categorical codes, learned variances, and all additions."""

    model_class = InfoGAN
    arguments = {
        **{"image_size": 8, "generator": "dcgan", "discriminator": "dcgan", "recogniser": "dense"},
        **{"channels": 3, "dim": 2, "hidden": 3, "norm": "none", "categories": 3, "noise": 3},
        **{"categorical": 2, "continuous": 1, "law": "normal", "variance": "learned", "r1": 0.1},
        **{"augment": "translation", "ema": 0.9, "recognise_o": 0.3, "seed": 5},
    }


def make(rate=1e-3, **arguments):
    """Return a model whose weights are not too small, moved by `rate` times the gradient."""
    model = InfoGAN(**{**TINY, **arguments})
    for network in model.networks.values():
        for variable in network.trainable_variables:
            if variable.name.split(":")[0].endswith("kernel"):
                variable.assign(10 * np.asarray(variable))
    model.compile(**descending(rate), run_eagerly=True)
    return model


def images(count=6, size=8, channels=3, seed=0):
    """Return random tuples of one image."""
    shape = (count, 1, size, size, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def nats(model, fake, codes):
    """Return `-log Q(c|x)` of the category and of the continuous codes, worked out in NumPy's way."""
    features = model.discriminator.features(fake, training=True)
    read = model.recogniser(features, training=True)
    logits, means, logs = read[:, :3], read[:, 3:5], 6 * tf.tanh(read[:, 5:] / 6)
    if model.variance == "fixed":
        logs = tf.zeros_like(logs)
    category = tf.reduce_logsumexp(logits, 1) - tf.reduce_sum(codes[:, :3] * logits, 1)
    normal = 0.5 * ((codes[:, 3:5] - means) ** 2 / tf.exp(logs) + logs + math.log(2 * math.pi))
    return tf.reduce_mean(category), tf.reduce_mean(tf.reduce_sum(normal, 1))


@pytest.mark.parametrize("variance", ["fixed", "learned"])
def test_a_step_descends_the_released_losses(variance):
    model = make(rate=1.0, variance=variance, recognise_i=0.7, recognise_o=0.2)
    real = tf.constant(images())
    floats = tf.cast(real, tf.float32) / 127.5 - 1
    codes = [model.draw(6, f"codes of the {name}") for name in ("discriminator", "generator")]
    fake = model.generator(codes[0], training=True)

    def d_loss():
        of_real = model.discriminator(floats, training=True)
        of_fake = model.discriminator(fake[:, None], training=True)
        adversarial = tf.reduce_mean(tf.nn.softplus(-of_real)) + tf.reduce_mean(
            tf.nn.softplus(of_fake)
        )
        category, normal = nats(model, fake, codes[0])
        return adversarial + 0.7 * category + 0.2 * normal

    def g_loss():
        made = model.generator(codes[1], training=True)
        score = model.discriminator(made[:, None], training=True)
        category, normal = nats(model, made, codes[1])
        return tf.reduce_mean(tf.nn.softplus(-score)) + 0.7 * category + 0.2 * normal

    before = {name: weights(network) for name, network in model.networks.items()}
    expected = float(d_loss())
    downhill = {
        name: gradients(d_loss, model.networks[name]) for name in ("discriminator", "recogniser")
    }
    information = math.log(3) - float(nats(model, fake, codes[0])[0])
    logs = model.train_step({"images": real})
    assert float(logs["d_loss"]) == pytest.approx(expected, rel=1e-4)
    assert float(logs["information_category"]) == pytest.approx(information, rel=1e-4)
    for name, changes in downhill.items():
        for old, new, change in zip(before[name], weights(model.networks[name]), changes):
            np.testing.assert_allclose(new, old - change, rtol=1e-3, atol=2e-4)
    # The generator moves after the discriminator, against the weights that it has now.
    after = weights(model.generator)
    for variable, value in zip(model.generator.trainable_variables, before["generator"]):
        variable.assign(value)
    assert float(logs["g_loss"]) == pytest.approx(float(g_loss()), rel=1e-3)
    for old, new, change in zip(before["generator"], after, gradients(g_loss, model.generator)):
        np.testing.assert_allclose(new, old - change, rtol=2e-3, atol=5e-4)


def test_a_reading_that_is_surely_wrong_costs_a_finite_number():
    model = make(variance="learned")
    outputs = tf.constant([[0.0, 0.0, 0.0, 1.0, 1.0, -1000.0, 1000.0]])
    _, logs = model._readings(outputs)["continuous"]
    np.testing.assert_allclose(logs, [[-6, 6]], rtol=1e-5)


def test_real_images_are_read_by_statistics_of_real_ones():
    model = make()
    (norm,) = model.discriminator.norms
    first, second = model.discriminator.convs
    real = (tf.cast(images()[:, 0], tf.float32) / 127.5 - 1 + 1) / 2
    seen = second(tf.nn.leaky_relu(first(real), 0.01))
    before = np.asarray(norm.moving_mean)
    model.train_step({"images": tf.constant(images())})
    expected = 0.9 * before + 0.1 * np.mean(seen, (0, 1, 2))
    np.testing.assert_allclose(norm.moving_mean, expected, rtol=1e-4, atol=1e-6)


def test_the_optimizers_are_the_released_ones():
    model = InfoGAN(**TINY)
    model.compile()
    for player, rate in (("d", 2e-4), ("g", 1e-3)):
        config = model.optimizers[player].get_config()
        assert config["learning_rate"] == pytest.approx(rate)
        assert (config["beta_1"], config["epsilon"]) == pytest.approx((0.5, 1e-8))
    assert model.players["d"] == ("discriminator", "recogniser")


def test_information_is_logged_against_the_entropy():
    model = make(continuous=2)
    logs = model.train_step({"images": images()})
    assert float(logs["entropy_category"]) == pytest.approx(math.log(3))
    assert float(logs["entropy_continuous"]) == pytest.approx(2 * math.log(2))
    assert float(logs["information_category"]) <= math.log(3)
    # With the variance that the errors have, it costs no more than with that of 1.
    fake = model.generator(model.draw(6, "codes"), training=True)
    codes = model.draw(6, "codes")
    features = model.discriminator.features(fake, training=True)[:, None]
    costs, logs = model._recognition(features, codes, list(model.read_parts.values()))
    assert float(logs["information_continuous"]) > 2 * math.log(2) - float(costs["continuous"])


def test_the_control_reads_and_moves_nothing_but_its_head():
    control, plain = (make(recognise_i=0.0, recognise_o=0.0, seed=1) for _ in range(2))
    logs = control.train_step({"images": images()})
    assert float(logs["information_category"]) < math.log(3)
    before = arrays(plain, "recogniser")
    # The same step without any head.
    plain._recognition = lambda features, codes, parts: (
        {},
        {
            f"{what}_{part.name}": tf.zeros([])
            for part in parts
            for what in ("information", "entropy")
        },
    )
    plain.train_step({"images": images()})
    for name in ("generator", "discriminator"):
        for one, other in zip(weights(control.networks[name]), weights(plain.networks[name])):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    assert differ(arrays(control, "recogniser"), before)


def test_rows_are_one_category_after_another():
    model = make(categorical=2)
    assert model.identities == 9
    codes = model.identity_codes(range(9)).numpy().reshape(9, 2, 3).argmax(-1)
    assert [tuple(pair) for pair in codes] == [(i % 3, i // 3) for i in range(9)]
    np.testing.assert_array_equal(model.identity_codes([9]), model.identity_codes([0]))
    assert [part.name for part in model.latents.parts["identity"]] == ["category_1", "category_2"]
    assert make().identities == 3


def test_without_categories_rows_share_the_noise():
    model = make(categorical=0, continuous=2)
    assert model.identities is None
    assert (model.latents.d_i, model.latents.d_o) == (4, 2)
    assert set(model.train_step({"images": images()})) >= {"information_continuous"}
    assert set(model.read(images()[:, 0])) == {"continuous"}


def test_real_images_are_read_one_by_one():
    model = make()
    real = images(5)[:, 0]
    read = model.read(real)
    assert read["category"].shape == (5, 3) and read["continuous"].shape == (5, 2)
    np.testing.assert_allclose(read["category"].sum(1), 1, rtol=1e-5)
    for name, values in model.read(real[3:4], batch_size=1).items():
        np.testing.assert_allclose(values, read[name][3:4], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.read(real, 2)["category"], read["category"], rtol=1e-4)


def test_a_head_of_ones_own():
    head = keras.Sequential([keras.layers.Dense(7)])
    model = InfoGAN(**TINY, recogniser=head)
    assert model.recogniser is head
    with pytest.raises(ValueError, match="recogniser .* gives float32"):
        InfoGAN(**TINY, recogniser=keras.Sequential([keras.layers.Dense(6)]))


def test_digits_are_no_food_for_a_colour_model():
    model = make()
    grey = images(channels=1)
    with pytest.raises(ValueError, match=r"channels=3\. Received: shape \(6, 1, 8, 8, 1\)"):
        model.train_step({"images": grey})
    with pytest.raises(ValueError, match=r"channels=3\. Received: shape \(6, 1, 8, 8, 1\)"):
        model.read(grey[:, 0])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"categories": 1}, "categories=1"),
        ({"categorical": 0, "continuous": 0}, "one code that is read"),
        ({"noise": -1}, "noise=-1"),
        ({"recognise_i": -0.1}, "recognise_i=-0.1"),
        ({"variance": "open"}, "variance='open'"),
        ({"law": "cauchy"}, "cauchy"),
        ({"colour": 3}, "colour=3"),
    ],
)
def test_what_is_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        InfoGAN(**{**TINY, **arguments})
