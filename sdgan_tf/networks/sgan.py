"""The networks of Stacked GAN (arXiv 1612.04357) for digits, as its released code has them.

A stack has two levels: features of a classifier, and images. `dim` is 32 there; all widths follow.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf.networks.common import Configured, policy_of
from sdgan_tf.networks.layers import BatchNorm
from sdgan_tf.networks.siamese import SiameseDiscriminator
from sdgan_tf.registry import register, serializable

SLOPE = 0.2
NORM_EPSILON = 1e-6


def features_of(dim: int) -> int:
    """How many features there are between the two levels (released code: 256)."""
    return 8 * dim


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)


def _options(network: keras.Model) -> dict[str, Any]:
    return {"kernel_initializer": _initializer(), **policy_of(network)}


def check_size(image_size: int, dim: int) -> None:
    """Raises a `ValueError` for images or widths that these networks cannot have."""
    if image_size < 16 or image_size % 4 or dim < 1:
        raise ValueError(
            "The networks of Stacked GAN are at least one channel wide, for images whose edge is a multiple of 4 from "
            f"16 on (digits: 28). Received: image_size={image_size}, dim={dim}"
        )


@serializable
class SGANEncoder(Configured, keras.Model):
    """The classifier: two 5x5 convolutions with max pooling, a dense layer of features, a dense layer of logits.

    Args:
        classes: how many labels there are (released code: 10).
        image_size: edge of an image in pixels, a multiple of 4 from 16 on.
        channels: of an image.
        dim: channels of both convolutions (released code: 32).

    Call:
        images float [n, image_size, image_size, channels] in [-1, 1] to logits float32 [n, classes].
    """

    NAMES = ("classes", "image_size", "channels", "dim")

    def __init__(
        self,
        classes: int = 10,
        image_size: int = 28,
        channels: int = 1,
        dim: int = 32,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_size(image_size, dim)
        self.classes, self.image_size, self.channels, self.dim = classes, image_size, channels, dim
        # Weights of its own: those of the GAN's networks would take long to classify anything.
        options = {"kernel_initializer": "he_normal", **policy_of(self)}
        self.convs = [keras.layers.Conv2D(dim, 5, activation="relu", **options) for _ in range(2)]
        self.dense = keras.layers.Dense(features_of(dim), activation="relu", **options)
        self.finish = keras.layers.Dense(classes, dtype="float32")

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, self.image_size, self.image_size, self.channels]))

    def features(self, images: tf.Tensor) -> tf.Tensor:
        """Images float [n, h, w, c] in [-1, 1] to float32 [n, 8 dim], 0 or more."""
        maps = (images + 1) / 2  # the released weights know pixels from 0 to 1
        for conv in self.convs:
            maps = tf.nn.max_pool2d(conv(maps), 2, 2, "VALID")
        flat = tf.reshape(maps, [-1, math.prod(maps.shape[1:])])
        return tf.cast(self.dense(flat), tf.float32)

    def classify(self, features: tf.Tensor) -> tf.Tensor:
        """Features float32 [n, 8 dim] to logits float32 [n, classes]."""
        return self.finish(features)

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.classify(self.features(images))

    def take_released(self, path: str) -> None:
        """Takes the weights of the released classifier of digits, `mnist/pretrained/encoder.npz` of
        github.com/xunhuang1995/SGAN.

        Args:
            path: of that file. It is for 28x28x1, ten classes and `dim=32`.
        """
        with np.load(path, allow_pickle=False) as file:
            values = [file[f"arr_{index}"] for index in range(8)]
        for index in (0, 2):
            values[index] = values[index].transpose(2, 3, 1, 0)  # from [out, in, h, w]
        # The dense layer follows maps whose channels come first.
        edge = self.image_size // 4 - 3
        maps = values[4].reshape(self.dim, edge, edge, -1).transpose(1, 2, 0, 3)
        values[4] = maps.reshape(values[4].shape)
        self.build()
        self.set_weights(values)


@serializable
class SGANFeatureGenerator(Configured, keras.Model):
    """The upper generator: noise and a label to features, by three dense layers.

    Args:
        code_size: width of noise and label together (released code: 60).
        dim: see the module.

    Call:
        codes float [n, code_size] to features float32 [n, 8 dim], 0 or more.
    """

    NAMES = ("code_size", "dim")

    def __init__(self, code_size: int = 60, dim: int = 32, **kwargs: Any):
        super().__init__(**kwargs)
        self.code_size, self.dim = code_size, dim
        options = {"use_bias": False, **_options(self)}
        self.denses = [keras.layers.Dense(16 * dim, **options) for _ in range(2)]
        self.norms = [BatchNorm(epsilon=NORM_EPSILON, **policy_of(self)) for _ in range(2)]
        self.finish = keras.layers.Dense(
            features_of(dim), kernel_initializer=_initializer(), dtype="float32"
        )

    def call(self, codes: tf.Tensor, training: bool = False) -> tf.Tensor:
        rows = codes
        for dense, norm in zip(self.denses, self.norms):
            rows = tf.nn.relu(norm(dense(rows), training=training))
        return tf.nn.relu(self.finish(tf.cast(rows, tf.float32)))


@register("generator", "sgan")
class SGANGenerator(Configured, keras.Model):
    """The lower generator: features and noise to images, by transposed 5x5 convolutions.

    Args:
        code_size: width of features and noise together (released code: 306).
        image_size: edge of an image in pixels, a multiple of 4 from 16 on.
        channels: of an image.
        dim: see the module.

    Call:
        codes float [n, code_size], features first, to images float32 [n, image_size, image_size, channels] in
        [-1, 1]; a sigmoid's 0 to 1 becomes -1 to 1.
    """

    NAMES = ("code_size", "image_size", "channels", "dim")

    def __init__(
        self,
        code_size: int = 306,
        image_size: int = 28,
        channels: int = 1,
        dim: int = 32,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_size(image_size, dim)
        self.code_size, self.image_size = code_size, image_size
        self.channels, self.dim = channels, dim
        self.smallest = image_size // 4 - 3
        options = {"use_bias": False, **_options(self)}
        self.noise = keras.layers.Dense(4 * dim, **options)
        self.dense = keras.layers.Dense(self.smallest**2 * 4 * dim, **options)
        deconv = keras.layers.Conv2DTranspose
        self.convs = [
            deconv(4 * dim, 5, 2, "same", **options),
            deconv(2 * dim, 5, 1, "valid", **options),
            deconv(2 * dim, 5, 2, "same", **options),
        ]
        self.norms = [BatchNorm(epsilon=NORM_EPSILON, **policy_of(self)) for _ in range(5)]
        self.finish = deconv(
            channels, 5, 1, "valid", kernel_initializer=_initializer(), dtype="float32"
        )

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, self.code_size]))

    def call(self, codes: tf.Tensor, training: bool = False) -> tf.Tensor:
        width = features_of(self.dim)
        features, noise = codes[:, :width], codes[:, width:]
        of_noise, of_dense, *others = self.norms
        noise = tf.nn.relu(of_noise(self.noise(noise), training=training))
        rows = self.dense(tf.concat([tf.cast(features, noise.dtype), noise], -1))
        rows = tf.nn.relu(of_dense(rows, training=training))
        maps = tf.reshape(rows, [-1, self.smallest, self.smallest, 4 * self.dim])
        for conv, norm in zip(self.convs, others):
            maps = tf.nn.relu(norm(conv(maps), training=training))
        # 2 sigmoid(x) - 1
        return tf.tanh(self.finish(tf.cast(maps, tf.float32)) / 2)


@register("discriminator", "sgan")
class SGANDiscriminator(Configured, SiameseDiscriminator):
    """The lower discriminator: three 5x5 convolutions of stride 2, a dense layer, a score.

    Args:
        image_size: edge of an image in pixels, a multiple of 4 from 16 on.
        channels: of an image.
        dim: see the module.

    Call:
        tuples of one image float [n, 1, image_size, image_size, channels] in [-1, 1] to scores float32 [n].
    """

    NAMES = ("image_size", "channels", "dim")

    k = 1

    def __init__(self, image_size: int = 28, channels: int = 1, dim: int = 32, **kwargs: Any):
        super().__init__(**kwargs)
        check_size(image_size, dim)
        self.image_size, self.channels, self.dim = image_size, channels, dim
        options = _options(self)
        self.convs = [
            keras.layers.Conv2D(width * dim, 5, 2, "same", **options) for width in (1, 2, 4)
        ]
        self.dense = keras.layers.Dense(8 * dim, **options)
        self.finish = keras.layers.Dense(1, kernel_initializer=_initializer(), dtype="float32")

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, 1, self.image_size, self.image_size, self.channels]))

    def features(
        self, images: tf.Tensor, training: bool = False, groups: int = 1, track: bool = True
    ) -> tf.Tensor:
        """What is seen in each image, [n, 8 dim]."""
        maps = (images + 1) / 2
        for conv in self.convs:
            maps = tf.nn.leaky_relu(conv(maps), SLOPE)
        flat = tf.reshape(maps, [-1, math.prod(maps.shape[1:])])
        return tf.nn.leaky_relu(self.dense(flat), SLOPE)

    def compare(
        self, features: tf.Tensor, training: bool = False, groups: int = 1, track: bool = True
    ) -> tf.Tensor:
        """Features of single images, [n, 1, f], to scores float32 [n]."""
        return tf.squeeze(self.finish(tf.cast(features[:, 0], tf.float32)), -1)


@serializable
class SGANFeatureDiscriminator(Configured, keras.Model):
    """The upper discriminator: two dense layers, and a score of features.

    Args:
        dim: see the module.

    Call:
        features float [n, 8 dim] to scores float32 [n, 1]. `look` gives what the second layer sees, [n, 8 dim].
    """

    NAMES = ("dim",)

    def __init__(self, dim: int = 32, **kwargs: Any):
        super().__init__(**kwargs)
        self.dim = dim
        self.denses = [keras.layers.Dense(8 * dim, **_options(self)) for _ in range(2)]
        self.finish = keras.layers.Dense(1, kernel_initializer=_initializer(), dtype="float32")

    def look(self, features: tf.Tensor) -> tf.Tensor:
        """Features float [n, 8 dim] to float [n, 8 dim]."""
        rows = features
        for dense in self.denses:
            rows = tf.nn.leaky_relu(dense(rows), SLOPE)
        return rows

    def judge(self, seen: tf.Tensor) -> tf.Tensor:
        """What `look` gives to scores float32 [n, 1]."""
        return self.finish(tf.cast(seen, tf.float32))

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.judge(self.look(features))
