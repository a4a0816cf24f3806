"""Arrays of images: memory that TensorFlow shares, and checks of what belongs to each other."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from sdgan_tf.data.names import same_name

MAX_BYTES = 4 * 2**30
# In bytes; TensorFlow stops the process when it meets anything less.
_ALIGNMENT = 64


def aligned_empty(shape: tuple[int, ...]) -> np.ndarray:
    """A uint8 array that TensorFlow can share: its memory begins where TensorFlow's would."""
    size = math.prod(shape)
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].reshape(shape)


def share(images: np.ndarray) -> tuple[np.ndarray, tf.Tensor]:
    """The same memory as a read-only array and as a tensor; a copy only where TensorFlow needs it."""
    flags = images.flags
    if flags.c_contiguous and flags.writeable and images.ctypes.data % _ALIGNMENT == 0:
        array = images.view(np.ndarray)
    else:
        array = aligned_empty(images.shape)
        array[:] = images
    # The usual conversions copy, twice for a while; this shares. And it stays on the CPU even
    # where there is a GPU: that is where pipelines gather images.
    with tf.init_scope():
        tensor = tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    array.flags.writeable = False
    return array, tensor


def spans(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The numbers from each start on, as many as its count, one span after another."""
    first = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(starts - first, counts)


def check_memory(images: int, image_size: int, channels: int, max_bytes: int) -> None:
    """Raises a `ValueError` if so many images, decoded, would take more than `max_bytes`."""
    needed = images * image_size**2 * channels
    if needed > max_bytes:
        raise ValueError(
            f"{images:,} images of {image_size}x{image_size}x{channels} need "
            f"{needed / 2**30:.1f} GiB of memory, more than the {max_bytes / 2**30:.1f} GiB "
            "allowed. Decode them into a file by `bin/data build DIR --out=BUILT` and use BUILT "
            "in place of DIR, or raise `max_bytes`."
        )


def check_images(names: list[str], counts: np.ndarray, images: np.ndarray) -> None:
    """Raises a `ValueError` unless these make up an `IdentityData`."""
    square = images.ndim == 4 and images.shape[1] == images.shape[2]
    if images.dtype != np.uint8 or not square or images.shape[3] not in (1, 3):
        raise ValueError(
            "`images` must be uint8 [images, size, size, 1 or 3]. Received: "
            f"{images.dtype} {list(images.shape)}"
        )
    if len(names) != len(counts) or counts.sum() != len(images) or np.any(counts < 0):
        raise ValueError(
            "`counts` must say for each of `names` how many of `images` it has. Received: "
            f"{len(names)} names, {len(counts)} counts that add up to {counts.sum()}, "
            f"{len(images)} images"
        )
    if len({same_name(name) for name in names}) != len(names):
        raise ValueError(
            "`names` must differ from each other by more than capitals or the way accents are "
            "written. Received: some name twice"
        )


def check_factors(factors: dict, identities: int, images: int) -> None:
    """Raises a `ValueError` unless the factors have the right number of rows."""
    rows = len(factors["identity"]), len(factors["observation"])
    if rows != (identities, images):
        raise ValueError(
            "`factors` must have a row for each identity and for each image, "
            f"{identities} and {images}. Received: {rows[0]} and {rows[1]} rows"
        )


def check_fields(fields: dict[str, np.ndarray], images: int) -> None:
    """Raises a `ValueError` unless each field has a name of its own and a row for each image."""
    for name, values in fields.items():
        if name in ("images", "identity"):
            raise ValueError(
                "A batch has the fields 'images' and 'identity' already. Received: "
                f"fields={{{name!r}: ...}}"
            )
        if values.ndim < 1 or len(values) != images:
            raise ValueError(
                f"Each of `fields` must have a row for each of the {images} images. Received: "
                f"{name!r} of shape {list(values.shape)}"
            )
