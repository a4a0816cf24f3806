"""Networks that read the code of an image back from what the discriminator sees in it."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf.networks.common import Configured, policy_of
from sdgan_tf.registry import register


@register("recogniser", "dense")
class DenseRecogniser(Configured, keras.Model):
    """A dense layer on the features of an image, with a hidden layer before it if asked for.

    Args:
        code_size: numbers to give, as many as the code has.
        hidden: width of a hidden layer with leaky ReLU, 0 for none.

    Call:
        features float [n, ...] to float32 [n, code_size].
    """

    NAMES = ("code_size", "hidden")

    def __init__(self, code_size: int = 100, hidden: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.code_size = code_size
        self.hidden = hidden
        self.first = keras.layers.Dense(hidden, **policy_of(self)) if hidden else None
        self.finish = keras.layers.Dense(code_size, dtype="float32")

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        flat = tf.reshape(features, [-1, math.prod(features.shape[1:])])
        if self.first is not None:
            flat = tf.nn.leaky_relu(self.first(flat), 0.2)
        return self.finish(flat)
