"""An export that all tests of serving share, and how to ask for it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny
from tests.serving import servers


@pytest.fixture(scope="module")
def model():
    """Return a model whose two generators differ and whose images vary."""
    made = tiny.model(ema=0.9)
    rng = np.random.default_rng(0)
    for variable in (
        *made.best("generator").trainable_variables,
        *made.discriminator.trainable_variables,
    ):
        variable.assign(rng.normal(0, 1, variable.shape).astype(np.float32))
    return made


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    """Return the path of an export."""
    return model.export(tmp_path_factory.mktemp("exports") / "faces" / "1")


@pytest.fixture(scope="module")
def served(path):
    """Return the signatures of an export that was loaded again."""
    return tf.saved_model.load(str(path)).signatures


@pytest.fixture
def answers(session):
    """Return an export as TF Serving loads it."""
    session.asked.clear()
    session.failures.clear()
    return session


@pytest.fixture(scope="module")
def session(path):
    """Return the session of an export."""
    return servers.Answers(path)


@pytest.fixture
def requests(model):
    """Return a maker of random inputs of every signature, by its name."""

    def make(count, seed=0):
        rng = np.random.default_rng(seed)
        codes = {
            "identity": rng.normal(size=(count, model.d_i)).astype(np.float32),
            "observation": rng.normal(size=(count, model.d_o)).astype(np.float32),
        }
        seeds = {
            name: rng.integers(-(2**62), 2**62, count)
            for name in ("identity_seed", "observation_seed")
        }
        images = rng.integers(0, 256, (count, model.k, 8, 8, 3), np.uint8)
        return {
            "serving_default": codes,
            "generate_png": codes,
            "sample": seeds,
            "score": {"images": images},
        }

    return make
