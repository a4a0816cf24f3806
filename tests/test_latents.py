"""Codes: named parts, each with its law; pure functions of their seeds, identity and observation kept apart."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.latents import BLOCKS, LatentSpace, Part, _drawer, walk
from sdgan_tf.randomness import stateless_seed

SPACE = LatentSpace.split(d_i=2, d_o=3)
# Parts of every law, two in each block.
PARTS = LatentSpace(
    identity=[Part("digit", 4, "categorical"), Part("style", 3, "normal")],
    observation=[Part("slant", 2), Part("flags", 5, "bernoulli")],
)


def test_codes_of_a_seed_never_change():
    # Published images are named by their seeds.
    np.testing.assert_allclose(
        SPACE.identity_codes([0, 1, 2**40]),
        [[0.73933935, 0.26803994], [0.43596792, 0.96447873], [-0.75487709, -0.38919568]],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        SPACE.observation_codes([0]), [[-0.52462983, 0.22327185, -0.99171472]], atol=1e-6
    )
    normal = LatentSpace.split(2, 1, "normal")
    np.testing.assert_allclose(normal.identity_codes([0]), [[-0.39425391, -0.35191977]], atol=1e-5)


@pytest.mark.parametrize("draw", [SPACE.identity_codes, SPACE.observation_codes])
def test_a_seed_gives_its_code_whatever_its_neighbours(draw):
    codes = draw([5, -1, 5, 8]).numpy()
    assert codes.dtype == np.float32
    np.testing.assert_array_equal(codes[0], codes[2])
    np.testing.assert_array_equal(codes[1:2], draw([-1]))
    assert len(np.unique(codes, axis=0)) == 3


def test_the_two_blocks_have_streams_of_their_own():
    square = LatentSpace.split(4, 4)
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
    codes = LatentSpace.split(50, 50).tuples(200, 2, stateless_seed(0, "test")).numpy()
    for part in (codes[:, 0, :50], codes[..., 50:]):
        assert part.min() < -0.99 and part.max() > 0.99
        assert part.min() >= -1 and part.max() <= 1
        assert abs(part.mean()) < 0.03
        assert part.var() == pytest.approx(1 / 3, abs=0.02)


def test_normal_codes_have_unit_variance():
    codes = LatentSpace.split(50, 50, "normal").tuples(200, 2, stateless_seed(0, "test")).numpy()
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
        ({"law": "gauss"}, "law='gauss'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LatentSpace.split(**arguments)


# --- named parts


def test_parts_lie_in_order_identity_before_observation():
    assert (PARTS.d_i, PARTS.d_o, PARTS.size) == (7, 7, 14)
    assert PARTS.slices == {
        "digit": slice(0, 4),
        "style": slice(4, 7),
        "slant": slice(7, 9),
        "flags": slice(9, 14),
    }
    codes = PARTS.tuples(50, 3, stateless_seed(1, "test")).numpy()
    assert codes.shape == (50, 3, 14)
    np.testing.assert_array_equal(codes[:, 0, :7], codes[:, 2, :7])
    for name, binary in (("digit", True), ("style", False), ("slant", False), ("flags", True)):
        assert set(codes[..., PARTS.slices[name]].flat) <= {0, 1} or not binary, name
    assert np.abs(codes[..., PARTS.slices["style"]]).max() > 1.5
    assert 0.9 < np.abs(codes[..., PARTS.slices["slant"]]).max() <= 1


def test_a_categorical_part_is_one_of_its_categories_all_equally_likely():
    space = LatentSpace([Part("digit", 5, "categorical")], [Part("noise", 1)])
    drawn = space.tuples(4000, 1, stateless_seed(0, "test")).numpy()[:, 0, :5]
    for codes in (drawn, space.identity_codes(range(400)).numpy()):
        assert codes.dtype == np.float32
        np.testing.assert_array_equal(np.sort(codes, axis=1), [[0, 0, 0, 0, 1]] * len(codes))
    np.testing.assert_allclose(drawn.mean(0), 1 / 5, atol=0.03)


def test_components_of_a_bernoulli_part_are_0_or_1_each_by_itself():
    space = LatentSpace([Part("flags", 3, "bernoulli")], [Part("noise", 1)])
    drawn = space.tuples(4000, 1, stateless_seed(0, "test")).numpy()[:, 0, :3]
    assert drawn.dtype == np.float32 and set(drawn.flat) == {0, 1}
    np.testing.assert_allclose(drawn.mean(0), 1 / 2, atol=0.03)
    assert len(np.unique(drawn, axis=0)) == 8
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.eye(3), atol=0.06)


def test_a_part_is_drawn_alike_whatever_else_is_there():
    style = Part("style", 3, "normal")
    alone = LatentSpace([style], [Part("other", 1)])
    seed, seeds = stateless_seed(4, "test"), [0, 7, 2**40]
    part = PARTS.slices["style"]
    np.testing.assert_array_equal(
        PARTS.tuples(6, 2, seed)[..., part], alone.tuples(6, 2, seed)[..., :3]
    )
    np.testing.assert_array_equal(PARTS.identity_codes(seeds)[:, part], alone.identity_codes(seeds))
    # Its name is its stream: two parts of one law and width have numbers of their own.
    twins = LatentSpace([style, Part("again", 3, "normal")], [])
    for codes in (twins.identity_codes(seeds).numpy(), twins.tuples(6, 1, seed).numpy()[:, 0]):
        assert np.all(codes[:, :3] != codes[:, 3:])
    # Nor does the paper's space mind a part beside its own.
    more = LatentSpace([Part("identity", 2), Part("digit", 3, "categorical")], [])
    np.testing.assert_array_equal(more.identity_codes(seeds)[:, :2], SPACE.identity_codes(seeds))


def test_a_block_may_be_empty():
    space = LatentSpace.split(0, 2)
    assert space.parts == {"identity": (), "observation": (Part("observation", 2),)}
    assert space.identity_codes([1, 2]).shape == [2, 0]
    assert space.tuples(3, 1, stateless_seed(0, "test")).shape == [3, 1, 2]


def test_a_space_is_made_again_from_its_config():
    config = json.loads(json.dumps(PARTS.get_config()))
    again = LatentSpace(**config)
    assert again.parts == PARTS.parts and again.slices == PARTS.slices
    assert again.parts["identity"][0] == Part("digit", 4, "categorical")


def test_one_number_of_a_code_is_walked_along():
    space = LatentSpace(
        [Part("kind", 3, "categorical")],
        [Part("noise", 2), Part("slant", 2), Part("on", 1, "bernoulli")],
    )
    codes = space.traverse([0.1, 0.2, 0.3, 0.4, 1.0], "slant", 2, reach=2, columns=3)
    expected = [[0.1, 0.2, 0.3, x, 1.0] for x in (-2, 0, 2)]
    np.testing.assert_allclose(codes, expected)
    for part, number, columns in (("kind", 1, 3), ("slant", 3, 3), ("on", 1, 3), ("slant", 1, 0)):
        with pytest.raises(ValueError, match=f"noise of 2, slant of 2. Received: {part}:{number}"):
            space.traverse(np.zeros(5), part, number, columns=columns)


def test_parts_differ_alone():
    codes = np.arange(14.0).reshape(2, 7)
    names = [part.name for part in PARTS.parts["observation"]]
    width = PARTS.parts["observation"][0].width
    varied = PARTS.vary(codes, names[:1], "observation")
    np.testing.assert_array_equal(varied[:, :width], codes[:, :width])
    np.testing.assert_array_equal(varied[:, width:], codes[:1, width:].repeat(2, 0))
    np.testing.assert_array_equal(PARTS.vary(codes, names, "observation"), codes)
    # None of these is a part of the other block.
    np.testing.assert_array_equal(PARTS.vary(codes, names[:1], "identity"), codes)
    with pytest.raises(ValueError, match="parts of this code are .*Received: hat"):
        PARTS.vary(codes, ["hat"], "observation")


def test_truncation_scales_what_is_centred_and_leaves_one_hot_parts_alone():
    codes = np.arange(1.0, 15.0)[np.newaxis].astype(np.float32)
    for block, start, factors in (
        ("identity", 0, [1] * 4 + [0.5] * 3),
        ("observation", 7, [0.5] * 2 + [1] * 5),
    ):
        part = codes[:, start : start + 7]
        np.testing.assert_array_equal(PARTS.truncate(part, 0.5, block), part * factors)
    np.testing.assert_array_equal(SPACE.truncate([[0.5, -1.0]], 0.5, "identity"), [[0.25, -0.5]])


@pytest.mark.parametrize(
    ("identity", "observation", "message"),
    [
        ([], [], r"at least one part.*Received: \[\]"),
        ([Part("a", 2)], [Part("a", 3)], r"names of their own. Received: \['a', 'a'\]"),
        ([Part("a", 0)], [], "width of 1 or more.*name='a', width=0"),
        ([Part("a", 1, "categorical")], [], "categorical one 2 or more.*width=1"),
        ([Part("a", 2, "gauss")], [], r"law of \['bernoulli', .*'uniform'\].*law='gauss'"),
    ],
)
def test_bad_parts_are_refused(identity, observation, message):
    with pytest.raises(ValueError, match=message):
        LatentSpace(identity, observation)


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
        (([[1.0], [2.0]], 1, "curved"), "Received: path='curved'"),
        (([[1.0], [-2.0]], 1, "slerp"), "Opposite codes"),
    ],
)
def test_bad_walks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        walk(*arguments)


# --- stochastic clipping


@pytest.mark.parametrize(("law", "bound"), [("uniform", 1.0), ("normal", 3.0)])
@pytest.mark.parametrize("block", BLOCKS)
def test_what_leaves_is_drawn_anew_and_the_rest_stays(law, bound, block):
    space = LatentSpace.split(2, 2, law)
    codes = np.zeros([1000, 2], np.float32)
    codes[:, 0] = np.where(np.arange(1000) % 2, bound * 1.01, -bound * 7)
    codes[:, 1] = bound * np.linspace(-1, 1, 1000)
    clipped = space.reclaim(codes, stateless_seed(0, "test"), block).numpy()
    np.testing.assert_array_equal(clipped[:, 1], codes[:, 1])
    fresh = clipped[:, 0]
    assert np.abs(fresh).max() <= bound and len(np.unique(fresh)) > 900
    assert fresh.std() == pytest.approx({"uniform": 3**-0.5, "normal": 1.0}[law], rel=0.1)
    np.testing.assert_array_equal(space.reclaim(codes, stateless_seed(0, "test"), block), clipped)


def test_each_part_is_drawn_anew_by_its_own_law():
    codes = np.full([500, 7], 2.0, np.float32)
    # A block's own parts alone: 2 is no flag and no slant, but a common number of a normal law.
    identity = PARTS.reclaim(codes, stateless_seed(0, "test"), "identity").numpy()
    assert set(identity[:, :4].flat) == {0, 1}
    np.testing.assert_array_equal(identity[:, 4:], codes[:, 4:])
    observation = PARTS.reclaim(codes, stateless_seed(0, "test"), "observation").numpy()
    assert len(np.unique(observation[:, :2])) > 900 and np.abs(observation[:, :2]).max() <= 1
    assert set(observation[:, 2:].flat) == {0, 1}


def test_any_number_of_codes_is_drawn_by_one_graph_for_each_part():
    for count in range(1, 4):
        PARTS.identity_codes(range(count))
    graphs = [_drawer(*part) for part in PARTS.parts["identity"]]
    assert [graph.experimental_get_tracing_count() for graph in graphs] == [1] * len(graphs)
