"""Images by identity, in memory or in a file that is mapped into memory."""

from __future__ import annotations

import copy
import functools
import hashlib
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from sdgan_tf.data import arrays
from sdgan_tf.data.names import PARTS, name_bytes, name_fraction
from sdgan_tf.data.report import Report, check_on_bad_data
from sdgan_tf.data.tuples import endless, identities_with, sample_tuples
from sdgan_tf.randomness import stateless_seed


class Splits(NamedTuple):
    """Three data sets that share no identity."""

    train: IdentityData
    validation: IdentityData
    test: IdentityData


class IdentityData:
    """Square images grouped by who or what they show.

    Attributes:
        names: the identities' names.
        counts: int64 `[identities]`, how many images each has.
        image_size: height and width of the images.
        channels: 1 or 3.
        on_bad_data: whether `tuples` shall `"fail"` on identities with too few images or `"skip"`
            them.
        report: what the data doctor said when it read the images, or None.
        factors: what is known of how the images came to be, or None: a dictionary of
            `"identity"`, float32 `[identities, f_i]`, `"observation"`, float32 `[images, f_o]`,
            and the names of their columns, `"identity_names"` and `"observation_names"`.
        linked: groups of names of identities that have an image in common; `split` keeps each
            group together.
        parts: the part that each identity belongs to, by name, where the data came with a split of
            their own; else empty.
    """

    # A file of images knows the SHA-256 of each identity already.
    _digests: list[bytes] | None = None
    _place = "in memory"

    def __init__(
        self,
        names: list[str],
        counts: np.ndarray,
        images: np.ndarray,
        on_bad_data: str = "fail",
        report: Report | None = None,
        factors: dict | None = None,
        fields: dict[str, np.ndarray] | None = None,
        linked: list[list[str]] | None = None,
        parts: dict[str, str] | None = None,
    ):
        """Takes the images of all identities, one identity after another.

        Args:
            names: the identities' names, all different.
            counts: int64 `[identities]`, how many images each has.
            images: uint8 `[images, size, size, channels]`, 0 to 255. They may be kept as they
                are: do not change them later.
            on_bad_data: `"fail"` or `"skip"`, see the class.
            report: what the data doctor said, if it was asked.
            factors: see the class.
            fields: what else is known of each image, such as a mask or a label: arrays
                `[images, ...]` by name. `tuples` gives them along with the images.
            linked: see the class.
            parts: see the class.

        Raises:
            ValueError: the arguments do not fit each other.
        """
        check_on_bad_data(on_bad_data)
        images, counts = np.asarray(images), np.asarray(counts, np.int64)
        fields = {name: np.asarray(values) for name, values in (fields or {}).items()}
        arrays.check_images(names, counts, images)
        arrays.check_fields(fields, len(images))
        if factors is not None:
            arrays.check_factors(factors, len(names), len(images))
        self.names = list(names)
        self.counts = counts
        self.image_size, self.channels = map(int, images.shape[2:])
        self.on_bad_data = on_bad_data
        self.report = report
        self.factors = factors
        self.linked = linked or []
        self.parts = {name: parts[name] for name in names} if parts else {}
        self._starts = np.cumsum(counts) - counts
        self._images, self._tensor = arrays.share(images)
        with tf.init_scope(), tf.device("CPU:0"):
            # Masks may be as large as the images, and are shared as they are.
            self._fields = {
                name: arrays.share(values)[1] if values.dtype == np.uint8 else tf.constant(values)
                for name, values in fields.items()
            }

    @property
    def images(self) -> np.ndarray:
        """uint8 `[images, h, w, c]`, one identity after another. A copy, if of a split."""
        numbers = arrays.spans(self._starts, self.counts)
        return self._images if len(numbers) == len(self._images) else self._images[numbers]

    @property
    def fields(self) -> dict[str, np.ndarray]:
        """What else is known of each image: arrays `[images, ...]` by name, in the same order."""
        numbers = arrays.spans(self._starts, self.counts)
        return {name: values.numpy()[numbers] for name, values in self._fields.items()}

    def with_fields(self, fields: dict[str, np.ndarray]) -> IdentityData:
        """The same data with something more known of each image; shares the images.

        Args:
            fields: arrays `[images, ...]` by name, in the order of `images`.

        Raises:
            ValueError: there are not as many rows as images.
        """
        arrays.check_fields(fields, int(self.counts.sum()))
        numbers = arrays.spans(self._starts, self.counts)
        more = copy.copy(self)
        more.__dict__.pop("fingerprint", None)
        more._fields = dict(self._fields)
        for name, values in fields.items():
            # A split's fields lie as those of the whole, as do its images.
            whole = np.zeros([len(self._images), *values.shape[1:]], values.dtype)
            whole[numbers] = values
            with tf.init_scope(), tf.device("CPU:0"):
                more._fields[name] = tf.constant(whole)
        return more

    def __len__(self) -> int:
        return len(self.names)

    @functools.cached_property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that change when any name or any decoded image changes.

        Equal data have equal fingerprints, wherever they come from: a folder, what was built of
        it, or memory.
        """
        total = hashlib.sha256(f"{self.image_size} {self.channels} {len(self)}\n".encode())
        for identity, name in enumerate(self.names):
            name_hash = hashlib.sha256(name_bytes(name)).digest()
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
            k: how many images make up a tuple.
            batch_size: how many tuples make up a batch.
            seed: another seed gives another stream.
            start_step: the number of the first batch.

        Returns:
            A `tf.data.Dataset` of dictionaries: `"images"`, uint8 `[batch_size, k, h, w, c]`, 0 to
            255, and `"identity"`, int64 `[batch_size]`, the positions in `names` of who is in the
            tuples. Data that know more of each image add fields of `[batch_size, k, ...]`.

        Raises:
            ValueError: an argument is out of range, fewer than two identities have `k`
                images, or some have fewer and `on_bad_data` is `"fail"`.
        """
        least = (("k", k, 1), ("batch_size", batch_size, 1), ("start_step", start_step, 0))
        for name, value, minimum in least:
            if value < minimum:
                raise ValueError(f"`{name}` must be {minimum} or more. Received: {name}={value}")
        eligible = identities_with(k, self.names, self.counts, self.on_bad_data)
        columns = {"images": self._tensor, **self._fields}
        # On the CPU, where pipelines run, even if there is a GPU.
        with tf.init_scope(), tf.device("CPU:0"):
            counts = tf.constant(self.counts[eligible])
            starts = tf.constant(self._starts[eligible])
            positions = tf.constant(eligible)

        def draw(step: tf.Tensor) -> dict[str, tf.Tensor]:
            drawn, observations = sample_tuples(counts, k, batch_size, seed, step)
            numbers = tf.gather(starts, drawn)[:, tf.newaxis] + observations
            batch = {name: tf.gather(values, numbers) for name, values in columns.items()}
            return {**batch, "identity": tf.gather(positions, drawn)}

        return endless(draw, start_step)

    def observations(self, identity: int, indices=None) -> np.ndarray:
        """Images of one identity.

        Args:
            identity: its position in `names`.
            indices: which of its images, integers `[n]`; all by default.

        Returns:
            uint8 `[n, h, w, c]`, 0 to 255.

        Raises:
            IndexError: there is no such identity or no such image.
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
        return self._images[self._starts[identity] + chosen]

    def grid(self, identities: int = 8, observations: int = 8, seed: int = 0) -> np.ndarray:
        """Real images to look at: a row for each identity.

        Identities are distinct, and so are the images of each. Where too few identities have
        enough images, the grid has fewer rows or columns, but never gaps.

        Args:
            identities: how many rows, if the data have as many identities.
            observations: how many columns, if enough identities have as many images.
            seed: another seed gives other identities and images.

        Returns:
            uint8 `[rows, columns, h, w, c]`, 0 to 255.

        Raises:
            ValueError: `identities` or `observations` is below 1, or there are no data.
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
        """Splits by identity, so that no identity and no identical image is in two parts.

        The part depends on the identity's name alone: an identity stays where it is when others,
        or images, are added or removed. So the shares are met on average, and with few
        identities a part may come out empty. Identities that are `linked` go where the first
        name of their group goes. Data that came with a split of their own (`parts`) keep that one, whatever the shares.

        Args:
            validation: the share of identities for validation.
            test: the share of identities for testing.

        Returns:
            `Splits`: `train`, `validation` and `test`, which share the images with this object.

        Raises:
            ValueError: a share is below 0 or both make up more than the whole.
        """
        if validation < 0 or test < 0 or validation + test > 1:
            raise ValueError(
                "`validation` and `test` must be 0 or more and add up to at most 1. Received: "
                f"validation={validation}, test={test}"
            )
        if self.parts:
            part = np.array([PARTS.index(self.parts[name]) for name in self.names])
            return Splits(*(self.subset(np.flatnonzero(part == number)) for number in range(3)))
        leader = {name: min(group) for group in self.linked for name in group}
        place = [name_fraction(leader.get(name, name)) for name in self.names]
        part = np.digitize(np.array(place, np.float64), [test, test + validation])
        return Splits(*(self.subset(np.flatnonzero(part == number)) for number in (2, 1, 0)))

    def summary(self) -> str:
        """One line that says how much there is."""
        if not len(self):
            return "0 identities, no images"
        megabytes = self.counts.sum() * self.image_size**2 * self.channels / 1e6
        return (
            f"{len(self):,} identities, {self.counts.sum():,} images ({self.counts.min()} - "
            f"{self.counts.max()} each), {self.image_size}x{self.image_size}x{self.channels}, "
            f"{megabytes:,.0f} MB {self._place}"
        )

    def subset(self, identities: np.ndarray) -> IdentityData:
        """The same data with these identities only; shares the images.

        Args:
            identities: their positions in `names`, int64 `[n]`, in the wanted order.
        """
        part = copy.copy(self)
        part.__dict__.pop("fingerprint", None)
        part.names = [self.names[i] for i in identities]
        # It is one part itself, and may be split further.
        part.parts = {}
        part.counts, part._starts = self.counts[identities], self._starts[identities]
        if self._digests is not None:
            part._digests = [self._digests[i] for i in identities]
        if self.factors is not None:
            # Rows of factors lie as `images` does, which in a split is not as `_images` lies.
            first = np.cumsum(self.counts) - self.counts
            part.factors = {
                **self.factors,
                "identity": self.factors["identity"][identities],
                "observation": self.factors["observation"][
                    arrays.spans(first[identities], part.counts)
                ],
            }
        return part

    def _digest(self, identity: int) -> bytes:
        """The SHA-256 of all that is known of the identity's images."""
        if self._digests is not None:
            return self._digests[identity]
        part = slice(self._starts[identity], self._starts[identity] + self.counts[identity])
        fields = {name: values[part].numpy() for name, values in self._fields.items()}
        return digest_of(self._images[part], fields)


def digest_of(images: np.ndarray, fields: dict[str, np.ndarray]) -> bytes:
    """The SHA-256 of the images of an identity and of what else is known of them."""
    digest = hashlib.sha256(images)
    for name, values in sorted(fields.items()):
        digest.update(name.encode() + values.tobytes())
    return digest.digest()


def _shuffled(count: int, seed: int, stream: str, step: int) -> np.ndarray:
    """The numbers below `count` in random order."""
    keys = tf.random.stateless_uniform(
        [int(count)], stateless_seed(seed, stream, step), None, None, tf.int64, alg="philox"
    )
    return np.argsort(keys.numpy(), kind="stable")
