"""The inverse of a network that maps noise: by descent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.latents import LAWS

STEPS, RATE = 400, 0.05


def nearest_noise(mapped: Callable[[tf.Tensor], tf.Tensor], codes: np.ndarray) -> np.ndarray:
    """The noise that is mapped nearest to given codes, by descent from the middle.

    Args:
        mapped: normal noise float32 [n, width] to codes float32 [n, width], each row by itself.
        codes: float32 [n, width].

    Returns:
        float32 [n, width], within three standard deviations.
    """
    wanted, law = tf.constant(codes, tf.float32), LAWS["normal"]
    noise = keras_compat.add_weight(keras.layers.Layer(), "noise", wanted.shape)
    schedule = keras.optimizers.schedules.CosineDecay(RATE, STEPS)
    optimizer = keras.optimizers.Adam(schedule)
    optimizer.build([noise])

    @tf.function
    def step() -> None:
        value = tf.convert_to_tensor(noise)
        with tf.GradientTape() as tape:
            tape.watch(value)
            loss = tf.reduce_sum(tf.square(mapped(value) - wanted))
        keras_compat.apply_gradients(optimizer, tape.gradient(loss, [value]), [noise])
        noise.assign(tf.clip_by_value(tf.convert_to_tensor(noise), law.low, law.high))

    for _ in range(STEPS):
        step()
    return tf.convert_to_tensor(noise).numpy()
