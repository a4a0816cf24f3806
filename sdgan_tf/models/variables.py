"""The variables of a network: named and first drawn alike in every process."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from tensorflow import keras


def by_path(network: keras.Model, path: str) -> dict[str, Any]:
    """All variables of a network by name, such as `generator/03_BatchNorm/gamma`.

    Args:
        network: built.
        path: what the names begin with.
    """
    named: dict[str, Any] = {}
    for place, layer in [*leaves(network, path), (path, network)]:
        known = {id(variable) for variable in named.values()}
        for variable in layer.variables:
            if (
                id(variable) in known
            ):  # of the network itself come those that none of its layers has
                continue
            name = f"{place}/{variable.name.split('/')[-1].split(':')[0]}"
            # Layers within a layer may call their variables alike.
            while name in named:
                name += "+"
            named[name] = variable
    return named


def seed(network: keras.Model, path: str, number: int) -> None:
    """Draws anew, as a pure function of the seed and of its place, what each layer draws by an initializer.

    What `KERNEL_initializer` of a layer draws is its variable `KERNEL`. Frozen layers keep what they hold.
    """
    for place, layer in leaves(network, path):
        if hasattr(layer, "layer") and hasattr(layer, "u"):
            # A wrapper of TensorFlow Addons: draws its singular vector too, from the global
            # generator.
            start = keras.initializers.TruncatedNormal(
                stddev=0.02, seed=_hash(f"{number}/{place}/u")
            )
            layer.u.assign(start(layer.u.shape, "float32"))
            layer = layer.layer
        # The layer itself, then those within it.
        for index, inner in enumerate(layer._flatten_layers()):
            _draw(inner, f"{number}/{place}" + f"/{index:02d}_{type(inner).__name__}" * (index > 0))


def _draw(layer: keras.layers.Layer, place: str) -> None:
    for name, initializer in list(vars(layer).items()) if layer.trainable else ():
        variable = getattr(layer, name[: -len("_initializer")], None)
        if not name.endswith("_initializer") or not hasattr(variable, "assign"):
            continue
        settings = initializer.get_config()
        if "seed" in settings:
            settings["seed"] = _hash(place if name == "kernel_initializer" else f"{place}/{name}")
            drawn = type(initializer).from_config(settings)(tuple(variable.shape), "float32")
            variable.assign(tf.cast(drawn, variable.dtype))


def leaves(network: keras.Model, path: str = "") -> Iterator[tuple[str, keras.layers.Layer]]:
    """The layers of a network that hold variables, each with a path that is the same in every
    process.
    """
    for index, layer in enumerate(network.layers):
        place = f"{path}/{index:02d}_{type(layer).__name__}"
        if isinstance(layer, keras.Model):
            yield from leaves(layer, place)
        else:
            yield place, layer


def _hash(text: str) -> int:
    return zlib.crc32(text.encode()) & 0x7FFFFFFF
