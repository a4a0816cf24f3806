"""Codes: pure functions of their seeds, identity and observation kept apart."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.latents import LatentSpace, walk
from sdgan_tf.randomness import stateless_seed

SPACE = LatentSpace(d_i=2, d_o=3)


def test_codes_of_a_seed_never_change():
    # Published pictures are named by their seeds.
    np.testing.assert_allclose(
        SPACE.identity_codes([0, 1, 2**40]),
        [[0.73933935, 0.26803994], [0.43596792, 0.96447873], [-0.75487709, -0.38919568]],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        SPACE.observation_codes([0]), [[-0.52462983, 0.22327185, -0.99171472]], atol=1e-6
    )
    normal = LatentSpace(2, 1, "normal")
    np.testing.assert_allclose(normal.identity_codes([0]), [[-0.39425391, -0.35191977]], atol=1e-5)


@pytest.mark.parametrize("draw", [SPACE.identity_codes, SPACE.observation_codes])
def test_a_seed_gives_its_code_whatever_its_neighbours(draw):
    codes = draw([5, -1, 5, 8]).numpy()
    assert codes.dtype == np.float32
    np.testing.assert_array_equal(codes[0], codes[2])
    np.testing.assert_array_equal(codes[1:2], draw([-1]))
    assert len(np.unique(codes, axis=0)) == 3


def test_the_two_parts_have_streams_of_their_own():
    square = LatentSpace(4, 4)
    assert np.all(square.identity_codes([3]) != square.observation_codes([3]))


def test_a_tuple_shares_the_identity_and_nothing_else():
    codes = SPACE.tuples(6, 4, stateless_seed(1, "test")).numpy()
    assert codes.shape == (6, 4, 5) and codes.dtype == np.float32
    identity, observation = codes[..., :2], codes[..., 2:]
    np.testing.assert_array_equal(identity, np.repeat(identity[:, :1], 4, axis=1))
    assert len(np.unique(identity[:, 0], axis=0)) == 6
    assert len(np.unique(observation)) == 6 * 4 * 3


def test_tuples_follow_their_seed_in_and_out_of_a_graph():
    seed = stateless_seed(1, "test")
    traced = tf.function(lambda count: SPACE.tuples(count, 2, seed))
    np.testing.assert_array_equal(traced(tf.constant(3)), SPACE.tuples(3, 2, seed))
    other = SPACE.tuples(3, 2, stateless_seed(2, "test"))
    assert np.all(other != SPACE.tuples(3, 2, seed))


def test_uniform_codes_fill_the_cube():
    codes = LatentSpace(50, 50).tuples(200, 2, stateless_seed(0, "test")).numpy()
    for part in (codes[:, 0, :50], codes[..., 50:]):
        assert part.min() < -0.99 and part.max() > 0.99
        assert part.min() >= -1 and part.max() <= 1
        assert abs(part.mean()) < 0.03
        assert part.var() == pytest.approx(1 / 3, abs=0.02)


def test_normal_codes_have_unit_variance():
    codes = LatentSpace(50, 50, "normal").tuples(200, 2, stateless_seed(0, "test")).numpy()
    for part in (codes[:, 0, :50], codes[..., 50:]):
        assert abs(part.mean()) < 0.05
        assert part.var() == pytest.approx(1, abs=0.05)
        assert np.abs(part).max() > 2.5


def test_grid_rows_share_identity_and_columns_observation():
    identity = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    observation = tf.constant([[5.0, 6.0, 7.0], [8.0, 9.0, 10.0], [11.0, 12.0, 13.0]])
    grid = SPACE.grid(identity, observation).numpy()
    assert grid.shape == (2, 3, 5)
    for row in range(2):
        for column in range(3):
            expected = [*identity[row].numpy(), *observation[column].numpy()]
            assert grid[row, column].tolist() == expected


def test_size_is_the_width_of_the_joined_code():
    joined = SPACE.join(SPACE.identity_codes([1]), SPACE.observation_codes([1]))
    assert SPACE.size == joined.shape[-1] == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"d_i": 0, "d_o": 0}, "Received: d_i=0"),
        ({"d_i": -1}, "Received: d_i=-1"),
        ({"distribution": "gauss"}, "Received: 'gauss'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LatentSpace(**arguments)


# --- ways between codes


def test_a_linear_walk_by_hand():
    codes = walk([[0.0, 1.0], [1.0, -1.0], [1.0, 3.0]], 2)
    assert codes.dtype == np.float32
    assert codes.tolist() == [[0, 1], [0.5, 0], [1, -1], [1, 1], [1, 3]]


def test_slerp_follows_the_arc_by_hand():
    # A right angle in three steps: 30 degrees each. Between lengths 1 and 2 the ends' shares are
    # those of two sines.
    root = np.sqrt(3) / 2
    np.testing.assert_allclose(
        walk([[1.0, 0.0], [0.0, 2.0]], 3, "slerp"),
        [[1, 0], [root, 1], [0.5, 2 * root], [0, 2]],
        atol=1e-7,
    )


def test_slerp_keeps_the_length_that_a_straight_line_loses():
    ends = np.random.default_rng(0).normal(size=(2, 50))
    ends *= np.sqrt(50) / np.linalg.norm(ends, axis=1, keepdims=True)
    arc = np.linalg.norm(walk(ends, 8, "slerp"), axis=1)
    line = np.linalg.norm(walk(ends, 8), axis=1)
    np.testing.assert_allclose(arc, np.sqrt(50), rtol=1e-5)
    assert line[4] < 0.8 * arc[4]


@pytest.mark.parametrize("path", ["linear", "slerp"])
def test_walks_that_stand_still_or_go_straight(path):
    assert walk([[2.0, 3.0]], 5, path).tolist() == [[2, 3]]
    np.testing.assert_allclose(walk([[1.0, 1.0], [1.0, 1.0]], 4, path), np.ones([5, 2]))
    np.testing.assert_allclose(walk([[0.0, 0.0], [4.0, 2.0]], 2, path)[1], [2, 1])
    assert walk(np.zeros([2, 0]), 3, path).shape == (4, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0, 2.0]], 0), "steps=0"),
        ((np.zeros([0, 3]), 1), r"shape \(0, 3\)"),
        (([1.0, 2.0], 1), r"shape \(2,\)"),
        (([[1.0], [2.0]], 1, "curved"), "Received: 'curved'"),
        (([[1.0], [-2.0]], 1, "slerp"), "Opposite codes"),
    ],
)
def test_bad_walks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        walk(*arguments)


# --- stochastic clipping


@pytest.mark.parametrize(("distribution", "bound"), [("uniform", 1.0), ("normal", 3.0)])
def test_what_leaves_is_drawn_anew_and_the_rest_stays(distribution, bound):
    space = LatentSpace(1, 1, distribution)
    codes = np.zeros([1000, 2], np.float32)
    codes[:, 0] = np.where(np.arange(1000) % 2, bound * 1.01, -bound * 7)
    codes[:, 1] = bound * np.linspace(-1, 1, 1000)
    clipped = space.reclaim(codes, stateless_seed(0, "test")).numpy()
    np.testing.assert_array_equal(clipped[:, 1], codes[:, 1])
    fresh = clipped[:, 0]
    assert np.abs(fresh).max() <= bound and len(np.unique(fresh)) > 900
    assert fresh.std() == pytest.approx({"uniform": 3**-0.5, "normal": 1.0}[distribution], rel=0.1)
    np.testing.assert_array_equal(space.reclaim(codes, stateless_seed(0, "test")), clipped)
