"""All that the comparison knows of how a model of this package is built: its weights by the
released names, the codes of a step, the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from sdgan_tf import keras_compat
from sdgan_tf.models import SDBEGAN, SDGAN

KERNEL = ("kernel", "bias")
NORM = ("gamma", "beta")
MOVING = ("moving_mean", "moving_variance")


def make_sddcgan(**options: Any) -> SDGAN:
    """Return a model that is ready to train."""
    return _compiled(SDGAN(**options))


def make_sdbegan(**options: Any) -> SDBEGAN:
    """Return a model that is ready to train."""
    return _compiled(SDBEGAN(**options))


def _compiled(model: Any) -> Any:
    model.compile()
    return model


def constants(model: Any) -> list[dict[str, float]]:
    """Return the constants of the optimizers that the model chose, the discriminator's first."""
    model.compile()
    names = ("learning_rate", "beta_1", "beta_2", "rho", "epsilon")
    optimizers = (model.d_optimizer, model.g_optimizer)
    return [
        {n: float(getattr(optimizer, n)) for n in names if hasattr(optimizer, n)}
        for optimizer in optimizers
    ]


def read(model: Any) -> dict[str, np.ndarray]:
    """Return the weights by the released names, without the discriminator's moving statistics: the
    released ones stand still.
    """
    weights = {name: np.array(tf.convert_to_tensor(v)) for name, v in _variables(model).items()}
    return {name: _order(model, name, value) for name, value in weights.items()}


def write(model: Any, weights: Mapping[str, np.ndarray]) -> None:
    """Set all weights; the names and shapes must be the released ones."""
    variables = _variables(model)
    assert set(variables) == set(weights)
    for name, variable in variables.items():
        variable.assign(_order(model, name, weights[name], back=True))


def images(model: Any, codes: np.ndarray, training: bool) -> np.ndarray:
    """Return the generator's images: float [n, d] to float [n, h, w, c]."""
    return model.generator(tf.constant(codes), training=training).numpy()


def discriminate(model: Any, tuples: np.ndarray) -> np.ndarray:
    """Return what the discriminator says in training: scores [n], or rebuilt tuples."""
    return model.discriminator(tf.constant(tuples), training=True).numpy()


def codes(model: Any, count: int, stream: str) -> np.ndarray:
    """Return the codes that the next step draws for `count` tuples, flat: for the
    `"discriminator"`, for the `"generator"`, or for `"both"`.
    """
    stream = "codes" if stream == "both" else f"codes of the {stream}"
    return model.draw(count, stream).numpy()


def shares(model: Any, count: int) -> np.ndarray:
    """Return where the next step takes the gradient penalty of `"wgan-gp"`: float
    [count, 1, 1, 1, 1] from 0 for real to 1 for fake.
    """
    seed = model.random("interpolation of the penalty")
    real = tf.random.stateless_uniform([count, 1, 1, 1, 1], seed, alg="philox").numpy()
    return 1.0 - real


def set_k_t(model: SDBEGAN, value: float) -> None:
    """Set the balance of SD-BEGAN."""
    model.k_t.assign(value)


def set_squares(model: SDGAN, value: float) -> None:
    """Set the mean squared gradients that RMSprop remembers; they start at 0."""
    for optimizer in (model.d_optimizer, model.g_optimizer):
        for variable in getattr(optimizer, "_velocities", []):
            variable.assign(tf.fill(variable.shape, value))


def step(model: Any, batch: np.ndarray) -> dict[str, float]:
    """Run one training step on uint8 [b, k, h, w, c]; return what it logs of this step alone."""
    model.reset_metrics()
    return {name: float(value) for name, value in model.train_step(tf.constant(batch)).items()}


def _variables(model: Any) -> dict[str, Any]:
    if isinstance(model, SDBEGAN):
        return _sdbegan_variables(model.generator, model.discriminator)
    return _sddcgan_variables(model.generator, model.discriminator)


def _sddcgan_variables(generator: Any, discriminator: Any) -> dict[str, Any]:
    lists = {"norm": generator.norms, "up": [*generator.convs, generator.finish]}
    variables = _named("G", {"start": generator.start, **_numbered(lists)}, MOVING)
    lists = {"down": discriminator.tower, "norm": discriminator.norms, "joint": discriminator.joint}
    return {**variables, **_named("D", {**_numbered(lists), "score": discriminator.finish})}


def _sdbegan_variables(generator: Any, autoencoder: Any) -> dict[str, Any]:
    def image_maker(network: Any, prefix: str = "") -> dict[str, Any]:
        ends = {f"{prefix}start": network.start, f"{prefix}finish": network.finish}
        return {**ends, **_numbered({f"{prefix}conv": network.convs})}

    layers = {"encoded": autoencoder.encoded, "joint": autoencoder.joint}
    layers.update(_numbered({"encoder": autoencoder.encoder, "part": autoencoder.parted}))
    layers.update(image_maker(autoencoder.decoder, "decoder_"))
    return {**_named("G", image_maker(generator)), **_named("D", layers)}


def _numbered(lists: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{n}_{index}": layer for n, layers in lists.items() for index, layer in enumerate(layers)
    }


def _named(scope: str, layers: Mapping[str, Any], moving: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        f"{scope}/{name}/{part}": keras_compat.tensor_of(getattr(layer, part))
        for name, layer in layers.items()
        for part in (KERNEL if hasattr(layer, "kernel") else (*NORM, *moving))
    }


def _order(model: Any, name: str, value: np.ndarray, back: bool = False) -> np.ndarray:
    """The rows of the first joint dense layer: image by image in the released code, place by place
    here.
    """
    if name != "D/joint_0/kernel" or value.ndim != 2:
        return value
    k, places = model.k, 16
    shape = (k, places, -1) if back else (places, k, -1)
    return value.reshape(*shape, value.shape[1]).swapaxes(0, 1).reshape(value.shape)
