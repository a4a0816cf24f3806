"""Bytes outside, floats in [-1, 1] inside."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.pixels import to_float, to_uint8


def test_all_bytes_survive_the_round_trip():
    values = tf.range(256)
    floats = to_float(tf.cast(values, tf.uint8))
    assert floats.dtype == tf.float32
    np.testing.assert_allclose(floats, np.arange(256) / 127.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(to_uint8(floats), values)


def test_bytes_are_rounded_and_clipped():
    # 127.5 * (1 + x) = 100.4, 100.6, then outside on either side, then NaN.
    inside = np.array([100.4, 100.6]) / 127.5 - 1
    found = to_uint8(tf.constant([*inside, -1.5, 1.5, np.inf, -np.inf, np.nan], tf.float32))
    assert found.dtype == tf.uint8
    assert found.numpy().tolist() == [100, 101, 0, 255, 255, 0, 0]


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float64])
def test_floats_pass_as_float32(dtype):
    found = to_float(tf.constant([-1.0, 0.5], dtype))
    assert found.dtype == tf.float32
    assert found.numpy().tolist() == [-1.0, 0.5]


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64, tf.bool])
def test_other_integers_are_refused(dtype):
    with pytest.raises(ValueError, match=f"Received: {dtype.name}; convert by tf.cast"):
        to_float(tf.zeros([2], dtype))
