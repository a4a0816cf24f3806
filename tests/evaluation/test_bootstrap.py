"""The bootstrap resamples identities."""

from __future__ import annotations

import numpy as np
import pytest

from sdgan_tf.evaluation.bootstrap import Sample, estimates, resample


def means(*values):
    return [np.mean(part) for part in values]


def own(count):
    """Return groups of pairs that share nothing."""
    return np.repeat(np.arange(count), 2).reshape(-1, 2)


def test_independent_numbers_have_the_interval_of_their_mean():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    replicates = resample(means, [Sample(values, own(400))], seed=1)
    assert replicates.shape == (1000, 1)
    assert replicates.std() == pytest.approx(values.std() / 20, rel=0.1)
    (estimate,) = estimates([values.mean()], replicates)
    assert estimate.value == values.mean()
    half = 1.96 * values.std() / 20
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.05)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.05)


def test_pairs_of_one_identity_come_and_go_together():
    # 400 numbers, but of 4 identities only: as unsure as the mean of 4.
    who = np.repeat(np.arange(4), 100)
    values = np.array([0.0, 1.0, 2.0, 3.0])[who]
    replicates = resample(means, [Sample(values, np.stack([who, who], 1))])
    assert replicates.std() == pytest.approx(np.std([0, 1, 2, 3]) / 2, rel=0.1)


def test_a_pair_of_two_identities_counts_the_product_of_their_times():
    seen = []

    def note(matched, unmatched):
        times = [np.sum(matched == identity) for identity in range(3)]
        seen.append((times, np.sum(unmatched == 0), np.sum(unmatched == 1)))
        return [0.0]

    matched = Sample(np.arange(3), np.array([[0, 0], [1, 1], [2, 2]]))
    unmatched = Sample(np.array([0, 1]), np.array([[0, 1], [1, 2]]))
    resample(note, [matched, unmatched], resamples=50)
    for (a, b, c), first, second in seen:
        assert a + b + c == 3
        assert (first, second) == (a * b, b * c)
        assert first + second > 0
    assert len({tuple(times) for times, *_ in seen}) > 2


def test_the_same_seed_gives_the_same_interval():
    sample = Sample(np.random.default_rng(0).normal(size=30), own(30))
    first, again, other = (resample(means, [sample], seed, 20) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_names_of_groups_do_not_matter_and_values_may_have_columns():
    values = np.arange(12.0).reshape(6, 2)
    groups = own(6)

    def columns(part):
        return part.mean(axis=0)

    plain = resample(columns, [Sample(values, groups)], 0, 10)
    renamed = resample(columns, [Sample(values, groups * 7 + 100)], 0, 10)
    np.testing.assert_array_equal(plain, renamed)
    np.testing.assert_allclose(plain[:, 1] - plain[:, 0], 1.0)


def test_infinite_replicates_have_an_interval():
    replicates = np.array([[1.0], [2.0], [np.inf], [np.inf]])
    (estimate,) = estimates([np.inf], replicates)
    assert (estimate.low, estimate.high) == (1.0, np.inf)
