"""Layers of the DCGAN family: the fast path is the stock one, groups are separate calls."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf import keras_compat
from sdgan_tf.networks import convolution
from sdgan_tf.networks.layers import BatchNorm, Conv, ConvTranspose, dcgan_initializer


def normal(*shape, seed=0):
    """Return fixed random numbers, float32, with a mean and a scale that are not 0 and 1."""
    return tf.constant(np.random.default_rng(seed).normal(0.3, 2.0, shape).astype(np.float32))


def test_initial_weights_are_uniform_with_deviation_002():
    weights = dcgan_initializer()([400, 100]).numpy()
    assert weights.std() == pytest.approx(0.02, rel=0.02)
    assert abs(weights.mean()) < 0.001
    assert np.abs(weights).max() <= 0.02 * 3**0.5


@pytest.mark.parametrize("layer_class", [Conv, ConvTranspose])
@pytest.mark.parametrize(("size", "stride", "kernel_size"), [(4, 2, 5), (2, 2, 3), (4, 1, 3)])
def test_the_fast_path_computes_what_the_stock_one_does(
    layer_class, size, stride, kernel_size, monkeypatch
):
    layer = layer_class(3, kernel_size, stride)
    images = normal(2, size, size, 4)
    layer.build(images.shape)
    layer.bias.assign([1.0, 2.0, 3.0])
    results = []
    for fast in (True, False):
        monkeypatch.setattr(convolution, "suits", lambda *_, fast=fast: fast)
        with tf.GradientTape() as tape:
            tape.watch(images)
            out = layer(images)
            total = tf.reduce_sum(out**2)
        kernel, bias = (keras_compat.tensor_of(v) for v in (layer.kernel, layer.bias))
        results.append([out, *tape.gradient(total, [images, kernel, bias])])
    for fast, stock in zip(*results):
        np.testing.assert_allclose(fast, stock, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("layer_class", "size"), [(Conv, 4), (ConvTranspose, 16)])
@pytest.mark.parametrize("fast", [True, False])
def test_shapes_are_known_in_a_graph_of_unknown_batch(layer_class, size, fast, monkeypatch):
    monkeypatch.setattr(convolution, "suits", lambda *_: fast)
    layer = layer_class(3)
    layer.build([None, 8, 8, 2])
    shapes = []
    traced = tf.function(lambda images: shapes.append(layer(images).shape))
    traced.get_concrete_function(tf.TensorSpec([None, 8, 8, 2]))
    assert shapes[0].as_list() == [None, size, size, 3]


@pytest.mark.parametrize("layer_class", [Conv, ConvTranspose])
def test_weights_stay_float32_under_mixed_precision(layer_class):
    layer = layer_class(3, dtype=keras_compat.policy("mixed_bfloat16"))
    assert layer(tf.zeros([1, 4, 4, 2])).dtype == tf.bfloat16
    kinds = {tf.as_dtype(weight.dtype) for weight in layer.weights}
    assert kinds == {tf.float32} and len(layer.weights) == 2


@pytest.mark.parametrize(
    ("layer_class", "arguments"),
    [
        (Conv, {"filters": 3, "kernel_size": 4, "stride": 1}),
        (ConvTranspose, {"filters": 2, "kernel_size": 3, "stride": 3}),
        (BatchNorm, {"momentum": 0.5, "epsilon": 0.1}),
    ],
)
def test_config_round_trip(layer_class, arguments):
    config = layer_class(**arguments).get_config()
    again = layer_class.from_config(config)
    assert {name: getattr(again, name) for name in arguments} == arguments
    assert again.get_config() == config


def test_batch_norm_moments_are_numpys():
    layer = BatchNorm(momentum=0.9, epsilon=0.01)
    images = normal(6, 2, 3, 4)
    layer.build(images.shape)
    layer.gamma.assign([1.0, 2.0, 3.0, 4.0])
    layer.beta.assign([0.0, -1.0, 1.0, 0.5])
    out = layer(images, training=True)

    flat = images.numpy().reshape(-1, 4)
    mean, variance = flat.mean(0), flat.var(0)
    expected = (images - mean) / np.sqrt(variance + 0.01) * [1, 2, 3, 4] + [0, -1, 1, 0.5]
    np.testing.assert_allclose(out, expected, atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=1e-4)
    # The moving variance is that of the population the batch was drawn from: n - 1.
    unbiased = flat.var(0, ddof=1)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * unbiased, rtol=1e-4)


def test_groups_are_separate_calls():
    images = normal(6, 2, 2, 3)
    # Groups that differ much, or wrong statistics would pass.
    images *= tf.repeat(tf.constant([1.0, 5.0, 0.2]), 2)[:, None, None, None]
    together, apart = BatchNorm(0.9), BatchNorm(0.9)
    found = together(images, training=True, groups=3)
    expected = tf.concat([apart(part, training=True) for part in tf.split(images, 3)], 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for name in ("moving_mean", "moving_variance"):
        np.testing.assert_allclose(getattr(together, name), getattr(apart, name), rtol=1e-5)
    whole = BatchNorm(0.9)(images, training=True)
    assert np.abs(whole - found).max() > 0.1, "statistics over all groups would be others"


def test_untracked_batches_are_normalised_alike_but_move_nothing():
    layer, tracked = BatchNorm(), BatchNorm()
    images = normal(4, 2, 2, 3)
    out = layer(images, training=True, track=False)
    np.testing.assert_array_equal(out, tracked(images, training=True))
    assert np.all(np.asarray(layer.moving_mean) == 0)
    assert np.all(np.asarray(layer.moving_variance) == 1)


def test_rows_are_normalised_as_maps_of_one_pixel():
    rows = normal(6, 3)
    out = BatchNorm()(rows, training=True, groups=2)
    assert out.shape == [6, 3]
    expected = BatchNorm()(rows[:, None, None], training=True, groups=2)
    np.testing.assert_allclose(out, expected[:, 0, 0], atol=1e-6)


def test_inference_uses_the_moving_statistics_and_no_neighbour():
    layer = BatchNorm(epsilon=0.01)
    images = normal(4, 2, 2, 3)
    layer.build(images.shape)
    layer.moving_mean.assign([1.0, 2.0, 3.0])
    layer.moving_variance.assign([4.0, 1.0, 0.25])
    out = layer(images)
    expected = (images - [1.0, 2.0, 3.0]) / np.sqrt(np.array([4.0, 1.0, 0.25]) + 0.01)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer(images[:1]), out[:1], rtol=1e-6)
    assert layer.moving_mean.numpy().tolist() == [1.0, 2.0, 3.0], "inference moves nothing"


def test_batch_norm_keeps_float32_statistics_under_mixed_precision():
    layer = BatchNorm(dtype=keras_compat.policy("mixed_bfloat16"))
    images = tf.cast(normal(64, 4, 4, 1), tf.bfloat16)
    assert layer(images, training=True).dtype == tf.bfloat16
    assert {tf.as_dtype(weight.dtype) for weight in layer.weights} == {tf.float32}
    # bfloat16 keeps three digits; a mean taken in it would be off by far more.
    expected = 0.01 * tf.reduce_mean(tf.cast(images, tf.float32))
    np.testing.assert_allclose(layer.moving_mean[0], expected, rtol=1e-4)


def test_the_moving_statistics_are_not_trained():
    layer = BatchNorm()
    layer.build([None, 4, 4, 2])
    assert len(layer.trainable_weights) == len(layer.non_trainable_weights) == 2
    assert layer.trainable_weights[0] is layer.gamma
