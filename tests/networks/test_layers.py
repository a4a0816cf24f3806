"""Layers of the DCGAN family: the fast path is the stock one, groups are separate calls."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf import keras_compat
from sdgan_tf.networks import convolution
from sdgan_tf.networks.layers import BatchNorm, Conv, ConvTranspose, Linear, dcgan_initializer


def normal(*shape, seed=0):
    """Return fixed random numbers, float32, with a mean and a scale that are not 0 and 1."""
    return tf.constant(np.random.default_rng(seed).normal(0.3, 2.0, shape).astype(np.float32))


def test_initial_weights_are_uniform_with_deviation_002():
    weights = dcgan_initializer()([400, 100]).numpy()
    assert weights.std() == pytest.approx(0.02, rel=0.02)
    assert abs(weights.mean()) < 0.001
    assert np.abs(weights).max() <= 0.02 * 3**0.5


def test_another_initializer_may_be_named():
    layer = Conv(64, 3, initializer="he_normal")
    layer.build([None, 8, 8, 16])
    assert np.std(np.asarray(layer.kernel)) == pytest.approx((2 / (9 * 16)) ** 0.5, rel=0.05)
    assert Conv.from_config(layer.get_config()).initializer == "he_normal"


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
        (Conv, {"filters": 3, "spectral": True}),
        (Linear, {"filters": 3, "spectral": True}),
        (Linear, {"filters": 4, "spectral": False}),
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
    out = together(images, training=True, groups=3)
    expected = tf.concat([apart(part, training=True) for part in tf.split(images, 3)], 0)
    np.testing.assert_allclose(out, expected, atol=1e-5)
    for name in ("moving_mean", "moving_variance"):
        np.testing.assert_allclose(getattr(together, name), getattr(apart, name), rtol=1e-5)
    whole = BatchNorm(0.9)(images, training=True)
    assert np.abs(whole - out).max() > 0.1, "statistics over all groups would be others"


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


def test_linear_is_a_matrix_product_and_a_bias():
    layer = Linear(3)
    rows = normal(5, 4)
    assert layer(rows).shape == [5, 3]
    kernel = layer.kernel.numpy()
    assert kernel.shape == (4, 3) and 0 < np.abs(kernel).max() <= 0.02 * 3**0.5
    layer.bias.assign([1.0, 2.0, 3.0])
    expected = rows.numpy() @ kernel + [1, 2, 3]
    np.testing.assert_allclose(layer(rows), expected, rtol=1e-4)
    half = Linear(3, dtype=keras_compat.policy("mixed_bfloat16"))
    assert half(rows).dtype == tf.bfloat16
    assert {tf.as_dtype(weight.dtype) for weight in half.weights} == {tf.float32}


# --- spectral norm

SPECTRAL = [(Linear, (5,), {}), (Conv, (4, 4, 2), {}), (ConvTranspose, (4, 4, 2), {})]


def spectral(layer_class, shape, iterations, **options):
    """Return a built layer of random weights after so many power iterations, and an input."""
    layer = layer_class(3, spectral=True, **options)
    inputs = normal(2, *shape)
    layer.build(inputs.shape)
    layer.kernel.assign(normal(*layer.kernel.shape, seed=1))
    for _ in range(iterations):
        layer.power_iterate()
    return layer, inputs


def matrix(kernel):
    """Return a kernel as the matrix whose singular values count, float64: a column for each last index."""
    kernel = np.asarray(kernel, np.float64)
    return kernel.reshape(-1, kernel.shape[-1])


@pytest.mark.parametrize(("layer_class", "shape", "options"), SPECTRAL)
def test_the_used_kernels_greatest_singular_value_is_1(layer_class, shape, options):
    layer, _ = spectral(layer_class, shape, 100, **options)
    stored, used = np.array(layer.kernel), layer._kernel(tf.float32).numpy()
    singular = np.linalg.svd(matrix(stored), compute_uv=False)
    assert singular[0] > 2, "without the norm it would be another"
    np.testing.assert_allclose(used, stored / singular[0], rtol=1e-4)
    values = np.linalg.svd(matrix(used), compute_uv=False)
    np.testing.assert_allclose(values, singular / singular[0], rtol=1e-4)


@pytest.mark.parametrize(("layer_class", "shape", "options"), SPECTRAL)
def test_the_used_kernel_is_what_the_layer_applies(layer_class, shape, options):
    layer, inputs = spectral(layer_class, shape, 3, **options)
    plain = layer_class(3, **options)
    plain.build(inputs.shape)
    plain.kernel.assign(layer._kernel(tf.float32))
    np.testing.assert_allclose(layer(inputs), plain(inputs), rtol=1e-5)
    assert np.abs(np.array(plain.kernel) - np.array(layer.kernel)).max() > 0.1


def test_a_power_iteration_by_hand():
    layer, _ = spectral(Linear, (5,), 0)
    kernel = matrix(layer.kernel)
    np.testing.assert_array_equal(layer.direction, np.ones(3))
    left = kernel @ np.ones(3)
    # Before the first iteration the norm is that of the direction of ones.
    norm = np.linalg.norm(kernel @ (np.ones(3) / 3**0.5))
    np.testing.assert_allclose(layer._kernel(tf.float32), kernel / norm, rtol=1e-4)
    layer.power_iterate()
    expected = kernel.T @ left
    np.testing.assert_allclose(layer.direction, expected / np.linalg.norm(expected), rtol=1e-4)


@pytest.mark.parametrize(("layer_class", "shape", "options"), SPECTRAL)
def test_calls_change_neither_the_stored_kernel_nor_the_direction(layer_class, shape, options):
    layer, inputs = spectral(layer_class, shape, 1, **options)
    before = [np.array(weight) for weight in layer.weights]
    assert len(before) == 3
    first = layer(inputs)
    np.testing.assert_array_equal(layer(inputs), first)
    for after, old in zip(layer.weights, before):
        np.testing.assert_array_equal(after, old)
    assert [weight is layer.direction for weight in layer.non_trainable_weights] == [True]


def test_gradients_flow_through_the_norm():
    layer, inputs = spectral(Linear, (5,), 200)
    weights = normal(2, 3, seed=2)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(weights * layer(inputs))
    gradient = tape.gradient(total, keras_compat.tensor_of(layer.kernel)).numpy()

    kernel = matrix(layer.kernel)
    left, singular, right = np.linalg.svd(kernel)
    outer = np.outer(left[:, 0], right[0])
    # The gradient in the used kernel, less what the norm takes back along its singular vectors.
    plain = inputs.numpy().astype(np.float64).T @ weights.numpy()
    expected = (plain - np.sum(plain * kernel) / singular[0] * outer) / singular[0]
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4)
    assert np.abs(gradient - plain / singular[0]).max() > 0.1, "a norm held constant gives another"

    def value(change):
        moved = kernel + change
        norm = np.linalg.svd(moved, compute_uv=False)[0]
        return np.sum(weights.numpy() * (inputs.numpy().astype(np.float64) @ (moved / norm)))

    for place in [(0, 0), (2, 1), (4, 2)]:
        change = np.zeros_like(kernel)
        change[place] = 1e-5
        difference = (value(change) - value(-change)) / 2e-5
        assert gradient[place] == pytest.approx(difference, rel=1e-3, abs=1e-3)


def test_the_norm_is_taken_in_float32_under_mixed_precision():
    layer = Linear(3, spectral=True, dtype=keras_compat.policy("mixed_bfloat16"))
    layer.build([None, 5])
    layer.kernel.assign(normal(5, 3, seed=1))
    for _ in range(100):
        layer.power_iterate()
    assert {tf.as_dtype(weight.dtype) for weight in layer.weights} == {tf.float32}
    assert layer(normal(2, 5)).dtype == tf.bfloat16
    used = layer._kernel(tf.float32)
    assert np.linalg.svd(matrix(used), compute_uv=False)[0] == pytest.approx(1, rel=1e-4)
