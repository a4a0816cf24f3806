"""Adversarial losses: pure functions of scores, each term elementwise, so that expectations can be
worked out by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
from tensorflow import keras

Term = Callable[[tf.Tensor], tf.Tensor]


class Objective(NamedTuple):
    """What a score costs: float32 [n] to float32 [n]; the loss is the mean.

    Attributes:
        real: the discriminator's cost of a real tuple's score.
        fake: the discriminator's cost of a fake tuple's score.
        generator: the generator's cost of a fake tuple's score.
        pairing: whether costs are of the difference to a score of the other class, in the order of
            the batch.
        optimizer: the customary one: (`"adam"` or `"rmsprop"`, rate, beta_1, beta_2).
        critic_steps: customary updates of the discriminator for one of the generator.
        clip: bound of the discriminator's weights, 0 for none.
        penalty: weight of the penalty on gradients between real and fake tuples, 0 for none.
        bounded: whether a discriminator that tells all tuples apart costs 0, and none costs less.
    """

    real: Term
    fake: Term
    generator: Term
    pairing: bool = False
    optimizer: tuple[str, float, float, float] = ("adam", 2e-4, 0.5, 0.999)
    critic_steps: int = 1
    clip: float = 0.0
    penalty: float = 0.0
    bounded: bool = True

    def check(self, discriminator: keras.Model) -> None:
        """Refuses a discriminator that cannot be held to what the objective asks of one.

        Raises:
            ValueError: batch norm beside a penalty, or nothing to clip where weights are clipped.
        """
        if self.penalty and getattr(discriminator, "norm", None) == "batch":
            raise ValueError(
                "A gradient penalty (wgan-gp) is of each tuple by itself, but batch norm makes a "
                "score depend on the whole batch: take norm='none'. Received: norm='batch'"
            )
        if self.clip and not getattr(discriminator, "clippable", None):
            raise ValueError(
                "wgan clips weights of the discriminator, which names them by its attribute `clippable`, a "
                f"list of variables. Received: {type(discriminator).__name__} without any"
            )

    def discriminator_loss(
        self, real: tf.Tensor, fake: tf.Tensor, weights: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Scores of real and of fake tuples, float [n] each, to a float32 scalar; with `weights` of the real ones,
        float32 [n], their weighted mean, and 0 where all of these are 0: fakes alone would teach that all is fake.
        """
        if self.pairing:
            real, fake = real - fake, fake - real
        loss = _mean(self.real, real, weights) + _mean(self.fake, fake)
        return loss if weights is None else loss * tf.cast(tf.reduce_any(weights > 0), tf.float32)

    def negative_loss(
        self, real: tf.Tensor, negative: tf.Tensor, weights: tf.Tensor | None = None
    ) -> tf.Tensor:
        """What further negatives cost the discriminator: scores, float [n] each, to a float32 scalar; with `weights`,
        float32 [n], their weighted mean.
        """
        if self.pairing:
            return _mean(self.real, real - negative, weights)
        return _mean(self.fake, negative, weights)

    def make_optimizer(self) -> keras.optimizers.Optimizer:
        """A new optimizer of the customary kind."""
        kind, rate, beta_1, beta_2 = self.optimizer
        # The epsilons are those of TensorFlow 1, which the released code leaves as they are.
        if kind == "rmsprop":
            return keras.optimizers.RMSprop(rate, rho=beta_2, epsilon=1e-10)
        return keras.optimizers.Adam(rate, beta_1=beta_1, beta_2=beta_2, epsilon=1e-8)

    def generator_loss(self, fake: tf.Tensor, real: tf.Tensor | None = None) -> tf.Tensor:
        """Scores of fake tuples (and of real ones where the objective pairs them), float [n], to a
        float32 scalar.
        """
        return _mean(self.generator, fake - real if self.pairing else fake)


