"""The two scales of a picture: bytes 0 to 255 outside, floats in [-1, 1] inside."""

from __future__ import annotations

import tensorflow as tf


def to_float(images: tf.Tensor) -> tf.Tensor:
    """uint8 0 to 255 to float32 in [-1, 1], by `/ 127.5 - 1`; floats are taken to be in [-1, 1]
    already.
    """
    if images.dtype == tf.uint8:
        return tf.cast(images, tf.float32) / 127.5 - 1.0
    if images.dtype.is_floating:
        return tf.cast(images, tf.float32)
    raise ValueError(
        "Pictures are uint8 from 0 to 255 or floats in [-1, 1]. "
        f"Received: {images.dtype.name}; convert by tf.cast(images, tf.uint8)"
    )


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """float in [-1, 1] to uint8 0 to 255, rounded; what lies outside is clipped, NaN becomes 0."""
    scaled = tf.round((tf.cast(images, tf.float32) + 1.0) * 127.5)
    # As an integer a NaN is whatever the processor makes of it.
    scaled = tf.where(tf.math.is_nan(scaled), 0.0, scaled)
    return tf.cast(tf.clip_by_value(scaled, 0.0, 255.0), tf.uint8)
