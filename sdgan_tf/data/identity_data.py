"""Images by identity: what every data set can do, wherever its images lie."""

from __future__ import annotations

import abc
import functools
import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging

from sdgan_tf.data.report import LIST_CAP, Report, check_on_bad_data, printable
from sdgan_tf.data.tuples import sample_tuples
from sdgan_tf.randomness import stateless_seed


class Splits(NamedTuple):
    """Three data sets that share no identity."""

    train: IdentityData
    validation: IdentityData
    test: IdentityData


class IdentityData(abc.ABC):
    """Square images grouped by who or what they show.

    Images are numbered: those of identity `i` have the numbers `starts[i]` to
    `starts[i] + counts[i] - 1`. A subclass knows how to fetch images by their numbers.

    Attributes:
        names: The identities' names.
        counts: int64 `[identities]`, how many images each has.
        image_size: Height and width of the images.
        channels: 1 or 3.
        on_bad_data: Whether `tuples` shall `"fail"` on identities with too few images or
            `"skip"` them.
        report: What the data doctor found when it read the images, or None.
    """

    def __init__(
        self,
        names: list[str],
        counts: np.ndarray,
        starts: np.ndarray,
        image_size: int,
        channels: int,
        on_bad_data: str = "fail",
        report: Report | None = None,
    ):
        check_on_bad_data(on_bad_data)
        self.names = list(names)
        self.counts = np.asarray(counts, np.int64)
        self.image_size = int(image_size)
        self.channels = int(channels)
        self.on_bad_data = on_bad_data
        self.report = report
        self._starts = np.asarray(starts, np.int64)

    @abc.abstractmethod
    def _images(self, numbers: np.ndarray) -> np.ndarray:
        """Fetches images by number: int64 `[n]` to uint8 `[n, h, w, c]`."""

    @abc.abstractmethod
    def _fetch(self, steps: tf.data.Dataset, draw: Callable, batch_size: int, k: int):
        """Fetches tuples in a pipeline.

        `draw` takes an element of `steps` to its identities, int64 `[batch_size]`, and the
        numbers of its images, int64 `[batch_size, k]`; returns the `tf.data.Dataset` of batches.
        """

    @abc.abstractmethod
    def _subset(self, identities: np.ndarray) -> IdentityData:
        """The same data with these identities only; shares the images."""

    @abc.abstractmethod
    def _digest(self, identity: int) -> bytes:
        """The SHA-256 of the identity's decoded images."""

    @abc.abstractmethod
    def _place(self) -> str:
        """Where the images are, for `summary`."""

    def __len__(self) -> int:
        return len(self.names)

    @functools.cached_property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that change when any name or any decoded image changes.

        Equal data have equal fingerprints, wherever they come from: a folder, the shards built of
        it, or memory.
        """
        total = hashlib.sha256(f"{self.image_size} {self.channels} {len(self)}\n".encode())
        for identity, name in enumerate(self.names):
            name_hash = hashlib.sha256(_name_bytes(name)).digest()
            total.update(name_hash + self._digest(identity))
        return total.hexdigest()

    def tuples(
        self,
        k: int = 2,
        batch_size: int = 16,
        seed: int = 0,
        start_step: int = 0,
    ) -> tf.data.Dataset:
        """An endless stream of batches of matched tuples.

        Each tuple shows one identity in `k` different images. The identity is drawn uniformly,
        whatever its number of images; then its images are, in random order.

        Element number `t` is a pure function of `(seed, start_step + t)`: a run that stopped
        after step 1000 goes on exactly with `start_step=1000`, at no cost.

        Args:
            k: How many images make up a tuple.
            batch_size: How many tuples make up a batch.
            seed: Another seed gives another stream.
            start_step: The number of the first batch.

        Returns:
            A `tf.data.Dataset` of dictionaries: `"images"`, uint8 `[batch_size, k, h, w, c]`, 0 to
            255, and `"identity"`, int64 `[batch_size]`, the positions in `names` of who is in the
            tuples. Data that know more of each image add fields of `[batch_size, k, ...]`.

        Raises:
            ValueError: If an argument is out of range, fewer than two identities have `k`
                images, or some have fewer and `on_bad_data` is `"fail"`.
        """
        least = (("k", k, 1), ("batch_size", batch_size, 1), ("start_step", start_step, 0))
        for name, value, minimum in least:
            if value < minimum:
                raise ValueError(f"`{name}` must be {minimum} or more. Received: {name}={value}")
        eligible = self._eligible(k)
        # On the CPU, where pipelines run, even if there is a GPU.
        with tf.init_scope(), tf.device("CPU:0"):
            counts = tf.constant(self.counts[eligible])
            starts = tf.constant(self._starts[eligible])
            positions = tf.constant(eligible)

        def draw(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            drawn, observations = sample_tuples(counts, k, batch_size, seed, step)
            numbers = tf.gather(starts, drawn)[:, tf.newaxis] + observations
            return tf.gather(positions, drawn), numbers

        steps = tf.data.Dataset.range(start_step, 2**63 - 1)
        # A range has an end, which Keras would take for the end of an epoch.
        steps = steps.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
        dataset = self._fetch(steps, draw, batch_size, k)
        # A few batches even out the flow; left to itself TensorFlow may hoard hundreds.
        return dataset.prefetch(4).with_options(_options())

    def observations(self, identity: int, indices=None) -> np.ndarray:
        """Images of one identity.

        Args:
            identity: Its position in `names`.
            indices: Which of its images, integers `[n]`; all by default.

        Returns:
            uint8 `[n, h, w, c]`, 0 to 255.

        Raises:
            IndexError: If there is no such identity or no such image.
        """
        if not 0 <= identity < len(self):
            raise IndexError(f"`identity` must be in [0, {len(self)}). Received: {identity}")
        count = int(self.counts[identity])
        chosen = np.arange(count) if indices is None else np.asarray(indices, np.int64).reshape(-1)
        if np.any((chosen < 0) | (chosen >= count)):
            raise IndexError(
                f"`indices` must be in [0, {count}), the images of {self.names[identity]!r}. "
                f"Received: indices={indices}"
            )
        return self._images(self._starts[identity] + chosen)

    def grid(self, identities: int = 8, observations: int = 8, seed: int = 0) -> np.ndarray:
        """Real images to look at: a row for each identity.

        Identities are distinct, and so are the images of each. Where too few identities have
        enough images, the grid has fewer rows or columns, but never gaps.

        Args:
            identities: How many rows, if the data have as many identities.
            observations: How many columns, if enough identities have as many images.
            seed: Another seed gives other identities and images.

        Returns:
            uint8 `[rows, columns, h, w, c]`, 0 to 255.

        Raises:
            ValueError: If `identities` or `observations` is below 1, or there are no data.
        """
        if identities < 1 or observations < 1 or not len(self):
            raise ValueError(
                "A grid needs at least one row and one column of data. Received: "
                f"identities={identities}, observations={observations}, {self.summary()}"
            )
        rows = min(identities, len(self))
        columns = min(observations, int(np.sort(self.counts)[-rows]))
        candidates = np.flatnonzero(self.counts >= columns)
        picked = candidates[_shuffled(len(candidates), seed, "grid/identities", 0)[:rows]]
        return np.stack(
            [
                self.observations(
                    i, _shuffled(self.counts[i], seed, "grid/observations", i)[:columns]
                )
                for i in picked
            ]
        )

    def split(self, validation: float = 0.1, test: float = 0.1) -> Splits:
        """Splits by identity, so that no identity is in two parts.

        The part depends on the identity's name alone: an identity stays where it is when others,
        or images, are added or removed. So the shares are met on average, and with few
        identities a part may come out empty.

        Args:
            validation: The share of identities for validation.
            test: The share of identities for testing.

        Returns:
            `Splits`: `train`, `validation` and `test`, which share the images with this object.

        Raises:
            ValueError: If a share is below 0 or both make up more than the whole.
        """
        if validation < 0 or test < 0 or validation + test > 1:
            raise ValueError(
                "`validation` and `test` must be 0 or more and add up to at most 1. Received: "
                f"validation={validation}, test={test}"
            )
        place = np.array([_name_fraction(name) for name in self.names], np.float64)
        part = np.digitize(place, [test, test + validation])
        return Splits(*(self._subset(np.flatnonzero(part == number)) for number in (2, 1, 0)))

    def summary(self) -> str:
        """One line that says how much there is."""
        if not len(self):
            return "0 identities, no images"
        return (
            f"{len(self):,} identities, {self.counts.sum():,} images ({self.counts.min()} - "
            f"{self.counts.max()} each), {self.image_size}x{self.image_size}x{self.channels}, "
            f"{self._place()}"
        )

    def _eligible(self, k: int) -> np.ndarray:
        eligible = np.flatnonzero(self.counts >= k)
        short = np.flatnonzero(self.counts < k)
        listed = ", ".join(
            f"{printable(self.names[i])} ({self.counts[i]})" for i in short[:LIST_CAP]
        )
        if len(short) > LIST_CAP:
            listed += f", ... and {len(short) - LIST_CAP:,} more"
        if len(short) and self.on_bad_data == "fail":
            raise ValueError(
                f"{len(short)} of {len(self)} identities have fewer than k={k} images: {listed}. "
                "Lower k, add images, or leave them out with --on_bad_data=skip."
            )
        if len(eligible) < 2:
            raise ValueError(
                f"At least 2 identities with k={k} or more images are needed. Received: "
                f"{len(eligible)} such identities in {self.summary()}"
            )
        if len(short):
            logging.warning(
                "Skipping %d of %d identities with fewer than k=%d images: %s",
                len(short), len(self), k, listed,
            )  # fmt: skip
        return eligible


def _options() -> tf.data.Options:
    options = tf.data.Options()
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    # The optimizer of graphs copies the captured images and has nothing to gain here.
    options.experimental_optimization.apply_default_optimizations = False
    return options


def _name_bytes(name: str) -> bytes:
    # File names may hold bytes that are no UTF-8; Python keeps them as surrogates.
    return name.encode("utf-8", "surrogateescape")


def _name_fraction(name: str) -> float:
    """A number in [0, 1) that depends on the name only."""
    # 53 bits: a float holds no more, and rounding up could give 1.
    return (int.from_bytes(hashlib.sha256(_name_bytes(name)).digest()[:8], "big") >> 11) / 2**53


def _shuffled(count: int, seed: int, stream: str, step: int) -> np.ndarray:
    """The numbers below `count` in random order."""
    keys = tf.random.stateless_uniform(
        [int(count)], stateless_seed(seed, stream, step), None, None, tf.int64, alg="philox"
    )
    return np.argsort(keys.numpy(), kind="stable")
