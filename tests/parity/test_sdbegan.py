"""SD-BEGAN against the released graph: the same weights, images and codes give the same numbers,
before and after steps.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.parity import adapter
from tests.parity.released import ReleasedSDBEGAN, needs_layers, random_weights, v1

TUPLES, STEPS = 4, 2
TINY = {"image_size": 16, "dim": 2, "d_i": 3, "d_o": 2, "k": 2}
CASES = {"paper": {"image_size": 32}, "k3": {"k": 3}}
ROUNDING = {"rtol": 2e-6, "atol": 2e-6}
WEIGHTS = {"rtol": 3e-7, "atol": 2e-7}


class Pair:
    """A model and the released graph of the same configuration."""

    def __init__(self, ours):
        options = {**TINY, **ours}
        self.shape = (TUPLES, options["k"], options["image_size"], options["image_size"], 3)
        self.model = adapter.make_sdbegan(**options)
        # Each weight moves once a step: docs/differences.md.
        self.released = ReleasedSDBEGAN(
            channels=3, code_size=options["d_i"] + options["d_o"], twice=False, **options
        )

    def start(self, k_t):
        """Give both the same weights and balance; return a source of images, uint8."""
        weights = random_weights(self.released.shapes(), seed=0)
        self.released.write(weights)
        adapter.write(self.model, weights)
        self.released.session.run(self.released.set_k_t, {self.released.new_k_t: k_t})
        adapter.set_k_t(self.model, k_t)
        random = np.random.default_rng(1)
        return lambda: random.integers(0, 256, self.shape, dtype=np.uint8)


@pytest.fixture(scope="module", params=CASES)
def pair(request):
    return Pair(CASES[request.param])


def floats(images):
    return images.astype(np.float32) / 127.5 - 1.0


@needs_layers
def test_images_and_rebuilt_tuples(pair):
    images = floats(pair.start(0.0)())
    codes = adapter.codes(pair.model, TUPLES, "both")
    released = pair.released

    made, rebuilt = released.run([released.fake, released.rebuilt], images, codes)
    ours = adapter.images(pair.model, codes, training=True)
    np.testing.assert_allclose(ours.reshape(pair.shape), made, **ROUNDING)
    both = np.concatenate([made, images])
    np.testing.assert_allclose(adapter.discriminate(pair.model, both), rebuilt, **ROUNDING)
    assert made.std() > 0.05 and rebuilt.std() > 0.05


@needs_layers
@pytest.mark.parametrize("k_t", [0.0, 0.3])
def test_steps(pair, k_t):
    draw = pair.start(k_t)
    for _ in range(STEPS):
        images, before = draw(), adapter.read(pair.model)
        codes = adapter.codes(pair.model, TUPLES, "both")

        logs = adapter.step(pair.model, images)
        released = pair.released.step(floats(images), codes)

        np.testing.assert_allclose([logs[n] for n in released], list(released.values()), **ROUNDING)
        weights = pair.released.read()
        for name, value in adapter.read(pair.model).items():
            assert not np.array_equal(value, before[name])
            np.testing.assert_allclose(value, weights[name], **WEIGHTS, err_msg=name)


def test_adam_is_the_released_one():
    released = v1.train.AdamOptimizer(8e-5)
    for constants in adapter.constants(adapter.SDBEGAN(**TINY)):
        wanted = (released._lr, released._beta1, released._beta2, released._epsilon)
        names = ("learning_rate", "beta_1", "beta_2", "epsilon")
        assert [constants[n] for n in names] == pytest.approx(wanted, rel=1e-6)
