"""Generators that know identities by label or by picture, for models that cannot imagine new ones
(paper, section 4.1: the baselines).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.keras_compat import register
from sdgan_tf.networks.common import policy_of
from sdgan_tf.networks.dcgan import DCGANGenerator, SiameseDCGANDiscriminator

# How many pictures an encoder keeps to show identities by.
REFERENCES = 128


@register
class CodeTable(keras.layers.Layer):
    """One trained code for each identity: int64 [n], rows of the table, to float32 [n, width].

    Args:
        rows: number of identities.
        width: of a code.
        codes: how the table is first drawn: `"uniform"` on [-1, 1] or `"normal"`.
    """

    def __init__(self, rows: int, width: int, codes: str = "uniform", **kwargs: Any):
        super().__init__(**kwargs)
        self.rows = rows
        self.width = width
        self.codes = codes
        initializers = keras.initializers
        self.kernel_initializer = (
            initializers.RandomUniform(-1.0, 1.0)
            if codes == "uniform"
            else initializers.RandomNormal(stddev=1.0)
        )

    def build(self, input_shape: Any = None) -> None:
        shape = [self.rows, self.width]
        self.kernel = keras_compat.add_weight(
            self, "kernel", shape, self.kernel_initializer, autocast=False
        )
        self.built = True

    def call(self, rows: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.convert_to_tensor(self.kernel), rows)

    def get_config(self) -> dict[str, Any]:
        own = {"rows": self.rows, "width": self.width, "codes": self.codes}
        return {**super().get_config(), **own}


@register
class References(keras.layers.Layer):
    """A picture of each of the first identities that were seen in training, kept for good.

    Identity `i` has the place `i % places`, so that no two places show the same identity.

    Args:
        places: how many pictures are kept.
        image_size: edge of a picture in pixels.
        channels: of a picture.
    """

    def __init__(self, places: int, image_size: int, channels: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.places = places
        self.image_size = image_size
        self.channels = channels

    def build(self, input_shape: Any = None) -> None:
        shape = [self.places, self.image_size, self.image_size, self.channels]
        self.pictures = keras_compat.add_weight(
            self, "pictures", shape, trainable=False, autocast=False, first_replica=True
        )
        self.built = True

    def call(self, places: tf.Tensor) -> tf.Tensor:
        """Places int64 [n] to their pictures, float32 [n, h, w, c] in [-1, 1]; 0 where none was seen
        yet.
        """
        return tf.gather(tf.convert_to_tensor(self.pictures), places)

    def fill(self, pictures: tf.Tensor, labels: tf.Tensor) -> None:
        """Keeps those pictures whose places are empty.

        Args:
            pictures: float32 [n, h, w, c] in [-1, 1].
            labels: int64 [n], who they show.
        """
        kept = tf.convert_to_tensor(self.pictures)
        # No byte from 0 to 255 is 0 in [-1, 1].
        empty = tf.reduce_all(tf.equal(kept, 0.0), axis=[1, 2, 3])
        places = tf.range(self.places, dtype=tf.int64)
        theirs = tf.equal(places[:, tf.newaxis], labels % self.places)
        count = tf.shape(pictures)[0]
        # Of two pictures for one place the first, in whatever order a device works.
        first = tf.reduce_min(tf.where(theirs, tf.range(count), count), axis=1)
        new = tf.logical_and(empty, first < count)
        chosen = tf.gather(pictures, tf.minimum(first, count - 1))
        self.pictures.assign(tf.where(tf.reshape(new, [-1, 1, 1, 1]), chosen, kept))

    def get_config(self) -> dict[str, Any]:
        names = ("places", "image_size", "channels")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@register
class TableGenerator(DCGANGenerator):
    """A DCGAN generator with a table of identity codes, trained together.

    Args:
        identities: rows of the table.
        d_i: width of an identity code, the first part of the code.
        codes: how the table is first drawn: `"uniform"` or `"normal"`.
        **kwargs: `code_size`, `image_size`, `channels` and `dim` of `DCGANGenerator`.

    Attributes:
        shown: how many identities `known` goes through.
    """

    def __init__(self, identities: int = 2, d_i: int = 50, codes: str = "uniform", **kwargs: Any):
        super().__init__(**kwargs)
        self.identities = identities
        self.d_i = d_i
        self.codes = codes
        self.shown = identities
        self.table = CodeTable(identities, d_i, codes, dtype="float32")

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            super().build()
            self.table.build()

    def identify(self, pictures: tf.Tensor, labels: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The identity codes of those whom pictures show.

        Args:
            pictures: float32 [n, h, w, c] in [-1, 1]; not looked at.
            labels: int64 [n], rows of the table.
            training: makes no difference.

        Returns:
            float32 [n, d_i].
        """
        return self.table(labels)

    def known(self, numbers: tf.Tensor) -> tf.Tensor:
        """The codes of the table, over and over: int64 [n] to float32 [n, d_i]."""
        return self.table(numbers % self.shown)

    def get_config(self) -> dict[str, Any]:
        names = ("identities", "d_i", "codes")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@register
class EncoderGenerator(DCGANGenerator):
    """A DCGAN generator with an encoder of identity codes, trained together.

    The encoder is the tower of the DCGAN discriminator, a dense layer and tanh.

    Args:
        identities: how many there are in the training data, of which up to 128 are remembered by a
            picture.
        d_i: width of an identity code, the first part of the code.
        **kwargs: `code_size`, `image_size`, `channels` and `dim` of `DCGANGenerator`.

    Attributes:
        shown: how many identities `known` goes through.
    """

    def __init__(self, identities: int = 2, d_i: int = 50, **kwargs: Any):
        super().__init__(**kwargs)
        self.identities = identities
        self.d_i = d_i
        picture = {"image_size": self.image_size, "channels": self.channels}
        self.encoder = SiameseDCGANDiscriminator(
            1, **picture, dim=self.dim, join_layers=0, outputs=d_i, **policy_of(self)
        )
        self.shown = min(identities, REFERENCES)
        self.references = References(self.shown, **picture, dtype="float32")

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            super().build()
            self.encoder.build()
            self.references.build()

    def identify(self, pictures: tf.Tensor, labels: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The identity codes of those whom pictures show.

        Args:
            pictures: float32 [n, h, w, c] in [-1, 1].
            labels: int64 [n], who they show; in training, pictures of new identities are kept as
                references.
            training: whether batch norm takes the batch's statistics.

        Returns:
            float32 [n, d_i] in [-1, 1].
        """
        if training:
            self.references.fill(pictures, labels)
        found = self.encoder(pictures[:, tf.newaxis], training=training)
        return tf.tanh(tf.reshape(found, [-1, self.d_i]))

    def known(self, numbers: tf.Tensor) -> tf.Tensor:
        """The codes of the references, over and over: int64 [n] to float32 [n, d_i]."""
        return self.identify(self.references(numbers % self.shown), numbers)

    def get_config(self) -> dict[str, Any]:
        names = ("identities", "d_i")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
