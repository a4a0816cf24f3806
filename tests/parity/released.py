"""The training graphs of the authors' released code, written anew from its facts with the layers and optimizers of
TensorFlow 1: what the models of this package are compared with.

The names of the variables say what they are for, such as `G/up_0/kernel`; `adapter.py` finds the same names in a model.
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

v1 = tf.compat.v1

# For tests that make a graph.
needs_layers = pytest.mark.skipif(
    KERAS_3,
    reason="the released graph needs tf.compat.v1.layers, which came with Keras 2 for the last time: run it on the addons "
    "stack by `make test STACK=addons FLAGS=tests/parity`",
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
            # What is named below a weight is an optimizer's: of RMSProp the mean squares and, unused, the momentum.
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
        """Return what the graph makes of images, float [b, k, h, w, c], and codes, float [b * k, d]."""
        feeds = {self.images: images, self.codes: codes, **(more or {})}
        feeds = {tensor: value for tensor, value in feeds.items() if value is not None}
        return self.session.run(fetches, feeds)


class ReleasedSDDCGAN(Released):
    """SD-DCGAN: the discriminator moves first, then, with new codes, the generator.

    What differs on purpose in this package can be switched: `normed`, whether the discriminator has batch norm with
    `"wgan-gp"`; `penalty_axes`, over which its penalty takes the norm; `clip_norms`, whether `"wgan"` clips the scale and
    shift of batch norm; `optimizer`.
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
        def judge(tuples: tf.Tensor) -> tf.Tensor:
            with v1.variable_scope("D", reuse=v1.AUTO_REUSE):
                return dcgan_discriminator(tuples, dim, siamese, collate, normed)

        fake = dcgan_generator(self.codes, image_size, channels, dim, training=True)
        # The generator's moving statistics follow whenever it makes images to train with.
        with tf.control_dependencies(v1.get_collection(v1.GraphKeys.UPDATE_OPS)):
            fake = tf.reshape(fake, [-1, *self.images.shape[1:]])
        self.fake = fake
        self.inferred = dcgan_generator(self.codes, image_size, channels, dim, training=False)
        self.real_scores, self.fake_scores = judge(self.images), judge(fake)
        self.d_loss, self.g_loss = dcgan_losses(loss, self.real_scores, self.fake_scores)
        penalty = 0.0
        if loss == "wgan-gp":
            self.share = v1.placeholder(tf.float32, [None, 1, 1, 1, 1])
            between = self.images + self.share * (fake - self.images)
            (gradient,) = v1.gradients(judge(between), [between])
            norms = tf.sqrt(tf.reduce_sum(tf.square(gradient), penalty_axes))
            penalty = 10.0 * tf.reduce_mean(tf.square(norms - 1.0))

        d_weights, g_weights = v1.trainable_variables("D/"), v1.trainable_variables("G/")
        make = optimizer or OPTIMIZERS[loss]
        self.g_step = make().minimize(self.g_loss, var_list=g_weights)
        self.d_step = make().minimize(self.d_loss + penalty, var_list=d_weights)
        clipped = [v for v in d_weights if clip_norms or "/norm_" not in v.name]
        self.clip = [v.assign(tf.clip_by_value(v, -0.01, 0.01)) for v in clipped if loss == "wgan"]

    def step(self, images, d_codes, g_codes, share=None) -> dict[str, float]:
        """Move the discriminator, then the generator; return the losses, without the penalty of `"wgan-gp"`."""
        more = {} if share is None else {self.share: share}
        _, d_loss = self.run([self.d_step, self.d_loss], images, d_codes, more)
        self.session.run(self.clip)
        _, g_loss = self.run([self.g_step, self.g_loss], codes=g_codes)
        return {"d_loss": d_loss, "g_loss": g_loss}


class ReleasedSDBEGAN(Released):
    """SD-BEGAN: both networks and `k_t` move by one pass.

    `twice`: whether the variable list of the discriminator names the dense layers that part the tuple's code a second
    time, as the released one does, so that Adam moves them twice a step.
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
        """Move everything; return the losses that it moved by, the new `k_t` and the measure of convergence."""
        fetches = {"loss_real": self.loss_real, "loss_fake": self.loss_fake}
        fetches = {**fetches, "convergence": self.measure, "k_t": self.move}
        return self.run(fetches, images, codes)


def random_weights(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, np.ndarray]:
    """Return weights of which no two are alike and all matter, of sizes that keep signals at theirs."""
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
    """Make Keras' layers what they were: a layer of TensorFlow 1 changes the bases of the class that it extends, which
    breaks all models made before; a layer made outside of the graph changes them back.
    """
    layers = keras.layers
    for kind in (layers.Conv2D, layers.Conv2DTranspose):
        kind(1, 1)
    layers.Dense(1)
    layers.BatchNormalization()


def dcgan_losses(kind: str, real: tf.Tensor, fake: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the losses of the discriminator and of the generator, but for the penalty of `"wgan-gp"`."""
    if kind == "dcgan":

        def cost(scores: tf.Tensor, label: float) -> tf.Tensor:
            labels = label * tf.ones_like(scores)
            return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, scores))

        return (cost(fake, 0.0) + cost(real, 1.0)) / 2.0, cost(fake, 1.0)
    if kind == "lsgan":
        d_loss = tf.reduce_mean(tf.square(real - 1.0)) + tf.reduce_mean(tf.square(fake))
        return d_loss / 2.0, tf.reduce_mean(tf.square(fake - 1.0))
    return tf.reduce_mean(fake) - tf.reduce_mean(real), -tf.reduce_mean(fake)


