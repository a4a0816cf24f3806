"""The BEGAN generator and the Siamese autoencoder that serves as its discriminator (paper, section
4.1).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf.networks.common import Configured, halvings, policy_of
from sdgan_tf.registry import register

SMALLEST_MAP = 8


def _conv(filters: int, options: dict[str, Any], strides: int = 1) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(filters, 3, strides, "same", activation="elu", **options)


@register("generator", "began")
class BEGANGenerator(Configured, keras.Model):
    """Dense to 8x8, then pairs of 3x3 convolutions with ELU, each pair but the last followed by a
    nearest doubling.

    The end is linear, without tanh. The discriminator's decoder has the same shape.

    Args:
        code_size: width of the code, `d_I + d_O`.
        image_size: edge of the image in pixels, a power of two from 16.
        channels: of the image.
        dim: channels of every map (paper: 128).

    Call:
        codes float [n, code_size] to images float32 [n, image_size, image_size, channels], about
        [-1, 1].
    """

    NAMES = ("code_size", "image_size", "channels", "dim")

    def __init__(
        self,
        code_size: int = 100,
        image_size: int = 64,
        channels: int = 3,
        dim: int = 128,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.code_size = code_size
        self.image_size = image_size
        self.channels = channels
        self.dim = dim

        options = policy_of(self)
        self.start = keras.layers.Dense(SMALLEST_MAP**2 * dim, **options)
        self.convs = [
            _conv(dim, options) for _ in range(2 * halvings(image_size, SMALLEST_MAP, dim) + 2)
        ]
        self.double = keras.layers.UpSampling2D(**options)
        # The image itself stays float32 under every precision policy.
        self.finish = keras.layers.Conv2D(channels, 3, 1, "same", dtype="float32")

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, self.code_size]))

    def call(self, codes: tf.Tensor, training: bool = False) -> tf.Tensor:
        maps = tf.reshape(self.start(codes), [-1, SMALLEST_MAP, SMALLEST_MAP, self.dim])
        for index, conv in enumerate(self.convs):
            if index and index % 2 == 0:
                maps = self.double(maps)
            maps = conv(maps)
        return self.finish(maps)


@register("discriminator", "began")
class SiameseAutoencoder(Configured, keras.Model):
    """Rebuilds a tuple of images through one code for the whole tuple.

    A shared encoder gives each image a code; with k > 1 the k codes are joined by a dense layer to the size
    of the tuple's own code, `d_I + k * d_O`; from it, one dense layer a position gives each
    image's code back to a shared decoder. All of this is linear between the encoder's
    convolutions and the decoder's.

    Args:
        k: images in a tuple.
        d_i: width of the identity code.
        d_o: width of the observation code.
        image_size: edge of an image in pixels, a power of two from 16.
        channels: of an image.
        dim: channels of the first maps (paper: 128).

    Call:
        tuples float [n, k, image_size, image_size, channels] to rebuilt ones, float32 of the same
        shape.
    """

    NAMES = ("k", "d_i", "d_o", "image_size", "channels", "dim")

    def __init__(
        self,
        k: int = 2,
        d_i: int = 50,
        d_o: int = 50,
        image_size: int = 64,
        channels: int = 3,
        dim: int = 128,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.k = k
        self.d_i = d_i
        self.d_o = d_o
        self.image_size = image_size
        self.channels = channels
        self.dim = dim

        options = policy_of(self)
        count = halvings(image_size, SMALLEST_MAP, dim)
        self.encoder = [_conv(dim, options)]
        for level in range(1, count + 2):
            self.encoder += [_conv(level * dim, options), _conv(level * dim, options)]
            if level <= count:
                self.encoder.append(_conv(level * dim, options, strides=2))
        self.encoded = keras.layers.Dense(d_i + d_o, **options)
        # A single image's code is the tuple's.
        self.joint = keras.layers.Dense(d_i + k * d_o, **options) if k > 1 else None
        self.parted = [keras.layers.Dense(d_i + d_o, **options) for _ in range(k if k > 1 else 0)]
        self.decoder = BEGANGenerator(d_i + d_o, image_size, channels, dim, **options)

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, self.k, self.image_size, self.image_size, self.channels]))

    def call(self, tuples: tf.Tensor, training: bool = False) -> tf.Tensor:
        shape = [self.image_size, self.image_size, self.channels]
        maps = tf.reshape(tuples, [-1, *shape])
        for conv in self.encoder:
            maps = conv(maps)
        size = maps.shape[1] * maps.shape[2] * maps.shape[3]
        codes = self.encoded(tf.reshape(maps, [-1, size]))
        if self.joint is not None:
            joint = self.joint(tf.reshape(codes, [-1, self.k * (self.d_i + self.d_o)]))
            codes = tf.stack([part(joint) for part in self.parted], axis=1)
        images = self.decoder(tf.reshape(codes, [-1, self.d_i + self.d_o]))
        return tf.reshape(images, [-1, self.k, *shape])
