"""The matrix-product convolutions against TensorFlow's own, with first and second derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.networks import convolution

DEPTHS = (2, 3)
# (kernel, stride, size of the larger map)
SHAPES = [
    *((kernel, 2, size) for kernel in (3, 4, 5) for size in (2, 4)),
    *((kernel, 1, 4) for kernel in (3, 4, 5)),
    *((kernel, 3, 6) for kernel in (3, 4, 5)),
    (5, 1, 2),
    (5, 2, 8),
]


def operands(kernel, stride, size):
    """Return the larger map x, the kernel w, the smaller map g: fixed random numbers, float64."""
    random = np.random.default_rng(size)
    shapes = [
        (2, size, size, DEPTHS[0]),
        (kernel, kernel, *DEPTHS),
        (2, size // stride, size // stride, DEPTHS[1]),
    ]
    return [tf.constant(random.normal(size=shape)) for shape in shapes]


def derivatives(function, *arguments):
    """Return the value, first gradients of a curved function of it, and gradients of their squares."""
    with tf.GradientTape() as outer:
        outer.watch(arguments)
        with tf.GradientTape() as inner:
            inner.watch(arguments)
            value = function(*arguments)
            curved = tf.reduce_sum(tf.sin(value))
        first = inner.gradient(curved, arguments)
        squares = tf.add_n([tf.reduce_sum(gradient**2) for gradient in first])
    return [value, *first, *outer.gradient(squares, arguments)]


def assert_same(ours, expected):
    for mine, stock in zip(ours, expected):
        assert mine.shape == stock.shape
        np.testing.assert_allclose(mine, stock, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("kernel", "stride", "size"), SHAPES)
def test_convolve_is_conv2d(kernel, stride, size):
    x, w, _ = operands(kernel, stride, size)
    assert_same(
        derivatives(lambda x, w: convolution.convolve(x, w, stride), x, w),
        derivatives(lambda x, w: tf.nn.conv2d(x, w, stride, "SAME"), x, w),
    )


@pytest.mark.parametrize(("kernel", "stride", "size"), SHAPES)
def test_scatter_is_conv2d_transpose(kernel, stride, size):
    x, w, g = operands(kernel, stride, size)
    assert_same(
        derivatives(lambda g, w: convolution.scatter(g, w, stride), g, w),
        derivatives(lambda g, w: tf.nn.conv2d_transpose(g, w, x.shape, stride, "SAME"), g, w),
    )


@pytest.mark.parametrize(("kernel", "stride", "size"), SHAPES)
def test_correlate_is_the_gradient_in_the_kernel(kernel, stride, size):
    x, w, g = operands(kernel, stride, size)

    def stock(x, g):
        strides = [1, stride, stride, 1]
        return tf.raw_ops.Conv2DBackpropFilter(
            input=x, filter_sizes=w.shape, out_backprop=g, strides=strides, padding="SAME"
        )

    assert_same(
        derivatives(lambda x, g: convolution.correlate(x, g, kernel, stride), x, g),
        derivatives(stock, x, g),
    )


def test_maps_need_not_be_square():
    x = tf.constant(np.random.default_rng(0).normal(size=(1, 2, 6, 2)))
    w = tf.constant(np.random.default_rng(1).normal(size=(5, 5, 2, 3)))
    small = convolution.convolve(x, w, 2)
    np.testing.assert_allclose(small, tf.nn.conv2d(x, w, 2, "SAME"), rtol=1e-9)
    expected = tf.nn.conv2d_transpose(small, w, x.shape, 2, "SAME")
    np.testing.assert_allclose(convolution.scatter(small, w, 2), expected, rtol=1e-9)


def test_they_keep_shapes_and_half_precision_in_a_graph_of_unknown_batch():
    @tf.function(input_signature=[tf.TensorSpec([None, 4, 4, 2], tf.bfloat16)])
    def there_and_back(x):
        kernel = tf.ones([5, 5, 2, 3], tf.bfloat16)
        small = convolution.convolve(x, kernel, 2)
        large = convolution.scatter(small, kernel, 2)
        assert small.shape.as_list() == [None, 2, 2, 3]
        assert large.shape.as_list() == [None, 4, 4, 2]
        return large

    maps = there_and_back(tf.ones([3, 4, 4, 2], tf.bfloat16))
    assert maps.dtype == tf.bfloat16 and maps.shape == [3, 4, 4, 2]


def test_a_stride_that_does_not_divide_the_map_is_refused():
    with pytest.raises(ValueError, match="stride=2, shape \\(1, 5, 4, 1\\)"):
        convolution.convolve(tf.zeros([1, 5, 4, 1]), tf.zeros([3, 3, 1, 1]), 2)


def test_only_small_strided_maps_on_cpu_are_suited(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert convolution.suits(2, 2) and convolution.suits(4, 2)
    assert not convolution.suits(8, 2)
    assert not convolution.suits(4, 1)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    assert not convolution.suits(4, 2)
