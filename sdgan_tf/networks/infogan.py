"""The networks of InfoGAN (arXiv 1606.03657, appendix C): a generator, a discriminator, and a head that reads codes.

Those of digits are the released code's, of whose networks alone there is code; the others follow the paper's tables.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import tensorflow as tf
from tensorflow import keras

from sdgan_tf.networks.common import Configured, policy_of
from sdgan_tf.networks.layers import BatchNorm, Conv, ConvTranspose, Linear
from sdgan_tf.networks.siamese import SiameseDiscriminator
from sdgan_tf.registry import check_choices, register

# As in the released code; the paper's text says .1.
SLOPE = 0.01
# Moving statistics follow within tens of steps: the released code has none that work, and weights move fast.
NORM = {"epsilon": 1e-5, "spread": 0.02, "momentum": 0.9}


class Convolution(NamedTuple):
    """A convolution with a kernel of 4x4, transposed in a generator.

    Attributes:
        width: channels, in units of `dim`.
        stride: in both directions.
        norm: whether batch norm follows.
    """

    width: int
    stride: int
    norm: bool


class Layout(NamedTuple):
    """The networks of a data set; widths in units of `dim`, which is 64 in the paper.

    Attributes:
        dense: width of the first dense layer of the generator and of the last one of the trunk, 0 for none.
        start: channels of the generator's first map.
        generator: what follows it; a last layer of stride 2 makes the image.
        trunk: convolutions of the discriminator.
        head: width of the recogniser's hidden layer, 0 for none.
        output: what brings the image into its range: `"sigmoid"` or `"tanh"`.
    """

    dense: int
    start: int
    generator: tuple[Convolution, ...]
    trunk: tuple[Convolution, ...]
    head: int
    output: str


_GREY = (Convolution(1, 2, False), Convolution(2, 2, True))
_DIGITS = Layout(16, 2, (Convolution(1, 2, True),), _GREY, 2, "sigmoid")
LAYOUTS = {
    "digits": _DIGITS,
    "faces": _DIGITS._replace(head=0),
    "color": Layout(
        dense=0,
        start=7,
        generator=(Convolution(4, 2, True), Convolution(2, 2, False), Convolution(1, 2, False)),
        trunk=(*_GREY, Convolution(4, 2, True)),
        head=2,
        output="tanh",
    ),
    "chairs": Layout(
        dense=16,
        start=4,
        generator=(
            Convolution(4, 1, True),
            Convolution(4, 1, True),
            Convolution(2, 2, True),
            Convolution(1, 2, True),
        ),
        trunk=(
            *_GREY,
            Convolution(4, 2, True),
            Convolution(4, 1, True),
            Convolution(4, 1, True),
        ),
        head=0,
        output="sigmoid",
    ),
}


@register("generator", "infogan")
class InfoGANGenerator(Configured, keras.Model):
    """Codes to images: dense layers, then transposed convolutions, with batch norm and ReLU.

    Args:
        code_size: width of the codes (released code: 74).
        image_size: edge of an image in pixels, a multiple of 4; of 16 for the layout `"color"`, of 8 for `"chairs"`.
        channels: of an image.
        dim: channels of the widest map (paper: 64); all widths follow.
        layout: the paper's networks of this data set: `"digits"`, `"faces"`, `"color"` (SVHN and CelebA) or
            `"chairs"`.

    Call:
        codes float [n, code_size] to images float32 [n, image_size, image_size, channels] in [-1, 1]; a sigmoid's 0 to
        1 becomes -1 to 1.
    """

    NAMES = ("code_size", "image_size", "channels", "dim", "layout")

    def __init__(
        self,
        code_size: int = 74,
        image_size: int = 28,
        channels: int = 1,
        dim: int = 64,
        layout: Literal["digits", "faces", "color", "chairs"] = "digits",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.code_size = code_size
        self.image_size = image_size
        self.channels = channels
        self.dim = dim
        self.layout = layout
        check_choices(self)
        plan = LAYOUTS[layout]
        strides = 2 * math.prod(part.stride for part in plan.generator)
        _check(image_size, strides, dim, layout)
        options = {**policy_of(self), "initializer": "normal_02"}
        # A dense layer and its norm; then the first map and its norm; then those of the convolutions.
        widths = [plan.dense * dim] if plan.dense else []
        self.smallest = image_size // strides
        widths.append(self.smallest**2 * plan.start * dim)
        self.denses = [Linear(width, **options) for width in widths]
        self.dense_norms = [BatchNorm(**NORM, **policy_of(self)) for _ in widths]
        self.convs = [
            ConvTranspose(part.width * dim, 4, part.stride, **options) for part in plan.generator
        ]
        self.norms = [BatchNorm(**NORM, **policy_of(self)) for part in plan.generator if part.norm]
        # The image itself stays float32 under every precision policy.
        self.finish = ConvTranspose(channels, 4, 2, initializer="normal_02", dtype="float32")

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, self.code_size]))

    def call(self, codes: tf.Tensor, training: bool = False) -> tf.Tensor:
        plan, maps, norms = LAYOUTS[self.layout], codes, iter(self.norms)
        for dense, norm in zip(self.denses, self.dense_norms):
            maps = tf.nn.relu(norm(dense(maps), training=training))
        maps = tf.reshape(maps, [-1, self.smallest, self.smallest, plan.start * self.dim])
        for conv, part in zip(self.convs, plan.generator):
            maps = conv(maps)
            maps = tf.nn.relu(next(norms)(maps, training=training) if part.norm else maps)
        images = self.finish(maps)
        # 2 sigmoid(x) - 1 = tanh(x / 2)
        return tf.tanh(images / 2 if plan.output == "sigmoid" else images)


@register("discriminator", "infogan")
class InfoGANDiscriminator(Configured, SiameseDiscriminator):
    """Scores single images: the trunk that is shared with the recogniser, and a dense layer.

    Args:
        image_size: edge of an image in pixels, a multiple of the trunk's strides: of 4 for digits and faces, of 8 for
            the others.
        channels: of an image.
        dim: channels of the first map (paper: 64); all widths follow.
        layout: see `InfoGANGenerator`.

    Call:
        tuples of one image float [n, 1, image_size, image_size, channels] in [-1, 1] to scores float32 [n], higher =
        more like a real image. `features` gives what the trunk sees, float [n, ...].
    """

    NAMES = ("image_size", "channels", "dim", "layout")

    k = 1

    def __init__(
        self,
        image_size: int = 28,
        channels: int = 1,
        dim: int = 64,
        layout: Literal["digits", "faces", "color", "chairs"] = "digits",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.image_size = image_size
        self.channels = channels
        self.dim = dim
        self.layout = layout
        check_choices(self)
        plan, policy = LAYOUTS[layout], policy_of(self)
        _check(image_size, math.prod(part.stride for part in plan.trunk), dim, layout)
        options = {**policy, "initializer": "truncated_02"}
        self.convs = [Conv(part.width * dim, 4, part.stride, **options) for part in plan.trunk]
        normed = sum(part.norm for part in plan.trunk)
        self.norms = [BatchNorm(**NORM, **policy) for _ in range(normed)]
        self.dense, self.dense_norm = None, None
        if plan.dense:
            self.dense = Linear(plan.dense * dim, initializer="normal_02", **policy)
            self.dense_norm = BatchNorm(**NORM, **policy)
        self.finish = Linear(1, initializer="normal_02", dtype="float32")

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, 1, self.image_size, self.image_size, self.channels]))

    def features(
        self, images: tf.Tensor, training: bool = False, groups: int = 1, track: bool = True
    ) -> tf.Tensor:
        """What the trunk sees in each image: [n, 16 dim] of layouts with a dense layer, otherwise the last map's
        numbers in a row.
        """
        options = {"training": training, "groups": groups, "track": track}
        plan, norms = LAYOUTS[self.layout], iter(self.norms)
        # The released networks see 0 to 1 where the images end in a sigmoid.
        maps = (images + 1) / 2 if plan.output == "sigmoid" else images
        for conv, part in zip(self.convs, plan.trunk):
            maps = conv(maps)
            maps = tf.nn.leaky_relu(next(norms)(maps, **options) if part.norm else maps, SLOPE)
        flat = tf.reshape(maps, [-1, math.prod(maps.shape[1:])])
        if self.dense is None:
            return flat
        return tf.nn.leaky_relu(self.dense_norm(self.dense(flat), **options), SLOPE)

    def compare(
        self, features: tf.Tensor, training: bool = False, groups: int = 1, track: bool = True
    ) -> tf.Tensor:
        """Features of single images, [n, 1, f], to scores float32 [n]."""
        return tf.squeeze(self.finish(tf.cast(features[:, 0], tf.float32)), -1)


@register("recogniser", "infogan")
class InfoGANRecogniser(Configured, keras.Model):
    """The head that reads codes off what the discriminator's trunk sees: a hidden layer with batch norm, where the
    layout has one, and a dense layer.

    Args:
        code_size: numbers to give (released code: 14).
        dim: the discriminator's (paper: 64).
        layout: see `InfoGANGenerator`.

    Call:
        features float [n, ...] to float32 [n, code_size].
    """

    NAMES = ("code_size", "dim", "layout")

    def __init__(
        self,
        code_size: int = 14,
        dim: int = 64,
        layout: Literal["digits", "faces", "color", "chairs"] = "digits",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.code_size = code_size
        self.dim = dim
        self.layout = layout
        check_choices(self)
        width = LAYOUTS[layout].head * dim
        policy = policy_of(self)
        self.hidden = Linear(width, initializer="normal_02", **policy) if width else None
        self.norm = BatchNorm(**NORM, **policy) if width else None
        self.finish = Linear(code_size, initializer="normal_02", dtype="float32")

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        flat = tf.reshape(features, [-1, math.prod(features.shape[1:])])
        if self.hidden is not None:
            flat = tf.nn.leaky_relu(self.norm(self.hidden(flat), training=training), SLOPE)
        return self.finish(tf.cast(flat, tf.float32))


def _check(image_size: int, strides: int, dim: int, layout: str) -> None:
    if image_size < strides or image_size % strides or dim < 1:
        raise ValueError(
            f"Networks of the layout {layout!r} are at least one channel wide, for images whose edge is a multiple of "
            f"{strides}; the paper's are 28 (digits), 32 (faces, color) and 64 pixels (chairs). "
            f"Received: image_size={image_size}, dim={dim}"
        )
