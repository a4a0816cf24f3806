"""Compact networks that look at images: one embeds them, for verification; one reads off values."""

from __future__ import annotations

import math
from typing import Any, Literal

import tensorflow as tf
from tensorflow import keras

from sdgan_tf.networks.common import Configured, halvings, policy_of
from sdgan_tf.registry import check_choices, register, serializable

# Edge of the last map.
SMALLEST = 4


@register("embedder", "convolutional")
class Embedder(Configured, keras.Model):
    """Strided 3x3 convolutions with batch norm and ReLU, a dense layer, unit length.

    Args:
        image_size: edge of an image in pixels, a power of two from 8.
        channels: of an image.
        dim: channels of the first map; they double with each map, up to eight times.
        embedding_size: width of the embedding.
        pooling: what the dense layer sees: `"none"`, all places, which tells faces apart better that lie alike in their
            images; or `"mean"`, the mean over places, as in verifiers of version 0.1.

    Call:
        images float [n, image_size, image_size, channels] in [-1, 1] to float32
        [n, embedding_size] of unit length.
    """

    NAMES = ("image_size", "channels", "dim", "embedding_size", "pooling")

    def __init__(
        self,
        image_size: int = 64,
        channels: int = 3,
        dim: int = 32,
        embedding_size: int = 64,
        pooling: Literal["none", "mean"] = "none",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.image_size = image_size
        self.channels = channels
        self.dim = dim
        self.embedding_size = embedding_size
        self.pooling = pooling
        check_choices(self)
        widths = [dim * 2 ** min(power, 3) for power in range(halvings(image_size, SMALLEST, dim))]
        options = {"use_bias": False, "kernel_initializer": "he_normal", **policy_of(self)}
        self.convolutions = [
            keras.layers.Conv2D(width, 3, 2, "same", **options) for width in widths
        ]
        self.norms = [
            keras.layers.BatchNormalization(momentum=0.9, **policy_of(self)) for _ in widths
        ]
        self.finish = keras.layers.Dense(embedding_size, use_bias=False, dtype="float32")

    def numbers(self) -> int:
        """How many numbers all its variables are: known before any of them is made."""
        widths = [self.channels, *(convolution.filters for convolution in self.convolutions)]
        places = 1 if self.pooling == "mean" else SMALLEST**2
        # A kernel, and four numbers of batch norm for each of its channels.
        maps = sum((9 * before + 4) * after for before, after in zip(widths, widths[1:]))
        return maps + places * widths[-1] * self.embedding_size

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, self.image_size, self.image_size, self.channels]))

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        maps = images
        for convolution, norm in zip(self.convolutions, self.norms):
            maps = tf.nn.relu(norm(convolution(maps), training=training))
        return self._read(tf.cast(maps, tf.float32))

    def _read(self, maps: tf.Tensor) -> tf.Tensor:
        return tf.math.l2_normalize(self._values(maps), axis=-1)

    def _values(self, maps: tf.Tensor) -> tf.Tensor:
        if self.pooling == "mean":
            return self.finish(tf.reduce_mean(maps, axis=[1, 2]))
        return self.finish(tf.reshape(maps, [-1, math.prod(maps.shape[1:])]))


@serializable
class Regressor(Embedder):
    """The same network, whose `embedding_size` values keep their lengths.

    Call:
        images float [n, image_size, image_size, channels] in [-1, 1] to float32
        [n, embedding_size].
    """

    def _read(self, maps: tf.Tensor) -> tf.Tensor:
        return self._values(maps)