def _init() -> Any:
    limit = 0.02 * np.sqrt(3.0)
    return v1.random_uniform_initializer(-limit, limit)


def _flat(maps: tf.Tensor) -> tf.Tensor:
    return tf.reshape(maps, [-1, int(np.prod(maps.shape[1:]))])


def _norm(maps: tf.Tensor, name: str, training: bool = True) -> tf.Tensor:
    return v1.layers.batch_normalization(maps, training=training, name=name)


def dcgan_generator(codes, image_size: int, channels: int, dim: int, training: bool) -> tf.Tensor:
    """Return images [n, image_size, image_size, channels]."""
    levels = int(np.log2(image_size // 4))
    options = {"padding": "same", "kernel_initializer": _init()}
    with v1.variable_scope("G", reuse=v1.AUTO_REUSE):
        width = dim * 2 ** (levels - 1)
        maps = v1.layers.dense(codes, 16 * width, kernel_initializer=_init(), name="start")
        maps = tf.reshape(maps, [-1, 4, 4, width])
        for level in range(levels):
            maps = tf.nn.relu(_norm(maps, f"norm_{level}", training))
            width = channels if level == levels - 1 else width // 2
            maps = v1.layers.conv2d_transpose(maps, width, 5, 2, name=f"up_{level}", **options)
        return tf.tanh(maps)


def dcgan_discriminator(tuples, dim: int, siamese: bool, collate: str, normed: bool) -> tf.Tensor:
    """Return scores [n] of tuples [n, k, h, w, c], each position of a tuple in a call of its own."""
    levels = int(np.log2(int(tuples.shape[2]) // 4))
    options = {"padding": "same", "kernel_initializer": _init()}
    count = 0

    def activate(maps: tf.Tensor, name: str) -> tf.Tensor:
        maps = _norm(maps, name) if normed else maps
        return tf.maximum(0.2 * maps, maps)

    images = tf.unstack(tuples, axis=1)
    towers = []
    for maps in images if siamese else [tf.concat(images, axis=3)]:
        for level in range(levels):
            maps = v1.layers.conv2d(maps, dim * 2**level, 5, 2, name=f"down_{level}", **options)
            maps = activate(maps, f"norm_{level - 1}") if level else tf.maximum(0.2 * maps, maps)
        towers.append(maps)

    kind, count = collate.split("_")
    width = dim * 2 ** (levels - 1)
    maps = tf.concat(towers, axis=3)
    if kind == "dense":
        maps = tf.concat([_flat(part) for part in towers], axis=1)
    for layer in range(int(count)):
        if kind == "dense":
            maps = v1.layers.dense(
                maps, int(maps.shape[1]) // 2, kernel_initializer=_init(), name=f"joint_{layer}"
            )
        else:
            # The second has half the width of the first.
            maps = v1.layers.conv2d(maps, width // 2**layer, 3, 2, name=f"joint_{layer}", **options)
        maps = activate(maps, f"norm_{levels - 1 + layer}")
    flat = _flat(maps)
    return v1.layers.dense(flat, 1, kernel_initializer=_init(), name="score")[:, 0]


def _elu(maps: tf.Tensor, width: int, name: str, stride: int = 1) -> tf.Tensor:
    glorot = v1.glorot_uniform_initializer()
    return v1.layers.conv2d(
        maps, width, 3, stride, "same", activation=tf.nn.elu, kernel_initializer=glorot, name=name
    )


def began_generator(codes, image_size: int, channels: int, dim: int, name: str = "") -> tf.Tensor:
    """Return images [n, image_size, image_size, channels], linear at the end."""
    glorot = v1.glorot_uniform_initializer()
    maps = v1.layers.dense(codes, 64 * dim, kernel_initializer=glorot, name=f"{name}start")
    maps = tf.reshape(maps, [-1, 8, 8, dim])
    levels = int(np.log2(image_size // 8))
    for level in range(levels + 1):
        for index in (2 * level, 2 * level + 1):
            maps = _elu(maps, dim, f"{name}conv_{index}")
        if level < levels:
            size = 2 * int(maps.shape[1])
            maps = v1.image.resize_nearest_neighbor(maps, [size, size])
    return v1.layers.conv2d(
        maps, channels, 3, 1, "same", kernel_initializer=glorot, name=f"{name}finish"
    )


def began_autoencoder(tuples, dim: int, d_i: int, d_o: int) -> tf.Tensor:
    """Return rebuilt tuples [n, k, h, w, c]."""
    _, k, size, _, channels = (int(length or 0) for length in tuples.shape)
    glorot = v1.glorot_uniform_initializer()

    def dense(rows: tf.Tensor, width: int, name: str) -> tf.Tensor:
        return v1.layers.dense(rows, width, kernel_initializer=glorot, name=name)

    levels = int(np.log2(size // 8))
    codes = []
    for maps in tf.unstack(tuples, axis=1):
        maps, index = _elu(maps, dim, "encoder_0"), 0
        for level in range(1, levels + 2):
            for stride in (1, 1, 2)[: 3 if level <= levels else 2]:
                index += 1
                maps = _elu(maps, level * dim, f"encoder_{index}", stride)
        codes.append(dense(_flat(maps), d_i + d_o, "encoded"))
    joint = dense(tf.concat(codes, 1), d_i + k * d_o, "joint")
    rebuilt = [
        began_generator(dense(joint, d_i + d_o, f"part_{place}"), size, channels, dim, "decoder_")
        for place in range(k)
    ]
    return tf.stack(rebuilt, axis=1)
