"""Networks of rows of numbers: those of stage II of Disentangled Person Image Generation (arXiv 1712.02621), which maps
noise to codes, and of its autoencoder of poses.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf.networks.common import Configured, policy_of
from sdgan_tf.networks.layers import Linear
from sdgan_tf.networks.pose import KEYPOINTS, POSE
from sdgan_tf.registry import serializable

SLOPE = 0.2


class _Dense(Configured, keras.Model):
    """A network of a few widths."""

    def _set(self, **widths: int) -> None:
        if min(widths.values()) < 1:
            told = ", ".join(f"{name}={value}" for name, value in widths.items())
            raise ValueError(f"All widths of this network are 1 or more. Received: {told}")
        for name, value in widths.items():
            setattr(self, name, value)

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, self.takes]))


@serializable
class ResidualDense(_Dense):
    """A dense layer, four pairs of dense layers with a skip beside each, and a dense layer of what comes out.

    Args:
        takes: numbers of a row.
        gives: numbers that come out.
        dim: width of the layers between.

    Call:
        rows float [n, takes] to float32 [n, gives].
    """

    NAMES = ("takes", "gives", "dim")
    PAIRS = 4

    def __init__(self, takes: int = 32, gives: int = 32, dim: int = 512, **kwargs: Any):
        super().__init__(**kwargs)
        self._set(takes=takes, gives=gives, dim=dim)
        options = {"initializer": "glorot_uniform", **policy_of(self)}
        self.start = Linear(dim, **options)
        self.pairs = [Linear(dim, **options) for _ in range(2 * self.PAIRS)]
        self.finish = Linear(gives, initializer="glorot_uniform", dtype="float32")

    def begin(self, rows: tf.Tensor) -> tf.Tensor:
        """What the first layer makes of rows."""
        return tf.nn.leaky_relu(self.start(rows), SLOPE)

    def call(self, rows: tf.Tensor, training: bool = False) -> tf.Tensor:
        rows = self.begin(rows)
        for first, second in zip(self.pairs[::2], self.pairs[1::2]):
            inner = tf.nn.leaky_relu(first(rows), SLOPE)
            rows += tf.nn.leaky_relu(second(inner), SLOPE)
        return self.finish(tf.cast(rows, tf.float32))


@serializable
class PoseDecoder(ResidualDense):
    """Codes of poses back to poses. Its first layer is linear.

    What it says of whether a keypoint is visible is rounded to yes or no, and gradients pass as if it were not.

    Args:
        takes: width of a code.
        dim: width of the layers between.

    Call:
        codes float [n, takes] to poses float32 [n, 54] as `pose.encode_pose` gives them.
    """

    NAMES = ("takes", "dim")

    def __init__(self, takes: int = 32, dim: int = 512, **kwargs: Any):
        super().__init__(takes, POSE, dim, **kwargs)

    def begin(self, rows: tf.Tensor) -> tf.Tensor:
        return self.start(rows)

    def call(self, rows: tf.Tensor, training: bool = False) -> tf.Tensor:
        points = tf.reshape(super().call(rows, training), [-1, KEYPOINTS, 3])
        visible = tf.sigmoid(points[..., 2:])
        rounded = visible + tf.stop_gradient(tf.round(visible) - visible)
        return tf.reshape(tf.concat([points[..., :2], 2.0 * rounded - 1.0], -1), [-1, POSE])


@serializable
class DenseCritic(_Dense):
    """Four dense layers and a score.

    Args:
        takes: numbers of a row.
        dim: width of the layers.

    Call:
        rows float [n, takes] to scores float32 [n], higher = more like a real row.
    """

    NAMES = ("takes", "dim")
    LAYERS = 4

    def __init__(self, takes: int = 32, dim: int = 512, **kwargs: Any):
        super().__init__(**kwargs)
        self._set(takes=takes, dim=dim)
        options = {"initializer": "he_uniform", **policy_of(self)}
        self.inner = [Linear(dim, **options) for _ in range(self.LAYERS)]
        self.finish = Linear(1, initializer="glorot_uniform", dtype="float32")

    def call(self, rows: tf.Tensor, training: bool = False) -> tf.Tensor:
        for layer in self.inner:
            rows = tf.nn.leaky_relu(layer(rows), SLOPE)
        return tf.squeeze(self.finish(tf.cast(rows, tf.float32)), -1)
