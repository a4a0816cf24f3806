"""The variables of a network: named and first drawn alike in every process."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from tensorflow import keras


def by_path(network: keras.Model, path: str) -> dict[str, Any]:
    """All variables of a network by name, such as `generator/03_BatchNorm/gamma`.

    Args:
        network: built.
        path: what the names begin with.
    """
    return {
        f"{place}/{variable.name.split('/')[-1].split(':')[0]}": variable
        for place, layer in _leaves(network, path)
        for variable in layer.variables
    }


def seed(network: keras.Model, path: str, number: int) -> None:
    """Draws the kernels anew, as a pure function of the seed and of where they are."""
    for place, layer in _leaves(network, path):
        if hasattr(layer, "layer"):
            # A wrapper of TensorFlow Addons: draws its singular vector too, from the global
            # generator.
            start = keras.initializers.TruncatedNormal(
                stddev=0.02, seed=_hash(f"{number}/{place}/u")
            )
            layer.u.assign(start(layer.u.shape, "float32"))
            layer = layer.layer
        if hasattr(layer, "kernel_initializer"):
            settings = {**layer.kernel_initializer.get_config(), "seed": _hash(f"{number}/{place}")}
            initializer = type(layer.kernel_initializer).from_config(settings)
            layer.kernel.assign(initializer(layer.kernel.shape, "float32"))


def _leaves(network: keras.Model, path: str) -> Iterator[tuple[str, keras.layers.Layer]]:
    """The layers of a network that hold variables, each with a path that is the same in every
    process.
    """
    for index, layer in enumerate(network.layers):
        place = f"{path}/{index:02d}_{type(layer).__name__}"
        if isinstance(layer, keras.Model):
            yield from _leaves(layer, place)
        else:
            yield place, layer


def _hash(text: str) -> int:
    return zlib.crc32(text.encode()) & 0x7FFFFFFF
