"""Verification: do a verifier's distances tell pairs of one identity from pairs of two?

Throughout, `matched` are squared distances of pairs that show one identity, `unmatched` of pairs
that show two, and a pair is accepted as "same" if its distance is below a threshold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Curve(NamedTuple):
    """Receiver operating characteristic.

    Attributes:
        false_accepts: float64 [t], rising from 0 to 1.
        true_accepts: float64 [t], rising from 0 to 1.
    """

    false_accepts: np.ndarray
    true_accepts: np.ndarray


def squared_distances(embeddings: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Of pairs of embeddings: float [m, d] and positions int [n, 2] to float64 [n]."""
    first, second = embeddings[pairs.T].astype(np.float64)
    return np.sum((first - second) ** 2, axis=-1)


def auc(matched: np.ndarray, unmatched: np.ndarray) -> float:
    """The probability that a matched pair is nearer than an unmatched one; ties count half.

    Exact over all combinations of the two (it is the area under `roc`): .5 by chance.
    """
    unmatched = np.sort(unmatched)
    nearer_or_equal = np.searchsorted(unmatched, matched, side="right")
    nearer = np.searchsorted(unmatched, matched, side="left")
    wins = len(unmatched) - (nearer + nearer_or_equal) / 2
    return float(np.mean(wins) / len(unmatched))


def roc(matched: np.ndarray, unmatched: np.ndarray) -> Curve:
    """Rates of accepted pairs over all thresholds."""
    thresholds = np.unique(np.concatenate([matched, unmatched]))
    return Curve(
        np.append(_below(unmatched, thresholds) / len(unmatched), 1.0),
        np.append(_below(matched, thresholds) / len(matched), 1.0),
    )


def best_threshold(matched: np.ndarray, unmatched: np.ndarray) -> float:
    """The threshold of the greatest `accuracy`.

    It lies midway between two distances that occurred; where several do equally well, it is the
    lowest, which accepts least.
    """
    distances = np.unique(np.concatenate([matched, unmatched]))
    candidates = np.append(distances[:1], (distances[1:] + distances[:-1]) / 2)
    candidates = np.append(candidates, np.nextafter(distances[-1], np.inf))
    # In whole numbers, since rounding would break ties at random.
    right = _below(matched, candidates) * len(unmatched)
    gain = right - _below(unmatched, candidates) * len(matched)
    return float(candidates[np.argmax(gain)])


def threshold_at(false_accepts: float, unmatched: np.ndarray) -> float:
    """The greatest threshold, of the distances that occurred, that accepts no larger share of
    unmatched pairs.
    """
    return float(np.sort(unmatched)[int(false_accepts * len(unmatched))])


def accuracy(matched: np.ndarray, unmatched: np.ndarray, threshold: float) -> float:
    """The share of right decisions, both kinds of pairs weighing the same."""
    return (accept_rate(matched, threshold) + 1.0 - accept_rate(unmatched, threshold)) / 2


def accept_rate(distances: np.ndarray, threshold: float) -> float:
    """The share of pairs accepted as "same": of unmatched ones the false accept rate."""
    return float(np.mean(distances < threshold))


def capacity(accepted: float, accepted_real: float, collisions: float = 0.0) -> float:
    """How many identities a generator holds, from how often two of its own are taken for one.

    Let two codes `z_I` show one of C equally likely identities each, and let the verifier take two
    that differ for one as often as it does two real people, a share `r` of pairs. Then the share
    of pairs of independent `z_I` that it accepts is p = 1 / C + (1 - 1 / C) r, so C = (1 - r) /
    (p - r): the birthday estimate 1 / p where the verifier never errs. Infinite where p <= r: the
    pairs then do not tell the generator from one that never repeats itself.

    Pairs are of different codes. Where independent codes may be the same one, as in a model of a
    limited number of identities, that is a pair of one identity and counts as accepted; there are
    then no more identities than 1 / `collisions`.

    Capacity measures how far apart identities lie, so read it only beside the AUC: a generator
    whose z_I changes the image without keeping a person has a great capacity too.

    Args:
        accepted: the share, in [0, 1], of accepted pairs of different codes.
        accepted_real: r, in [0, 1], of real pairs at the same threshold.
        collisions: the probability, in [0, 1), that two independent codes are the same one.
    """
    accepted = collisions + (1.0 - collisions) * accepted
    limit = 1.0 / collisions if collisions else float("inf")
    if accepted <= accepted_real:
        return limit
    return min(limit, (1.0 - accepted_real) / (accepted - accepted_real))


def _below(distances: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many distances are below each threshold: int64 [t]."""
    return np.searchsorted(np.sort(distances), thresholds, side="left")
