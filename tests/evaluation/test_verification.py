"""Verification: worked out by hand, and against all combinations of pairs."""

from __future__ import annotations

import numpy as np
import pytest

from sdgan_tf.evaluation import verification
from sdgan_tf.evaluation.verification import (
    accept_rate,
    accuracy,
    auc,
    best_threshold,
    capacity,
    roc,
    squared_distances,
    threshold_at,
)


def test_squared_distances_of_pairs():
    embeddings = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
    distances = squared_distances(embeddings, np.array([[0, 1], [0, 2], [1, 1]]))
    assert distances.tolist() == [2.0, 4.0, 0.0]


@pytest.mark.parametrize(
    ("matched", "unmatched", "expected"),
    [
        ([0.1, 0.2], [0.3, 0.4], 1.0),
        ([0.3, 0.4], [0.1, 0.2], 0.0),
        ([0.1, 0.3], [0.2, 0.4], 0.75),
        ([0.1, 0.1], [0.1, 0.1], 0.5),
        ([0.1, 0.2], [0.2], 0.75),
    ],
)
def test_auc_by_hand(matched, unmatched, expected):
    assert auc(np.array(matched), np.array(unmatched)) == expected


@pytest.mark.parametrize("digits", [1, 8])
def test_auc_is_exact_over_all_combinations_and_the_area_under_the_curve(digits):
    rng = np.random.default_rng(digits)
    # One digit: many ties.
    matched = rng.beta(2, 4, 300).round(digits)
    unmatched = rng.beta(4, 3, 200).round(digits)
    wins = (matched[:, None] < unmatched) + 0.5 * (matched[:, None] == unmatched)
    assert auc(matched, unmatched) == pytest.approx(wins.mean(), abs=1e-12)
    curve = roc(matched, unmatched)
    x, y = curve.false_accepts, curve.true_accepts
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    area = np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)
    assert area == pytest.approx(wins.mean(), abs=1e-12)


def test_the_best_threshold_lies_between_two_distances():
    matched, unmatched = np.array([0.1, 0.2, 0.7]), np.array([0.4, 0.8, 0.9])
    # Between .2 and .4: 2 of 3 right and 3 of 3; between .7 and .8: 3 of 3 and 2 of 3. The lower.
    threshold = best_threshold(matched, unmatched)
    assert threshold == pytest.approx(0.3)
    assert accuracy(matched, unmatched, threshold) == pytest.approx((2 / 3 + 1) / 2)
    assert accept_rate(unmatched, threshold) == 0.0


def test_the_best_threshold_may_accept_all_or_nothing():
    nothing = best_threshold(np.array([2.0]), np.array([1.0]))
    assert accept_rate(np.array([1.0, 2.0]), nothing) == 0
    everything = best_threshold(np.array([1.0, 2.0]), np.array([2.0]))
    assert 1.0 < everything < 2.0


def test_the_best_threshold_beats_all_others_and_weighs_both_kinds_equally():
    rng = np.random.default_rng(0)
    matched, unmatched = rng.normal(1, 1, 50) ** 2, rng.normal(2, 1, 500) ** 2
    best = accuracy(matched, unmatched, best_threshold(matched, unmatched))
    others = [accuracy(matched, unmatched, t) for t in np.linspace(0, 10, 2001)]
    assert best >= max(others)
    assert best == pytest.approx(max(others), abs=0.01)


@pytest.mark.parametrize(("rate", "accepted"), [(0.0, 0), (0.1, 1), (0.25, 2), (0.99, 9)])
def test_a_threshold_at_a_rate_accepts_that_share_at_most(rate, accepted):
    distances = np.random.default_rng(0).permutation(10) / 10.0
    assert np.sum(distances < threshold_at(rate, distances)) == accepted


def test_capacity_by_hand():
    # A verifier that never errs takes two of 50 equally likely identities for one in 1 of 50 pairs.
    assert capacity(1 / 50, 0.0) == pytest.approx(50)
    # One that errs in 10 % of the pairs of two people: .02 + .98 * .1.
    assert capacity(0.118, 0.1) == pytest.approx(50)
    assert capacity(1.0, 0.3) == 1.0
    assert capacity(0.01, 0.01) == capacity(0.0, 0.01) == np.inf


def test_capacity_counts_the_identities_of_a_generator_that_holds_twenty():
    rng = np.random.default_rng(0)
    people = rng.normal(size=[20, 8])
    images = people[rng.integers(20, size=[20_000, 2])]
    distances = np.sum((images[:, 0] - images[:, 1]) ** 2, axis=-1)
    real = np.sum((rng.normal(size=[20_000, 8]) - rng.normal(size=[20_000, 8])) ** 2, axis=-1)
    threshold = threshold_at(0.01, real)
    estimate = capacity(accept_rate(distances, threshold), accept_rate(real, threshold))
    assert estimate == pytest.approx(20, rel=0.1)


def test_equal_codes_count_and_limit_the_capacity():
    # The verifier errs among the identities of a model as it does among real people.
    assert capacity(0.01, 0.01, collisions=1 / 10) == pytest.approx(10)
    assert capacity(0.2, 0.01, collisions=1 / 10) == pytest.approx(0.99 / (0.1 + 0.9 * 0.2 - 0.01))
    # It errs less: ten remain ten.
    assert capacity(0.0, 0.01, collisions=1 / 10) == 10
    assert capacity(0.0, 0.01, collisions=1 / 500) == 500


def test_nothing_is_accepted_at_its_own_distance():
    assert accept_rate(np.array([0.5, 0.4]), 0.5) == 0.5
    assert verification.accept_rate(np.array([0.5]), 0.5) == 0.0
