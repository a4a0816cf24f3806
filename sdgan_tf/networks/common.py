"""What all families of networks share."""

from __future__ import annotations

from typing import Any

from tensorflow import keras

from sdgan_tf import keras_compat


def halvings(image_size: int, smallest: int, dim: int) -> int:
    """How many layers of stride 2 lie between images of `image_size` and maps of `smallest`.

    Raises:
        ValueError: `image_size` is not `smallest` doubled once or more, or maps of `dim` channels have none.
    """
    if dim < 1:
        raise ValueError(f"Networks are at least one channel wide. Received: dim={dim}")
    count = (image_size // smallest).bit_length() - 1
    if count < 1 or smallest * 2**count != image_size:
        raise ValueError(
            f"These networks take and make images whose edge is a power of two, {2 * smallest} or more. "
            f"Received: image_size={image_size}"
        )
    return count


class Configured:
    """A layer or network that is made again of a few arguments of its constructor, which it keeps as attributes.

    Attributes:
        NAMES: of these arguments.
    """

    NAMES: tuple[str, ...] = ()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **{name: getattr(self, name) for name in self.NAMES}}


def policy_of(network: keras.Model) -> dict[str, Any]:
    """The dtype policy that a network hands to its layers, as their keyword argument."""
    return {"dtype": keras_compat.policy(keras_compat.policy_name(network))}
