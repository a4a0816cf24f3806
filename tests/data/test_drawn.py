"""Drawn people: pure functions, images in which the person stays and the pose changes."""

from __future__ import annotations

import numpy as np
import pytest

from sdgan_tf.data import drawn, keypoints
from sdgan_tf.data.drawn import (
    BODIES,
    IDENTITY_FACTORS,
    OBSERVATION_FACTORS,
    PORTRAITS,
    annotate,
    identity_factors,
    observation_factors,
    render,
)

pytestmark = pytest.mark.once

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


styles = pytest.mark.parametrize("style", [PORTRAITS, BODIES], ids=["portraits", "bodies"])


def of_style(style, people=6, images=8):
    """Return factors, index pair by index pair, of a style."""
    who, number = pairs(people, images)
    return identity_factors(2, who, style), observation_factors(2, who, number, style)


@styles
def test_what_changes_with_the_background_alone_is_not_in_the_mask(style):
    identity, observation = of_style(style)
    points, masks = annotate(identity, observation, 48, style)
    # The last columns: where the light or a wall is.
    names = [n for n in ("background", "wall", "floor", "window") if n in style.observation_factors]
    moved = observation.copy()
    for name in names:
        moved[:, style.observation_factors.index(name)] += np.float32(0.5)
    moved %= 1
    images, others = (render(identity, values, 48, style) for values in (observation, moved))
    same = np.all(images == others, axis=-1)
    # Inside its outline a person is the same before any wall (bodies are thin); all around differs nearly everywhere.
    inner = masks[..., 0] == 1
    assert (same & inner).sum() / inner.sum() > (0.9 if style is PORTRAITS else 0.65)
    assert (same & ~inner).sum() / (~inner).sum() < 0.02
    again, same_masks = annotate(identity, moved, 48, style)
    np.testing.assert_array_equal(points, again)
    np.testing.assert_array_equal(masks, same_masks)


@styles
def test_keypoints_lie_on_the_person(style):
    points, masks = annotate(*of_style(style), 64, style)
    assert points.shape == (48, 18, 3) and points.dtype == np.float32
    seen = points[..., 2] == 1
    assert np.all(points[~seen] == 0) and 0.3 < seen.mean() < 1
    rows, columns = np.rint(points[..., :2]).astype(int).transpose(2, 0, 1)
    on = masks[np.arange(48)[:, None], rows, columns, 0] == 1
    assert on[seen].mean() > 0.94
    # The person's own right is on the left of the image, as seen from the front.
    right, left = keypoints.NAMES.index("right_shoulder"), keypoints.NAMES.index("left_shoulder")
    assert np.all(points[:, right, 1] < points[:, left, 1])


def test_the_nose_is_where_the_nose_is_drawn():
    """Change the length of the nose alone: what differs is around the keypoint, which moves down with it."""
    who, number = pairs(6, 4)
    identity, observation = identity_factors(1, who), observation_factors(1, who, number)
    longer = identity.copy()
    column = IDENTITY_FACTORS.index("nose_length")
    identity[:, column], longer[:, column] = 0, 1
    change = render(identity, observation).astype(int) - render(longer, observation)
    for points, more, difference in zip(
        annotate(identity, observation)[0], annotate(longer, observation)[0], abs(change).sum(-1)
    ):
        rows, columns = np.nonzero(difference)
        assert rows.min() < more[0, 0] < rows.max() and columns.min() < more[0, 1] < columns.max()
        assert more[0, 0] > points[0, 0]


def test_a_raised_arm_moves_its_own_joints_alone():
    who, number = pairs(5, 4)
    identity, observation = of_style(BODIES, 5, 4)
    raised = observation.copy()
    raised[:, BODIES.observation_factors.index("left_arm")] = 1
    before, after = (annotate(identity, values, 64, BODIES)[0] for values in (observation, raised))
    mine = [keypoints.NAMES.index(f"left_{part}") for part in ("elbow", "wrist")]
    others = [place for place in range(18) if place not in mine]
    np.testing.assert_array_equal(before[:, others], after[:, others])
    shoulder = after[:, keypoints.NAMES.index("left_shoulder"), 0]
    up = after[:, mine[0], 2] == 1
    assert up.sum() > 10 and np.all(after[up, mine[0], 0] < shoulder[up])


def test_drawn_data_give_keypoints_where_asked_and_the_same_images():
    plain = drawn(4, 3, 32)
    known = drawn(4, 3, 32, keypoints=True)
    np.testing.assert_array_equal(plain.images, known.images)
    assert plain.fields == {} and set(known.fields) == {"keypoints", "mask"}
    assert plain.fingerprint != known.fingerprint
    bodies = drawn(4, 3, 32, keypoints=True, bodies=True)
    assert bodies.factors["identity_names"] == BODIES.identity_factors
    assert bodies.factors["observation"].shape == (12, len(BODIES.observation_factors))
    batch = next(iter(bodies.tuples(k=1, batch_size=2)))
    assert batch["keypoints"].shape == (2, 1, 18, 3) and batch["mask"].shape == (2, 1, 32, 32, 1)


def test_bodies_have_the_same_bytes_everywhere():
    images = render(*of_style(BODIES, 2, 2), 32, BODIES)
    coarse = images.reshape(4, 2, 16, 2, 16, 3).mean((0, 2, 4)).round().astype(np.uint8)
    assert coarse.tobytes().hex() == "aaaa98a5a98e8f8c7b8d8775"
