"""Where a model that is told who is in an image takes the identity code from: a table, or an encoder (paper, section
4.1: the baselines).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.networks.common import Configured, policy_of
from sdgan_tf.networks.dcgan import SiameseDCGANDiscriminator
from sdgan_tf.registry import register, serializable

# Of how many identities an encoder remembers the code, to show them by.
REMEMBERED = 128


@serializable
class CodeTable(Configured, keras.layers.Layer):
    """One code for each row: int64 [n], rows of the table, to float32 [n, width].

    Args:
        rows: number of codes.
        width: of a code.
        law: how the table is first drawn: `"uniform"` on [-1, 1], `"normal"`, or `"zeros"`.
        trainable: whether gradients reach it. If not, all replicas take what the first one assigns.
    """

    NAMES = ("rows", "width", "law", "trainable")

    def __init__(
        self, rows: int, width: int, law: str = "uniform", trainable: bool = True, **kwargs: Any
    ):
        super().__init__(trainable=trainable, **kwargs)
        self.rows = rows
        self.width = width
        self.law = law
        initializers = {
            "uniform": keras.initializers.RandomUniform(-1.0, 1.0),
            "normal": keras.initializers.RandomNormal(stddev=1.0),
            "zeros": keras.initializers.Zeros(),
        }
        self.kernel_initializer = initializers[law]

    def build(self, input_shape: Any = None) -> None:
        self.kernel = keras_compat.add_weight(
            self,
            "kernel",
            [self.rows, self.width],
            self.kernel_initializer,
            trainable=self.trainable,
            autocast=False,
            first_replica=not self.trainable,
        )
        self.built = True

    def call(self, rows: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.convert_to_tensor(self.kernel), rows)

    def remember(self, codes: tf.Tensor, labels: tf.Tensor) -> None:
        """Keeps the codes of those labels that have a row: float32 [n, width] and int64 [n]; passes no gradient."""
        theirs = tf.equal(tf.range(self.rows, dtype=tf.int64)[:, tf.newaxis], labels)
        # Of two codes of one identity the first, in whatever order a device works.
        first = tf.gather(tf.stop_gradient(codes), tf.argmax(tf.cast(theirs, tf.int32), axis=1))
        seen = tf.reduce_any(theirs, axis=1, keepdims=True)
        self.kernel.assign(tf.where(seen, first, tf.convert_to_tensor(self.kernel)))


@register("identifier", "table")
class IdentityTable(Configured, keras.Model):
    """A trained code for each training identity.

    Args:
        training_identities: how many there are.
        d_i: width of an identity code.
        law: how the codes are first drawn: `"uniform"` or `"normal"`.

    Attributes:
        shown: how many identities `known` goes through.

    Call:
        images float32 [n, h, w, c], which are not looked at, and labels int64 [n] from 0 to
        `training_identities - 1`, to codes float32 [n, d_i].
    """

    NAMES = ("training_identities", "d_i", "law")

    def __init__(
        self, training_identities: int = 2, d_i: int = 50, law: str = "uniform", **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.training_identities = training_identities
        self.d_i = d_i
        self.law = law
        self.shown = training_identities
        self.table = CodeTable(training_identities, d_i, law, dtype="float32")

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self.table.build()

    def call(self, images: tf.Tensor, labels: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.table(labels)

    def known(self, numbers: tf.Tensor) -> tf.Tensor:
        """The codes of the training identities, over and over: int64 [n] to float32 [n, d_i]."""
        return self.table(numbers % self.shown)


@register("identifier", "encoder")
class IdentityEncoder(Configured, keras.Model):
    """The code of an image: the tower of the DCGAN discriminator, a dense layer and tanh.

    It remembers the last code of each of the first 128 training identities, so that it can show them when no image is
    at hand. No image is kept.

    Args:
        training_identities: how many there are.
        d_i: width of an identity code.
        image_size: edge of an image in pixels, a power of two from 8.
        channels: of an image.
        dim: channels of the first map.

    Attributes:
        shown: how many identities `known` goes through.

    Call:
        images float32 [n, h, w, c] in [-1, 1] and labels int64 [n], whose codes it remembers in training, to codes
        float32 [n, d_i] in [-1, 1].
    """

    NAMES = ("training_identities", "d_i", "image_size", "channels", "dim")

    def __init__(
        self,
        training_identities: int = 2,
        d_i: int = 50,
        image_size: int = 64,
        channels: int = 3,
        dim: int = 64,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.training_identities = training_identities
        self.d_i = d_i
        self.image_size = image_size
        self.channels = channels
        self.dim = dim
        self.encoder = SiameseDCGANDiscriminator(
            1, image_size, channels, dim, join_layers=0, outputs=d_i, **policy_of(self)
        )
        self.shown = min(training_identities, REMEMBERED)
        self.memory = CodeTable(self.shown, d_i, "zeros", trainable=False, dtype="float32")

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self.encoder.build()
            self.memory.build()

    def call(self, images: tf.Tensor, labels: tf.Tensor, training: bool = False) -> tf.Tensor:
        read = self.encoder(images[:, tf.newaxis], training=training)
        codes = tf.tanh(tf.reshape(read, [-1, self.d_i]))
        if training:
            self.memory.remember(codes, labels)
        return codes

    def known(self, numbers: tf.Tensor) -> tf.Tensor:
        """The remembered codes, over and over: int64 [n] to float32 [n, d_i]."""
        return self.memory(numbers % self.shown)
