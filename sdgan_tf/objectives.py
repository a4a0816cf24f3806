"""Adversarial losses: pure functions of scores, each term elementwise, so that expectations can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

Term = Callable[[tf.Tensor], tf.Tensor]


class Objective(NamedTuple):
    """What a score costs: float32 [n] to float32 [n]; the loss is the mean.

    Attributes:
        real: the discriminator's cost of a real tuple's score.
        fake: the discriminator's cost of a fake tuple's score.
        generator: the generator's cost of a fake tuple's score.
    """

    real: Term
    fake: Term
    generator: Term

    def discriminator_loss(self, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        """Scores of real and of fake tuples, float [n] each, to a float32 scalar."""
        return _mean(self.real, real) + _mean(self.fake, fake)

    def generator_loss(self, fake: tf.Tensor) -> tf.Tensor:
        """Scores of fake tuples, float [n], to a float32 scalar."""
        return _mean(self.generator, fake)


def _mean(term: Term, scores: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(term(tf.cast(scores, tf.float32)))


# The discriminator's loss is the mean of its real and fake cross-entropies; the generator's is non-saturating.
DCGAN = Objective(
    real=lambda score: 0.5 * tf.nn.softplus(-score),
    fake=lambda score: 0.5 * tf.nn.softplus(score),
    generator=lambda score: tf.nn.softplus(-score),
)

OBJECTIVES = {"dcgan": DCGAN}


def get(name: str) -> Objective:
    """The objective called `name`."""
    if name not in OBJECTIVES:
        raise ValueError(f"The objective is one of {sorted(OBJECTIVES)}. Received: {name!r}")
    return OBJECTIVES[name]


def next_balance(k_t, loss_real, loss_fake, gamma: float, rate: float) -> tf.Tensor:
    """BEGAN's proportional control: `k_t + rate * (gamma L(x) - L(G(z)))`, kept in [0, 1] (arXiv 1703.10717, eq. 3)."""
    return tf.clip_by_value(k_t + rate * (gamma * loss_real - loss_fake), 0.0, 1.0)


def convergence(loss_real, loss_fake, gamma: float) -> tf.Tensor:
    """BEGAN's measure of progress, lower is better: `L(x) + |gamma L(x) - L(G(z))|` (arXiv 1703.10717, section 3.4.1)."""
    return loss_real + tf.abs(gamma * loss_real - loss_fake)
