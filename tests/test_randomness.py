"""Seeds: pure functions of (seed, stream, step, replica), the same in every process and stack."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.randomness import normal, rollback_seed, stateless_seed, uniform

# Runs that were started by an earlier version go on with these numbers.
GOLDEN_SEED = [8676325703922133483, 1]
GOLDEN_DRAW = [660, 806, 324]


def values(*args, **kwargs):
    """Return the seed as a pair of integers."""
    return tuple(stateless_seed(*args, **kwargs).numpy().tolist())


def test_seeds_and_draws_never_change():
    seed = stateless_seed(7, "tuples", 3, 1)
    assert seed.dtype == tf.int64 and seed.shape == [2]
    assert seed.numpy().tolist() == GOLDEN_SEED
    draw = tf.random.stateless_uniform([3], seed, maxval=1000, dtype=tf.int32, alg="philox")
    assert draw.numpy().tolist() == GOLDEN_DRAW


@pytest.mark.parametrize("compiled", [False, True])
def test_draws_are_tensorflow_s_with_xla_and_without(compiled):
    seed, shape = stateless_seed(7, "draws"), [5, 3, 7]

    @tf.function(jit_compile=compiled)
    def draws(count):
        return uniform([count, 3, 7], seed, -1.0, 1.0), normal([count, 3, 7], seed)

    flat, bell = draws(tf.constant(5))
    expected = tf.random.stateless_uniform(shape, seed, -1.0, 1.0, alg="philox")
    np.testing.assert_array_equal(flat, expected)
    expected = tf.random.stateless_normal(shape, seed, alg="philox")
    np.testing.assert_allclose(bell, expected, rtol=1e-5, atol=2e-6)


def test_every_argument_changes_the_seed():
    seeds = {
        values(seed, stream, step, replica)
        for seed in (-1, 0, 2**40)
        for stream in ("a", "b", "")
        for step in (0, 2**40)
        for replica in (0, 1)
    }
    assert len(seeds) == 3 * 3 * 2 * 2


def test_a_rollback_gives_other_seeds_and_none_those_of_the_seed():
    seeds = [values(rollback_seed(7, rollbacks), "tuples", 3, 1) for rollbacks in (0, 1, 2)]
    assert list(seeds[0]) == GOLDEN_SEED
    assert len(set(seeds)) == 3


def test_neighbouring_seeds_and_steps_do_not_meet():
    # A sum of seed and step would make them equal.
    seeds = {values(seed, "s", step, replica) for seed, step, replica in np.ndindex(4, 4, 3)}
    assert len(seeds) == 4 * 4 * 3


def test_seeds_derive_from_seeds():
    parent = stateless_seed(1, "parent")
    children = {values(parent, name) for name in ("x", "y")}
    children |= {values(parent, "x", step=1), values(stateless_seed(2, "parent"), "x")}
    assert len(children) == 4
    assert values(parent, "x") == values(stateless_seed(1, "parent"), "x")


def test_tensors_inside_a_graph_give_what_integers_give():
    traced = tf.function(lambda seed, step, replica: stateless_seed(seed, "s", step, replica))
    # Steps are int64 variables, replica numbers int32 tensors.
    seed = traced(tf.constant(5, tf.int64), tf.constant(9, tf.int64), tf.constant(1, tf.int32))
    assert tuple(seed.numpy().tolist()) == values(5, "s", 9, 1)


@pytest.mark.parametrize("name", ["seed", "step", "replica"])
def test_numbers_beyond_64_bits_are_refused_by_name(name):
    arguments = {"seed": 0, "stream": "s", "step": 0, "replica": 0, name: 2**63}
    with pytest.raises(ValueError, match=f"`{name}` must fit into 64 bits.*{2**63}"):
        stateless_seed(**arguments)
