"""DiffAugment for tuples (arXiv 2006.10738): differentiable, applied to real and fake alike, to each image on its own or
to all images of a tuple in the same way.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from sdgan_tf.randomness import stateless_seed, uniform


def parse(policy: str) -> tuple[str, ...]:
    """Splits `"translation,cutout"` into its operations, in the order they are applied."""
    names = tuple(name.strip() for name in policy.split(",") if name.strip())
    unknown = sorted(set(names) - set(OPERATIONS))
    if unknown:
        raise ValueError(
            f"Augmentation is a comma-separated choice of {sorted(OPERATIONS)}. Received: {policy!r}"
        )
    return names


class Draw(NamedTuple):
    """What an operation draws at random.

    Attributes:
        count: how many numbers, int32 scalar.
        repeats: how many images in a row get the same number.
        seed: int [2].
        dtype: of the images.
    """

    count: tf.Tensor
    repeats: int
    seed: tf.Tensor
    dtype: tf.DType

    def uniform(self, stream: str) -> tf.Tensor:
        """One number in [0, 1) for each image, [count * repeats, 1, 1, 1]."""
        drawn = uniform([self.count, 1, 1, 1], stateless_seed(self.seed, stream))
        return tf.repeat(tf.cast(drawn, self.dtype), self.repeats, 0)

    def offset(self, stream: str, reach: int) -> tf.Tensor:
        """One whole number from -reach to reach for each image, int32 [count * repeats, 1]."""
        shape, seed = [self.count, 1], stateless_seed(self.seed, stream)
        drawn = tf.random.stateless_uniform(shape, seed, -reach, reach + 1, tf.int32, alg="philox")
        return tf.repeat(drawn, self.repeats, 0)


def augment(
    tuples: tf.Tensor, names: tuple[str, ...], seed: tf.Tensor, alike: bool = False
) -> tf.Tensor:
    """Changes images: float [n, k, h, w, c] in [-1, 1] to the same shape.

    Args:
        tuples: images.
        names: operations, as `parse` gives them.
        seed: int [2], as `stateless_seed` gives it.
        alike: whether the images of a tuple are changed in the same way, or each by itself.
    """
    images = tf.reshape(tuples, [-1, *tuples.shape[2:]])
    repeats = tuples.shape[1] if alike else 1
    count = tf.shape(images)[0] // repeats
    for name in names:
        draw = Draw(count, repeats, stateless_seed(seed, name), images.dtype)
        images = OPERATIONS[name](images, draw)
    return tf.reshape(images, tf.shape(tuples)) if names else tuples


def translation(images: tf.Tensor, draw: Draw) -> tf.Tensor:
    """Shifts by up to an eighth of the edge in both directions; the border colour fills what opens."""
    size = images.shape[1]
    reach = max(size // 8, 1)
    for axis, stream in ((1, "rows"), (2, "columns")):
        source = tf.range(size)[tf.newaxis] + draw.offset(stream, reach)
        source = tf.clip_by_value(source, 0, size - 1)
        images = tf.gather(images, source, axis=axis, batch_dims=1)
    return images


def cutout(images: tf.Tensor, draw: Draw) -> tf.Tensor:
    """Greys out a square of half the edge, which may hang over the border."""
    size = images.shape[1]
    half = size // 4

    def outside(stream):
        centre = size // 2 + draw.offset(stream, size // 2)
        distance = tf.range(size)[tf.newaxis] - centre
        return (distance < -half) | (distance >= half)

    keep = outside("rows")[:, :, tf.newaxis] | outside("columns")[:, tf.newaxis]
    return images * tf.cast(keep[..., tf.newaxis], images.dtype)


def color(images: tf.Tensor, draw: Draw) -> tf.Tensor:
    """Changes brightness by up to .25 of the range, saturation up to twofold and contrast by up to
    half.
    """
    images = images + (draw.uniform("brightness") - 0.5)
    grey = tf.reduce_mean(images, axis=-1, keepdims=True)
    images = grey + (images - grey) * 2.0 * draw.uniform("saturation")
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + (images - mean) * (0.5 + draw.uniform("contrast"))


def tint(images: tf.Tensor, draw: Draw) -> tf.Tensor:
    """A milder `color`, in which a face keeps its looks: changes brightness by up to a tenth of the range, saturation and
    contrast by up to a quarter.
    """
    images = images + 0.4 * (draw.uniform("brightness") - 0.5)
    grey = tf.reduce_mean(images, axis=-1, keepdims=True)
    images = grey + (images - grey) * (0.75 + 0.5 * draw.uniform("saturation"))
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + (images - mean) * (0.75 + 0.5 * draw.uniform("contrast"))


def flip(images: tf.Tensor, draw: Draw) -> tf.Tensor:
    """Mirrors every other image, left to right."""
    mirrored = draw.uniform("flip") < 0.5
    return tf.where(mirrored, tf.reverse(images, [2]), images)


OPERATIONS = {
    "translation": translation,
    "cutout": cutout,
    "color": color,
    "tint": tint,
    "flip": flip,
}
