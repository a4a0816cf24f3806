"""DiffAugment for tuples (arXiv 2006.10738): differentiable, applied to real and fake alike, each
image on its own.
"""

from __future__ import annotations

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


def augment(tuples: tf.Tensor, names: tuple[str, ...], seed: tf.Tensor) -> tf.Tensor:
    """Changes each image by itself: float [n, k, h, w, c] in [-1, 1] to the same shape.

    Args:
        tuples: images.
        names: operations, as `parse` gives them.
        seed: int [2], as `stateless_seed` gives it.
    """
    images = tf.reshape(tuples, [-1, *tuples.shape[2:]])
    for name in names:
        images = OPERATIONS[name](images, stateless_seed(seed, name))
    return tf.reshape(images, tf.shape(tuples)) if names else tuples


def _uniform(images: tf.Tensor, seed: tf.Tensor, stream: str) -> tf.Tensor:
    """One number in [0, 1) for each image, [n, 1, 1, 1]."""
    shape = [tf.shape(images)[0], 1, 1, 1]
    return tf.cast(uniform(shape, stateless_seed(seed, stream)), images.dtype)


def _offset(images: tf.Tensor, seed: tf.Tensor, stream: str, reach: int) -> tf.Tensor:
    """One whole number from -reach to reach for each image, int32 [n]."""
    shape = [tf.shape(images)[0]]
    seed = stateless_seed(seed, stream)
    return tf.random.stateless_uniform(shape, seed, -reach, reach + 1, tf.int32, alg="philox")


def translation(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Shifts by up to an eighth of the edge in both directions; the border colour fills what opens."""
    size = images.shape[1]
    reach = max(size // 8, 1)
    for axis, stream in ((1, "rows"), (2, "columns")):
        source = tf.range(size)[tf.newaxis] + _offset(images, seed, stream, reach)[:, tf.newaxis]
        source = tf.clip_by_value(source, 0, size - 1)
        images = tf.gather(images, source, axis=axis, batch_dims=1)
    return images


def cutout(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Greys out a square of half the edge, which may hang over the border."""
    size = images.shape[1]
    half = size // 4

    def outside(stream):
        centre = size // 2 + _offset(images, seed, stream, size // 2)
        distance = tf.range(size)[tf.newaxis] - centre[:, tf.newaxis]
        return (distance < -half) | (distance >= half)

    keep = outside("rows")[:, :, tf.newaxis] | outside("columns")[:, tf.newaxis]
    return images * tf.cast(keep[..., tf.newaxis], images.dtype)


def color(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Changes brightness by up to .25 of the range, saturation up to twofold and contrast by up to
    half.
    """
    images = images + (_uniform(images, seed, "brightness") - 0.5)
    grey = tf.reduce_mean(images, axis=-1, keepdims=True)
    images = grey + (images - grey) * 2.0 * _uniform(images, seed, "saturation")
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + (images - mean) * (0.5 + _uniform(images, seed, "contrast"))


def tint(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """A milder `color`, in which a face keeps its looks: changes brightness by up to a tenth of the range, saturation and
    contrast by up to a quarter.
    """
    images = images + 0.4 * (_uniform(images, seed, "brightness") - 0.5)
    grey = tf.reduce_mean(images, axis=-1, keepdims=True)
    images = grey + (images - grey) * (0.75 + 0.5 * _uniform(images, seed, "saturation"))
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + (images - mean) * (0.75 + 0.5 * _uniform(images, seed, "contrast"))


def flip(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors every other image, left to right."""
    mirrored = _uniform(images, seed, "flip") < 0.5
    return tf.where(mirrored, tf.reverse(images, [2]), images)


OPERATIONS = {
    "translation": translation,
    "cutout": cutout,
    "color": color,
    "tint": tint,
    "flip": flip,
}
