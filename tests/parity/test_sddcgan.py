"""SD-DCGAN against the released graph: the same weights, images and codes give the same numbers,
before and after steps.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.parity import adapter
from tests.parity.released import OPTIMIZERS, ReleasedSDDCGAN, needs_layers, random_weights

TUPLES, STEPS = 4, 2
TINY = {"image_size": 16, "dim": 2, "d_i": 3, "d_o": 2, "k": 2}

# What float32 leaves of numbers of about 1.
ROUNDING = {"rtol": 2e-6, "atol": 2e-6}
# Of weights; the first steps of Adam, of about 2e-4 for every weight, divide gradients by their own
# size, and so make more of the rounding of those that are nearly 0.
ADAM, RMSPROP = {"rtol": 3e-7, "atol": 2e-6}, {"rtol": 3e-7, "atol": 1e-7}
# Mean squared gradients that RMSProp may remember after a while. By those that it starts with, the
# weights hardly move.
SQUARES = 1e-6

# By name: options of the model and of the released graph.
CASES = {
    "paper": ({"image_size": 32}, {}),
    "k4": ({"k": 4}, {}),
    "sc": ({"towers": "stacked"}, {"siamese": False}),
    "two_convolutions": ({"join_layers": 2}, {"collate": "conv_2"}),
    "dense": ({"join": "dense", "join_layers": 2}, {"collate": "dense_2"}),
    "lsgan": ({"objective": "lsgan"}, {"loss": "lsgan"}),
    # Without what docs/differences.md says that this package does not do.
    "wgan": ({"objective": "wgan", "critic_steps": 1}, {"loss": "wgan", "clip_norms": False}),
    "wgan-gp": (
        {"objective": "wgan-gp", "critic_steps": 1, "norm": "none"},
        {"loss": "wgan-gp", "normed": False, "penalty_axes": (1, 2, 3, 4)},
    ),
}


class Pair:
    """A model and the released graph of the same configuration."""

    def __init__(self, ours, released):
        options = {**TINY, **ours}
        self.shape = (TUPLES, options["k"], options["image_size"], options["image_size"], 3)
        self.model = adapter.make_sddcgan(**options)
        self.released = ReleasedSDDCGAN(
            k=options["k"],
            image_size=options["image_size"],
            channels=3,
            code_size=options["d_i"] + options["d_o"],
            dim=options["dim"],
            **released,
        )
        self.rmsprop = released.get("loss") in ("lsgan", "wgan")
        self.penalty = released.get("loss") == "wgan-gp"

    def start(self):
        """Give both the same weights; return a source of images, uint8."""
        shapes = self.released.shapes()
        # The released discriminator neither moves nor reads these.
        trained = {n: s for n, s in shapes.items() if not ("D/" in n and "moving" in n)}
        weights = random_weights(trained, seed=10)
        self.released.write(weights)
        adapter.write(self.model, weights)
        if self.rmsprop:
            self.released.set_squares(SQUARES)
            adapter.set_squares(self.model, SQUARES)
        random = np.random.default_rng(1)
        return lambda: random.integers(0, 256, self.shape, dtype=np.uint8)

    def cancelled(self, name):
        """Whether a batch norm takes away what a bias adds: its gradient is rounding error, which
        Adam makes a step of.
        """
        scope, layer, part = name.split("/")
        if part != "bias" or "_" not in layer:
            return False
        kind, index = layer.split("_")
        if scope == "G":
            return f"G/norm_{int(index) + 1}/gamma" in self.released.shapes()
        return "D/norm_0/gamma" in self.released.shapes() and layer != "down_0"


@pytest.fixture(
    scope="module",
    params=list(CASES),
)
def pair(request):
    return Pair(*CASES[request.param])


def floats(images):
    return images.astype(np.float32) / 127.5 - 1.0


@needs_layers
def test_images_and_scores(pair):
    images = floats(pair.start()())
    codes = adapter.codes(pair.model, TUPLES, "generator")

    for training, released in ((False, pair.released.inferred), (True, pair.released.fake)):
        made = adapter.images(pair.model, codes, training)
        wanted = pair.released.run(released, codes=codes)
        np.testing.assert_allclose(made, wanted.reshape(made.shape), **ROUNDING)
        assert made.std() > 0.05

    scores = adapter.discriminate(pair.model, images)
    np.testing.assert_allclose(
        scores, pair.released.run(pair.released.real_scores, images), **ROUNDING
    )
    assert scores.std() > 1e-3


@needs_layers
def test_steps(pair):
    draw = pair.start()
    tolerance = RMSPROP if pair.rmsprop else ADAM
    for step in range(STEPS):
        images, before = draw(), adapter.read(pair.model)
        codes = [adapter.codes(pair.model, TUPLES, n) for n in ("discriminator", "generator")]
        share = adapter.shares(pair.model, TUPLES) if pair.penalty else None

        logs = adapter.step(pair.model, images)
        losses = pair.released.step(floats(images), *codes, share)
        ours, released = adapter.read(pair.model), pair.released.read()

        np.testing.assert_allclose([logs[n] for n in losses], list(losses.values()), **ROUNDING)
        moved = {name for name, value in ours.items() if not np.array_equal(value, before[name])}
        # Of "wgan", what is added to all scores has no gradient.
        still = {name for name in set(ours) - moved if not pair.cancelled(name)}
        assert still <= {"D/score/bias"}
        for name, value in ours.items():
            if pair.cancelled(name):
                assert np.abs(value - released[name]).max() < 1e-3
            # The cancelled biases shift what is averaged after the first step.
            elif step == 0 or "moving" not in name:
                np.testing.assert_allclose(value, released[name], **tolerance, err_msg=name)


@pytest.mark.parametrize("loss", ["dcgan", "wgan-gp"])
def test_adam_is_the_released_one(loss):
    norm = "none" if loss == "wgan-gp" else "batch"
    model = adapter.SDGAN(**TINY, objective=loss, norm=norm)
    released = OPTIMIZERS[loss]()
    wanted = (released._lr, released._beta1, released._beta2, released._epsilon)
    for constants in adapter.constants(model):
        names = ("learning_rate", "beta_1", "beta_2", "epsilon")
        assert [constants[n] for n in names] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("loss", ["lsgan", "wgan"])
def test_rates_of_rmsprop_are_the_released_ones(loss):
    released = OPTIMIZERS[loss]()
    for constants in adapter.constants(adapter.SDGAN(**TINY, objective=loss)):
        wanted = (released._learning_rate, released._decay)
        assert (constants["learning_rate"], constants["rho"]) == pytest.approx(wanted, rel=1e-6)
