"""Poses inside networks, by hand."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from sdgan_tf.data import keypoints
from sdgan_tf.networks import pose


def points(**places):
    """Return keypoints of one person, float32 [1, 18, 3]: those that are named are visible."""
    made = np.zeros((1, 18, 3), np.float32)
    for name, (row, column) in places.items():
        made[0, keypoints.NAMES.index(name)] = row, column, 1
    return tf.constant(made)


def test_a_pose_is_keypoints_on_a_scale_from_the_first_to_the_last_pixel():
    code = pose.encode_pose(points(nose=(0, 31), neck=(63, 15.5)), 64, 32).numpy()
    np.testing.assert_allclose(code[0, :6], [-1, 1, 1, 1, 0, 1])
    np.testing.assert_array_equal(code[0, 6:], -1)
    made = np.random.default_rng(0).uniform(0, 30, (4, 18, 3)).astype(np.float32)
    made[..., 2] = made[..., 2] > 15
    again = pose.decode_pose(pose.encode_pose(made, 64, 32), 64, 32)
    np.testing.assert_allclose(again, made, atol=1e-4)


def test_maps_have_a_disc_at_each_visible_keypoint():
    code = pose.encode_pose(points(nose=(20, 40), left_ear=(0, 0)), 128, 64)
    maps = pose.pose_maps(code, 128, 64).numpy()
    assert maps.shape == (1, 128, 64, 18) and set(np.unique(maps)) == {-1, 1}
    rows, columns = np.mgrid[:128, :64]
    inside = (rows - 20) ** 2 + (columns - 40) ** 2 <= 16
    np.testing.assert_array_equal(maps[0, ..., 0] > 0, inside)
    assert (maps[0, ..., keypoints.NAMES.index("left_ear")] > 0).sum() == 17
    assert (maps[..., 1:17] == -1).all()
    # Half as large, a disc has half the radius.
    small = pose.encode_pose(points(nose=(10, 20)), 64, 32)
    assert (pose.pose_maps(small, 64, 32)[..., 0].numpy() > 0).sum() == 13


def test_limbs_and_keypoints_together_are_the_mask_that_is_made_of_keypoints():
    rng = np.random.default_rng(0)
    made = rng.uniform(0, 63, (2, 18, 3)).astype(np.float32)
    made[..., 2] = rng.uniform(size=(2, 18)) > 0.3
    made[0, :, 2] = np.arange(18) < 3
    maps = pose.limb_maps(pose.encode_pose(made, 64, 64), 64, 64).numpy()
    assert maps.shape == (2, 64, 64, len(keypoints.LIMBS)) and set(np.unique(maps)) == {0, 1}
    for points, limbs in zip(made, maps):
        whole = keypoints.mask_of(points, 64)[..., 0]
        rows, columns = np.mgrid[:64, :64]
        discs = [
            (rows - row) ** 2 + (columns - column) ** 2 <= 3.5**2
            for row, column, visible in points
            if visible
        ]
        np.testing.assert_array_equal(limbs.any(-1) | np.any(discs, 0), whole)
    # Nose and neck, neck and right shoulder.
    np.testing.assert_array_equal(np.flatnonzero(maps[0].any((0, 1))), [0, 9])


def test_a_region_reaches_beyond_its_visible_keypoints():
    code = pose.encode_pose(points(nose=(30, 20), neck=(50, 40), left_knee=(100, 60)), 128, 64)
    boxes, visible = pose.region_boxes(code, 7, 128, 64)
    boxes = boxes.numpy()[0] * [127, 63, 127, 63]
    np.testing.assert_array_equal(visible[0], [1, 0, 1, 0, 0, 1, 0])
    np.testing.assert_allclose(boxes[0], [24, 14, 56, 46], atol=1e-3)
    # One keypoint alone has more around it; the box ends with the image.
    np.testing.assert_allclose(boxes[2], [90, 50, 110, 63], atol=1e-3)
    np.testing.assert_allclose(boxes[1], [0, 0, 127, 63], atol=1e-3)
    assert pose.region_boxes(code, 4, 128, 64)[0].shape == (1, 4, 4)
