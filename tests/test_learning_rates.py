"""Learning rates: their values, and that optimizers and saved models keep them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.learning_rates import HalvingRate
from sdgan_tf.models import SDGAN


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 8e-5),
        (99_999, 8e-5),
        (100_000, 4e-5),
        (199_999, 4e-5),
        (200_000, 2e-5),
        # A further halving would fall below the floor.
        (300_000, 2e-5),
        (10**7, 2e-5),
    ],
)
def test_the_rate_halves_down_to_its_floor(step, rate):
    for number in (step, tf.constant(step), tf.Variable(step, dtype=tf.int64)):
        value = HalvingRate()(number)
        assert value.dtype == tf.float32 and value.shape == []
        assert float(value) == pytest.approx(rate, rel=1e-6)


def test_other_rates():
    rate = HalvingRate(1.0, every=3, floor=0.0)
    values = [float(rate(step)) for step in range(8)]
    assert values == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]
    constant = HalvingRate(1e-5, every=0)
    assert [float(constant(step)) for step in (0, 1, 10**6)] == pytest.approx([1e-5] * 3)
    assert float(HalvingRate(0.5, 1, 0.5)(4)) == 0.5


@pytest.mark.parametrize(
    "arguments",
    [
        {"rate": 0.0, "floor": 0.0},
        {"rate": -1.0},
        {"every": -1},
        {"floor": -0.1},
        {"rate": 1e-5, "floor": 2e-5},
    ],
)
def test_impossible_rates_are_refused(arguments):
    name, value = next(iter(arguments.items()))
    with pytest.raises(ValueError, match=f"Received: .*{name}={value}"):
        HalvingRate(**arguments)


def test_an_optimizer_keeps_its_schedule_in_its_config():
    schedule = HalvingRate(0.3, every=7, floor=0.1)
    config = keras.optimizers.serialize(keras.optimizers.Adam(schedule))
    again = keras.optimizers.deserialize(json.loads(json.dumps(config)))
    kept = keras.optimizers.serialize(again)["config"]["learning_rate"]
    assert kept["class_name"] in ("HalvingRate", "sdgan_tf>HalvingRate")
    assert kept["config"] == {"rate": 0.3, "every": 7, "floor": 0.1}


def test_a_saved_model_goes_on_at_the_rate_it_had_come_to(tmp_path, tuples):
    def rate(model):
        """Make one update by gradients of 1 and return how far the generator's weights move."""
        before = model.generator.trainable_variables[0].numpy()
        ones = [tf.ones(variable.shape) for variable in model.generator.trainable_variables]
        model.apply_gradients("g", ones)
        moved = before - model.generator.trainable_variables[0].numpy()
        assert np.ptp(moved) < 1e-5
        return float(moved.mean())

    model = SDGAN(image_size=8, dim=1, d_i=2, d_o=2)
    rates = (keras.optimizers.SGD(HalvingRate(1.0, 2, 0.25)) for _ in range(2))
    model.compile(d_optimizer=next(rates), g_optimizer=next(rates))
    model.train_step(tf.constant(tuples()))
    assert rate(model) == pytest.approx(1.0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    counts = [
        int(keras_compat.optimizer_variables(optimizer)[0])
        for optimizer in (loaded.d_optimizer, loaded.g_optimizer)
    ]
    assert counts == [1, 2]
    rates = [0.5, 0.5, 0.25, 0.25, 0.25]
    assert [rate(loaded) for _ in rates] == pytest.approx(rates, rel=1e-5)
