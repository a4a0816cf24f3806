"""Distances of distributions: closed forms, and no bias where there should be none."""

from __future__ import annotations

import numpy as np
import pytest

from sdgan_tf.evaluation.fidelity import (
    frechet_distance,
    gaussian_distance,
    kernel_distance,
    nearest,
)


def test_gaussians_in_one_dimension_by_hand():
    # (1 - 4)^2 + (2 - 5)^2, since variances are 4 and 25.
    one = np.array([[1.0]])
    assert gaussian_distance(one[0], 4 * one, 4 * one[0], 25 * one) == pytest.approx(9 + 9)


def test_gaussians_that_do_not_commute():
    # C = diag(4, 1), C' = R diag(4, 1) R' turned by 90 degrees: tr (C C')^(1/2) = 2 + 2.
    first, second = np.diag([4.0, 1.0]), np.diag([1.0, 4.0])
    zero = np.zeros(2)
    assert gaussian_distance(zero, first, zero, second) == pytest.approx(5 + 5 - 2 * 4)
    # Turned by 45 degrees: (C C') has trace 4 * 2.5 + 2.5 and determinant 16, so the trace of its
    # root is (12.5 + 2 * 4)^(1/2).
    turned = np.array([[2.5, 1.5], [1.5, 2.5]])
    expected = 5 + 5 - 2 * np.sqrt(12.5 + 8)
    assert gaussian_distance(zero, first, zero, turned) == pytest.approx(expected)


def test_a_degenerate_covariance_is_no_problem():
    flat = np.diag([1.0, 0.0])
    assert gaussian_distance(np.zeros(2), flat, np.zeros(2), flat) == pytest.approx(0, abs=1e-12)


def test_frechet_distance_of_samples_nears_that_of_their_gaussians():
    rng = np.random.default_rng(0)
    mean, mix = np.array([0.5, 0.0, -0.5]), rng.normal(size=[3, 3])
    first, second = rng.normal(size=[50_000, 3]), mean + rng.normal(size=[50_000, 3]) @ mix.T
    expected = gaussian_distance(np.zeros(3), np.eye(3), mean, mix @ mix.T)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=0.03)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(first[:, :1], first[:, :1] + 2) == pytest.approx(4)


def test_kernel_distance_by_hand():
    # One block of all: k(x, y) = (x y + 1)^3 in one dimension. Within: k(0, 1) = 1, k(1, 2) = 27;
    # across: k(0, 1), k(0, 2), k(1, 1), k(1, 2) = 1, 1, 8, 27.
    distance, deviation = kernel_distance(
        np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]]), blocks=1
    )
    assert distance == pytest.approx(1 + 27 - 2 * (1 + 1 + 8 + 27) / 4)
    assert deviation == 0


@pytest.mark.parametrize("size", [5, 50])
def test_kernel_distance_is_unbiased_on_equal_distributions(size):
    rng = np.random.default_rng(size)
    values = [
        kernel_distance(*rng.normal(size=[2, size, 4]), blocks=1)[0] for _ in range(2000 // size)
    ]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error
    apart = rng.normal(size=[2, size, 4]) + np.array([0, 1])[:, None, None]
    assert kernel_distance(*apart, blocks=1)[0] > 10 * error


def test_kernel_distance_depends_on_its_seed_alone():
    first, second = np.random.default_rng(0).normal(size=[2, 40, 3])
    results = [kernel_distance(first, second, 5, 10, seed) for seed in (1, 1, 2)]
    assert results[0] == results[1] != results[2]
    assert results[0][1] > 0


def test_nearest_first():
    among = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0], [5.0, 5.0]])
    positions = nearest(np.array([[0.9, 0.1], [0.0, 2.5]]), among, count=3)
    assert positions.tolist() == [[1, 0, 2], [2, 0, 1]]


@pytest.mark.parametrize("shapes", [((1, 3), (5, 3)), ((5, 3), (5, 2))])
def test_too_few_features_or_different_ones_are_refused(shapes):
    for distance in (frechet_distance, kernel_distance):
        with pytest.raises(ValueError, match="two features or more, of one width"):
            distance(*(np.zeros(shape) for shape in shapes))
