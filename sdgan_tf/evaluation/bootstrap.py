"""How sure a number is: identities are drawn anew, not pairs, since pairs share identities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95


class Sample(NamedTuple):
    """Numbers measured on pairs of images.

    Attributes:
        values: float [n, ...], one number or several of each pair.
        groups: int [n, 2], the groups of each pair's two images: identities where these are
            known, else whatever was drawn independently of all others.
    """

    values: np.ndarray
    groups: np.ndarray


class Estimate(NamedTuple):
    """A number with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def resample(
    statistic: Callable[..., Sequence[float]],
    samples: Sequence[Sample],
    seed: int | Sequence[int] = 0,
    resamples: int = RESAMPLES,
) -> np.ndarray:
    """Values of a statistic on data in which the groups were drawn anew, with replacement.

    A group drawn `w` times counts its own pairs `w` times; a pair of two groups, drawn `w` and `v`
    times, counts `w * v` times (the pigeonhole bootstrap, Owen, arXiv 0711.4048: its intervals
    are rather too wide than too narrow). Draws that leave a sample empty are repeated.

    Args:
        statistic: takes the resampled values of each of `samples`; returns numbers.
        samples: they share their groups.
        seed: of the draws.
        resamples: how many.

    Returns:
        float64 [resamples, numbers].
    """
    names, numbered = np.unique(np.concatenate([s.groups for s in samples]), return_inverse=True)
    numbered = np.split(numbered.reshape(-1, 2), np.cumsum([len(s.values) for s in samples])[:-1])
    rng = np.random.default_rng(seed)
    replicates = []
    while len(replicates) < resamples:
        times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)))
        weights = [_weights(times, groups) for groups in numbered]
        if all(weight.any() for weight in weights):
            parts = [np.repeat(s.values, weight, axis=0) for s, weight in zip(samples, weights)]
            replicates.append(statistic(*parts))
    return np.asarray(replicates, np.float64)


def _weights(times: np.ndarray, groups: np.ndarray) -> np.ndarray:
    first, second = times[groups].T
    return np.where(groups[:, 0] == groups[:, 1], first, first * second)


def estimates(values: Sequence[float], replicates: np.ndarray) -> list[Estimate]:
    """Numbers with their intervals, from what `resample` returned of them."""
    tail = (1 - LEVEL) / 2
    # Order statistics, not means of two: replicates may be infinite.
    low, high = np.quantile(replicates, [tail, 1 - tail], axis=0, method="inverted_cdf")
    return [Estimate(*map(float, numbers)) for numbers in zip(values, low, high)]
