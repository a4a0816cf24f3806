"""Drawn people: pure functions, images in which the person stays and the pose changes."""

from __future__ import annotations

import numpy as np
import pytest

from sdgan_tf.data.drawn import (
    IDENTITY_FACTORS,
    OBSERVATION_FACTORS,
    identity_factors,
    observation_factors,
    render,
)

GOLDEN_FACTORS = [[7808376, 8610252], [5305199, 13457599]]
# Mean colours of 4 x 4 fields of 16 images.
GOLDEN_COARSE = list(
    bytes.fromhex(
        "bea8a4b0928cac9089bda8a5b39b97855c4b906552b9a29d"
        "a188859f6c55a76f549e87808b87878980798b827b8d8583"
    )
)


def pairs(identities, observations):
    """Return index pairs, identity by identity."""
    return np.repeat(np.arange(identities), observations), np.tile(
        np.arange(observations), identities
    )


def draw(seed, identities, observations, image_size=64):
    """Return images of (identity, observation) pairs."""
    factors = observation_factors(seed, np.asarray(identities), np.asarray(observations))
    return render(identity_factors(seed, np.asarray(identities)), factors, image_size)


@pytest.fixture(scope="module")
def images():
    """Return 12 people, 6 images of each."""
    return draw(3, *pairs(12, 6)).reshape(12, 6, 64, 64, 3)


@pytest.mark.parametrize("size", [16, 33, 64])
def test_images_have_the_promised_form_and_use_the_range(size):
    images = draw(0, *pairs(3, 2), image_size=size)
    assert images.shape == (6, size, size, 3)
    assert images.dtype == np.uint8
    assert images.min() < 40 and images.max() > 215


def test_factors_have_the_promised_form():
    identities, observations = pairs(300, 4)
    identity = identity_factors(0, identities)
    observation = observation_factors(0, identities, observations)
    assert identity.shape == (1200, len(IDENTITY_FACTORS))
    assert observation.shape == (1200, len(OBSERVATION_FACTORS))
    for values in (identity, observation):
        assert values.dtype == np.float32
        assert values.min() >= 0 and values.max() < 1
        np.testing.assert_allclose(values.mean(0), 0.5, atol=0.06)
    assert np.array_equal(identity[0], identity[3]), "an identity's factors are constant"
    assert len(np.unique(observation, axis=0)) == 1200


def test_factors_are_the_same_everywhere():
    # Integer arithmetic only, so exact: changing these changes everybody's data set.
    values = identity_factors(7, np.array([0, 5]))[:, [0, -1]] * 2**24
    assert values.tolist() == GOLDEN_FACTORS


def test_images_are_the_same_everywhere():
    images = draw(7, *pairs(4, 4), image_size=32)
    assert np.array_equal(images, draw(7, *pairs(4, 4), image_size=32))
    coarse = images.reshape(16, 4, 8, 4, 8, 3).mean((0, 2, 4))
    # Rounding may move a level here and there; a change of the drawing is far larger.
    np.testing.assert_allclose(coarse.ravel(), GOLDEN_COARSE, atol=1.0)


def test_a_image_depends_on_its_own_indices_only():
    identities, observations = pairs(10, 5)
    everything = draw(1, identities, observations, image_size=32)
    for row in (0, 17, 49):
        alone = draw(1, identities[[row]], observations[[row]], image_size=32)
        assert np.array_equal(alone[0], everything[row])
    order = np.random.default_rng(0).permutation(50)
    shuffled = draw(1, identities[order], observations[order], image_size=32)
    assert np.array_equal(shuffled, everything[order])


def test_more_identities_keep_the_earlier_ones():
    few = identity_factors(4, np.arange(5))
    assert np.array_equal(few, identity_factors(4, np.arange(1000))[:5])


def test_the_seed_changes_the_people():
    assert not np.array_equal(draw(0, [0], [0]), draw(1, [0], [0]))


def test_no_images_is_fine():
    assert draw(0, np.zeros(0, int), np.zeros(0, int)).shape == (0, 64, 64, 3)


def test_the_extremes_of_every_factor_can_be_drawn():
    for value in (0.0, 1.0):
        identity = np.full((1, len(IDENTITY_FACTORS)), value)
        observation = np.full((1, len(OBSERVATION_FACTORS)), value)
        assert render(identity, observation).std() > 10


