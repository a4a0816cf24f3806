"""The DCGAN generator and the Siamese DCGAN discriminator (paper, section 4.1 and the released
code).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any, Literal

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.networks.common import Configured, halvings, policy_of
from sdgan_tf.networks.layers import BatchNorm, Conv, ConvTranspose, Linear, dcgan_initializer
from sdgan_tf.networks.siamese import SiameseDiscriminator
from sdgan_tf.registry import check_choices, register

SMALLEST_MAP = 4


@register("generator", "dcgan")
class DCGANGenerator(Configured, keras.Model):
    """Dense to 4x4, then transposed 5x5 convolutions of stride 2 with batch norm and ReLU, tanh at
    the end.

    Widths halve while the map doubles: for 64 px and `dim=64` they are 512, 256, 128, 64, 3
    (5,135,363 parameters).

    Args:
        code_size: width of the latent code, `d_I + d_O`.
        image_size: edge of the image in pixels, a power of two from 8.
        channels: of the image.
        dim: channels of the last hidden map.
        modulation: later addition: units of a hidden layer that goes from the code to the scale and shift of each batch
            norm, 0 for none. So the code has a say at every size of map (self-modulation, arXiv 1810.01365).
        sync_batch_norm: whether batch norm takes the statistics of the batch over all replicas, where a model is trained
            on several, in place of each replica's own.

    Call:
        codes float [n, code_size] to images float32 [n, image_size, image_size, channels] in [-1,
        1].
    """

    NAMES = ("code_size", "image_size", "channels", "dim", "modulation", "sync_batch_norm")

    def __init__(
        self,
        code_size: int = 100,
        image_size: int = 64,
        channels: int = 3,
        dim: int = 64,
        modulation: int = 0,
        sync_batch_norm: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if modulation < 0:
            raise ValueError(
                f"A hidden layer has 0 units or more. Received: modulation={modulation}"
            )
        count = halvings(image_size, SMALLEST_MAP, dim)
        self.code_size = code_size
        self.image_size = image_size
        self.channels = channels
        self.dim = dim
        self.modulation = modulation
        self.sync_batch_norm = sync_batch_norm

        widths = [dim * 2**power for power in reversed(range(count))]
        options = policy_of(self)
        self.start = keras.layers.Dense(
            SMALLEST_MAP**2 * widths[0], kernel_initializer=dcgan_initializer(), **options
        )
        self.norms = [BatchNorm(synchronised=sync_batch_norm, **options) for _ in widths]
        if modulation:
            self.hidden = keras.layers.Dense(
                modulation, activation="relu", kernel_initializer="he_normal", **options
            )
            self.modulations = [
                keras.layers.Dense(2 * width, kernel_initializer=dcgan_initializer(), **options)
                for width in widths
            ]
        self.convs = [ConvTranspose(width, **options) for width in widths[1:]]
        # The image itself stays float32 under every precision policy.
        self.finish = ConvTranspose(channels, dtype="float32")

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, self.code_size]))

    def call(self, codes: tf.Tensor, training: bool = False) -> tf.Tensor:
        maps = self.start(codes)
        maps = tf.reshape(maps, [-1, SMALLEST_MAP, SMALLEST_MAP, maps.shape[-1] // SMALLEST_MAP**2])
        hidden = self.hidden(codes) if self.modulation else None
        for level, conv in enumerate([*self.convs, self.finish]):
            maps = self.norms[level](maps, training=training)
            if self.modulation:
                changes = self.modulations[level](hidden)[:, tf.newaxis, tf.newaxis]
                scale, shift = tf.split(changes, 2, axis=-1)
                maps = maps * (1 + scale) + shift
            maps = conv(tf.nn.relu(maps))
        return tf.tanh(maps)


@register("discriminator", "dcgan")
class SiameseDCGANDiscriminator(Configured, SiameseDiscriminator):
    """Scores a tuple with one number: shared towers, feature maps stacked on channels, joint layers, a logit.

    Each image passes the same tower of 5x5 convolutions of stride 2 (the first without batch norm). The k maps are
    stacked on channels, joined by a 3x3 convolution of stride 2, and a dense layer gives the logit.

    Args:
        k: images in a tuple.
        image_size: edge of an image in pixels, a power of two from 8.
        channels: of an image.
        dim: channels of the first map.
        norm: normalisation in the discriminator: `"batch"` (the paper's), `"none"`, `"spectral"`, or
            `"spectral-addons"`: TensorFlow Addons' layer, which overwrites the kernel at each call.
        towers: how the images of a tuple are seen: `"siamese"` (the paper's), each by itself; or `"stacked"`,
            its SC variant, one tower over the k images stacked on channels.
        join: what joins the towers: `"conv"` (the paper's), 3x3 convolutions of stride 2; or `"dense"`, dense layers;
            each halves the width of the one before.
        join_layers: how many layers join the towers: 1 (the paper's), 0 for none, at most 2 convolutions.
        initializer: first weights of the discriminator: `"dcgan"` (the paper's), which counts on batch norm, or
            `"he_normal"`, which keeps signals at their size without (arXiv 1502.01852).
        symmetric: later addition: whether the order of a tuple's images makes no difference: the towers are joined by
            the mean of their maps and the mean distance from it (for pairs, of f1 and f2: (f1 + f2) / 2 and
            |f1 - f2| / 2).
        full_size: later addition: channels of a 3x3 convolution at the images' full size before the first stride, 0
            for none.
        sync_batch_norm: as in the generator.
        outputs: how many numbers the last dense layer gives.

    Call:
        tuples float [n, k, image_size, image_size, channels] in [-1, 1] to scores float32 [n], higher = more like a
        real matched tuple; where `outputs` is more than 1, to [n, outputs].
    """

    NAMES = (
        "k",
        "image_size",
        "channels",
        "dim",
        "norm",
        "towers",
        "join",
        "join_layers",
        "initializer",
        "symmetric",
        "full_size",
        "sync_batch_norm",
        "outputs",
    )

    def __init__(
        self,
        k: int = 2,
        image_size: int = 64,
        channels: int = 3,
        dim: int = 64,
        norm: Literal["batch", "none", "spectral", "spectral-addons"] = "batch",
        towers: Literal["siamese", "stacked"] = "siamese",
        join: Literal["conv", "dense"] = "conv",
        join_layers: int = 1,
        initializer: Literal["dcgan", "he_normal"] = "dcgan",
        symmetric: bool = False,
        full_size: int = 0,
        sync_batch_norm: bool = False,
        outputs: Any = 1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.k = k
        self.image_size = image_size
        self.channels = channels
        self.dim = dim
        self.norm = norm
        self.towers = towers
        self.join = join
        self.join_layers = join_layers
        self.initializer = initializer
        self.symmetric = symmetric
        self.full_size = full_size
        self.sync_batch_norm = sync_batch_norm
        self.outputs = outputs
        check_choices(self)
        if symmetric and (towers == "stacked" or k < 2):
            raise ValueError(
                "Maps of two images or more from towers of their own are joined symmetrically. "
                f"Received: symmetric=True, towers={towers!r}, k={k}"
            )
        if join_layers < 0 or (join == "conv" and join_layers > 2):
            raise ValueError(
                "Towers are joined by up to two convolutions, or by any number of dense layers. "
                f"Received: join={join!r}, join_layers={join_layers}"
            )

        widths = [dim * 2**power for power in range(halvings(image_size, SMALLEST_MAP, dim))]
        options = {"spectral": norm == "spectral", "initializer": initializer}
        self._options = {**policy_of(self), **options}
        first = [Conv(full_size, 3, 1, **self._options)] if full_size else []
        self.tower = [
            self._wrapped(layer)
            for layer in (*first, *(Conv(width, **self._options) for width in widths))
        ]
        self.joint = self._joint_layers(widths[-1])
        normed = len(self.tower) - 1 + join_layers if norm == "batch" else 0
        synchronised = {"synchronised": sync_batch_norm}
        self.norms = [BatchNorm(**policy_of(self), **synchronised) for _ in range(normed)]
        # The score itself stays float32 under every precision policy.
        self.finish = self._wrapped(Linear(outputs, dtype="float32", **options))

    def _joint_layers(self, width: int) -> list[keras.layers.Layer]:
        if self.join == "conv":
            make, first = functools.partial(Conv, kernel_size=3), width
        else:
            joined = 2 if self.symmetric else self.k
            stacked = SMALLEST_MAP**2 * width * (joined if self.towers == "siamese" else 1)
            make, first = Linear, stacked // 2
        widths = [first // 2**index for index in range(self.join_layers)]
        if 0 in widths:
            raise ValueError(
                "Each layer that joins the towers halves the width of the one before, and nothing is left of the "
                f"last: take fewer, or a greater dim. Received: join_layers={self.join_layers}, widths {widths}"
            )
        return [self._wrapped(make(width, **self._options)) for width in widths]

    def _wrapped(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        if self.norm != "spectral-addons":
            return layer
        return keras_compat.addons().layers.SpectralNormalization(layer)

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, self.k, self.image_size, self.image_size, self.channels]))

    def features(
        self, images: tf.Tensor, training: bool = False, groups: int = 1, track: bool = True
    ) -> tf.Tensor:
        """Maps of each image, [n, 4, 4, 2 ** m * dim]; with stacked towers, which see no image by itself, the images."""
        if self.towers == "stacked":
            return images
        return self._climb(images, training=training, groups=groups, track=track)

    def compare(
        self, features: tf.Tensor, training: bool = False, groups: int = 1, track: bool = True
    ) -> tf.Tensor:
        """Maps of k images, [n, k, h, w, c], to scores float32 [n], or to [n, outputs]."""
        options = {"training": training, "groups": groups, "track": track}
        _, k, height, width, depth = features.shape
        if self.symmetric:
            mean = tf.reduce_mean(features, 1, keepdims=True)
            spread = tf.reduce_mean(tf.abs(features - mean), 1, keepdims=True)
            features, k = tf.concat([mean, spread], 1), 2
        # A tuple's maps side by side, on channels.
        maps = tf.transpose(features, [0, 2, 3, 1, 4])
        maps = tf.reshape(maps, [-1, height, width, k * depth])
        if self.towers == "stacked":
            maps = self._climb(maps, **options)
        if self.join == "dense":
            maps = _flat(maps)
        norms = iter(self.norms[len(self.tower) - 1 :])
        for layer in self.joint:
            maps = tf.nn.leaky_relu(_normalise(norms, layer(maps), options), 0.2)
        out = self.finish(_flat(maps))
        return tf.squeeze(out, -1) if self.outputs == 1 else out

    def _climb(self, maps: tf.Tensor, **options: Any) -> tf.Tensor:
        """The tower."""
        norms = iter(self.norms[: len(self.tower) - 1])
        for index, conv in enumerate(self.tower):
            maps = conv(maps)
            # The first has no batch norm, as in the released code.
            maps = tf.nn.leaky_relu(_normalise(norms, maps, options) if index else maps, 0.2)
        return maps

    @property
    def clippable(self) -> list[Any]:
        """Kernels and biases; not batch norm's scale, as in the released code: clipped, it would shrink every map to
        .01.
        """
        layers = (*self.tower, *self.joint, self.finish)
        # Where TensorFlow Addons wraps a layer, what it holds.
        held = [getattr(layer, "layer", layer) for layer in layers]
        return [variable for layer in held for variable in (layer.kernel, layer.bias)]

    def begin_step(self) -> None:
        """Moves spectral norms one step of the power iteration on."""
        if self.norm == "spectral":
            for layer in (*self.tower, *self.joint, self.finish):
                layer.power_iterate()


def _normalise(norms: Iterator, maps: tf.Tensor, options: dict[str, Any]) -> tf.Tensor:
    """By the next of the norms, if there are any."""
    norm = next(norms, None)
    return maps if norm is None else norm(maps, **options)


def _flat(maps: tf.Tensor) -> tf.Tensor:
    return tf.reshape(maps, [-1, math.prod(maps.shape[1:])])
