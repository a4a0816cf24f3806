"""SD-BEGAN: the battery, then one property of the step at a time."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from model_case import ModelCase, array, arrays, assert_equal, descending, gradients, weights
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.images import to_float
from sdgan_tf.models import SDBEGAN

TINY = {"image_size": 16, "dim": 1, "d_i": 2, "d_o": 3}


class TestBattery(ModelCase):
    """As the paper has it, but for the average."""

    model_class = SDBEGAN
    arguments = {**TINY, "ema": 0.9}
    monitor = "convergence"


def make(rate=1.0, **arguments):
    """Return a model that optimizers move by `rate` times the gradient."""
    model = SDBEGAN(**{**TINY, **arguments})
    model.compile(**descending(rate))
    return model


def errors(model, codes, images):
    """Return the mean absolute errors of real and of fake tuples, from two separate passes."""
    real = to_float(tf.constant(images))
    fake = tf.reshape(model.generator(tf.reshape(codes, [-1, 5])), real.shape)
    return [tf.reduce_mean(tf.abs(model.discriminator(each) - each)) for each in (real, fake)]


def codes_of_step(model, count=4):
    """Return the codes that the model's next step will draw."""
    return model.draw(tf.constant(count), "codes")


# --- the step


@pytest.mark.parametrize(
    ("k_t", "precision"), [(0.0, "float32"), (0.3, "float32"), (0.3, "mixed_float16")]
)
def test_one_backward_pass_gives_the_gradients_of_two(tuples, k_t, precision):
    images = tuples(size=16)
    model, by_hand = make(precision=precision), make()
    model.k_t.assign(k_t)
    codes = codes_of_step(by_hand)
    expected = {
        "d": gradients(
            lambda: errors(by_hand, codes, images)[0] - k_t * errors(by_hand, codes, images)[1],
            by_hand.discriminator,
        ),
        "g": gradients(lambda: errors(by_hand, codes, images)[1], by_hand.generator),
    }
    applied = {}

    def note(player, gradients):
        optimizer, scale = model.optimizers[player], 1.0
        if precision == "mixed_float16":
            scale = float(
                optimizer.scale_loss(1.0) if keras_compat.KERAS_3 else optimizer.loss_scale
            )
        applied[player] = [np.asarray(gradient) / scale for gradient in gradients]

    model.apply_gradients = note
    model.train_step(tf.constant(images))
    tolerance = 1e-4 if precision == "float32" else 5e-2
    for player, by_two in expected.items():
        largest = max(np.abs(gradient).max() for gradient in by_two)
        assert largest > 1e-3
        for mine, gradient in zip(applied[player], by_two):
            np.testing.assert_allclose(mine, gradient, atol=tolerance * largest, err_msg=player)


def test_both_networks_are_moved_by_their_own_optimizers(tuples):
    model = SDBEGAN(**TINY)
    # Optimizers that differ: what moves by 0 is the generator.
    model.compile(d_optimizer=keras.optimizers.SGD(0.1), g_optimizer=keras.optimizers.SGD(0.0))
    before = weights(model.generator), weights(model.discriminator)
    model.train_step(tf.constant(tuples(size=16)))
    for after, old in zip(weights(model.generator), before[0]):
        np.testing.assert_array_equal(after, old)
    pairs = zip(weights(model.discriminator), before[1])
    assert any(not np.array_equal(after, old) for after, old in pairs)


def test_each_step_draws_codes_of_its_own():
    model = make()
    first = codes_of_step(model)
    model.step.assign(1)
    assert first.shape == [8, 5]
    assert not np.any(np.isclose(codes_of_step(model), first)), "the same tuples"
    np.testing.assert_array_equal(first[0, :2], first[1, :2])


def test_logs_and_balance_by_hand(tuples):
    images = tuples(size=16)
    model = make(gamma=0.4, rate_k=0.2)
    model.k_t.assign(0.3)
    real, fake = (float(error) for error in errors(model, codes_of_step(model), images))
    logs = {name: float(value) for name, value in model.train_step(tf.constant(images)).items()}
    balance = 0.4 * real - fake
    assert abs(balance) > 0.01
    expected = {
        "loss_real": real,
        "loss_fake": fake,
        "k_t": 0.3 + 0.2 * balance,
        "balance": balance,
        "convergence": real + abs(balance),
    }
    assert logs == pytest.approx(expected, rel=1e-3)
    assert float(array(model.k_t)) == pytest.approx(expected["k_t"], rel=1e-4)


@pytest.mark.parametrize(("gamma", "start", "end"), [(100.0, 0.9, 1.0), (1e-3, 0.1, 0.0)])
def test_k_t_stays_between_0_and_1(tuples, gamma, start, end):
    model = make(gamma=gamma, rate_k=1000.0, rate=0.0)
    assert float(array(model.k_t)) == 0, "where it starts"
    model.k_t.assign(start)
    model.train_step(tf.constant(tuples(size=16)))
    assert float(array(model.k_t)) == end


def test_k_t_at_an_end_at_every_step_is_an_imbalance():
    model = make()
    assert model.imbalance({"k_t": 0.0}) == ["k_t is pinned at 0"]
    assert model.imbalance({"k_t": 1.0}) == ["k_t is pinned at 1"]
    assert model.imbalance({"k_t": 1e-6}) == model.imbalance({"k_t": 0.999}) == []


def test_k_t_is_saved(tmp_path):
    model = make()
    assert model.state()["k_t"] is model.k_t
    model.k_t.assign(0.375)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert float(array(loaded.k_t)) == 0.375
    model.save_weights(tmp_path / "model.weights.h5")
    fresh = make()
    fresh.load_weights(tmp_path / "model.weights.h5")
    assert float(array(fresh.k_t)) == 0.375


