"""The smallest models and data that train, for tests of what stands around training."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from tensorflow import keras

import sdgan_tf as sd
from sdgan_tf.data import IdentityData
from sdgan_tf.keras_compat import value_of

MODERN = {
    "law": "normal",
    "norm": "none",
    "mixed": 0.3,
    "r1": 0.3,
    "r1_every": 3,
    "augment": "translation,color",
    "ema": 0.9,
}


def people(identities=4, observations=3, size=8, seed=0) -> IdentityData:
    """Return random images by identity."""
    shape = (identities * observations, size, size, 3)
    images = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    names = [f"person-{number}" for number in range(identities)]
    return IdentityData(names, [observations] * identities, images)


def model(rate=2e-3, **options) -> sd.SDGAN:
    """Return a compiled model with always the same first weights."""
    keras.utils.set_random_seed(1)
    made = sd.SDGAN(**{"image_size": 8, "dim": 1, "d_i": 2, "d_o": 2, **options})
    adams = (keras.optimizers.Adam(rate, beta_1=0.5) for _ in range(2))
    made.compile(d_optimizer=next(adams), g_optimizer=next(adams))
    return made


def values(made) -> dict[str, np.ndarray]:
    """Return a copy of the whole state of a model."""
    return {name: value_of(variable) for name, variable in made.state().items()}


def restore(made, state: dict[str, np.ndarray]) -> None:
    """Give a model a state that `values` returned."""
    for name, variable in made.state().items():
        variable.assign(state[name])


def digests(folder: Path, pattern: str) -> dict[str, str]:
    """Return what the files of a folder contain, by name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob(pattern))
    }
