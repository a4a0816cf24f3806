"""Strided convolution for small feature maps, written as matrix products.

CPU convolution kernels block over the output width. On the 4x4 and 2x2 maps at the heart of DCGAN
that leaves them at 35 - 45 % of the machine's matrix-product rate, and those layers hold a third of
the network's arithmetic. Gathering patches and calling one large matrix product runs at nearly
twice the speed there (`benchmarks/train_step.py` measures it); on larger maps the stock kernels
win.

The three functions below are each other's derivatives, so that any order of gradient stays on the
fast path:

    convolve(x, w)          its adjoint in x is scatter(g, w), in w it is correlate(x, g)
    scatter(g, w)           its adjoint in g is convolve(x, w), in w it is correlate(x, g)
    correlate(x, g)         its adjoint in x is scatter(g, w), in g it is convolve(x, w)

All use "same" padding and the channels-last layout: x [n, h, w, c], g [n, h/s, w/s, d], kernel [k,
k, c, d].
"""

from __future__ import annotations

import tensorflow as tf

LARGEST_MAP = 4


def suits(output_size: int, stride: int) -> bool:
    """Whether the matrix-product form is the faster one: a strided layer with a small map, on CPU."""
    return stride > 1 and output_size <= LARGEST_MAP and not tf.config.list_physical_devices("GPU")


def _padding_before(size: int, kernel: int, stride: int) -> int:
    output = -(-size // stride)
    return max((output - 1) * stride + kernel - size, 0) // 2


def _patches(x: tf.Tensor, kernel: int, stride: int) -> tf.Tensor:
    """[n, h, w, c] to [n * h/s * w/s, k * k * c]: a row for each output position."""
    patches = tf.image.extract_patches(
        x, [1, kernel, kernel, 1], [1, stride, stride, 1], [1, 1, 1, 1], "SAME"
    )
    return tf.reshape(patches, [-1, patches.shape[-1]])


def convolve(x: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """The strided convolution, equal to `tf.nn.conv2d(x, kernel, stride, "SAME")` up to rounding.

    Args:
        x: float [n, h, w, c].
        kernel: float [k, k, c, d], of the dtype of `x`.
        stride: at least 1; must divide h and w.

    Returns:
        float [n, h/stride, w/stride, d].

    Raises:
        ValueError: the stride does not divide the map.
    """
    if x.shape[1] % stride or x.shape[2] % stride:
        raise ValueError(
            f"The stride must divide the map. Received: stride={stride}, shape {tuple(x.shape)}"
        )
    size, width = kernel.shape[0], kernel.shape[-1]
    height, length = x.shape[1] // stride, x.shape[2] // stride

    @tf.custom_gradient
    def run(x, kernel):
        rows = _patches(x, size, stride)
        out = tf.matmul(rows, tf.reshape(kernel, [-1, width]))

        def gradient(g):
            return scatter(g, kernel, stride), correlate(x, g, size, stride, rows=rows)

        return tf.reshape(out, [-1, height, length, width]), gradient

    return run(x, kernel)


def correlate(
    x: tf.Tensor, g: tf.Tensor, size: int, stride: int, rows: tf.Tensor | None = None
) -> tf.Tensor:
    """The gradient of a strided convolution in its kernel: float [size, size, c, d].

    `rows` are the patches of `x` where the caller holds them already.
    """

    @tf.custom_gradient
    def run(x, g):
        patches = _patches(x, size, stride) if rows is None else rows
        out = tf.matmul(patches, tf.reshape(g, [-1, g.shape[-1]]), transpose_a=True)

        def gradient(kernel):
            return scatter(g, kernel, stride), convolve(x, kernel, stride)

        return tf.reshape(out, [size, size, x.shape[-1], g.shape[-1]]), gradient

    return run(x, g)


def scatter(g: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """The transposed convolution: each position of `g` paints a k x k window of the output.

    Equal to `tf.nn.conv2d_transpose(g, kernel, ..., stride, "SAME")` up to rounding. Output
    positions that share their remainder modulo the stride see the same taps of the kernel, so each
    remainder is one matrix product.

    Args:
        g: float [n, h, w, d].
        kernel: float [k, k, c, d].
        stride: at least 1.

    Returns:
        float [n, h * stride, w * stride, c].
    """

    @tf.custom_gradient
    def run(g, kernel):
        def gradient(x):
            return convolve(x, kernel, stride), correlate(x, g, kernel.shape[0], stride)

        return _scatter(g, kernel, stride), gradient

    return run(g, kernel)


def _scatter(g: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    size, channels, depth = kernel.shape[0], kernel.shape[2], kernel.shape[3]
    height, width = g.shape[1], g.shape[2]
    before = _padding_before(height * stride, size, stride)
    margin = size // stride + 1
    padded = tf.pad(g, [[0, 0], [margin, margin], [margin, margin], [0, 0]])

    def taps(phase):
        """(kernel index, offset into g) of every tap that reaches outputs with this remainder."""
        return [
            (i, (phase + before - i) // stride)
            for i in range(size)
            if (phase + before - i) % stride == 0
        ]

    phases = []
    for row in range(stride):
        for column in range(stride):
            windows, weights = [], []
            for i, dy in taps(row):
                for j, dx in taps(column):
                    top, left = margin + dy, margin + dx
                    windows.append(padded[:, top : top + height, left : left + width])
                    weights.append(kernel[i, j])
            gathered = tf.reshape(tf.concat(windows, -1), [-1, depth * len(windows)])
            phases.append(tf.matmul(gathered, tf.concat(weights, -1), transpose_b=True))
    out = tf.reshape(tf.stack(phases, 1), [-1, height, width, stride, stride, channels])
    out = tf.transpose(out, [0, 1, 3, 2, 4, 5])
    return tf.reshape(out, [-1, height * stride, width * stride, channels])
