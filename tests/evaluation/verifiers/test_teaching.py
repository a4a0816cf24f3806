"""What a verifier learns from a teacher."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation import Verifier, VerifierError, train_verifier
from sdgan_tf.evaluation.verifiers import teaching
from tests.evaluation.verifiers.test_training import TINY, closeness, coloured


def colours(images):
    """Return the mean colour of each image, a number of no meaning, and one that is always the same."""
    mean = tf.reduce_mean(images, [1, 2])
    return tf.concat([mean, 0.01 * images[:, :1, 0, 0], tf.ones_like(mean[:, :1])], -1)


def teacher(network=colours):
    return Verifier(network, "colours", 8, metric="euclidean")


def test_a_teacher_s_embeddings_are_centred_turned_and_cut():
    data = coloured()
    raw = teacher().embed(data.images)
    raw = raw - raw.mean(0)
    for size, error in ((5, 1e-5), (3, 1e-3), (7, 1e-5)):
        targets = teaching.taught(teacher(), data, size).fields[teaching.FIELD]
        assert targets.shape == (48, size) and targets.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(targets, axis=1), 1, rtol=1e-5)
        angles = raw @ raw.T / np.outer(*[np.linalg.norm(raw, axis=1)] * 2)
        np.testing.assert_allclose(targets @ targets.T, angles, atol=error)
    assert np.all(targets[:, 5:] == 0)


def test_the_distillation_loss_by_hand():
    targets = tf.constant([[1.0, 0.0], [0.0, 1.0]])
    losses = teaching.distillation_loss(targets, tf.constant([[1.0, 0.0], [1.0, 0.0]]), 1.0)
    # The first lies at its target; the second at the other one's.
    expected = [np.log(1 + np.exp(-1.0)), np.log(1 + np.exp(1.0)) + 1]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_what_a_teacher_knows_is_learned_without_names():
    # Each image is somebody else's, so nothing but the teacher tells that colours matter.
    images = coloured().images
    train = IdentityData([str(number) for number in range(len(images))], [1] * len(images), images)
    unseen = coloured(seed=1)
    before, after = (
        train_verifier(train, teacher=teacher(), steps=steps, **TINY) for steps in (1, 60)
    )
    assert closeness(after, unseen) < 0.5 * closeness(before, unseen)
    assert after.facts["teacher"] == "colours" and after.facts["loss"] == "distillation"


def test_of_many_images_a_teacher_is_shown_some(monkeypatch):
    data = coloured(identities=12, observations=4)
    assert teaching.shown(data) is data
    monkeypatch.setattr(teaching, "MOST_IMAGES", 20)
    assert teaching.shown(data).names == ["0-0", "0-2", "0-4", "0-7", "0-9"]


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_teacher_that_sees_nothing_is_refused(value):
    blind = teacher(
        lambda images: tf.fill([tf.shape(images)[0], 2], tf.constant(value, tf.float32))
    )
    with pytest.raises(VerifierError, match="all alike or not finite"):
        train_verifier(coloured(), teacher=blind, steps=1, **TINY)
