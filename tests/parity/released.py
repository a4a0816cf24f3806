"""The training graphs of the authors' released code, written anew from its facts with the layers
and optimizers of TensorFlow 1: what the models of this package are compared with.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf.keras_compat import KERAS_3
from tests.parity.released_networks import (
    began_autoencoder,
    began_generator,
    dcgan_discriminator,
    dcgan_generator,
)

v1 = tf.compat.v1

# For tests that make a graph.
needs_layers = pytest.mark.skipif(
    KERAS_3,
    reason="the released graph needs tf.compat.v1.layers, which came with Keras 2 for the last "
    "time: run it on the addons stack by `make test STACK=addons FLAGS=tests/parity`",
)

# By loss: the released optimizers of both networks.
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "dcgan": lambda: v1.train.AdamOptimizer(2e-4, beta1=0.5),
    "lsgan": lambda: v1.train.RMSPropOptimizer(1e-4),
    "wgan": lambda: v1.train.RMSPropOptimizer(5e-5),
    "wgan-gp": lambda: v1.train.AdamOptimizer(1e-4, beta1=0.5, beta2=0.9),
}


class Released:
    """A graph with a session, whose variables are read and written by name."""

    def __init__(self, k: int, image_size: int, channels: int, code_size: int, **options: Any):
        self.graph = tf.Graph()
        with self.graph.as_default():
            shape = [None, k, image_size, image_size, channels]
            self.images = v1.placeholder(tf.float32, shape)
            self.codes = v1.placeholder(tf.float32, [None, code_size])
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "`tf.layers")  # deprecated: known
                self._build(k=k, image_size=image_size, channels=channels, **options)
            named = {v.name.split(":")[0]: v for v in v1.global_variables("[GD]/")}
            # What is named below a weight is an optimizer's, such as RMSProp's mean squares.
            self._variables = {n: v for n, v in named.items() if n.count("/") == 2}
            squares = [v for n, v in named.items() if n.endswith("/RMSProp")]
            self._values = {
                name: v1.placeholder(variable.dtype, variable.shape)
                for name, variable in self._variables.items()
            }
            self._assign = {n: v.assign(self._values[n]) for n, v in self._variables.items()}
            self._square = v1.placeholder(tf.float32, [])
            self._set_squares = [v.assign(tf.fill(v.shape, self._square)) for v in squares]
            self.session = v1.Session()
            self.session.run(v1.global_variables_initializer())
        _restore_keras()

    def _build(self, **options: Any) -> None:
        raise NotImplementedError

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all weights by name."""
        return {name: tuple(variable.shape) for name, variable in self._variables.items()}

    def read(self) -> dict[str, np.ndarray]:
        """Return all weights by name."""
        return self.session.run(self._variables)

    def write(self, weights: Mapping[str, np.ndarray]) -> None:
        """Set the weights that are named."""
        feeds = {self._values[name]: value for name, value in weights.items()}
        self.session.run([self._assign[name] for name in weights], feeds)

    def set_squares(self, value: float) -> None:
        """Set the mean squared gradients that RMSProp remembers; they start at 1."""
        self.session.run(self._set_squares, {self._square: value})

    def run(self, fetches: Any, images: Any = None, codes: Any = None, more: Any = None) -> Any:
        """Return fetches for images, float [b, k, h, w, c], and codes, float [b * k, d]."""
        feeds = {self.images: images, self.codes: codes, **(more or {})}
        feeds = {tensor: value for tensor, value in feeds.items() if value is not None}
        return self.session.run(fetches, feeds)


class ReleasedSDDCGAN(Released):
    """SD-DCGAN: the discriminator moves first, then, with new codes, the generator.

    What differs on purpose in this package can be switched: `normed`, whether the discriminator has
    batch norm; `penalty_axes`, over which the penalty of `"wgan-gp"` takes the norm; `clip_norms`,
    whether `"wgan"` clips the scale and shift of batch norm; `optimizer`.
    """

    def _build(
        self,
        k: int,
        image_size: int,
        channels: int,
        dim: int,
        loss: str = "dcgan",
        siamese: bool = True,
        collate: str = "conv_1",
        normed: bool = True,
        penalty_axes: tuple[int, ...] = (1, 2),
        clip_norms: bool = True,
        optimizer: Callable[[], Any] | None = None,
    ) -> None:
        def score(tuples: tf.Tensor) -> tf.Tensor:
            with v1.variable_scope("D", reuse=v1.AUTO_REUSE):
                return dcgan_discriminator(tuples, dim, siamese, collate, normed)

        fake = dcgan_generator(self.codes, image_size, channels, dim, training=True)
        # The generator's moving statistics follow whenever it makes images to train with.
        with tf.control_dependencies(v1.get_collection(v1.GraphKeys.UPDATE_OPS)):
            fake = tf.reshape(fake, [-1, *self.images.shape[1:]])
        self.fake = fake
        self.inferred = dcgan_generator(self.codes, image_size, channels, dim, training=False)
        self.real_scores, self.fake_scores = score(self.images), score(fake)
        self.d_loss, self.g_loss = dcgan_losses(loss, self.real_scores, self.fake_scores)
        penalty = 0.0
        if loss == "wgan-gp":
            self.share = v1.placeholder(tf.float32, [None, 1, 1, 1, 1])
            between = self.images + self.share * (fake - self.images)
            (gradient,) = v1.gradients(score(between), [between])
            norms = tf.sqrt(tf.reduce_sum(tf.square(gradient), penalty_axes))
            penalty = 10.0 * tf.reduce_mean(tf.square(norms - 1.0))

        d_weights, g_weights = v1.trainable_variables("D/"), v1.trainable_variables("G/")
        make = optimizer or OPTIMIZERS[loss]
        self.g_step = make().minimize(self.g_loss, var_list=g_weights)
        self.d_step = make().minimize(self.d_loss + penalty, var_list=d_weights)
        clipped = [v for v in d_weights if clip_norms or "/norm_" not in v.name]
        self.clip = [v.assign(tf.clip_by_value(v, -0.01, 0.01)) for v in clipped if loss == "wgan"]

    def step(self, images, d_codes, g_codes, share=None) -> dict[str, float]:
        """Move the discriminator, then the generator; return the losses without a penalty."""
        more = {} if share is None else {self.share: share}
        _, d_loss = self.run([self.d_step, self.d_loss], images, d_codes, more)
        self.session.run(self.clip)
        _, g_loss = self.run([self.g_step, self.g_loss], codes=g_codes)
        return {"d_loss": d_loss, "g_loss": g_loss}


