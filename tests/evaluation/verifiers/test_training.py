"""Verifiers trained on real identities."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf import keras_compat
from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation import train_verifier
from sdgan_tf.evaluation.verifiers.training import contrastive_loss


def coloured(identities=12, observations=4, seed=0):
    """Return images of one colour each, which all images of an identity share, in noise."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (identities, 1, 1, 1, 3))
    images = colours + rng.normal(0, 30, (identities, observations, 8, 8, 3))
    images = np.clip(images, 0, 255).astype(np.uint8).reshape(-1, 8, 8, 3)
    names = [f"{seed}-{index}" for index in range(identities)]
    return IdentityData(names, [observations] * identities, images)


def closeness(verifier, data):
    """Return the mean squared distance within identities over that between all images."""
    embeddings = verifier.embed(data.images).reshape(len(data), -1, verifier.network.embedding_size)
    within = np.mean((embeddings - embeddings.mean(1, keepdims=True)) ** 2)
    return within / np.mean((embeddings - embeddings.mean((0, 1))) ** 2)


def test_contrastive_loss_by_hand():
    embeddings = tf.constant([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [-1.0, 0.0]])
    labels = tf.constant([[0.0], [1.0], [0.0], [1.0]])
    # Of the first image's three others the second that shows its identity lies at 1, the rest at 0 and -1.
    first = np.log(1 + np.exp(-1.0) + np.exp(-2.0))
    # Of the second image's, all lie at 0; of the last one's, at -1, 0 and -1.
    expected = [first, np.log(3), first, np.log(1 + 2 * np.exp(-1.0))]
    losses = contrastive_loss(labels, embeddings, temperature=1.0)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_an_image_without_a_fellow_costs_nothing():
    losses = contrastive_loss(tf.constant([0, 1, 1]), tf.eye(3))
    assert losses[0] == 0.0 and np.all(np.isfinite(losses))


TINY = {"dim": 4, "embedding_size": 4, "batch_size": 8, "rate": 1e-2, "augment": ""}


def test_it_learns_what_unseen_identities_share():
    train, unseen = coloured(), coloured(seed=1)
    before = train_verifier(train, steps=1, **TINY)
    after = train_verifier(train, "colours", steps=60, **TINY)
    assert closeness(after, unseen) < 0.5 * closeness(before, unseen)
    assert (after.name, after.image_size, after.channels) == ("colours", 8, 3)
    assert after.facts["identities"] == 12 and after.facts["steps"] == 60


def test_the_same_seed_makes_the_same_verifier():
    options = {**TINY, "steps": 3, "augment": "translation"}
    first, second, third = (
        train_verifier(coloured(), seed=seed, **options).embed(coloured().images)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - third).max() > 1e-3


def test_training_shows_its_progress(capsys):
    train_verifier(coloured(), steps=2, **TINY)
    assert capsys.readouterr().err == ""
    train_verifier(coloured(), steps=2, verbose=True, **TINY)
    assert "Training the verifier" in capsys.readouterr().err


def test_triplets_are_the_addons():
    if keras_compat.KERAS_3:
        with pytest.raises(ImportError, match="addons"):
            train_verifier(coloured(), steps=1, loss="triplet", **TINY)
        return
    before = train_verifier(coloured(), steps=1, loss="triplet", **TINY)
    after = train_verifier(coloured(), steps=60, loss="triplet", **TINY)
    unseen = coloured(seed=1)
    assert closeness(after, unseen) < 0.7 * closeness(before, unseen)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "none"}, "one of.*Received: loss='none'"),
        ({"steps": 0}, "a step or more.*Received: steps=0"),
        ({"augment": "none"}, "Received: 'none'"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        train_verifier(coloured(), **options)
