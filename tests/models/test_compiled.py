"""Train steps that XLA compiles, each with the numbers of the step that it does not.

Compilation is slow: most models wait for `python -m pytest -m slow tests/models/test_compiled.py`.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

import sdgan_tf as sd
from sdgan_tf import keras_compat
from sdgan_tf.data import IdentityData
from sdgan_tf.models import DPIG, DPIGMaps, InfoGAN, StackedGAN
from sdgan_tf.networks import SiameseDiscriminator
from tests import tiny
from tests.models.model_case import descending

# Compilation takes seconds, which both stacks need not spend.
pytestmark = pytest.mark.skipif(not keras_compat.KERAS_3, reason="compiled on the current stack")

STEPS = 3
SIZE = {"image_size": 8, "d_i": 2, "d_o": 2}
DPIG_SIZE = {"training_identities": 4, "image_size": 16, "dim": 2, "levels": 2}
DPIG_SIZE |= {"tower_levels": 2, "crop_size": 8, "regions": 2, "background": 3}


class Pairs(SiameseDiscriminator):
    """A discriminator that compiles fast."""

    def __init__(self, k=2):
        super().__init__()
        self.k = k
        self.look, self.finish = layers.Dense(4), layers.Dense(1)

    def features(self, images, training=False, groups=1, track=True):
        return tf.tanh(self.look(tf.reshape(images, [-1, 8 * 8 * 3])))

    def compare(self, features, training=False, groups=1, track=True):
        return self.finish(tf.square(features[:, 0] - features[:, -1]) + features[:, 0])[:, 0]


def fast(code_size=4, k=2):
    """Return networks that compile fast."""
    paint = [layers.Dense(8 * 8 * 3, activation="tanh"), layers.Reshape((8, 8, 3))]
    generator = keras.Sequential([keras.Input([code_size]), *paint])
    return {"generator": generator, "discriminator": Pairs(k)}


def with_additions():
    """Return an SD-GAN with a lazy penalty, an average, identity features and all else that may be added."""
    # Its weights are taken as they are, so that both models need the same ones.
    dense = layers.Dense(5, kernel_initializer=keras.initializers.GlorotUniform(seed=0))
    look = [keras.Input([8, 8, 3]), layers.Flatten(), dense]
    features = {"identity_features": 0.5, "embedder": keras.Sequential(look)}
    added = {"law": "normal", "mixed": 0.3, "r1": 0.3, "r1_every": 2, "augment": "translation"}
    added |= {"ema": 0.9, "lecam": 0.1, "recognise_i": 0.5, "recognise_by": "embedder"}
    return sd.SDGAN(**SIZE, **fast(), **added, **features)


def objective(name, critic_steps):
    return sd.SDGAN(**SIZE, **fast(), objective=name, critic_steps=critic_steps)


MODELS = {
    "additions": with_additions,
    # The generator's turn comes at every other step.
    "wgan-gp": lambda: objective("wgan-gp", 2),
    "pairs": lambda: sd.EncoderPairGAN(4, **SIZE, **fast()),
    "relativistic": lambda: objective("relativistic", 1),
    # The paper's networks and batch norm; clipped weights.
    "wgan": lambda: sd.SDGAN(**SIZE, dim=1, objective="wgan", critic_steps=1),
    "sdbegan": lambda: sd.SDBEGAN(**{**SIZE, "image_size": 16}, dim=1, ema=0.9),
    "names": lambda: sd.ACDCGAN(4, **SIZE, dim=1, norm="spectral", r1=0.1, recognise_o=0.3),
    "infogan": lambda: InfoGAN(
        **fast(15, k=1), recogniser="dense", noise=3, variance="learned", image_size=8, channels=3
    ),
    "stacked": lambda: StackedGAN(4, dim=1, image_size=16, noise_top=2, noise_bottom=2),
    "dpig": lambda: DPIG(**DPIG_SIZE, discriminator_dim=1),
    "dpig_maps": lambda: DPIGMaps(
        **DPIG_SIZE,
        discriminator_dim=1,
        map_dim=2,
        pose_code=2,
        objective="wgan-gp",
        critic_steps=2,
    ),
}
FAST = ("additions", "wgan-gp", "pairs")


def people(model):
    """Return data for a model."""
    size, channels = model.image_size, model.channels
    if "keypoints" in model.FIELDS:
        return sd.data.drawn(4, 3, size, channels=channels, keypoints=True, bodies=True)
    images = tiny.people(4, 3, size).images[..., :channels]
    return IdentityData([f"person-{number}" for number in range(4)], [3] * 4, images)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in MODELS],
)
def test_a_compiled_step_has_the_numbers_of_one_that_is_not(name):
    states, logs = [], []
    for compiled in (False, True):
        model = MODELS[name]()
        # Without Adam, which makes a whole step of a gradient that is nothing but rounding; its own is tried once.
        optimizers = {} if name == "sdbegan" else descending(0.05, model.players)
        model.compile(jit_compile=compiled, run_eagerly=not compiled, **optimizers)
        before = tiny.values(model)
        data = people(model)
        history = model.fit(data.tuples(model.k, 4), steps_per_epoch=STEPS, verbose=0).history
        states.append(tiny.values(model))
        logs.append({number: values[-1] for number, values in history.items()})
    assert model.completed_steps == STEPS
    assert any(
        np.any(states[1][name] != value) for name, value in before.items() if "kernel" in name
    )
    assert logs[1] == pytest.approx(logs[0], rel=1e-4, abs=1e-5)
    for variable, value in states[0].items():
        np.testing.assert_allclose(
            states[1][variable], value, rtol=1e-4, atol=1e-5, err_msg=variable
        )
