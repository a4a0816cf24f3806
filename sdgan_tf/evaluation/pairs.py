"""Class-balanced pairs of pictures, real or generated: half show one identity, half show two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from sdgan_tf.data import IdentityData

PAIRS = 10_000

# Pictures made or read between two reports of progress.
_CHUNK = 512

# Told how much is done, how much there is, and of what.
Progress = Callable[[int, int, str], None]


class Generator(Protocol):
    """What is measured: a model, or anything with the same face."""

    image_size: int
    channels: int

    def identity_codes(self, seeds: Any) -> tf.Tensor:
        """One `z_I` for each seed: int64 [n] to float32 [n, d_i]."""

    def observation_codes(self, seeds: Any) -> tf.Tensor:
        """One `z_O` for each seed: int64 [n] to float32 [n, d_o]."""

    def render(self, codes: Any, batch_size: int = 64) -> np.ndarray:
        """Codes float32 [n, d_i + d_o] to pictures uint8 [n, h, w, c]."""

    def generate(self, identities: Any, observations: Any, seed: int = 0) -> np.ndarray:
        """A grid to look at: uint8 [identities, observations, h, w, c]."""


class Pairs(NamedTuple):
    """Pictures, and which of them make up pairs.

    Attributes:
        images: uint8 [m, h, w, c], 0 to 255.
        matched: int64 [n, 2], positions in `images`: two pictures of one identity.
        unmatched: int64 [n, 2]: of two identities, all else drawn independently.
        same_observation: int64 [n, 2]: of two identities under one `z_O`; [0, 2] for pictures that
            were not generated.
        groups: int64 [m], the identity of each picture; of generated pictures the number of the
            draw that they belong to, which no other shares anything with.
    """

    images: np.ndarray
    matched: np.ndarray
    unmatched: np.ndarray
    same_observation: np.ndarray
    groups: np.ndarray


def quiet(done: int, total: int, what: str) -> None:
    """Progress that nobody is told of."""


def check_identities(data: IdentityData, part: str) -> None:
    """Refuses data that give no pairs.

    Args:
        data: pictures by identity.
        part: what the error calls them, such as `"test"`.

    Raises:
        ValueError: fewer than two identities, or none with two pictures.
    """
    several = int(np.sum(data.counts >= 2))
    if np.sum(data.counts >= 1) < 2 or not several:
        raise ValueError(
            f"Pairs of the {part} identities need at least two identities, one with two pictures or more. "
            "Add identities, or keep more of them for this part: --validation_fraction, --test_fraction, or the arguments "
            "of `split`, and train anew, for they are chosen before training. "
            f"Received: {data.summary()}, {several} of them with two pictures or more"
        )


def real_pairs(
    data: IdentityData, pairs: int = PAIRS, seed: int = 0, progress: Progress = quiet
) -> Pairs:
    """Pairs of pictures of known identity.

    Matched: an identity drawn uniformly among those with two pictures or more, then two distinct
    pictures of it. Unmatched: two distinct identities, then a picture of each. With replacement, so
    that few pictures give pairs that occur more than once.

    Args:
        data: real identities, or generated tuples in a folder.
        pairs: how many, half of them matched.
        seed: of the draws.
        progress: told of the pictures that are read.

    Raises:
        ValueError: too few identities or pictures, or an odd number of pairs.
    """
    check_pairs(pairs)
    check_identities(data, "given")
    rng = np.random.default_rng([seed, 1])
    several = np.flatnonzero(data.counts >= 2)
    one = rng.choice(several, pairs // 2)
    matched = np.stack([one, one], axis=1), _distinct(rng, data.counts[one])
    some = np.flatnonzero(data.counts >= 1)
    two = some[_distinct(rng, np.full(pairs // 2, len(some)))]
    unmatched = two, rng.integers(data.counts[two])

    keys = [np.stack(drawn, axis=-1).reshape(-1, 2) for drawn in (matched, unmatched)]
    used, positions = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    matched, unmatched = positions.reshape(2, -1, 2)
    none = np.empty([0, 2], np.int64)
    return Pairs(_read(data, used, progress), matched, unmatched, none, used[:, 0])


def some_pictures(
    data: IdentityData, count: int, seed: int = 0, progress: Progress = quiet
) -> np.ndarray:
    """Distinct pictures drawn uniformly, as far as there are as many: uint8 [count, h, w, c]."""
    every = np.repeat(np.arange(len(data)), data.counts)
    within = np.arange(len(every)) - np.repeat(np.cumsum(data.counts) - data.counts, data.counts)
    rng = np.random.default_rng([seed, 2])
    picked = np.sort(rng.choice(len(every), min(count, len(every)), replace=False))
    return _read(data, np.stack([every, within], axis=1)[picked], progress)


def generated_pairs(
    generator: Generator, pairs: int = PAIRS, seed: int = 0, progress: Progress = quiet
) -> Pairs:
    """Pairs of pictures of a generator.

    Each draw takes two identity and two observation codes and makes three pictures of them:
    (I1, O1), (I1, O2) and (I2, O1). The first two are matched, the last two unmatched, and the
    first and the third share z_O alone. These and the unmatched ones show the same two identities,
    so that what sets them apart is z_O and not chance.

    Args:
        generator: codes to pictures.
        pairs: how many, half of them matched; and as many again as are matched that share z_O.
        seed: of the codes.
        progress: told of the pictures that are made.

    Raises:
        ValueError: an odd number of pairs, or a generator that shows a single identity.
    """
    check_pairs(pairs)
    draws = pairs // 2
    images = []
    for start in range(0, draws, _CHUNK // 3):
        number = np.arange(start, min(start + _CHUNK // 3, draws), dtype=np.int64)
        codes = _codes(generator, number, seed)
        images.append(generator.render(codes, batch_size=len(codes)))
        progress(3 * int(number[-1] + 1), 3 * draws, "pictures made")
    triples = 3 * np.arange(draws)[:, np.newaxis]
    return Pairs(
        np.concatenate(images),
        matched=triples + [0, 1],
        unmatched=triples + [1, 2],
        same_observation=triples + [0, 2],
        groups=np.repeat(np.arange(draws), 3),
    )


def check_pairs(pairs: int) -> None:
    """Refuses numbers of pairs that have no half."""
    if pairs < 2 or pairs % 2:
        raise ValueError(f"Half of the pairs are matched: an even number. Received: pairs={pairs}")


def _read(data: IdentityData, wanted: np.ndarray, progress: Progress) -> np.ndarray:
    """Pictures by identity and number, int [n, 2], sorted so that each identity is read once."""
    images = np.empty([len(wanted), *[data.image_size] * 2, data.channels], np.uint8)
    bounds = np.flatnonzero(np.diff(wanted[:, 0], prepend=-1, append=-1))
    for start, end in zip(bounds[:-1], bounds[1:]):
        images[start:end] = data.observations(int(wanted[start, 0]), wanted[start:end, 1])
        progress(int(end), len(wanted), "pictures read")
    return images


def _codes(generator: Generator, number: np.ndarray, seed: int) -> np.ndarray:
    """Codes of the pictures of some draws: float32 [3 * n, d_i + d_o]."""
    first = seed * 2**32 + number
    second = first + 2**31
    one, two = (np.asarray(generator.identity_codes(seeds)) for seeds in (first, second))
    same = np.all(one == two, axis=1)
    if np.any(same):
        # A generator of a limited number of identities repeats them.
        two = two.copy()
        two[same] = np.asarray(generator.identity_codes(second[same] + 1))
    if np.any(np.all(one == two, axis=1)):
        raise ValueError(
            "Unmatched pairs need a generator of two identities or more. Received: equal identity codes "
            f"for the seeds {first[0]} and {second[0] + 1}"
        )
    shared, other = (np.asarray(generator.observation_codes(seeds)) for seeds in (first, second))
    codes = [[one, shared], [one, other], [two, shared]]
    return np.stack([np.concatenate(code, axis=1) for code in codes], axis=1).reshape(
        3 * len(number), -1
    )


def _distinct(rng: np.random.Generator, counts: np.ndarray) -> np.ndarray:
    """Two distinct numbers below each of `counts`: int64 [n, 2]."""
    first = rng.integers(counts)
    second = rng.integers(counts - 1)
    return np.stack([first, second + (second >= first)], axis=1)
