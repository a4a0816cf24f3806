"""Losses, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf import objectives

LN3 = math.log(3.0)


def test_dcgan_terms_at_a_score_of_ln_3():
    # sigmoid(ln 3) = 3/4: the tuple is taken for real with probability 3/4.
    score = tf.constant([LN3])
    assert objectives.get("dcgan").real(score).numpy() == pytest.approx(-math.log(0.75) / 2)
    assert objectives.get("dcgan").fake(score).numpy() == pytest.approx(-math.log(0.25) / 2)
    assert objectives.get("dcgan").generator(score).numpy() == pytest.approx(-math.log(0.75))


def test_dcgan_losses_are_means_over_the_batch():
    undecided = tf.zeros([4])
    assert objectives.get("dcgan").discriminator_loss(undecided, undecided).numpy() == pytest.approx(
        math.log(2)
    )
    mixed = tf.constant([0.0, LN3])
    expected = (math.log(2) + math.log(4)) / 4
    assert objectives.get("dcgan").discriminator_loss(tf.fill([7], 99.0), mixed).numpy() == pytest.approx(
        expected
    )
    expected = (math.log(2) + math.log(4 / 3)) / 2
    assert objectives.get("dcgan").generator_loss(mixed).numpy() == pytest.approx(expected)


def test_dcgan_generator_does_not_saturate():
    # Where D is sure of the fake, the slope is still almost 1; a saturating loss has slope 0 there.
    score = tf.constant([-20.0])
    with tf.GradientTape() as tape:
        tape.watch(score)
        loss = objectives.get("dcgan").generator_loss(score)
    assert tape.gradient(loss, score).numpy() == pytest.approx(-1, abs=1e-6)


@pytest.mark.parametrize("name", sorted(objectives.OBJECTIVES))
def test_every_loss_is_a_finite_float32_scalar_under_half_precision(name):
    objective = objectives.get(name)
    scores = tf.constant([-1000.0, 0.0, 1000.0], tf.bfloat16)
    for loss in (objective.discriminator_loss(scores, scores), objective.generator_loss(scores)):
        assert loss.dtype == tf.float32 and loss.shape == []
        assert np.isfinite(loss)


@pytest.mark.parametrize("name", sorted(objectives.OBJECTIVES))
def test_every_loss_pulls_scores_the_right_way(name):
    objective = objectives.get(name)
    score = tf.constant([0.1])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(score)
        real, fake, generator = (term(score) for term in objective)
    assert tape.gradient(real, score) < 0, "D raises the score of real tuples"
    assert tape.gradient(fake, score) > 0, "D lowers the score of fake tuples"
    assert tape.gradient(generator, score) < 0, "G raises the score of fake tuples"


def test_unknown_objectives_are_refused_with_the_choice():
    assert objectives.get("dcgan") is objectives.get("dcgan")
    with pytest.raises(ValueError, match=r"one of \[.*'dcgan'.*\]. Received: 'gan'"):
        objectives.get("gan")
