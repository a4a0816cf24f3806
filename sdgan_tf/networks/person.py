"""Networks of Disentangled Person Image Generation (arXiv 1712.02621): an encoder of a person's appearance by regions of
interest and of the background, and a U-Net that paints both codes in a given pose.

All convolutions are 3x3 with ReLU and without normalisation, as in the released code. With `dim=128`, five levels, seven
regions and images of 128x64 pixels the two have its 118,549,859 parameters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.networks.common import Configured, policy_of
from sdgan_tf.networks.identity import REMEMBERED, CodeTable
from sdgan_tf.networks.layers import Conv, Linear, _Convolution
from sdgan_tf.networks.pose import (
    KEYPOINTS,
    LIMBS,
    POSE,
    REGIONS,
    crop,
    limb_maps,
    pose_maps,
    region_boxes,
)
from sdgan_tf.registry import register, serializable

# Numbers that describe one region of a person, and what the U-Net keeps of a whole pose.
REGION, BOTTLENECK = 32, 64
_INITIALIZER = "glorot_uniform"


def _size(image_size: int, narrow: int, levels: int) -> tuple[int, int]:
    """Height and width of images, which have to halve once less often than there are levels."""
    divisor = narrow * 2 ** (levels - 1)
    if levels < 1 or narrow < 1 or image_size % divisor or image_size // narrow < 2:
        raise ValueError(
            "Images are halved between levels, so that their edges divide by 2 for each level but the first. "
            f"Received: image_size={image_size}, narrow={narrow}, levels={levels}"
        )
    return image_size, image_size // narrow


def _rectify(maps: tf.Tensor, slope: float) -> tf.Tensor:
    return tf.nn.leaky_relu(maps, slope) if slope else tf.nn.relu(maps)


def _pair(maps: tf.Tensor, layers: Sequence[Conv], slope: float) -> tf.Tensor:
    """Two convolutions beside a skip."""
    first, second = layers
    return maps + _rectify(second(_rectify(first(maps), slope)), slope)


class _Tower:
    """Levels of a pair of convolutions each, and a convolution of stride 2 between them; the widths grow evenly.

    The layers belong to the network that makes the tower, which keeps them in `layers`.
    """

    def __init__(self, dim: int, levels: int, slope: float, options: dict[str, Any]):
        self.slope = slope
        self.levels = [
            [Conv(dim * (level + 1), 3, 1, **options) for _ in range(2)] for level in range(levels)
        ]
        self.strides = [Conv(dim * (level + 2), 3, 2, **options) for level in range(levels - 1)]

    @property
    def layers(self) -> list[Conv]:
        return [*(layer for pair in self.levels for layer in pair), *self.strides]

    def climb(self, maps: tf.Tensor) -> list[tf.Tensor]:
        """The maps at the end of each level, the largest first."""
        seen = []
        for level, pair in enumerate(self.levels):
            maps = _pair(maps, pair, self.slope)
            seen.append(maps)
            if level < len(self.strides):
                maps = _rectify(self.strides[level](maps), self.slope)
        return seen


def _flat(maps: tf.Tensor) -> tf.Tensor:
    return tf.reshape(maps, [-1, math.prod(maps.shape[1:])])


@register("encoder", "person")
class PersonEncoder(Configured, keras.Model):
    """What a person looks like, region by region, and what is behind.

    The maps of a few convolutions are split by the mask. Regions around keypoints are cut out of the person's part and
    pass one tower, each to a code of 32 numbers, all 0 where none of a region's keypoints is visible; the background's
    part passes a tower of its own. It remembers the last codes and pose of each of the first 128 training identities,
    so that it can show them when no image is at hand. No image is kept.

    Args:
        training_identities: how many there are.
        image_size: height of an image in pixels.
        channels: of an image.
        dim: channels of the first maps.
        tower_levels: levels of the towers that encode regions and background.
        regions: how many of the regions of a person are encoded, of head, body, legs, left arm, right arm, left leg,
            right leg.
        crop_size: edge in pixels to which a region is resized.
        background: width of the code of the background, 0 for none.
        narrow: by how many times an image is less wide than high.
        slope: see `PersonGenerator`.

    Attributes:
        shown: how many identities `known` goes through.

    Call:
        images float32 [n, h, w, c] in [-1, 1], masks float32 [n, h, w, 1], 1 where the person is, poses float32 [n,
        54] as `pose.encode_pose` gives them, and labels int64 [n], to codes float32 [n, 32 * regions + background].
    """

    NAMES = (
        "training_identities",
        "image_size",
        "channels",
        "dim",
        "tower_levels",
        "regions",
        "crop_size",
        "background",
        "narrow",
        "slope",
    )

    def __init__(
        self,
        training_identities: int = 2,
        image_size: int = 128,
        channels: int = 3,
        dim: int = 128,
        tower_levels: int = 5,
        regions: int = 7,
        crop_size: int = 48,
        background: int = 128,
        narrow: int = 1,
        slope: float = 0.0,
        **kwargs: Any,
    ):
        # Poses keep their precision; layers cast what they take themselves.
        super().__init__(autocast=False, **kwargs)
        if not 1 <= regions <= len(REGIONS) or background < 0 or dim < 1:
            raise ValueError(
                f"A person has 1 to {len(REGIONS)} regions, a code of the background no negative width, and maps a "
                f"channel or more. Received: regions={regions}, background={background}, dim={dim}"
            )
        self.training_identities = training_identities
        self.image_size = image_size
        self.channels = channels
        self.dim = dim
        self.tower_levels = tower_levels
        self.regions = regions
        self.crop_size = crop_size
        self.background = background
        self.narrow = narrow
        self.slope = slope
        self._height, self._width = _size(image_size, narrow, tower_levels if background else 1)
        _size(crop_size, 1, tower_levels)
        options = {**policy_of(self), "initializer": _INITIALIZER}
        self.start = [Conv(dim, 3, 1, **options) for _ in range(3)]
        self._person = _Tower(dim, tower_levels, slope, options)
        self.person_layers = self._person.layers
        self.describe_region = Linear(REGION, **options)
        self._behind = _Tower(dim, tower_levels, slope, options) if background else None
        self.background_layers = self._behind.layers if background else []
        self.describe_background = Linear(background, **options) if background else None
        self.shown = min(training_identities, REMEMBERED)
        self.memory = CodeTable(
            self.shown, REGION * regions + background + POSE, "zeros", trainable=False, dtype="float32"
        )  # fmt: skip

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self.memory.build()
            size = [self._height, self._width]
            shapes = ([1, *size, self.channels], [1, *size, 1], [1, POSE])
            labels = tf.zeros([1], tf.int64)
            self(*(tf.zeros(shape) for shape in shapes), labels)

    def call(
        self,
        images: tf.Tensor,
        masks: tf.Tensor,
        poses: tf.Tensor,
        labels: tf.Tensor,
        training: bool = False,
    ) -> tf.Tensor:
        maps = _rectify(self.start[0](images), self.slope)
        maps = _pair(maps, self.start[1:], self.slope)
        masks = tf.cast(masks, maps.dtype)
        codes = [self._regions(maps * masks, poses)]
        if self._behind is not None:
            seen = self._behind.climb(maps * (1 - masks))[-1]
            codes.append(self.describe_background(_flat(seen)))
        # Codes are float32 under every precision policy.
        codes = tf.concat([tf.cast(part, tf.float32) for part in codes], -1)
        if training:
            self.memory.remember(tf.concat([codes, poses], -1), labels)
        return codes

    def _regions(self, maps: tf.Tensor, poses: tf.Tensor) -> tf.Tensor:
        boxes, visible = region_boxes(poses, self.regions, self._height, self._width)
        # A box is a matter of fractions of pixels, for which bfloat16 is too coarse.
        crops = crop(tf.cast(maps, tf.float32), boxes, self.crop_size)
        crops = tf.cast(tf.reshape(crops, [-1, *crops.shape[2:]]), maps.dtype)
        seen = self._person.climb(crops)[-1]
        codes = tf.reshape(self.describe_region(_flat(seen)), [-1, self.regions, REGION])
        codes *= tf.cast(visible, codes.dtype)[..., tf.newaxis]
        return tf.reshape(codes, [-1, self.regions * REGION])

    def known(self, numbers: tf.Tensor) -> tf.Tensor:
        """The remembered codes with their poses, over and over: int64 [n] to float32 [n, codes + 54]."""
        return self.memory(numbers % self.shown)


@serializable
class CodedConv(_Convolution):
    """The 3x3 convolution of maps beside codes that are the same at every place, without making maps of the codes.

    What the codes add at a place is a dense product for each tap of the kernel, of those taps that fall inside.

    Args:
        filters: number of output channels.
        initializer: of the kernel.

    Call:
        a list of maps float [n, h, w, c] and codes float [n, d] to float [n, h, w, filters].
    """

    def __init__(self, filters: int, initializer: str = "dcgan", **kwargs: Any):
        settings = {"kernel_size": 3, "stride": 1, "spectral": False}
        super().__init__(filters, initializer=initializer, **{**settings, **kwargs})

    def build(self, input_shape: Any) -> None:
        maps, codes = input_shape
        self._add_weights([3, 3, maps[-1] + codes[-1], self.filters])

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        maps, codes = inputs
        kernel = self._kernel(maps.dtype)
        channels = maps.shape[-1]
        out = tf.nn.conv2d(maps, kernel[:, :, :channels], 1, "SAME")
        taps = tf.einsum("nc,yxcf->nyxf", codes, kernel[:, :, channels:])
        inside = [_inside(size, maps.dtype) for size in maps.shape[1:3]]
        out += tf.einsum("iy,jx,nyxf->nijf", *inside, taps)
        return tf.nn.bias_add(out, tf.cast(self.bias, out.dtype))


def _inside(size: int, dtype: tf.DType) -> tf.Tensor:
    """Which of the three taps falls inside at each place: [size, 3]."""
    places = tf.range(size)[:, tf.newaxis] + tf.constant([[-1, 0, 1]])
    return tf.cast((places >= 0) & (places < size), dtype)


@register("generator", "person")
class PersonGenerator(Configured, keras.Model):
    """A U-Net that paints codes of a person and of a background in a pose.

    Args:
        code_size: width of the code, with the 54 numbers of the pose at its end.
        image_size: height of the image in pixels.
        channels: of the image.
        dim: channels of the first maps.
        levels: levels of the U-Net.
        narrow: by how many times an image is less wide than high.
        slope: later addition: of leaky ReLUs in place of ReLUs, in encoder and U-Net. Where networks are narrow and rates
            high, ReLUs of the first layer die: it sees -1 nearly everywhere in all 18 maps of a pose, and no code and no
            pose passes it any more.
        limbs: later addition: whether the U-Net also sees a map of each limb, and so where the person is between keypoints.

    Call:
        codes float [n, code_size] to images float32 [n, image_size, image_size / narrow, channels]. In training they
        may lie outside of [-1, 1], at other times they are clipped.
    """

    NAMES = ("code_size", "image_size", "channels", "dim", "levels", "narrow", "slope", "limbs")

    def __init__(
        self,
        code_size: int = 406,
        image_size: int = 128,
        channels: int = 3,
        dim: int = 128,
        levels: int = 5,
        narrow: int = 1,
        slope: float = 0.0,
        limbs: bool = False,
        **kwargs: Any,
    ):
        # Poses keep their precision; layers cast what they take themselves.
        super().__init__(autocast=False, **kwargs)
        if code_size <= POSE or dim < 1:
            raise ValueError(
                f"A code ends with the {POSE} numbers of a pose, of which there is more before it, and maps have a "
                f"channel or more. Received: code_size={code_size}, dim={dim}"
            )
        self.code_size = code_size
        self.image_size = image_size
        self.channels = channels
        self.dim = dim
        self.levels = levels
        self.narrow = narrow
        self.slope = slope
        self.limbs = limbs
        self._height, self._width = _size(image_size, narrow, levels)
        options = {**policy_of(self), "initializer": _INITIALIZER}
        self.start = CodedConv(dim, **options)
        self._down = _Tower(dim, levels, slope, options)
        self.down_layers = self._down.layers
        self._smallest = [edge // 2 ** (levels - 1) for edge in (self._height, self._width)]
        self.narrowest = Linear(BOTTLENECK, **options)
        self.widen = Linear(math.prod(self._smallest) * dim, **options)
        skips = [dim * level for level in range(levels, 0, -1)]
        widths = [skip + (dim if index == 0 else skip) for index, skip in enumerate(skips)]
        self._up = [[Conv(width, 3, 1, **options) for _ in range(2)] for width in widths]
        self.up_layers = [layer for pair in self._up for layer in pair]
        self.narrower = [Conv(skip, 1, 1, **options) for skip in skips[1:]]
        # The image itself stays float32 under every precision policy.
        self.finish = Conv(channels, 3, 1, initializer=_INITIALIZER, dtype="float32")

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.built = True
            self(tf.zeros([1, self.code_size]))

    def call(self, codes: tf.Tensor, training: bool = False) -> tf.Tensor:
        dtype = keras_compat.policy(keras_compat.policy_name(self)).compute_dtype
        seen = (pose_maps, limb_maps) if self.limbs else (pose_maps,)
        maps = [make(codes[:, -POSE:], self._height, self._width) for make in seen]
        appearance = tf.cast(codes[:, :-POSE], dtype)
        channels = KEYPOINTS + len(LIMBS) * self.limbs
        maps = tf.ensure_shape(tf.concat(maps, -1), [None, self._height, self._width, channels])
        maps = _rectify(self.start([tf.cast(maps, dtype), appearance]), self.slope)
        skips = self._down.climb(maps)
        maps = self.widen(self.narrowest(_flat(skips[-1])))
        maps = tf.reshape(maps, [-1, *self._smallest, self.dim])
        for index, pair in enumerate(self._up):
            maps = _pair(tf.concat([maps, skips[-1 - index]], -1), pair, self.slope)
            if index < len(self.narrower):
                # Doubled first, as released, the same sums would be made four times over.
                maps = _double(self.narrower[index](maps))
        images = self.finish(tf.cast(maps, tf.float32))
        return images if training else tf.clip_by_value(images, -1.0, 1.0)


def _double(maps: tf.Tensor) -> tf.Tensor:
    """Each place four times: [n, h, w, c] to [n, 2h, 2w, c]."""
    return tf.repeat(tf.repeat(maps, 2, axis=1), 2, axis=2)