@pytest.mark.parametrize("name", OBSERVATION_FACTORS)
def test_each_observation_factor_changes_the_image(name):
    identity = identity_factors(0, np.full(3, 1))
    observation = np.full((3, len(OBSERVATION_FACTORS)), 0.5)
    # Only a hat shows the colour of the accessory.
    observation[:, OBSERVATION_FACTORS.index("accessory")] = 0.95 * (name == "accessory_colour")
    observation[:, OBSERVATION_FACTORS.index(name)] = [0.0, 0.5, 0.99]
    images = render(identity, observation, 48).astype(int)
    changed = (np.abs(images[[0, 2]] - images[1]).max((1, 2, 3)) > 15).any()
    assert changed


@pytest.mark.parametrize("name", IDENTITY_FACTORS)
def test_each_identity_factor_changes_the_person(name):
    identity = np.full((4, len(IDENTITY_FACTORS)), 0.3)
    identity[:, IDENTITY_FACTORS.index("hair_style")] = 0.25  # a side parting
    identity[:, IDENTITY_FACTORS.index(name)] = [0.0, 0.34, 0.67, 0.99]
    observation = np.full((4, len(OBSERVATION_FACTORS)), 0.5)
    images = render(identity, observation, 48).astype(int)
    assert np.abs(images[1:] - images[0]).max() > 15


def test_people_differ_more_than_their_images(images):
    # The middle of the image is the person; colours there say who it is, wherever they look.
    middle = images[:, :, 16:, 16:48].astype(float)
    colours = np.concatenate([middle[:, :, :32].mean((2, 3)), middle[:, :, 36:].mean((2, 3))], -1)
    distance = np.linalg.norm(colours[:, :, None, None] - colours[None, None], axis=-1)
    same = np.eye(12, dtype=bool)[:, None, :, None] & np.ones_like(distance, bool)
    within = distance[same].sum() / (12 * 6 * 5)  # without the images' distance to themselves
    between = distance[~same].mean()
    assert within < 0.75 * between
    steps = np.abs(images[:, 1:].astype(int) - images[:, :-1]).mean((2, 3, 4))
    assert steps.min() > 5, "the images of a person differ clearly"


def test_a_turn_to_the_other_side_mirrors_the_pose():
    observation = np.full((2, len(OBSERVATION_FACTORS)), 0.5)
    observation[:, OBSERVATION_FACTORS.index("accessory")] = 0
    observation[:, OBSERVATION_FACTORS.index("turn")] = [0.1, 0.9]
    identity = np.full((2, len(IDENTITY_FACTORS)), 0.5)
    identity[:, IDENTITY_FACTORS.index("hair_style")] = 0.0  # bald, and no mark: symmetric
    left, right = render(identity, observation, 48).astype(int)
    assert np.abs(left[:, ::-1] - right).mean() < 1
    assert np.abs(left - right).mean() > 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw(0, [0], [0], image_size=3), "image_size=3"),
        (lambda: draw(0, [0], [0], image_size=64.0), "image_size=64.0"),
        (lambda: draw(-1, [0], [0]), "seed=-1"),
        (lambda: draw(0, [-2], [0]), r"identities=array\(\[-2\]\)"),
        (lambda: draw(0, [0], [-1]), r"observations=array\(\[-1\]\)"),
        (lambda: draw(0, [0.5], [0]), r"identities=array\(\[0.5\]\)"),
        (lambda: draw(0, [0, 1], [0]), r"len\(identities\)=2, len\(observations\)=1"),
        (lambda: identity_factors(0, np.zeros((2, 2), int)), "one-dimensional"),
        (lambda: render(np.zeros((1, 3)), np.zeros((1, 16))), r"Received: shape \(1, 3\)"),
        (
            lambda: render(
                np.zeros((1, len(IDENTITY_FACTORS))), np.full((1, len(OBSERVATION_FACTORS)), 1.5)
            ),
            "from 1.5 to 1.5",
        ),
        (
            lambda: render(
                np.zeros((1, len(IDENTITY_FACTORS))), np.zeros((2, len(OBSERVATION_FACTORS)))
            ),
            "1 and 2 rows",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
