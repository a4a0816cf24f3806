"""Fidelity: how far generated images are from real ones, as distributions of features.

All functions take features, float [n, d]. Which features, from what network, belongs to the number:
distances in two feature spaces say nothing of each other.
"""

from __future__ import annotations

import numpy as np

BLOCKS = 100
BLOCK_SIZE = 1000


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Frechet distance of the Gaussians that fit two sets of features (arXiv 1706.08500).

    It is biased upwards, the more the fewer the features: compare sets of equal size only.

    Raises:
        ValueError: fewer than two features.
    """
    _check(first, second)
    moments = [
        (x.mean(axis=0), np.atleast_2d(np.cov(x, rowvar=False))) for x in _wide(first, second)
    ]
    return gaussian_distance(*moments[0], *moments[1])


def gaussian_distance(
    mean: np.ndarray, covariance: np.ndarray, other_mean: np.ndarray, other_covariance: np.ndarray
) -> float:
    """|m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)) of two Gaussians: float64 [d], [d, d] each."""
    # C C' has the eigenvalues of the symmetric C^(1/2) C' C^(1/2), whose roots are exact and real.
    root = _root(covariance)
    values = np.linalg.eigvalsh(root @ other_covariance @ root)
    cross = np.sum(np.sqrt(np.maximum(values, 0.0)))
    spread = np.trace(covariance) + np.trace(other_covariance) - 2 * cross
    return float(np.sum((mean - other_mean) ** 2) + spread)


def kernel_distance(
    first: np.ndarray,
    second: np.ndarray,
    blocks: int = BLOCKS,
    block_size: int = BLOCK_SIZE,
    seed: int = 0,
) -> tuple[float, float]:
    """Kernel distance, KID (arXiv 1801.01401): squared MMD with the kernel (x y / d + 1)^3.

    Unbiased, whatever the number of features: 0 on average for equal distributions, and so now and
    then below.

    Args:
        first: float [n, d].
        second: float [m, d].
        blocks: subsets, drawn without replacement each, over which the mean goes.
        block_size: features in a subset, as far as there are as many.
        seed: of the subsets.

    Returns:
        The mean over the blocks and its standard deviation over the blocks.

    Raises:
        ValueError: fewer than two features.
    """
    _check(first, second)
    first, second = _wide(first, second)
    size = min(block_size, len(first), len(second))
    rng = np.random.default_rng(seed)
    values = [
        _squared_mmd(*(x[rng.choice(len(x), size, replace=False)] for x in (first, second)))
        for _ in range(blocks)
    ]
    return float(np.mean(values)), float(np.std(values))


def nearest(features: np.ndarray, among: np.ndarray, count: int = 3) -> np.ndarray:
    """Positions of the nearest of `among`, nearest first: float [n, d], [m, d] to int64 [n, count]."""
    features, among = _wide(features, among)
    distances = (
        np.sum(features**2, axis=1)[:, np.newaxis]
        + np.sum(among**2, axis=1)
        - 2 * features @ among.T
    )
    return np.argsort(distances, axis=1, kind="stable")[:, :count]


def _squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    size = len(x)
    off_diagonal = size * (size - 1)
    within = sum((np.sum(k) - np.trace(k)) / off_diagonal for k in (_kernel(x, x), _kernel(y, y)))
    return within - 2 * np.mean(_kernel(x, y))


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1.0) ** 3


def _root(matrix: np.ndarray) -> np.ndarray:
    """The square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def _wide(*features: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(x, np.float64) for x in features]


def _check(first: np.ndarray, second: np.ndarray) -> None:
    if min(len(first), len(second)) < 2 or first.shape[1:] != second.shape[1:]:
        raise ValueError(
            "Distances are between two sets of two features or more, of one width. "
            f"Received: shapes {first.shape} and {second.shape}"
        )
