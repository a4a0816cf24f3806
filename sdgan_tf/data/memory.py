"""Images by identity in memory."""

from __future__ import annotations

import hashlib

import numpy as np
import tensorflow as tf

from sdgan_tf.data.identity_data import IdentityData
from sdgan_tf.data.report import Report

MAX_BYTES = 4 * 2**30
# In bytes; TensorFlow stops the process when it meets anything less.
_ALIGNMENT = 64


class IdentityImages(IdentityData):
    """Images by identity in memory.

    Attributes:
        factors: What is known of how the images came to be, or None: a dictionary of
            `"identity"`, float32 `[identities, f_i]`, `"observation"`, float32
            `[images, f_o]`, and the names of their columns, `"identity_names"` and
            `"observation_names"`.
    """

    def __init__(
        self,
        names: list[str],
        counts: np.ndarray,
        images: np.ndarray,
        on_bad_data: str = "fail",
        report: Report | None = None,
        factors: dict | None = None,
        fields: dict[str, np.ndarray] | None = None,
    ):
        """Takes the images of all identities, one identity after another.

        Args:
            names: The identities' names, all different.
            counts: int64 `[identities]`, how many images each has.
            images: uint8 `[images, size, size, channels]`, 0 to 255. They may be kept as they
                are: do not change them later.
            on_bad_data: `"fail"` or `"skip"`, see `IdentityData`.
            report: What the data doctor found, if it was asked.
            factors: See the class.
            fields: What else is known of each image, such as a mask or a label: arrays
                `[images, ...]` by name. `tuples` gives them along with the images.

        Raises:
            ValueError: If the arguments do not fit each other.
        """
        images, counts = np.asarray(images), np.asarray(counts, np.int64)
        fields = {name: np.asarray(values) for name, values in (fields or {}).items()}
        _check_arrays(names, counts, images, factors)
        _check_fields(fields, len(images))
        self._array = _aligned(images)
        # The usual conversions copy, twice for a while; this shares. And it stays on the CPU even
        # where there is a GPU: that is where pipelines gather images.
        with tf.init_scope():
            self._tensor = tf.experimental.dlpack.from_dlpack(self._array.__dlpack__())
            with tf.device("CPU:0"):
                self._fields = {name: tf.constant(values) for name, values in fields.items()}
        self._array.flags.writeable = False
        starts = np.cumsum(counts) - counts
        super().__init__(names, counts, starts, *images.shape[2:], on_bad_data, report)
        self.factors = factors

    @property
    def images(self) -> np.ndarray:
        """uint8 `[images, h, w, c]`, one identity after another. A copy, if of a split."""
        whole = self._array
        numbers = _spans(self._starts, self.counts)
        return whole if len(numbers) == len(whole) else whole[numbers]

    @property
    def fields(self) -> dict[str, np.ndarray]:
        """What else is known of each image: arrays `[images, ...]` by name, in the same order."""
        numbers = _spans(self._starts, self.counts)
        return {name: values.numpy()[numbers] for name, values in self._fields.items()}

    def _images(self, numbers: np.ndarray) -> np.ndarray:
        return self._array[numbers]

    def _fetch(self, steps, draw, batch_size: int, k: int) -> tf.data.Dataset:
        arrays = {"images": self._tensor, **self._fields}

        def gather(step: tf.Tensor) -> dict[str, tf.Tensor]:
            identity, numbers = draw(step)
            batch = {name: tf.gather(values, numbers) for name, values in arrays.items()}
            return {**batch, "identity": identity}

        return steps.map(gather, tf.data.AUTOTUNE)

    def _subset(self, identities: np.ndarray) -> IdentityImages:
        part = IdentityImages.__new__(IdentityImages)
        part._array, part._tensor, part._fields = self._array, self._tensor, self._fields
        IdentityData.__init__(
            part,
            [self.names[i] for i in identities],
            self.counts[identities],
            self._starts[identities],
            self.image_size,
            self.channels,
            self.on_bad_data,
            self.report,
        )
        part.factors = None
        if self.factors is not None:
            # Rows of factors lie as `images` does, which in a split is not as the images lie.
            first = np.cumsum(self.counts) - self.counts
            rows = _spans(first[identities], self.counts[identities])
            part.factors = {
                **self.factors,
                "identity": self.factors["identity"][identities],
                "observation": self.factors["observation"][rows],
            }
        return part

    def _digest(self, identity: int) -> bytes:
        start, count = self._starts[identity], self.counts[identity]
        digest = hashlib.sha256(self._array[start : start + count])
        for name, values in sorted(self._fields.items()):
            digest.update(name.encode() + values[start : start + count].numpy().tobytes())
        return digest.digest()

    def _place(self) -> str:
        megabytes = self.counts.sum() * self.image_size**2 * self.channels / 1e6
        return f"{megabytes:,.0f} MB in memory"


def aligned_empty(shape: tuple[int, ...]) -> np.ndarray:
    """A uint8 array that TensorFlow can share: its memory begins where TensorFlow's would."""
    size = int(np.prod(shape))
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].reshape(shape)


def _aligned(images: np.ndarray) -> np.ndarray:
    flags = images.flags
    if flags.c_contiguous and flags.writeable and images.ctypes.data % _ALIGNMENT == 0:
        return images.view()
    copy = aligned_empty(images.shape)
    copy[:] = images
    return copy


def check_memory(images: int, image_size: int, channels: int, max_bytes: int) -> None:
    """Raises a `ValueError` if so many images, decoded, would take more than `max_bytes`."""
    needed = images * image_size**2 * channels
    if needed > max_bytes:
        raise ValueError(
            f"{images:,} images of {image_size}x{image_size}x{channels} need "
            f"{needed / 2**30:.1f} GiB of memory, more than the {max_bytes / 2**30:.1f} GiB "
            "allowed. Build TFRecords of them with `bin/data build DIR --out=SHARDS` and use "
            "SHARDS in place of DIR, or raise `max_bytes`."
        )


def _spans(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The numbers from each start on, as many as its count, one span after another."""
    first = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(starts - first, counts)


def _check_arrays(names, counts: np.ndarray, images: np.ndarray, factors: dict | None) -> None:
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
    if len(set(names)) != len(names):
        raise ValueError("`names` must differ from each other. Received: some name twice")
    if factors is not None:
        rows = len(factors["identity"]), len(factors["observation"])
        if rows != (len(names), len(images)):
            raise ValueError(
                "`factors` must have a row for each identity and for each image, "
                f"{len(names)} and {len(images)}. Received: {rows[0]} and {rows[1]} rows"
            )


def _check_fields(fields: dict[str, np.ndarray], images: int) -> None:
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
