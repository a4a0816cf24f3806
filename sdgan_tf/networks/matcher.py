"""Networks that say whether embeddings are of one identity."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf.networks.common import Configured, policy_of
from sdgan_tf.registry import register


@register("matcher", "dense")
class DenseMatcher(Configured, keras.Model):
    """Scores a tuple of embeddings, whose order makes no difference, by a hidden layer with leaky ReLU.

    Args:
        matcher_width: of the hidden layer.

    Call:
        embeddings float [n, k, d], their numbers of size 1, to scores float32 [n], higher = more like those of a real
        matched tuple.
    """

    NAMES = ("matcher_width",)

    def __init__(self, matcher_width: int = 128, **kwargs: Any):
        super().__init__(**kwargs)
        self.matcher_width = matcher_width
        self.hidden = keras.layers.Dense(
            matcher_width, kernel_initializer="he_normal", **policy_of(self)
        )
        self.finish = keras.layers.Dense(1, dtype="float32")

    def call(self, embeddings: tf.Tensor, training: bool = False) -> tf.Tensor:
        mean = tf.reduce_mean(embeddings, 1)
        spread = tf.reduce_mean(tf.abs(embeddings - mean[:, tf.newaxis]), 1)
        # Of a pair, the difference of the squares is the product of the two.
        joined = tf.concat([mean, spread, tf.square(mean) - tf.square(spread)], -1)
        return tf.squeeze(self.finish(tf.nn.leaky_relu(self.hidden(joined), 0.2)), -1)
