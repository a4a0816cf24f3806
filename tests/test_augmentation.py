"""DiffAugment: each image on its own or tuples alike, within the promised reach, differentiable."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf import augmentation
from sdgan_tf.randomness import stateless_seed

SEED = stateless_seed(1, "augmentation")
SIZE = 16


@pytest.fixture(scope="module")
def ramp():
    """Return float32 [64, 2, 16, 16, 3]: an image whose red counts the rows, green the columns."""
    rows, columns = np.mgrid[:SIZE, :SIZE] / SIZE
    image = np.stack([rows, columns, np.ones_like(rows)], -1).astype(np.float32)
    return tf.constant(np.broadcast_to(image, (64, 2, SIZE, SIZE, 3)))


def test_parse_keeps_the_order():
    assert augmentation.parse("") == ()
    assert augmentation.parse(" cutout, translation,") == ("cutout", "translation")


def test_parse_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="'translation'.*Received: 'cutout,rotate'"):
        augmentation.parse("cutout,rotate")


def test_no_operation_changes_nothing(ramp):
    assert augmentation.augment(ramp, (), SEED) is ramp


@pytest.mark.parametrize("name", sorted(augmentation.OPERATIONS))
def test_each_image_is_changed_on_its_own(ramp, name):
    changed = augmentation.augment(ramp, (name,), SEED).numpy()
    assert changed.shape == ramp.shape and changed.dtype == np.float32
    pairs_differ = [not np.array_equal(first, second) for first, second in changed]
    # Translation has 25 outcomes, a flip two: some pairs meet by chance.
    assert sum(pairs_differ) > (20 if name == "flip" else 50)
    assert len(np.unique(changed.reshape(128, -1), axis=0)) >= (2 if name == "flip" else 20)


@pytest.mark.parametrize("name", sorted(augmentation.OPERATIONS))
def test_the_images_of_a_tuple_can_be_changed_alike(ramp, name):
    changed = augmentation.augment(ramp, (name,), SEED, alike=True).numpy()
    np.testing.assert_array_equal(changed[:, 0], changed[:, 1])
    assert len(np.unique(changed.reshape(128, -1), axis=0)) >= (2 if name == "flip" else 15)
    # The first images of as many tuples are changed as single ones are.
    single = augmentation.augment(ramp[:, :1], (name,), SEED)
    np.testing.assert_array_equal(changed[:, :1], single)


@pytest.mark.parametrize("name", sorted(augmentation.OPERATIONS))
def test_the_seed_alone_decides(ramp, name):
    names = (name,)
    first = augmentation.augment(ramp, names, SEED)
    np.testing.assert_array_equal(first, augmentation.augment(ramp, names, SEED))
    other = augmentation.augment(ramp, names, stateless_seed(2, "augmentation"))
    assert not np.array_equal(first, other)


def test_operations_are_applied_in_order_with_seeds_of_their_own(ramp):
    both = augmentation.augment(ramp, ("color", "cutout"), SEED)
    one = augmentation.augment(ramp, ("color",), SEED)
    np.testing.assert_array_equal(both, augmentation.augment(one, ("cutout",), SEED))


def test_translation_shifts_by_up_to_an_eighth_and_repeats_the_border(ramp):
    images = augmentation.augment(ramp, ("translation",), SEED).numpy().reshape(-1, SIZE, SIZE, 3)
    shifts = set()
    for image in images:
        down, right = (round(SIZE * image[8, 8, channel]) - 8 for channel in (0, 1))
        rows = np.clip(np.arange(SIZE) + down, 0, SIZE - 1) / SIZE
        columns = np.clip(np.arange(SIZE) + right, 0, SIZE - 1) / SIZE
        np.testing.assert_allclose(image[..., 0], np.repeat(rows[:, None], SIZE, 1))
        np.testing.assert_allclose(image[..., 1], np.repeat(columns[None], SIZE, 0))
        shifts.add((down, right))
    assert {down for down, _ in shifts} == {right for _, right in shifts} == {-2, -1, 0, 1, 2}
    assert len(shifts) > 15, "rows and columns shift independently"


def test_cutout_greys_a_square_of_half_the_edge(ramp):
    images = augmentation.augment(ramp, ("cutout",), SEED).numpy().reshape(-1, SIZE, SIZE, 3)
    original = ramp[0, 0].numpy()
    whole = 0
    for image in images:
        grey = np.all(image == 0, axis=-1)
        rows, columns = np.flatnonzero(grey.any(1)), np.flatnonzero(grey.any(0))
        assert len(rows) <= 8 and len(columns) <= 8
        whole += len(rows) == len(columns) == 8
        np.testing.assert_array_equal(grey, np.outer(grey.any(1), grey.any(0)))
        np.testing.assert_array_equal(image[~grey], original[~grey])
    # It hangs over no border with probability (9 / 17) ** 2.
    assert 15 <= whole <= 60


def test_color_stays_within_its_reach():
    grey = tf.fill([500, 1, 4, 4, 3], 0.25)
    shift = augmentation.augment(grey, ("color",), SEED).numpy() - 0.25
    assert np.ptp(shift, axis=(1, 2, 3, 4)).max() < 1e-6, "a grey image stays grey and flat"
    assert -0.5 <= shift.min() < -0.4 and 0.4 < shift.max() <= 0.5

    # Red beside cyan, equally bright: only saturation and contrast move the colours.
    left = np.array([0.5, -0.25, -0.25], np.float32)
    pair = np.stack([left, -left])[:, None].repeat(2, 1)
    coloured = np.broadcast_to(pair, (500, 1, 2, 2, 3)).copy()
    changed = augmentation.augment(tf.constant(coloured), ("color",), SEED).numpy()
    strength = (changed[:, 0, 0, 0, 0] - changed[:, 0, 1, 0, 0]) / 1.0
    assert strength.min() >= 0 and strength.max() <= 2 * 1.5
    assert strength.min() < 0.1 and strength.max() > 2.2

    # Black against white has no saturation: only contrast moves it.
    edges = np.concatenate([np.full((500, 1, 1, 2, 3), -0.5), np.full((500, 1, 1, 2, 3), 0.5)], 2)
    changed = augmentation.augment(tf.constant(edges, tf.float32), ("color",), SEED).numpy()
    contrast = changed[:, 0, 1, 0, 0] - changed[:, 0, 0, 0, 0]
    assert 0.5 <= contrast.min() < 0.55 and 1.45 < contrast.max() <= 1.5


def test_the_generator_learns_through_every_operation(ramp):
    with tf.GradientTape() as tape:
        tape.watch(ramp)
        total = tf.reduce_sum(
            augmentation.augment(ramp, ("color", "translation", "cutout"), SEED) ** 2
        )
    slopes = tape.gradient(total, ramp).numpy()
    assert np.all(np.isfinite(slopes))
    assert np.abs(slopes).reshape(128, -1).max(1).min() > 0, "something of each image gets through"


def test_small_images_of_one_channel_in_half_precision():
    images = tf.ones([2, 2, 4, 4, 1], tf.bfloat16)
    changed = augmentation.augment(images, ("color", "translation", "cutout"), SEED)
    assert changed.dtype == tf.bfloat16 and changed.shape == images.shape


def test_flips_mirror_half_of_the_images(ramp):
    mirrored = augmentation.augment(ramp, ("flip",), SEED).numpy().reshape(-1, SIZE, SIZE, 3)
    images = np.asarray(ramp).reshape(-1, SIZE, SIZE, 3)
    flipped = [np.array_equal(*pair) for pair in zip(mirrored, images[:, :, ::-1])]
    kept = [np.array_equal(*pair) for pair in zip(mirrored, images)]
    assert all(one != other for one, other in zip(flipped, kept))
    assert 40 < sum(flipped) < 90


def test_tint_is_milder_than_color(ramp):
    changes = [
        np.abs(augmentation.augment(ramp, (name,), SEED).numpy() - np.asarray(ramp)).mean()
        for name in ("tint", "color")
    ]
    assert 0 < changes[0] < 0.6 * changes[1]
