"""The sampler: distinct, uniform, and a pure function of the seed and the step."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.data.tuples import sample_tuples


@pytest.mark.parametrize("k", [1, 2, 4, 7])
def test_observations_are_distinct_and_exist(k):
    counts = np.array([7, 9, 30], np.int64)
    identities, observations = (part.numpy() for part in sample_tuples(counts, k, 500, 1, 0))
    assert observations.shape == (500, k) and identities.shape == (500,)
    assert set(identities) == {0, 1, 2}
    assert all(len(set(row)) == k for row in observations.tolist())
    assert observations.min() == 0
    assert (observations < counts[identities][:, None]).all()
    # Every image is drawn, to the last.
    assert observations[identities == 2].max() == 29


def chi_square(drawn, cells):
    """Return the chi-square statistic of draws that should be uniform over the cells."""
    counts = np.bincount(drawn, minlength=cells)
    assert len(counts) == cells
    return ((counts - len(drawn) / cells) ** 2).sum() / (len(drawn) / cells)


@pytest.mark.parametrize(("count", "k"), [(5, 2), (4, 3), (4, 4)])
def test_ordered_choices_are_uniform(count, k):
    _, observations = sample_tuples([count] * 3, k, 24_000, 7, 3)
    cells = {choice: i for i, choice in enumerate(itertools.permutations(range(count), k))}
    drawn = np.array([cells[tuple(row)] for row in observations.numpy()])
    # The mean of chi-square is `cells - 1`; four standard deviations more come once in 10,000.
    freedom = len(cells) - 1
    assert chi_square(drawn, len(cells)) < freedom + 4 * np.sqrt(2 * freedom)


def test_identities_are_uniform_whatever_their_counts():
    identities, _ = sample_tuples([2, 1000, 3, 2, 50], 2, 20_000, 7, 3)
    assert chi_square(identities.numpy(), 5) < 4 + 4 * np.sqrt(8)


def test_draws_depend_on_seed_and_step_alone():
    def draw(seed, step):
        return np.concatenate(
            [np.ravel(part) for part in sample_tuples([9] * 99, 2, 16, seed, step)]
        )

    np.testing.assert_array_equal(draw(5, 8), draw(5, 8))
    np.testing.assert_array_equal(draw(5, 8), draw(5, tf.constant(8, tf.int64)))
    different = [draw(5, 8), draw(5, 9), draw(6, 8), draw(8, 5), draw(5, 2**40 + 8), draw(-5, 8)]
    assert len({tuple(numbers) for numbers in different}) == len(different)


def test_draws_are_the_same_in_every_version():
    identities, observations = sample_tuples([4, 5, 6], 3, 4, seed=11, step=12)
    assert identities.numpy().tolist() == GOLDEN_IDENTITIES
    assert observations.numpy().tolist() == GOLDEN_OBSERVATIONS


GOLDEN_IDENTITIES = [1, 1, 0, 1]
GOLDEN_OBSERVATIONS = [[0, 1, 2], [4, 2, 3], [3, 2, 1], [4, 3, 2]]
