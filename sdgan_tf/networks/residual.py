"""Residual networks without batch norm and without checkerboard: bilinear resampling, two 3x3 convolutions a block, skip
connections to the image (arXiv 1912.04958, sections 4.1 and 4.2, at a width for small machines).
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf.networks.common import Configured, halvings, policy_of
from sdgan_tf.networks.layers import Conv, Linear
from sdgan_tf.networks.siamese import SiameseDiscriminator
from sdgan_tf.registry import register

SMALLEST_MAP = 4
# Maps are at most this many times as wide as the widest images'.
WIDEST = 8
# Keeps the sum of two signals of size 1 at size 1.
HALF = 0.5**0.5


def _widths(image_size: int, dim: int) -> list[int]:
    """Of the maps from the image's own size down to the smallest."""
    return [
        dim * min(2**level, WIDEST) for level in range(halvings(image_size, SMALLEST_MAP, dim) + 1)
    ]


def _double(maps: tf.Tensor) -> tf.Tensor:
    size = 2 * maps.shape[1]
    return tf.cast(tf.image.resize(maps, [size, size]), maps.dtype)


def _halve(maps: tf.Tensor) -> tf.Tensor:
    return tf.nn.avg_pool2d(maps, 2, 2, "SAME")


def _active(maps: tf.Tensor) -> tf.Tensor:
    return tf.nn.leaky_relu(maps, 0.2)


@register("generator", "residual")
class ResidualGenerator(Configured, keras.Model):
    """Dense to 4x4, then doublings with two 3x3 convolutions each; every size adds its image to the sum of the smaller
    ones'.

    Codes are brought to length 1 times the root of their width first, so that normal and uniform ones begin alike. Maps
    are normalised at each place (arXiv 1710.10196, section 4.2), which needs no batch.

    Args:
        code_size: width of the latent code, `d_I + d_O`.
        image_size: edge of the image in pixels, a power of two from 8.
        channels: of the image.
        dim: channels of the maps at the image's own size; they double with each halving, up to eight times.

    Call:
        codes float [n, code_size] to images float32 [n, image_size, image_size, channels] in [-1, 1].
    """

    NAMES = ("code_size", "image_size", "channels", "dim")

    def __init__(
        self,
        code_size: int = 100,
        image_size: int = 64,
        channels: int = 3,
        dim: int = 16,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.code_size = code_size
        self.image_size = image_size
        self.channels = channels
        self.dim = dim
        options = {**policy_of(self), "initializer": "he_normal"}
        widths = _widths(image_size, dim)[::-1]
        self.start = Linear(SMALLEST_MAP**2 * widths[0], **options)
        self.convolutions = [Conv(width, 3, 1, **options) for width in widths for _ in range(2)]
        # An image of its own at each size; the image itself stays float32 under every policy.
        self.images = [Conv(channels, 1, 1, dtype="float32") for _ in widths]

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, self.code_size]))

    def call(self, codes: tf.Tensor, training: bool = False) -> tf.Tensor:
        codes = tf.math.l2_normalize(codes, axis=-1) * self.code_size**0.5
        maps = self.start(codes)
        maps = tf.reshape(maps, [-1, SMALLEST_MAP, SMALLEST_MAP, maps.shape[-1] // SMALLEST_MAP**2])
        image = None
        for level, to_image in enumerate(self.images):
            maps = maps if level == 0 else _double(maps)
            for convolution in self.convolutions[2 * level : 2 * level + 2]:
                maps = _normalised(_active(convolution(maps)))
            own = to_image(tf.cast(maps, tf.float32))
            image = own if image is None else _double(image) + own
        return tf.tanh(image)


@register("discriminator", "residual")
class ResidualDiscriminator(Configured, SiameseDiscriminator):
    """A shared tower of residual blocks without normalisation; towers are joined by the mean of their maps and the mean
    distance from it, in whatever order a tuple's images come.

    Args:
        k: images in a tuple.
        image_size: edge of an image in pixels, a power of two from 8.
        channels: of an image.
        dim: channels of the maps at the image's own size; they double with each halving, up to eight times.

    Call:
        tuples float [n, k, image_size, image_size, channels] in [-1, 1] to scores float32 [n], higher = more like a
        real matched tuple.
    """

    NAMES = ("k", "image_size", "channels", "dim")

    def __init__(
        self,
        k: int = 2,
        image_size: int = 64,
        channels: int = 3,
        dim: int = 16,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.k = k
        self.image_size = image_size
        self.channels = channels
        self.dim = dim
        options = {**policy_of(self), "initializer": "he_normal"}
        widths = _widths(image_size, dim)
        self.first = Conv(widths[0], 3, 1, **options)
        self.convolutions = [
            Conv(width, 3, 1, **options)
            for narrow, wide in zip(widths, widths[1:])
            for width in (narrow, wide)
        ]
        self.shortcuts = [Conv(width, 1, 1, **options) for width in widths[1:]]
        self.join = Conv(widths[-1], 3, 1, **options)
        self.last = Linear(widths[-1], **options)
        # The score itself stays float32 under every precision policy.
        self.finish = Linear(1, dtype="float32")

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, self.k, self.image_size, self.image_size, self.channels]))

    def features(
        self, images: tf.Tensor, training: bool = False, groups: int = 1, track: bool = True
    ) -> tf.Tensor:
        """Maps of each image, float [n, 4, 4, width]."""
        maps = _active(self.first(images))
        for level, shortcut in enumerate(self.shortcuts):
            one, two = self.convolutions[2 * level : 2 * level + 2]
            deep = _active(two(_halve(_active(one(maps)))))
            maps = (deep + shortcut(_halve(maps))) * HALF
        return maps

    def compare(
        self, features: tf.Tensor, training: bool = False, groups: int = 1, track: bool = True
    ) -> tf.Tensor:
        """Maps of k images, [n, k, 4, 4, width], to scores float32 [n]."""
        mean = tf.reduce_mean(features, 1)
        spread = tf.reduce_mean(tf.abs(features - mean[:, tf.newaxis]), 1)
        maps = _active(self.join(tf.concat([mean, spread], -1)))
        flat = tf.reshape(maps, [-1, math.prod(maps.shape[1:])])
        return tf.squeeze(self.finish(_active(self.last(flat))), -1)


def _normalised(maps: tf.Tensor) -> tf.Tensor:
    """Each place's features brought to a mean square of 1."""
    square = tf.reduce_mean(tf.square(tf.cast(maps, tf.float32)), -1, keepdims=True)
    return maps * tf.cast(tf.math.rsqrt(square + 1e-8), maps.dtype)
