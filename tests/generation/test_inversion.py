"""Inversion: images give their codes back."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.generation import Search, invert
from tests import tiny
from tests.painter import Painter

# Beyond the seeds of the random codes, which would hit the codes themselves.
HIDDEN = [10**6, 10**6 + 1, 10**6 + 2]
QUICK = Search(steps=80, rate=0.1, restarts=2, random_codes=32)


def hidden(model, count=3):
    """Return codes that no search tries, and their images."""
    identity, observation = model.grid_codes(HIDDEN[:count], HIDDEN[:count])
    codes = np.concatenate([identity, observation], axis=1)
    return identity, observation, model.render(codes)


@pytest.mark.parametrize("law", ["uniform", "normal"])
def test_codes_of_a_linear_painter_are_recovered(law, capsys):
    model = Painter(law=law)
    identity, observation, photos = hidden(model)
    # Normal codes may paint beyond black and white, where nothing tells them apart.
    photos = (
        photos
        if law == "uniform"
        else model.render(np.concatenate([identity, observation], axis=1) / 3)
    )
    scale = 1 if law == "uniform" else 3
    inversion = invert(model, photos, QUICK, verbose=True)
    np.testing.assert_allclose(inversion.identity, identity / scale, atol=0.05)
    np.testing.assert_allclose(inversion.observation, observation / scale, atol=0.05)
    np.testing.assert_array_equal(
        inversion.images,
        model.render(np.concatenate([inversion.identity, inversion.observation], 1)),
    )
    assert inversion.error.max() < 1.5 and inversion.random_error.min() > 5
    assert "80/80" in capsys.readouterr().err


def test_a_trained_generator_gives_its_codes_back():
    model = tiny.model(ema=0.9, law="normal", dim=4)
    rng = np.random.default_rng(0)
    for variable in model.best("generator").trainable_variables:
        if len(variable.shape) > 1:  # batch norm stays as it is
            variable.assign(rng.normal(0, 0.3, variable.shape).astype(np.float32))
    identity, observation, photos = hidden(model, 2)
    assert np.abs(photos[0].astype(float) - photos[1]).mean() > 20
    inversion = invert(model, photos, Search(steps=100, rate=0.1, restarts=4, random_codes=64))
    assert inversion.error.max() < 1 and inversion.random_error.min() > 10
    np.testing.assert_allclose(inversion.identity, identity, atol=0.05)
    np.testing.assert_allclose(inversion.observation, observation, atol=0.05)


def test_the_error_is_that_of_the_images_in_grey_levels():
    model = Painter()
    _, _, photos = hidden(model, 2)
    inversion = invert(model, photos, Search(steps=1, restarts=1, random_codes=8))
    candidates = model.render(np.concatenate(model.grid_codes(8, 8), axis=1)).astype(float)
    for index, photo in enumerate(photos.astype(float)):
        errors = np.sqrt(np.mean((candidates - photo) ** 2, axis=(1, 2, 3)))
        assert inversion.random_error[index] == pytest.approx(errors.min(), rel=1e-5)
        # One step measures the start alone.
        assert inversion.error[index] == pytest.approx(errors.min(), rel=1e-5)


def test_photos_of_one_identity_share_its_code():
    model = Painter()
    identity, observation = model.grid_codes(HIDDEN[:1], HIDDEN)
    photos = model.generate(identity, observation)[0]
    inversion = invert(model, photos, QUICK, same_identity=True)
    np.testing.assert_array_equal(inversion.identity, np.repeat(inversion.identity[:1], 3, axis=0))
    np.testing.assert_allclose(inversion.identity[0], identity[0], atol=0.05)
    np.testing.assert_allclose(inversion.observation, observation, atol=0.05)
    assert inversion.error.max() < 1.5


@pytest.mark.parametrize("law", ["uniform", "normal"])
def test_codes_stay_within_their_law(law):
    model = Painter(law=law)
    # White lies beyond all codes.
    photos = np.full([2, 4, 4, 3], 255, np.uint8)
    inversion = invert(model, photos, QUICK)
    codes = np.concatenate([inversion.identity, inversion.observation], axis=1)
    assert np.abs(codes).max() <= {"uniform": 1, "normal": 3}[law]
    assert np.all(inversion.error <= inversion.random_error)


def test_an_embedder_pulls_towards_its_own_idea():
    model = Painter()
    _, _, photos = hidden(model, 1)
    target = model.render(np.concatenate(model.grid_codes([HIDDEN[2]], [HIDDEN[2]]), axis=1))

    def embed(images):
        # As if the photo, which comes first, had the embedding of another image.
        calls.append(images)
        return wanted if len(calls) == 1 else tf.reshape(images, [-1, 48])

    calls = []
    wanted = tf.reshape(tf.cast(target, tf.float32) / 127.5 - 1, [1, -1])
    heavy = Search(steps=80, rate=0.1, restarts=2, random_codes=32, perceptual=100.0)
    inversion = invert(model, photos, heavy, embed=embed)
    distance = np.abs(inversion.images.astype(float) - target).mean()
    assert distance < 0.2 * np.abs(photos.astype(float) - target).mean()
    assert len(calls) == 2


def test_a_photos_code_does_not_depend_on_those_after_it():
    model = Painter()
    _, _, photos = hidden(model)
    whole, part = invert(model, photos, QUICK), invert(model, photos[:1], QUICK)
    np.testing.assert_allclose(part.identity, whole.identity[:1], atol=1e-4)
    again = invert(model, photos, QUICK)
    np.testing.assert_array_equal(again.observation, whole.observation)


def test_identities_of_a_given_number_are_not_clipped():
    model = Painter()
    model.identities = 5
    model.identity_codes = lambda seeds: tf.fill([len(seeds), 2], 4.0)
    observation = model.observation_codes(HIDDEN[:1])
    photos = model.render(np.concatenate([[[3.9, 4.1]], observation / 4], axis=1))
    inversion = invert(model, photos, Search(steps=3, restarts=1, random_codes=2))
    assert inversion.identity.min() > 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "Received: Search"),
        ({"restarts": -1}, "1 or more"),
        ({"random_codes": 10**6}, "At most 16,384"),
        ({"rate": float("nan")}, "rate is above 0"),
        ({"perceptual": -1.0}, "perceptual 0 or more"),
    ],
)
def test_bad_searches_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Search(**options)


@pytest.mark.parametrize(
    ("photos", "options", "message"),
    [
        (np.zeros([1, 4, 5, 3], np.uint8), {}, r"uint8 \[n, 4, 4, 3\]. Received: .*\(1, 4, 5, 3\)"),
        (np.zeros([1, 4, 4, 3]), {}, "Received: float64"),
        (np.zeros([0, 4, 4, 3], np.uint8), {}, "From 1 to 1,000 photos .* Received: 0"),
        (np.zeros([65, 4, 4, 3], np.uint8), {"same_identity": True}, "share .* Received: 65"),
    ],
)
def test_bad_photos_are_refused(photos, options, message):
    with pytest.raises(ValueError, match=message):
        invert(Painter(), photos, **options)
