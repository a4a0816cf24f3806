"""The DCGAN generator and the Siamese DCGAN discriminator (paper, section 4.1 and the released
code).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.keras_compat import register
from sdgan_tf.networks.common import halvings, policy_of
from sdgan_tf.networks.layers import BatchNorm, Conv, ConvTranspose, Linear, dcgan_initializer

SMALLEST_MAP = 4
NORMS = ("batch", "none", "spectral", "spectral-addons")
TOWERS = ("siamese", "stacked")
INITIALIZERS = ("dcgan", "he_normal")
JOINS = ("conv", "dense")


@register
class DCGANGenerator(keras.Model):
    """Dense to 4x4, then transposed 5x5 convolutions of stride 2 with batch norm and ReLU, tanh at
    the end.

    Widths halve while the map doubles: for 64 px and `dim=64` they are 512, 256, 128, 64, 3
    (5,135,363 parameters).

    Args:
        code_size: width of the latent code, `d_I + d_O`.
        image_size: edge of the picture in pixels, a power of two from 8.
        channels: of the picture.
        dim: channels of the last hidden map.

    Call:
        codes float [n, code_size] to pictures float32 [n, image_size, image_size, channels] in [-1,
        1].
    """

    def __init__(
        self,
        code_size: int = 100,
        image_size: int = 64,
        channels: int = 3,
        dim: int = 64,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        count = halvings(image_size, SMALLEST_MAP)
        self.code_size = code_size
        self.image_size = image_size
        self.channels = channels
        self.dim = dim

        widths = [dim * 2**power for power in reversed(range(count))]
        options = policy_of(self)
        self.start = keras.layers.Dense(
            SMALLEST_MAP**2 * widths[0], kernel_initializer=dcgan_initializer(), **options
        )
        self.norms = [BatchNorm(**options) for _ in widths]
        self.convs = [ConvTranspose(width, **options) for width in widths[1:]]
        # The picture itself stays float32 under every precision policy.
        self.finish = ConvTranspose(channels, dtype="float32")

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, self.code_size]))

    def call(self, codes: tf.Tensor, training: bool = False) -> tf.Tensor:
        maps = self.start(codes)
        maps = tf.reshape(maps, [-1, SMALLEST_MAP, SMALLEST_MAP, maps.shape[-1] // SMALLEST_MAP**2])
        for norm, conv in zip(self.norms, [*self.convs, self.finish]):
            maps = conv(tf.nn.relu(norm(maps, training=training)))
        return tf.tanh(maps)

    def get_config(self) -> dict[str, Any]:
        names = ("code_size", "image_size", "channels", "dim")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@register
class SiameseDCGANDiscriminator(keras.Model):
    """Scores a tuple with one number: shared towers, feature maps stacked on channels, joint
    layers, a logit.

    Each picture passes the same tower of 5x5 convolutions of stride 2 (the first without batch
    norm). The k maps are stacked on channels, joined by a 3x3 convolution of stride 2, and a dense
    layer gives the logit.

    Args:
        k: pictures in a tuple.
        image_size: edge of a picture in pixels, a power of two from 8.
        channels: of a picture.
        dim: channels of the first map.
        norm: `"batch"` (the paper's), `"none"`, `"spectral"`, or `"spectral-addons"`: TensorFlow
            Addons' layer, which overwrites the kernel at each call.
        towers: `"siamese"` (the paper's), or `"stacked"`: its SC variant, one tower over the k
            pictures stacked on channels.
        join: `"conv"` (the paper's): 3x3 convolutions of stride 2; or `"dense"`: dense layers, each
            halving the width.
        join_layers: how many of them: 1 (the paper's), 0 for none, at most 2 convolutions.
        initializer: of the kernels: `"dcgan"` (the paper's), which counts on batch norm, or
            `"he_normal"`, which keeps signals at their size without (arXiv 1502.01852).
        outputs: how many numbers the last dense layer gives.

    Call:
        tuples float [groups * n, k, image_size, image_size, channels] in [-1, 1] to scores float32
        [groups * n], higher = more like a real matched tuple; where `outputs` is more than 1, to
        [groups * n, outputs]. `groups` counts the equal parts of the batch that take batch
        statistics of their own, as the real and the fake tuples do; `track` says whether moving
        statistics follow those. With `mixed`, n more scores follow: of the first group's pictures
        in tuples of two identities, the second half of each from the next tuple. Siamese towers
        look at each picture once for both.
    """

    def __init__(
        self,
        k: int = 2,
        image_size: int = 64,
        channels: int = 3,
        dim: int = 64,
        norm: str = "batch",
        towers: str = "siamese",
        join: str = "conv",
        join_layers: int = 1,
        initializer: str = "dcgan",
        outputs: int = 1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        _check_choices(norm, towers, join, join_layers, initializer)
        self.k = k
        self.image_size = image_size
        self.channels = channels
        self.dim = dim
        self.norm = norm
        self.towers = towers
        self.join = join
        self.join_layers = join_layers
        self.initializer = initializer
        self.outputs = outputs

        widths = [dim * 2**power for power in range(halvings(image_size, SMALLEST_MAP))]
        options = {"spectral": norm == "spectral", "initializer": initializer}
        self._options = {**policy_of(self), **options}
        self.tower = [self._wrapped(Conv(width, **self._options)) for width in widths]
        self.joint = self._joint_layers(widths[-1])
        normed = len(widths) - 1 + join_layers if norm == "batch" else 0
        self.norms = [BatchNorm(**policy_of(self)) for _ in range(normed)]
        # The score itself stays float32 under every precision policy.
        self.finish = self._wrapped(Linear(outputs, dtype="float32", **options))

    def _joint_layers(self, width: int) -> list[keras.layers.Layer]:
        if self.join == "conv":
            layers = [Conv(width, 3, **self._options) for _ in range(self.join_layers)]
        else:
            stacked = SMALLEST_MAP**2 * width * (self.k if self.towers == "siamese" else 1)
            if stacked < 2**self.join_layers:
                raise ValueError(
                    f"Each dense layer halves the {stacked} features of the joined towers, and "
                    f"nothing is left after the last. Received: join_layers={self.join_layers}"
                )
            layers = [
                Linear(stacked // 2**power, **self._options)
                for power in range(1, self.join_layers + 1)
            ]
        return [self._wrapped(layer) for layer in layers]

    def _wrapped(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        if self.norm != "spectral-addons":
            return layer
        return keras_compat.addons().layers.SpectralNormalization(layer)

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, self.k, self.image_size, self.image_size, self.channels]))

    def call(
        self,
        tuples: tf.Tensor,
        training: bool = False,
        groups: int = 1,
        track: bool = True,
        mixed: bool = False,
    ) -> tf.Tensor:
        options = {"training": training, "track": track}
        siamese = self.towers == "siamese"
        if mixed and not siamese:
            tuples, groups = _with_mixed(tuples, groups), groups + 1
        maps = self._by_position(tuples, groups) if siamese else self._on_channels(tuples)
        norms = iter(self.norms)
        for index, conv in enumerate(self.tower):
            maps = conv(maps)
            if index > 0:
                maps = self._normalise(
                    norms, maps, groups=groups * (self.k if siamese else 1), **options
                )
            maps = tf.nn.leaky_relu(maps, 0.2)
        if siamese:
            maps = self._by_tuple(maps, groups)
            if mixed:
                maps, groups = _with_mixed(maps, groups), groups + 1
            maps = self._on_channels(maps)
        if self.join == "dense":
            maps = _flat(maps)
        for layer in self.joint:
            maps = self._normalise(norms, layer(maps), groups=groups, **options)
            maps = tf.nn.leaky_relu(maps, 0.2)
        out = self.finish(_flat(maps))
        return tf.squeeze(out, -1) if self.outputs == 1 else out

    def _normalise(self, norms: Iterator, maps: tf.Tensor, **options: Any) -> tf.Tensor:
        return next(norms)(maps, **options) if self.norms else maps

    def update_spectral_norms(self) -> None:
        """Moves the spectral norms one step of the power iteration on; to be called once a train
        step.
        """
        if self.norm == "spectral":
            for layer in (*self.tower, *self.joint, self.finish):
                layer.power_iterate()

    def _on_channels(self, tuples: tf.Tensor) -> tf.Tensor:
        """[n, k, h, w, c] to [n, h, w, k * c]: a tuple's pictures or maps side by side."""
        _, k, height, width, depth = tuples.shape
        return tf.reshape(tf.transpose(tuples, [0, 2, 3, 1, 4]), [-1, height, width, k * depth])

    def _by_position(self, tuples: tf.Tensor, groups: int) -> tf.Tensor:
        """[g * n, k, h, w, c] to [g * k * n, h, w, c]: pictures of one group and position lie
        together.
        """
        shape = tuples.shape[2:]
        parts = tf.reshape(tuples, [groups, -1, self.k, *shape])
        return tf.reshape(tf.transpose(parts, [0, 2, 1, 3, 4, 5]), [-1, *shape])

    def _by_tuple(self, maps: tf.Tensor, groups: int) -> tf.Tensor:
        """[g * k * n, h, w, c] to [g * n, k, h, w, c], `_by_position` undone."""
        shape = maps.shape[1:]
        parts = tf.reshape(maps, [groups, self.k, -1, *shape])
        return tf.reshape(tf.transpose(parts, [0, 2, 1, 3, 4, 5]), [-1, self.k, *shape])

    def get_config(self) -> dict[str, Any]:
        names = ("k", "image_size", "channels", "dim", "norm", "towers", "join", "join_layers")
        names += ("initializer", "outputs")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def mix_identities(tuples: tf.Tensor) -> tf.Tensor:
    """Tuples of two identities each: the second half of a tuple comes from the next one.

    Args:
        tuples: [n, k, ...], k at least 2.

    Returns:
        The same shape.
    """
    keep = tuples.shape[1] // 2
    return tf.concat([tuples[:, :keep], tf.roll(tuples[:, keep:], 1, axis=0)], axis=1)


def _with_mixed(tuples: tf.Tensor, groups: int) -> tf.Tensor:
    """[groups * n, k, ...] to [(groups + 1) * n, k, ...]: the first group's once more, mixed."""
    return tf.concat([tuples, mix_identities(tf.split(tuples, groups)[0])], axis=0)


def _flat(maps: tf.Tensor) -> tf.Tensor:
    return tf.reshape(maps, [-1, math.prod(maps.shape[1:])])


def _check_choices(norm: str, towers: str, join: str, join_layers: int, initializer: str) -> None:
    for name, value, choices in (
        ("initializer", initializer, INITIALIZERS),
        ("norm", norm, NORMS),
        ("towers", towers, TOWERS),
        ("join", join, JOINS),
    ):
        if value not in choices:
            raise ValueError(
                f"The discriminator's {name} is one of {choices}. Received: {name}={value!r}"
            )
    if join_layers < 0 or (join == "conv" and join_layers > 2):
        raise ValueError(
            "Towers are joined by up to two convolutions, or by any number of dense layers. "
            f"Received: join={join!r}, join_layers={join_layers}"
        )
