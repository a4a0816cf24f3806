"""How the loss asks a discriminator about tuples of images.

A discriminator is any Keras model that takes tuples float [n, k, h, w, c] in [-1, 1] and gives scores float [n], higher
= more like a real matched tuple. One that is written as a `SiameseDiscriminator` tells in addition what it sees in each
image by itself: then the loss looks at each image once, whatever tuples it puts it in, and recognisers read its
features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow import keras


class SiameseDiscriminator(keras.Model):
    """Base of discriminators that see each image by itself before they compare those of a tuple.

    A subclass sets `k`, how many images make up a tuple, and writes `features` and `compare`. Both are given batches of
    several groups, one after another, such as real and fake tuples: batch normalisation takes statistics of each group
    by itself. A network without batch normalisation ignores `groups` and `track`.
    """

    k: int

    def features(
        self, images: tf.Tensor, training: bool = False, groups: int = 1, track: bool = True
    ) -> tf.Tensor:
        """What each image looks like.

        Args:
            images: float [groups * n, h, w, c] in [-1, 1].
            training: whether batch normalisation takes the statistics of the batch.
            groups: equal parts of the batch with statistics of their own.
            track: whether moving statistics follow those of the batch.

        Returns:
            float [groups * n, ...].
        """
        raise NotImplementedError

    def compare(
        self, features: tf.Tensor, training: bool = False, groups: int = 1, track: bool = True
    ) -> tf.Tensor:
        """Whether features of k images look like those of one identity: float [groups * n, k, ...] to scores float32
        [groups * n]. The arguments are those of `features`.
        """
        raise NotImplementedError

    @property
    def clippable(self) -> list[Any]:
        """The variables that the loss `"wgan"` clips: none here."""
        return []

    def begin_step(self) -> None:
        """Called once at the start of each train step, such as for a power iteration. Does nothing here."""

    def call(self, tuples: tf.Tensor, training: bool = False) -> tf.Tensor:
        (features,) = features_of(self, [tuples], training)
        return scores_of(self, [features], training)[0]


def features_of(
    discriminator: keras.Model,
    classes: Sequence[tf.Tensor],
    training: bool = True,
    track: bool = True,
) -> list[tf.Tensor]:
    """What a discriminator sees in each image of several classes of tuples, in one pass.

    Args:
        discriminator: any; one that takes tuples as a whole has the images themselves for features.
        classes: tuples float [n, k, h, w, c] of each class, such as real and fake ones, all of one shape.
        training: whether batch normalisation takes the batch's statistics: those of each class and position by itself.
        track: whether moving statistics follow.

    Returns:
        For each class float [n, k, ...].
    """
    if not isinstance(discriminator, SiameseDiscriminator):
        return list(classes)
    k, shape = discriminator.k, classes[0].shape[2:]
    # Images of one class and position lie together: each position has statistics of its own.
    by_position = [tf.transpose(tuples, [1, 0, 2, 3, 4]) for tuples in classes]
    images = tf.reshape(tf.stack(by_position), [-1, *shape])
    features = discriminator.features(images, training, len(classes) * k, track)
    features = tf.reshape(features, [len(classes), k, -1, *features.shape[1:]])
    axes = [1, 0, *range(2, features.shape.rank - 1)]
    return [tf.transpose(part, axes) for part in tf.unstack(features)]


def scores_of(
    discriminator: keras.Model,
    features: Sequence[tf.Tensor],
    training: bool = True,
    track: bool = True,
) -> list[tf.Tensor]:
    """The scores of several classes of tuples, given what `features_of` returned, or parts of it put together anew.

    Returns:
        For each class float32 [n], or what else the discriminator gives.
    """
    if not isinstance(discriminator, SiameseDiscriminator):
        return [tf.cast(discriminator(part, training=training), tf.float32) for part in features]
    count = len(features)
    batch = tf.concat(features, 0) if count > 1 else features[0]
    return tf.split(
        tf.cast(discriminator.compare(batch, training, count, track), tf.float32), count
    )


def score(
    discriminator: keras.Model, tuples: tf.Tensor, training: bool = True, track: bool = True
) -> tf.Tensor:
    """The scores of one class of tuples: float [n, k, h, w, c] to float32 [n]."""
    features = features_of(discriminator, [tuples], training, track)
    return scores_of(discriminator, features, training, track)[0]
