"""The layers of the DCGAN family: strided convolutions and batch normalisation, fast on CPU and the
same on both stacks.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.networks import convolution
from sdgan_tf.networks.common import Configured
from sdgan_tf.registry import serializable


def dcgan_initializer() -> keras.initializers.Initializer:
    """Uniform with standard deviation 0.02, as the released code draws its weights."""
    return keras.initializers.RandomUniform(-0.02 * 3**0.5, 0.02 * 3**0.5)


# First weights by names of their own, beside those that Keras knows.
INITIALIZERS = {
    "dcgan": dcgan_initializer,
    "normal_02": lambda: keras.initializers.RandomNormal(stddev=0.02),
    "truncated_02": lambda: keras.initializers.TruncatedNormal(stddev=0.02),
}


class _Weighted(Configured, keras.layers.Layer):
    """A layer with a kernel and a bias; subclasses say the kernel's shape and how it is applied.

    With `spectral`, the kernel is divided by its greatest singular value wherever it is used (arXiv
    1802.05957): a true reparametrisation, through which gradients flow. The stored kernel is never
    overwritten, and the singular vector moves only when `power_iterate` is called, once a train
    step, however often the layer runs in it.
    """

    NAMES = ("filters", "spectral", "initializer")

    def __init__(
        self, filters: int, spectral: bool = False, initializer: str = "dcgan", **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.spectral = spectral
        self.initializer = initializer
        own = INITIALIZERS.get(initializer)
        self.kernel_initializer = own() if own else keras.initializers.get(initializer)

    def _add_weights(self, shape: list[int]) -> None:
        self.kernel = keras_compat.add_weight(self, "kernel", shape, self.kernel_initializer)
        self.bias = keras_compat.add_weight(self, "bias", [self.filters])
        if self.spectral:
            self.direction = keras_compat.add_weight(
                self, "direction", [shape[-1]], "ones", trainable=False, autocast=False
            )
        self.built = True

    def _kernel(self, dtype: tf.DType) -> tf.Tensor:
        kernel = tf.convert_to_tensor(self.kernel)
        if self.spectral:
            left, right = self._singular_vectors()
            norm = tf.tensordot(left, tf.linalg.matvec(self._matrix(), right), 1)
            kernel = tf.cast(kernel, tf.float32) / norm
        return tf.cast(kernel, dtype)

    def _singular_vectors(self) -> tuple[tf.Tensor, tf.Tensor]:
        right = tf.math.l2_normalize(tf.convert_to_tensor(self.direction))
        left = tf.math.l2_normalize(tf.linalg.matvec(self._matrix(), right))
        return tf.stop_gradient(left), tf.stop_gradient(right)

    def _matrix(self) -> tf.Tensor:
        kernel = tf.cast(tf.convert_to_tensor(self.kernel), tf.float32)
        return tf.reshape(kernel, [-1, kernel.shape[-1]])

    def power_iterate(self) -> None:
        """Moves the singular vector one step of the power iteration on."""
        left, _ = self._singular_vectors()
        moved = tf.linalg.matvec(self._matrix(), left, transpose_a=True)
        self.direction.assign(tf.math.l2_normalize(moved))


class _Convolution(_Weighted):
    """A strided layer with a square kernel."""

    NAMES = (*_Weighted.NAMES, "kernel_size", "stride")

    def __init__(
        self,
        filters: int,
        kernel_size: int = 5,
        stride: int = 2,
        spectral: bool = False,
        initializer: str = "dcgan",
        **kwargs: Any,
    ):
        super().__init__(filters, spectral, initializer, **kwargs)
        self.kernel_size = kernel_size
        self.stride = stride


@serializable
class Linear(_Weighted):
    """Dense layer: [n, c] to [n, filters].

    Args:
        filters: number of outputs.
        spectral: whether the kernel is divided by its greatest singular value.
        initializer: of the kernel: `"dcgan"`, another name of `INITIALIZERS`, or that of one of Keras'.
    """

    def build(self, input_shape: Any) -> None:
        self._add_weights([input_shape[-1], self.filters])

    def call(self, rows: tf.Tensor) -> tf.Tensor:
        return tf.matmul(rows, self._kernel(rows.dtype)) + tf.cast(self.bias, rows.dtype)


@serializable
class Conv(_Convolution):
    """Strided "same" convolution with bias: [n, h, w, c] to [n, h / stride, w / stride, filters].

    Args:
        filters: number of output channels.
        kernel_size: edge of the square kernel.
        stride: in both directions; must divide h and w.
        spectral: whether the kernel is divided by its greatest singular value.
        initializer: of the kernel: `"dcgan"`, another name of `INITIALIZERS`, or that of one of Keras'.
    """

    def build(self, input_shape: Any) -> None:
        self._add_weights([self.kernel_size, self.kernel_size, input_shape[-1], self.filters])

    def call(self, images: tf.Tensor) -> tf.Tensor:
        kernel = self._kernel(images.dtype)
        if convolution.suits(images.shape[1] // self.stride, self.stride):
            out = convolution.convolve(images, kernel, self.stride)
        else:
            out = tf.nn.conv2d(images, kernel, self.stride, "SAME")
        return tf.nn.bias_add(out, tf.cast(self.bias, out.dtype))


@serializable
class ConvTranspose(_Convolution):
    """Strided "same" transposed convolution with bias: [n, h, w, c] to [n, h * stride, w * stride,
    filters].

    Args:
        filters: number of output channels.
        kernel_size: edge of the square kernel.
        stride: in both directions.
        spectral: whether the kernel is divided by its greatest singular value.
        initializer: of the kernel: `"dcgan"`, another name of `INITIALIZERS`, or that of one of Keras'.
    """

    def build(self, input_shape: Any) -> None:
        self._add_weights([self.kernel_size, self.kernel_size, self.filters, input_shape[-1]])

    def call(self, images: tf.Tensor) -> tf.Tensor:
        kernel = self._kernel(images.dtype)
        if convolution.suits(images.shape[1], self.stride):
            out = convolution.scatter(images, kernel, self.stride)
        else:
            size = [images.shape[1] * self.stride, images.shape[2] * self.stride, self.filters]
            shape = [tf.shape(images)[0], *size]
            out = tf.nn.conv2d_transpose(images, kernel, shape, self.stride, "SAME")
            out = tf.ensure_shape(out, [None, *size])
        return tf.nn.bias_add(out, tf.cast(self.bias, out.dtype))


@serializable
class BatchNorm(Configured, keras.layers.Layer):
    """Batch normalisation whose batch may hold several groups, each with statistics of its own.

    The released code sends real tuples, fake tuples and each position of a tuple through the
    discriminator in separate calls, so each has its own batch statistics. Here they go through the
    convolutions in one batch, which is faster, and only the statistics are taken apart: the numbers
    are the same.

    Args:
        momentum: of the moving statistics, which serve at inference (released code: .99).
        epsilon: added to the variance (released code: 1e-3).
        spread: standard deviation of the first scales around 1.
        synchronised: whether the batch is that of all replicas, where a model is trained on several. A penalty on the
            gradient (`track=False`) is of each replica's own batch all the same.
    """

    NAMES = ("momentum", "epsilon", "spread", "synchronised")

    def __init__(
        self,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        spread: float = 0.0,
        synchronised: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon
        self.spread = spread
        drawn = keras.initializers.RandomNormal(1.0, spread)
        self.gamma_initializer = drawn if spread else keras.initializers.Ones()
        self.synchronised = synchronised

    def build(self, input_shape: Any) -> None:
        shape = [input_shape[-1]]
        options = {"autocast": False}
        self.gamma = keras_compat.add_weight(
            self, "gamma", shape, self.gamma_initializer, **options
        )
        self.beta = keras_compat.add_weight(self, "beta", shape, "zeros", **options)
        options["trainable"] = False
        self.moving_mean = keras_compat.add_weight(self, "moving_mean", shape, "zeros", **options)
        self.moving_variance = keras_compat.add_weight(
            self, "moving_variance", shape, "ones", **options
        )
        self.built = True

    def call(
        self, images: tf.Tensor, training: bool = False, groups: int = 1, track: bool = True
    ) -> tf.Tensor:
        """Normalises.

        Args:
            images: float [groups * n, h, w, c] or [groups * n, c], group after group.
            training: batch statistics if true, moving ones otherwise.
            groups: in how many equal parts of the batch statistics are taken.
            track: whether the moving statistics follow those of a training batch.

        Returns:
            The shape and dtype of `images`.
        """
        if not training:
            return self._normalise(images, self.moving_mean, self.moving_variance)[0]
        outputs = []
        # The replicas cannot meet inside a condition, where a penalty may stand.
        normalise = self._normalise_together if track and self._is_shared() else self._normalise
        for part in tf.split(images, groups) if groups > 1 else [images]:
            out, mean, variance = normalise(part)
            if track:
                self._move(self.moving_mean, mean)
                self._move(self.moving_variance, variance)
            outputs.append(out)
        return tf.concat(outputs, 0) if groups > 1 else outputs[0]

    def _normalise(self, images, mean=None, variance=None):
        flat = images.shape.rank == 2
        out, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            images[:, tf.newaxis, tf.newaxis] if flat else images,
            tf.convert_to_tensor(self.gamma),
            tf.convert_to_tensor(self.beta),
            mean=None if mean is None else tf.convert_to_tensor(mean),
            variance=None if variance is None else tf.convert_to_tensor(variance),
            epsilon=self.epsilon,
            is_training=mean is None,
        )
        return out[:, 0, 0] if flat else out, mean, variance

    def _is_shared(self) -> bool:
        """Whether the batch is one of several replicas that are normalised together."""
        return (
            self.synchronised
            and not tf.distribute.in_cross_replica_context()
            and tf.distribute.get_strategy().num_replicas_in_sync > 1
        )

    def _normalise_together(self, images):
        """As `_normalise`, by the statistics of the batches of all replicas."""
        replicas = tf.distribute.get_replica_context()
        axes, values = list(range(images.shape.rank - 1)), tf.cast(images, tf.float32)
        moments = [tf.reduce_mean(values, axes), tf.reduce_mean(tf.square(values), axes)]
        mean, square = replicas.all_reduce("mean", moments)
        variance = tf.maximum(square - tf.square(mean), 0.0)
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        out = tf.nn.batch_normalization(values, mean, variance, beta, gamma, self.epsilon)
        # Of a sample, as the fused operation gives it.
        count = tf.size(values) // values.shape[-1] * replicas.num_replicas_in_sync
        count = tf.cast(count, tf.float32)
        return tf.cast(out, images.dtype), mean, variance * count / tf.maximum(count - 1.0, 1.0)

    def _move(self, variable, value: tf.Tensor) -> None:
        old = tf.convert_to_tensor(variable)
        variable.assign(old + (1.0 - self.momentum) * (tf.stop_gradient(value) - old))
