"""Averaged networks: when they move, and whose batch statistics they have."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from model_case import array, arrays, assert_equal, descending, weights

from sdgan_tf.models import SDBEGAN, SDGAN, ConditionalGAN

TINY = {"image_size": 16, "dim": 4, "d_i": 2, "d_o": 3, "ema": 0.9}


def make(**arguments):
    """Return a model whose average has come some way behind it and has images of its own."""
    model = SDGAN(**{**TINY, **arguments})
    for network, factor in ((model.generator, 10), (model.averaged_generator, 12)):
        network.set_weights([factor * value for value in network.get_weights()])
    # Maps that do not lie around 0.
    start = model.averaged_generator.start
    start.bias.assign(np.tile(np.linspace(-1, 1, start.units // 16), 16))
    model.compile(**descending(0.1))
    return model


def test_averaged_networks_move_with_the_generator_alone(tuples):
    model = make(critic_steps=3)
    moved = []
    for step in range(1, 7):
        before = weights(model.averaged_generator)
        model.train_step(tf.constant(tuples(size=16)))
        pairs = zip(weights(model.averaged_generator), before)
        if any(not np.array_equal(new, old) for new, old in pairs):
            moved.append(step)
    assert moved == [3, 6]


def test_the_decay_counts_moves_and_not_steps(tuples):
    model = make(critic_steps=3, norm="none")
    for expected in (1 - 2 / 11, 1 - 3 / 12):
        old = array(model.averaged_generator.start.kernel)
        for _ in range(3):
            model.train_step(tf.constant(tuples(size=16)))
        new, now = (array(net.start.kernel) for net in (model.averaged_generator, model.generator))
        np.testing.assert_allclose(new, old + expected * (now - old), rtol=1e-4, atol=1e-6)


def test_recalibration_gives_the_average_the_statistics_of_its_own_images():
    model = make()
    before = arrays(model)
    model.recalibrate()
    # What one great batch of the same codes would be normalised by.
    twin = make().averaged_generator
    for norm in twin.norms:
        norm.momentum = 0.0
    seeds = range(16 * 64)
    codes = model.latents.join(model.identity_codes(seeds), model.observation_codes(seeds))
    twin(codes, training=True)
    pairs = [*zip(model.averaged_generator.norms, twin.norms)]
    assert len(pairs) == 2
    for mine, great in pairs:
        mean, variance = array(great.moving_mean), array(great.moving_variance)
        assert np.abs(mean).max() > 0.1
        np.testing.assert_allclose(mine.moving_variance, variance, rtol=0.05)
        np.testing.assert_allclose(mine.moving_mean, mean, atol=0.05 * variance.max() ** 0.5)
    # Nothing else changes, the trained generator's statistics among it.
    after = arrays(model)
    changed = {name for name in after if not np.array_equal(after[name], before[name])}
    assert {name.split("/")[0] for name in changed} == {"averaged_generator"}
    assert {name.split("/")[-1] for name in changed} == {"moving_mean", "moving_variance"}
    assert {norm.momentum for norm in model.averaged_generator.norms} == {0.99}


def test_recalibrated_images_are_those_of_training(tuples):
    model = make()
    codes = model.latents.tuples(256, 1, model.random("codes"))[:, 0]
    expected = model.averaged_generator(codes, training=True)
    # As after that pass, or after training, statistics are not the average's own.
    off = np.abs(model(codes) - expected).mean()
    model.recalibrate()
    assert np.abs(model(codes) - expected).mean() < 0.2 * off


def test_recalibrating_twice_is_recalibrating_once():
    model = make()
    model.recalibrate()
    once = arrays(model)
    model.recalibrate()
    assert_equal(arrays(model), once, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        lambda: SDGAN(**{**TINY, "ema": 0.0}),
        lambda: SDBEGAN(image_size=16, dim=2, d_i=2, d_o=3, ema=0.9),
    ],
)
def test_without_average_or_batch_norm_there_is_nothing_to_recalibrate(model):
    model = model()
    model.compile()
    before = arrays(model)
    model.recalibrate()
    assert_equal(arrays(model), before)


def test_the_average_is_recalibrated_on_the_identities_that_a_model_knows():
    model = ConditionalGAN(3, identifier="table", **TINY)
    table = model.averaged_identifier.table.kernel
    table.assign(5 + array(table))
    start = model.averaged_generator.start
    model.recalibrate()
    # The first norm sees what the dense layer makes of them: all lie around 5.
    seeds = range(16 * 64)
    codes = model.latents.join(model.identity_codes(seeds), model.observation_codes(seeds))
    expected = tf.reduce_mean(tf.reshape(start(codes), [-1, start.units // 16]), 0)
    norm = model.averaged_generator.norms[0]
    np.testing.assert_allclose(norm.moving_mean, expected, rtol=1e-3, atol=1e-4)