def _mean(term: Term, scores: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    costs = term(tf.cast(scores, tf.float32))
    if weights is None:
        return tf.reduce_mean(costs)
    return tf.math.divide_no_nan(tf.reduce_sum(weights * costs), tf.reduce_sum(weights))


OBJECTIVES = {
    # The mean of the real and the fake cross-entropy; the generator's is non-saturating.
    "dcgan": Objective(
        real=lambda score: 0.5 * tf.nn.softplus(-score),
        fake=lambda score: 0.5 * tf.nn.softplus(score),
        generator=lambda score: tf.nn.softplus(-score),
    ),
    # arXiv 1611.04076, with the released code's optimizer.
    "lsgan": Objective(
        real=lambda score: 0.5 * tf.square(score - 1.0),
        fake=lambda score: 0.5 * tf.square(score),
        generator=lambda score: tf.square(score - 1.0),
        optimizer=("rmsprop", 1e-4, 0.0, 0.9),
    ),
    # arXiv 1701.07875.
    "wgan": Objective(
        real=lambda score: -score,
        fake=lambda score: score,
        generator=lambda score: -score,
        optimizer=("rmsprop", 5e-5, 0.0, 0.9),
        critic_steps=5,
        clip=0.01,
        bounded=False,
    ),
    # arXiv 1704.00028.
    "wgan-gp": Objective(
        real=lambda score: -score,
        fake=lambda score: score,
        generator=lambda score: -score,
        optimizer=("adam", 1e-4, 0.5, 0.9),
        critic_steps=5,
        penalty=10.0,
        bounded=False,
    ),
    # arXiv 1802.05957.
    "hinge": Objective(
        real=lambda score: tf.nn.relu(1.0 - score),
        fake=lambda score: tf.nn.relu(1.0 + score),
        generator=lambda score: -score,
        optimizer=("adam", 2e-4, 0.0, 0.9),
    ),
    # The relativistic pairing loss of R3GAN (arXiv 2501.05441), customarily with R1 and R2.
    "relativistic": Objective(
        real=lambda difference: tf.nn.softplus(-difference),
        fake=lambda difference: tf.zeros_like(difference),
        generator=lambda difference: tf.nn.softplus(-difference),
        pairing=True,
        optimizer=("adam", 2e-4, 0.0, 0.9),
    ),
}


def get(name: str) -> Objective:
    """The objective called `name`."""
    if name not in OBJECTIVES:
        raise ValueError(
            f"The objective is one of {sorted(OBJECTIVES)}. Received: objective={name!r}"
        )
    return OBJECTIVES[name]


def recognition_cost(law: str, codes: tf.Tensor, read: tf.Tensor) -> tf.Tensor:
    """What reading a part of the code back costs: 0 for a reader that is right, 1 for one that knows nothing of a
    normal part.

    The mean squared error of a uniform or normal part is InfoGAN's bound with a fixed variance (arXiv 1606.03657), up
    to scale and a constant; a categorical part costs its cross-entropy and a Bernoulli part those of its bits, in nats.

    Args:
        law: of the part.
        codes: float32 [n, width], what the images were made of.
        read: float32 [n, width], what was read: means, or logits.

    Returns:
        A float32 scalar.
    """
    if law == "categorical":
        return code_length(law, codes, read)
    if law == "bernoulli":
        return code_length(law, codes, read) / codes.shape[-1]
    return tf.reduce_mean(tf.square(codes - read))


def code_length(
    law: str, codes: tf.Tensor, read: tf.Tensor, log_variance: tf.Tensor | float = 0.0
) -> tf.Tensor:
    """`-log Q(c|x)` of a part of the code, which is what `H(c)` less the information that is known of it comes to
    (arXiv 1606.03657, eq. 4).

    Args:
        law: of the part. A uniform or normal part is read by a Gaussian.
        codes: float32 [n, width], what the images were made of.
        read: float32 [n, width], what was read: means, or logits.
        log_variance: of the Gaussian, float32 that goes with [n, width].

    Returns:
        Nats, summed over the width, mean over the rows: a float32 scalar.
    """
    if law == "categorical":
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(codes, read))
    if law == "bernoulli":
        costs = tf.nn.sigmoid_cross_entropy_with_logits(codes, read)
    else:
        squares = tf.square(codes - read) * tf.exp(-tf.convert_to_tensor(log_variance))
        costs = 0.5 * (squares + log_variance + math.log(2 * math.pi))
    return tf.reduce_mean(tf.reduce_sum(costs, -1))


def entropy(law: str, width: int) -> float:
    """`H(c)` of a part of the code in nats; differential of a uniform or normal one.

    Args:
        law: of the part: `"uniform"` on [-1, 1], standard `"normal"`, `"categorical"` or `"bernoulli"`.
        width: how many numbers, or categories.
    """
    each = {"normal": 0.5 * math.log(2 * math.pi * math.e)}.get(law, math.log(2))
    return math.log(width) if law == "categorical" else width * each


def next_balance(k_t, loss_real, loss_fake, gamma: float, rate: float) -> tf.Tensor:
    """BEGAN's proportional control: `k_t + rate * (gamma L(x) - L(G(z)))`, kept in [0, 1] (arXiv
    1703.10717, eq. 3).
    """
    return tf.clip_by_value(k_t + rate * (gamma * loss_real - loss_fake), 0.0, 1.0)


def convergence(loss_real, loss_fake, gamma: float) -> tf.Tensor:
    """BEGAN's measure of progress, lower is better: `L(x) + |gamma L(x) - L(G(z))|` (arXiv
    1703.10717, section 3.4.1).
    """
    return loss_real + tf.abs(gamma * loss_real - loss_fake)
