"""Mixed tuples, and penalties of discriminators whose gradients are known."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.models import penalties
from sdgan_tf.randomness import stateless_seed

SHAPE = (3, 2, 4, 4, 1)
AXES = [1, 2, 3, 4]
SEED = stateless_seed(3, "places on the lines")


def linear(tuples):
    """Score by a function whose gradient has norm 2 everywhere."""
    return tf.reduce_sum(tuples * (2 / np.prod(SHAPE[1:]) ** 0.5), axis=AXES)


def quadratic(tuples):
    """Score by a function whose gradient at each tuple is that tuple."""
    return tf.reduce_sum(tuples**2, axis=AXES) / 2


def images(seed):
    """Return fixed random tuples, float32 in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, SHAPE).astype(np.float32)


def test_mixed_tuples_take_their_second_half_from_the_next_identity():
    tuples = tf.reshape(tf.range(12.0), [3, 4, 1, 1, 1])
    expected = [[0, 1, 10, 11], [4, 5, 2, 3], [8, 9, 6, 7]]
    assert penalties.mix(tuples)[..., 0, 0, 0].numpy().tolist() == expected
    # Of three images one is kept.
    triples = tf.reshape(tf.range(6.0), [2, 3, 1, 1, 1])
    assert penalties.mix(triples)[..., 0, 0, 0].numpy().tolist() == [[0, 4, 5], [3, 1, 2]]


def test_mixed_tuples_of_one_identity_weigh_nothing():
    tuples = tf.zeros([4, 2, 1, 1, 1])
    # The first is mixed with the last, the third with the second.
    identity = tf.constant([5, 7, 7, 5], tf.int64)
    assert penalties.truly_mixed(tuples, identity).numpy().tolist() == [0, 1, 0, 1]
    # Who is in them: `mix` takes the second half from where the weight says.
    halves = penalties.mix(tf.repeat(tf.reshape(identity, [4, 1]), 2, axis=1)).numpy()
    assert (halves[:, 0] != halves[:, 1]).tolist() == [False, True, False, True]
    assert penalties.truly_mixed(tuples, None).numpy().tolist() == [1, 1, 1, 1]


def test_a_single_tuple_has_none_to_be_mixed_with():
    for identity in (None, tf.constant([3], tf.int64)):
        with pytest.raises(ValueError, match="raise batch_size. Received: 1 tuple"):
            penalties.truly_mixed(tf.zeros([1, 2, 1, 1, 1]), identity)

        # In a graph whose batches may be of any size it weighs nothing.
        @tf.function(input_signature=[tf.TensorSpec([None, 2, 1, 1, 1])])
        def weights(tuples, identity=identity):
            return penalties.truly_mixed(tuples, identity)

        assert weights(tf.zeros([1, 2, 1, 1, 1])).numpy().tolist() == [0]


def test_half_the_mean_squared_gradient():
    real = images(0)
    assert float(penalties.zero_centred(linear, tf.constant(real))) == pytest.approx(2.0)
    penalty = penalties.zero_centred(quadratic, tf.constant(real))
    assert float(penalty) == pytest.approx(np.sum(real**2) / 3 / 2, rel=1e-5)


def test_gradients_of_norm_one_are_wanted_between_real_and_fake():
    real, fake = images(0), 0.5 * images(1)
    penalty = penalties.one_centred(linear, tf.constant(real), tf.constant(fake), SEED)
    assert float(penalty) == pytest.approx((2 - 1) ** 2, rel=1e-5)

    share = tf.random.stateless_uniform([3, 1, 1, 1, 1], SEED, alg="philox").numpy()
    assert len(np.unique(share)) == 3
    norms = np.sqrt(np.sum((fake + share * (real - fake)) ** 2, axis=tuple(AXES)))
    penalty = penalties.one_centred(quadratic, tf.constant(real), tf.constant(fake), SEED)
    assert float(penalty) == pytest.approx(np.mean((norms - 1) ** 2), rel=1e-5)


def test_lecam_anchors_by_hand():
    anchors = tf.Variable([0.0, 0.0])
    real, fake = tf.constant([1.0, 3.0]), tf.constant([-1.0, -4.0])
    # Squares of real scores above the fake anchor, of fake ones below the real anchor.
    penalty = penalties.lecam(anchors, real, fake)
    assert float(penalty) == pytest.approx((1 + 9) / 2 + (1 + 16) / 2)
    np.testing.assert_allclose(anchors, [0.01 * 2.0, 0.01 * -2.5], rtol=1e-5)
    penalty = penalties.lecam(anchors, real, fake)
    expected = (1.025**2 + 3.025**2) / 2 + (1.02**2 + 4.02**2) / 2
    assert float(penalty) == pytest.approx(expected)
    np.testing.assert_allclose(anchors, [0.0398, -0.04975], rtol=1e-5)
    # Scores on the right side of both anchors cost nothing.
    anchors.assign([-1.0, 1.0])
    assert float(penalties.lecam(anchors, tf.constant([0.5]), tf.constant([-0.5]))) == 0
