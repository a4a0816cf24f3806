"""What later work adds to a discriminator's loss: penalties on its slope, and LeCam."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow import keras

# How far an anchor of LeCam moves in a step.
ANCHOR_RATE = 0.01


def zero_centred(discriminator: keras.Model, tuples: tf.Tensor) -> tf.Tensor:
    """R1 of real tuples, R2 of fake ones: half the mean squared slope (arXiv 1801.04406).

    Args:
        discriminator: tuples to scores [n].
        tuples: float32 [n, k, h, w, c].

    Returns:
        A float32 scalar.
    """
    return 0.5 * tf.reduce_mean(_squared_slopes(discriminator, tuples))


def one_centred(
    discriminator: keras.Model, real: tf.Tensor, fake: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    """WGAN-GP's: slopes of norm 1 wanted on the lines between real and fake tuples (arXiv
    1704.00028, eq. 3).

    Args:
        discriminator: tuples to scores [n].
        real: float32 [n, k, h, w, c].
        fake: the same shape.
        seed: int64 [2], of where on the lines.

    Returns:
        A float32 scalar.
    """
    share = tf.random.stateless_uniform([tf.shape(real)[0], 1, 1, 1, 1], seed, alg="philox")
    squares = _squared_slopes(discriminator, share * real + (1.0 - share) * fake)
    # The root has no slope at 0, hence the epsilon.
    return tf.reduce_mean(tf.square(tf.sqrt(squares + 1e-12) - 1.0))


def lecam(anchors: Any, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """LeCam: keeps scores near running means of the other class's (arXiv 2104.03310).

    Args:
        anchors: float32 variable [2], running means of the scores of real and of fake tuples;
            moved on here, after use.
        real: scores of real tuples, float32 [n].
        fake: scores of fake tuples, float32 [n].

    Returns:
        A float32 scalar.
    """
    before = tf.convert_to_tensor(anchors)
    means = tf.stack([tf.reduce_mean(real), tf.reduce_mean(fake)])
    anchors.assign(before + ANCHOR_RATE * (tf.stop_gradient(means) - before))
    above = tf.square(tf.nn.relu(real - before[1]))
    below = tf.square(tf.nn.relu(before[0] - fake))
    return tf.reduce_mean(above) + tf.reduce_mean(below)


def _squared_slopes(discriminator: keras.Model, tuples: tf.Tensor) -> tf.Tensor:
    """Squared norm of the score's gradient over all axes of each tuple, float32 [n]."""
    with tf.GradientTape() as tape:
        tape.watch(tuples)
        # Replicas cannot meet inside a condition, as moving statistics would have them do.
        scores = discriminator(tuples, training=True, track=False)
    slopes = tf.cast(tape.gradient(scores, tuples), tf.float32)
    return tf.reduce_sum(tf.square(slopes), axis=[1, 2, 3, 4])
