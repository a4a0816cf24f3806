"""Penalties of discriminators whose slopes are known."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.models import penalties
from sdgan_tf.randomness import stateless_seed

SHAPE = (3, 2, 4, 4, 1)
AXES = [1, 2, 3, 4]
SEED = stateless_seed(3, "places on the lines")


def linear(tuples, training, track):
    """Score by a function whose slope has norm 2 everywhere."""
    return tf.reduce_sum(tuples * (2 / np.prod(SHAPE[1:]) ** 0.5), axis=AXES)


def quadratic(tuples, training, track):
    """Score by a function whose slope at each tuple is that tuple."""
    return tf.reduce_sum(tuples**2, axis=AXES) / 2


def pictures(seed):
    """Return fixed random tuples, float32 in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, SHAPE).astype(np.float32)


def test_half_the_mean_squared_slope():
    real = pictures(0)
    assert float(penalties.zero_centred(linear, tf.constant(real))) == pytest.approx(2.0)
    found = penalties.zero_centred(quadratic, tf.constant(real))
    assert float(found) == pytest.approx(np.sum(real**2) / 3 / 2, rel=1e-5)


def test_slopes_of_norm_one_are_wanted_between_real_and_fake():
    real, fake = pictures(0), 0.5 * pictures(1)
    found = penalties.one_centred(linear, tf.constant(real), tf.constant(fake), SEED)
    assert float(found) == pytest.approx((2 - 1) ** 2, rel=1e-5)

    share = tf.random.stateless_uniform([3, 1, 1, 1, 1], SEED, alg="philox").numpy()
    assert len(np.unique(share)) == 3
    norms = np.sqrt(np.sum((fake + share * (real - fake)) ** 2, axis=tuple(AXES)))
    found = penalties.one_centred(quadratic, tf.constant(real), tf.constant(fake), SEED)
    assert float(found) == pytest.approx(np.mean((norms - 1) ** 2), rel=1e-5)


def test_lecam_anchors_by_hand():
    anchors = tf.Variable([0.0, 0.0])
    real, fake = tf.constant([1.0, 3.0]), tf.constant([-1.0, -4.0])
    # Squares of real scores above the fake anchor, of fake ones below the real anchor.
    found = penalties.lecam(anchors, real, fake)
    assert float(found) == pytest.approx((1 + 9) / 2 + (1 + 16) / 2)
    np.testing.assert_allclose(anchors, [0.01 * 2.0, 0.01 * -2.5], rtol=1e-5)
    found = penalties.lecam(anchors, real, fake)
    expected = (1.025**2 + 3.025**2) / 2 + (1.02**2 + 4.02**2) / 2
    assert float(found) == pytest.approx(expected)
    np.testing.assert_allclose(anchors, [0.0398, -0.04975], rtol=1e-5)
    # Scores on the right side of both anchors cost nothing.
    anchors.assign([-1.0, 1.0])
    assert float(penalties.lecam(anchors, tf.constant([0.5]), tf.constant([-0.5]))) == 0
