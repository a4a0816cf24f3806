"""Verifiers trained on real identities."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf import keras_compat
from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation import train_verifier
from sdgan_tf.evaluation.verifiers.training import margin_loss


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


def test_margin_loss_by_hand():
    cosines = tf.constant([[0.5, 0.1], [0.0, 0.2]])
    # The right cosine counts .2 less: .3 - .1 for the first image, 0 - 0 for the second.
    expected = [np.log(1 + np.exp(-16 * 0.2)), np.log(2)]
    losses = margin_loss(tf.constant([[0.0], [1.0]]), cosines)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)


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