def test_k_t_stays_float32_under_half_precision(tuples):
    for precision in ("mixed_bfloat16", "mixed_float16"):
        model = make(precision=precision, rate=0.0)
        assert tf.as_dtype(model.k_t.dtype) == tf.float32
        # A change that half precision would swallow.
        model.k_t.assign(0.5)
        logs = model.train_step(tf.constant(tuples(size=16)))
        change = float(array(model.k_t)) - 0.5
        assert change == pytest.approx(0.001 * float(logs["balance"]), rel=1e-2)


@pytest.mark.parametrize("arguments", [{"k": 1}, {"k": 3}, {"channels": 1}, {"image_size": 32}])
def test_other_tuples_train(tuples, arguments):
    model = make(rate=0.1, **arguments)
    images = tuples(3, model.k, model.image_size, model.channels)
    before = weights(model.generator) + weights(model.discriminator)
    logs = model.train_step(tf.constant(images))
    assert np.all(np.isfinite(list(logs.values())))
    after = weights(model.generator) + weights(model.discriminator)
    moved = [not np.array_equal(new, old) for new, old in zip(after, before)]
    assert sum(moved) > 0.8 * len(moved)
    assert model.reconstruct(images).shape == images.shape
    assert model.score(images).shape == [3]
    edge = (model.image_size, model.image_size, model.channels)
    assert model.generate(2, 3).shape == (2, 3, *edge)


def test_a_batch_is_a_dictionary_or_the_images_alone(tuples):
    images = tf.constant(tuples(size=16))
    one, other = make(), make()
    one.train_step(images)
    other.train_step({"images": images, "identity": tf.range(4)})
    assert_equal(arrays(one), arrays(other))


def test_the_plain_began_joins_nothing():
    model = SDBEGAN(**TINY, k=1)
    assert model.discriminator.joint is None and not model.discriminator.parted
    pairs = SDBEGAN(**TINY).parameters()["discriminator"]
    # Of pairs: 10 numbers to 8, which two layers turn into 5 each.
    assert pairs - model.parameters()["discriminator"] == (10 * 8 + 8) + 2 * (8 * 5 + 5)


# --- what comes out


def test_a_score_is_minus_the_error_whatever_the_neighbours(tuples):
    model, images = make(), tuples(count=5, size=16)
    scores = model.score(images)
    assert scores.shape == [5] and scores.dtype == tf.float32
    real = images / 127.5 - 1
    expected = -np.mean(
        np.abs(model.discriminator(tf.constant(real, tf.float32)) - real), (1, 2, 3, 4)
    )
    np.testing.assert_allclose(scores, expected, rtol=1e-4)
    np.testing.assert_allclose(model.score(images[2:3]), scores[2:3], rtol=1e-4)
    assert len(np.unique(scores)) == 5
    np.testing.assert_allclose(model.score(tf.constant(real, tf.float32)), scores, rtol=1e-4)


def test_training_raises_the_score_of_real_tuples(tuples):
    model, images = make(rate=0.02), tuples(size=16)
    before = model.score(images)
    for _ in range(5):
        model.train_step(tf.constant(images))
    assert np.all(model.score(images) > before)


def test_reconstructions_are_the_discriminators(tuples):
    model, images = make(), tuples(size=16)
    rebuilt = model.reconstruct(images)
    assert rebuilt.dtype == tf.float32
    expected = model.discriminator(to_float(tf.constant(images)))
    np.testing.assert_array_equal(rebuilt, expected)


# --- arguments


def test_the_defaults_are_the_papers():
    model = SDBEGAN()
    config = model.get_config()
    paper = {"image_size": 64, "channels": 3, "d_i": 50, "d_o": 50, "k": 2}
    paper |= {"law": "uniform", "gamma": 0.5, "rate_k": 0.001, "ema": 0.0, "precision": "float32"}
    assert {name: config[name] for name in paper} == paper
    assert model.parameters() == {"generator": 2_011_523, "discriminator": 14_940_325}
    assert {model.generator.dim, model.discriminator.dim} == {128}
    optimizers = model.default_optimizers()
    assert set(optimizers) == {"d", "g"} and optimizers["d"] is not optimizers["g"]
    for optimizer in optimizers.values():
        assert isinstance(optimizer, keras.optimizers.Adam)
        options = json.loads(json.dumps(keras.optimizers.serialize(optimizer)["config"]))
        names = ("beta_1", "beta_2", "epsilon")
        # The epsilon of TensorFlow 1, not Keras' 1e-7.
        assert [options[name] for name in names] == pytest.approx([0.9, 0.999, 1e-8])
        schedule = options["learning_rate"]
        assert schedule["class_name"].endswith("HalvingRate")
        assert schedule["config"] == {"rate": 8e-5, "every": 100_000, "floor": 2e-5}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gamma": 0.0}, "gamma=0.0, rate_k=0.001"),
        ({"gamma": -0.5}, "gamma=-0.5"),
        ({"rate_k": -0.1}, "rate_k=-0.1"),
        ({"image_size": 8}, "power of two, 16 or more. Received: image_size=8"),
        ({"k": 0}, "Received: k=0"),
        ({"channels": 2}, "Received: channels=2"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SDBEGAN(**{**TINY, **arguments})


def test_wrong_batches_are_refused(tuples):
    model = make()
    for method in (model.train_step, model.score, model.reconstruct):
        with pytest.raises(ValueError, match=r"\[batch, 2, 16, 16, 3\]"):
            method(tf.constant(tuples(k=3, size=16)))
    assert model.completed_steps == 0