class ReleasedSDBEGAN(Released):
    """SD-BEGAN: both networks and `k_t` move by one pass.

    `twice`: whether the variable list of the discriminator names the dense layers that part the
    tuple's code a second time, as the released one does, so that Adam moves them twice a step.
    """

    def _build(
        self,
        k: int,
        image_size: int,
        channels: int,
        dim: int,
        d_i: int,
        d_o: int,
        twice: bool = True,
        optimizer: Callable[[], Any] = lambda: v1.train.AdamOptimizer(8e-5),
    ) -> None:
        with v1.variable_scope("G"):
            fake = began_generator(self.codes, image_size, channels, dim)
        self.fake = fake = tf.reshape(fake, [-1, k, *fake.shape[1:]])
        both = tf.concat([fake, self.images], 0)
        # The k images of a tuple share the encoder and the decoder.
        with v1.variable_scope("D", reuse=v1.AUTO_REUSE):
            self.rebuilt = began_autoencoder(both, dim, d_i, d_o)
        self.loss_fake, self.loss_real = (
            tf.reduce_mean(part) for part in tf.split(tf.abs(self.rebuilt - both), 2)
        )
        self.k_t = v1.get_variable("k_t", [], initializer=v1.zeros_initializer(), trainable=False)
        self.new_k_t = v1.placeholder(tf.float32, [])
        self.set_k_t = self.k_t.assign(self.new_k_t)

        balance = 0.5 * self.loss_real - self.loss_fake
        self.measure = self.loss_real + tf.abs(balance)
        d_loss = self.loss_real - self.k_t * self.loss_fake
        d_weights, g_weights = v1.trainable_variables("D/"), v1.trainable_variables("G/")
        if twice:
            d_weights += v1.trainable_variables("D/part_")
        d_optimizer, g_optimizer = optimizer(), optimizer()
        d_pairs = d_optimizer.compute_gradients(d_loss, d_weights)
        g_pairs = g_optimizer.compute_gradients(self.loss_fake, g_weights)
        # All gradients are those of the weights before the step.
        with tf.control_dependencies([gradient for gradient, _ in d_pairs + g_pairs]):
            moved = [d_optimizer.apply_gradients(d_pairs), g_optimizer.apply_gradients(g_pairs)]
        with tf.control_dependencies(moved):
            self.move = self.k_t.assign(tf.clip_by_value(self.k_t + 0.001 * balance, 0.0, 1.0))

    def step(self, images, codes) -> dict[str, float]:
        """Move everything; return the losses, the new `k_t` and the measure of convergence."""
        fetches = {"loss_real": self.loss_real, "loss_fake": self.loss_fake}
        fetches = {**fetches, "convergence": self.measure, "k_t": self.move}
        return self.run(fetches, images, codes)


def random_weights(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, np.ndarray]:
    """Return weights that are all different and keep signals at their size."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in shapes.items():
        value = random.normal(size=shape)
        if name.endswith("kernel"):
            inputs = np.prod(shape) / shape[2 if "/up_" in name else -1]
            value /= np.sqrt(inputs)
        elif name.endswith(("gamma", "variance")):
            value = np.exp(0.2 * value)
        else:
            value *= 0.2
        weights[name] = value.astype(np.float32)
    return weights


def _restore_keras() -> None:
    """Make Keras' layers what they were: a layer of TensorFlow 1 changes the bases of the class
    that it extends, which breaks all models made before; a new one of Keras changes them back.
    """
    layers = keras.layers
    for kind in (layers.Conv2D, layers.Conv2DTranspose):
        kind(1, 1)
    layers.Dense(1)
    layers.BatchNormalization()


def dcgan_losses(kind: str, real: tf.Tensor, fake: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the losses of the discriminator and of the generator, without a penalty."""
    if kind == "dcgan":

        def cost(scores: tf.Tensor, label: float) -> tf.Tensor:
            labels = label * tf.ones_like(scores)
            return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, scores))

        return (cost(fake, 0.0) + cost(real, 1.0)) / 2.0, cost(fake, 1.0)
    if kind == "lsgan":
        d_loss = tf.reduce_mean(tf.square(real - 1.0)) + tf.reduce_mean(tf.square(fake))
        return d_loss / 2.0, tf.reduce_mean(tf.square(fake - 1.0))
    return tf.reduce_mean(fake) - tf.reduce_mean(real), -tf.reduce_mean(fake)
