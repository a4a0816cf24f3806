"""Learning rates that follow the optimizer's own step count, and so survive a resume."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf.registry import serializable


@serializable
class HalvingRate(keras.optimizers.schedules.LearningRateSchedule):
    """Halves the rate at every so many steps, down to a floor, as the released SD-BEGAN does.

    Args:
        rate: at the start (paper: 8e-5).
        every: steps between halvings (released code: 100,000); 0 for a constant rate.
        floor: the least (released code: 2e-5).
    """

    def __init__(self, rate: float = 8e-5, every: int = 100_000, floor: float = 2e-5):
        # A constant rate never meets its floor.
        if rate <= 0 or every < 0 or (every and not 0 <= floor <= rate):
            raise ValueError(
                "A rate is above 0, falls at every so many steps (0 for never) and not below a floor that lies "
                f"under it. Received: rate={rate}, every={every}, floor={floor}"
            )
        self.rate = rate
        self.every = every
        self.floor = floor

    def __call__(self, step: Any) -> tf.Tensor:
        """The rate at `step`, float32."""
        if not self.every:
            return tf.constant(self.rate, tf.float32)
        halvings = tf.floor(tf.cast(step, tf.float32) / float(self.every))
        return tf.maximum(self.rate * tf.pow(0.5, halvings), self.floor)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "every": self.every, "floor": self.floor}
