"""Losses, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import objectives
from sdgan_tf.latents import LAWS

LN3 = math.log(3.0)
# sigmoid(ln 3) = 3/4: softplus(-ln 3) = ln(4/3), softplus(ln 3) = ln 4, softplus(0) = ln 2.
LOW, HIGH, EVEN = math.log(4 / 3), math.log(4), math.log(2)


def gradients(loss, *scores):
    """Return the gradients of `loss(*scores)` in lists of scores, as arrays."""
    scores = [tf.constant(each, tf.float32) for each in scores]
    with tf.GradientTape() as tape:
        tape.watch(scores)
        total = loss(*scores)
    unconnected = tf.UnconnectedGradients.ZERO
    return [
        gradient.numpy()
        for gradient in tape.gradient(total, scores, unconnected_gradients=unconnected)
    ]


@pytest.mark.parametrize(
    ("name", "term", "scores", "costs"),
    [
        ("dcgan", "real", [LN3, -LN3, 0], [LOW / 2, HIGH / 2, EVEN / 2]),
        ("dcgan", "fake", [LN3, -LN3, 0], [HIGH / 2, LOW / 2, EVEN / 2]),
        ("dcgan", "generator", [LN3, -LN3, 0], [LOW, HIGH, EVEN]),
        ("lsgan", "real", [2, 1, -1], [0.5, 0, 2]),
        ("lsgan", "fake", [2, 0, -1], [2, 0, 0.5]),
        ("lsgan", "generator", [2, 1, -1], [1, 0, 4]),
        ("wgan", "real", [2, -3], [-2, 3]),
        ("wgan", "fake", [2, -3], [2, -3]),
        ("wgan", "generator", [2, -3], [-2, 3]),
        ("wgan-gp", "real", [2, -3], [-2, 3]),
        ("wgan-gp", "fake", [2, -3], [2, -3]),
        ("wgan-gp", "generator", [2, -3], [-2, 3]),
        ("hinge", "real", [2, 1, 0.25, -3], [0, 0, 0.75, 4]),
        ("hinge", "fake", [2, -1, -0.25, -3], [3, 0, 0.75, 0]),
        ("hinge", "generator", [2, -3], [-2, 3]),
        ("relativistic", "real", [LN3, -LN3, 0], [LOW, HIGH, EVEN]),
        ("relativistic", "fake", [LN3, -LN3, 0], [0, 0, 0]),
        ("relativistic", "generator", [LN3, -LN3, 0], [LOW, HIGH, EVEN]),
    ],
)
def test_terms_by_hand(name, term, scores, costs):
    terms = getattr(objectives.get(name), term)(tf.constant(scores, tf.float32))
    np.testing.assert_allclose(terms, costs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "discriminator", "negative", "generator"),
    [
        # Means of the costs of real [0, 2] and fake [1, -1] tuples, negatives [3, 0].
        ("lsgan", 0.5 + 0.5, 2.25, 2.0),
        ("wgan", -1.0 + 0.0, 1.5, 0.0),
        ("wgan-gp", -1.0 + 0.0, 1.5, 0.0),
        ("hinge", 0.5 + 1.0, 2.5, 0.0),
    ],
)
def test_losses_are_means_over_the_batch(name, discriminator, negative, generator):
    objective = objectives.get(name)
    real, fake = tf.constant([0.0, 2.0]), tf.constant([1.0, -1.0])
    assert float(objective.discriminator_loss(real, fake)) == pytest.approx(discriminator)
    loss = objective.negative_loss(real, tf.constant([3.0, 0.0]))
    assert float(loss) == pytest.approx(negative)
    assert float(objective.generator_loss(fake)) == pytest.approx(generator)
    assert float(objective.generator_loss(fake, real)) == pytest.approx(generator), "not paired"


def test_dcgan_losses_are_means_over_the_batch():
    objective = objectives.get("dcgan")
    undecided, mixed = tf.zeros([4]), tf.constant([0.0, LN3])
    assert float(objective.discriminator_loss(undecided, undecided)) == pytest.approx(EVEN)
    loss = objective.discriminator_loss(tf.fill([7], 99.0), mixed)
    assert float(loss) == pytest.approx((EVEN + HIGH) / 4)
    assert float(objective.negative_loss(undecided, mixed)) == pytest.approx((EVEN + HIGH) / 4)
    assert float(objective.generator_loss(mixed)) == pytest.approx((EVEN + LOW) / 2)


def test_relativistic_losses_are_of_differences_in_the_order_of_the_batch():
    objective = objectives.get("relativistic")
    real, fake = tf.constant([5.0 + LN3, 1.0]), tf.constant([5.0, 1.0 + LN3])
    # Real minus fake: ln 3 and -ln 3. Pairing them the other way round costs another sum.
    assert float(objective.discriminator_loss(real, fake)) == pytest.approx((LOW + HIGH) / 2)
    assert float(objective.discriminator_loss(real, fake[::-1])) != pytest.approx((LOW + HIGH) / 2)
    assert float(objective.negative_loss(real, real - LN3)) == pytest.approx(LOW)
    # Fake minus real: what the generator raises.
    assert float(objective.generator_loss(real - LN3, real)) == pytest.approx(HIGH)
    assert float(objective.generator_loss(real + LN3, real)) == pytest.approx(LOW)
    # Only differences count.
    loss = objective.discriminator_loss(real + 100, fake + 100)
    assert float(loss) == pytest.approx((LOW + HIGH) / 2, rel=1e-3)


def test_only_the_relativistic_objective_pairs():
    pairing = {name for name, objective in objectives.OBJECTIVES.items() if objective.pairing}
    assert pairing == {"relativistic"}


@pytest.mark.parametrize("name", ["dcgan", "relativistic"])
def test_the_generators_loss_does_not_saturate(name):
    # Where D is sure of the fake, the gradient is still almost 1; that of a saturating loss is 0 there.
    gradient = gradients(objectives.get(name).generator_loss, [-20.0], [0.0])[0]
    assert gradient == pytest.approx(-1, abs=1e-6)


def test_hinge_leaves_alone_what_is_beyond_the_margin():
    real, fake = gradients(objectives.get("hinge").discriminator_loss, [2.0, 0.5], [-2.0, -0.5])
    assert real.tolist() == [0, -0.5] and fake.tolist() == [0, 0.5]


@pytest.mark.parametrize("name", sorted(objectives.OBJECTIVES))
def test_every_loss_is_a_finite_float32_scalar_under_half_precision(name):
    objective = objectives.get(name)
    scores = tf.constant([-1000.0, 0.0, 1000.0], tf.bfloat16)
    for loss in (
        objective.discriminator_loss(scores, scores),
        objective.discriminator_loss(scores, scores[::-1]),
        objective.negative_loss(scores, scores[::-1]),
        objective.generator_loss(scores, scores[::-1]),
    ):
        assert loss.dtype == tf.float32 and loss.shape == []
        assert np.isfinite(loss)


@pytest.mark.parametrize("name", sorted(objectives.OBJECTIVES))
def test_every_loss_pulls_scores_the_right_way(name):
    objective = objectives.get(name)
    # Between the targets of least squares, 0 and 1.
    first, second = [0.1, 0.2], [0.3, 0.1]
    real, fake = gradients(objective.discriminator_loss, first, second)
    assert np.all(real < 0), "D raises the score of real tuples"
    assert np.all(fake > 0), "D lowers the score of fake tuples"
    _, negative = gradients(objective.negative_loss, first, second)
    assert np.all(negative > 0), "D lowers the score of further negatives"
    fake, _ = gradients(objective.generator_loss, first, second)
    assert np.all(fake < 0), "G raises the score of fake tuples"


@pytest.mark.parametrize(
    ("name", "kind", "options", "customs"),
    [
        ("dcgan", "adam", {"learning_rate": 2e-4, "beta_1": 0.5, "beta_2": 0.999}, (1, 0, 0)),
        ("lsgan", "rmsprop", {"learning_rate": 1e-4, "rho": 0.9, "momentum": 0}, (1, 0, 0)),
        ("wgan", "rmsprop", {"learning_rate": 5e-5, "rho": 0.9, "momentum": 0}, (5, 0.01, 0)),
        ("wgan-gp", "adam", {"learning_rate": 1e-4, "beta_1": 0.5, "beta_2": 0.9}, (5, 0, 10)),
        ("hinge", "adam", {"learning_rate": 2e-4, "beta_1": 0, "beta_2": 0.9}, (1, 0, 0)),
        ("relativistic", "adam", {"learning_rate": 2e-4, "beta_1": 0, "beta_2": 0.9}, (1, 0, 0)),
    ],
)
def test_customs(name, kind, options, customs):
    objective = objectives.get(name)
    optimizer = objective.make_optimizer()
    assert type(optimizer) is type(keras.optimizers.get(kind))
    config = optimizer.get_config()
    assert {key: config[key] for key in options} == pytest.approx(options)
    assert (objective.critic_steps, objective.clip, objective.penalty) == customs
    assert objective.make_optimizer() is not optimizer, "two networks cannot share one"


def test_unknown_objectives_are_refused_with_the_choice():
    assert objectives.get("dcgan") is objectives.get("dcgan")
    with pytest.raises(ValueError, match=r"one of \[.*'dcgan'.*\]. Received: objective='gan'"):
        objectives.get("gan")


# --- reading codes back


@pytest.mark.parametrize(
    ("law", "codes", "read", "cost"),
    [
        ("normal", [[1.0, -1.0], [0.0, 2.0]], [[0.0, -1.0], [0.0, 0.0]], (1 + 4) / 4),
        ("uniform", [[0.5], [-0.5]], [[0.5], [0.5]], 1 / 2),
        # Of two logits that differ by ln 3 the right one is sure by 3/4, of equal ones by half.
        ("categorical", [[1.0, 0.0], [0.0, 1.0]], [[LN3, 0.0], [5.0, 5.0]], (LOW + EVEN) / 2),
        ("bernoulli", [[1.0, 0.0]], [[LN3, LN3]], (LOW + HIGH) / 2),
    ],
)
def test_what_reading_a_part_back_costs(law, codes, read, cost):
    paid = objectives.recognition_cost(law, tf.constant(codes), tf.constant(read))
    assert float(paid) == pytest.approx(cost)


@pytest.mark.parametrize(
    ("law", "codes", "read", "log_variance", "nats"),
    [
        # Of two logits that differ by ln 3 the right one is sure by 3/4.
        ("categorical", [[1.0, 0.0]], [[LN3, 0.0]], 0.0, LOW),
        ("bernoulli", [[1.0, 0.0]], [[LN3, LN3]], 0.0, LOW + HIGH),
        ("uniform", [[1.0, 0.5]], [[0.0, 0.5]], 0.0, (1 + 2 * math.log(2 * math.pi)) / 2),
        # A variance of 3: a third of the squared error, and its logarithm beside.
        ("normal", [[3.0], [3.0]], [[0.0], [3.0]], LN3, (1.5 + LN3 + math.log(2 * math.pi)) / 2),
    ],
)
def test_the_length_of_a_code_in_nats(law, codes, read, log_variance, nats):
    length = objectives.code_length(law, tf.constant(codes), tf.constant(read), log_variance)
    assert float(length) == pytest.approx(nats, rel=1e-6)


def test_the_entropy_of_a_code_is_what_a_reader_who_knows_nothing_pays():
    for law, width in (("categorical", 10), ("bernoulli", 3), ("normal", 2), ("uniform", 2)):
        drawn = LAWS[law].draw([20000, width], tf.constant([1, 2], tf.int64))
        # Nothing known: equal logits, or the law's own mean and variance.
        variance = {"normal": 1.0, "uniform": 1 / 3}.get(law, 1.0)
        length = objectives.code_length(law, drawn, tf.zeros_like(drawn), math.log(variance))
        # A Gaussian is not a uniform law: it pays .176 nats a number more.
        surplus = width * (math.log(2 * math.pi * math.e / 12) / 2) if law == "uniform" else 0.0
        assert float(length) == pytest.approx(objectives.entropy(law, width) + surplus, abs=0.02)
    assert objectives.entropy("categorical", 10) == pytest.approx(2.302585)


# --- BEGAN's balance


@pytest.mark.parametrize(
    ("k_t", "loss_real", "loss_fake", "expected"),
    [
        (0.25, 0.8, 0.1, 0.25 + 0.1 * (0.5 * 0.8 - 0.1)),
        (0.25, 0.2, 0.9, 0.25 + 0.1 * (0.5 * 0.2 - 0.9)),
        (0.01, 0.0, 0.5, 0.0),
        (0.99, 1.0, 0.1, 1.0),
    ],
)
def test_the_balance_moves_by_the_rate_and_stays_between_0_and_1(
    k_t, loss_real, loss_fake, expected
):
    moved = objectives.next_balance(tf.constant(k_t), loss_real, loss_fake, 0.5, 0.1)
    assert float(moved) == pytest.approx(expected)


def test_convergence_counts_the_distance_from_balance_on_either_side():
    assert float(objectives.convergence(0.8, 0.1, 0.5)) == pytest.approx(0.8 + 0.3)
    assert float(objectives.convergence(0.8, 0.7, 0.5)) == pytest.approx(0.8 + 0.3)
    assert float(objectives.convergence(0.8, 0.4, 0.5)) == pytest.approx(0.8)
