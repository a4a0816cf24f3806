"""Poses inside networks: keypoints as a stretch of the code, as maps, and as regions of interest."""

from __future__ import annotations

import tensorflow as tf

from sdgan_tf.data.keypoints import FLESH, LIMBS

# Keypoints in the order of `data.keypoints.NAMES`, three numbers each.
KEYPOINTS = 18
POSE = 3 * KEYPOINTS
# Head, body, legs, left arm, right arm, left leg, right leg: which keypoints each region of a person is around.
REGIONS: tuple[tuple[int, ...], ...] = (
    (0, 1, 2, 5, 14, 15, 16, 17),
    (2, 3, 4, 5, 6, 7, 8, 11),
    (8, 9, 10, 11, 12, 13),
    (5, 6, 7),
    (2, 3, 4),
    (11, 12, 13),
    (8, 9, 10),
)
# Of an image of 128 pixels, in pixels: the radius of a keypoint's disc in the maps; how far a region reaches beyond its
# keypoints, and how far where it has a single one.
RADIUS, MARGIN, LONE_MARGIN = 4, 6, 10
_REFERENCE = 128


def encode_pose(keypoints: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Keypoints as a stretch of the code.

    Args:
        keypoints: float [n, 18, 3]: row and column in pixels, visible 0 or 1.
        height: of the images in pixels, 2 or more.
        width: likewise.

    Returns:
        float32 [n, 54] in [-1, 1]: row, column (-1 the first, 1 the last pixel) and 1 for visible, -1 for not.
    """
    scale = tf.constant([2.0 / (height - 1), 2.0 / (width - 1), 2.0])
    return tf.reshape(tf.cast(keypoints, tf.float32) * scale - 1.0, [-1, POSE])


def decode_pose(pose: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """What `encode_pose` undid: float [n, 54] to float32 [n, 18, 3]; a number above 0 counts as visible."""
    points = (tf.reshape(tf.cast(pose, tf.float32), [-1, KEYPOINTS, 3]) + 1.0) / 2.0
    visible = tf.cast(points[..., 2:] > 0.5, tf.float32)
    return tf.concat([points[..., :2] * [height - 1.0, width - 1.0], visible], -1)


def pose_maps(pose: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """A map for each keypoint: 1 in a disc around it where it is visible, -1 elsewhere.

    Args:
        pose: float [n, 54] as `encode_pose` gives it.
        height: of the maps; a disc has a radius of 4 pixels of 128.
        width: of the maps.

    Returns:
        float32 [n, height, width, 18].
    """
    points = decode_pose(pose, height, width)[:, tf.newaxis, tf.newaxis]
    rows = tf.range(height, dtype=tf.float32)[:, tf.newaxis, tf.newaxis] - points[..., 0]
    columns = tf.range(width, dtype=tf.float32)[tf.newaxis, :, tf.newaxis] - points[..., 1]
    # A little more, since a code holds whole pixels up to rounding only.
    near = tf.square(rows) + tf.square(columns) <= (RADIUS * height / _REFERENCE + 1e-3) ** 2
    return tf.where(near & (points[..., 2] > 0), 1.0, -1.0)


def limb_maps(pose: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """A map for each limb of `data.keypoints.LIMBS`: 1 where its flesh is if both of its ends are visible, 0 elsewhere.

    Args:
        pose: float [n, 54] as `encode_pose` gives it.
        height: of the maps; flesh reaches 7 pixels of 128 from a limb.
        width: of the maps.

    Returns:
        float32 [n, height, width, 27].
    """
    points = decode_pose(pose, height, width)[:, tf.newaxis, tf.newaxis]
    starts, ends = (tf.gather(points, places, axis=3) for places in zip(*LIMBS))
    rows = tf.range(height, dtype=tf.float32)[:, tf.newaxis, tf.newaxis] - starts[..., 0]
    columns = tf.range(width, dtype=tf.float32)[tf.newaxis, :, tf.newaxis] - starts[..., 1]
    down, right = ends[..., 0] - starts[..., 0], ends[..., 1] - starts[..., 1]
    length = tf.maximum(tf.square(down) + tf.square(right), 1e-6)
    along = tf.clip_by_value((rows * down + columns * right) / length, 0.0, 1.0)
    apart = tf.square(rows - along * down) + tf.square(columns - along * right)
    # A little more, as for keypoints.
    near = tf.cast(apart <= (FLESH * height + 1e-3) ** 2, tf.float32)
    return near * starts[..., 2] * ends[..., 2]


def region_boxes(
    pose: tf.Tensor, regions: int, height: int, width: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The boxes of the first so many regions of a person.

    Args:
        pose: float [n, 54] as `encode_pose` gives it.
        regions: how many of `REGIONS`.
        height: of the images in pixels.
        width: likewise.

    Returns:
        float32 [n, regions, 4], top, left, bottom and right within the image, 0 its first and 1 its last pixel; and float32 [n, regions], 1 where any of a region's keypoints is visible.
    """
    points = decode_pose(pose, height, width)
    boxes, seen = [], []
    last = tf.constant([height - 1.0, width - 1.0])
    for keypoints in REGIONS[:regions]:
        part = tf.gather(points, keypoints, axis=1)
        visible = part[..., 2:] > 0
        count = tf.reduce_sum(tf.cast(visible, tf.float32), axis=1)
        low = tf.reduce_min(tf.where(visible, part[..., :2], 1e6), axis=1)
        high = tf.reduce_max(tf.where(visible, part[..., :2], -1e6), axis=1)
        margin = tf.where(count > 1, float(MARGIN), float(LONE_MARGIN)) * height / _REFERENCE
        box = tf.concat([tf.maximum(low - margin, 0.0), tf.minimum(high + margin, last)], -1)
        whole = tf.constant([0.0, 0.0, height - 1.0, width - 1.0])
        box = tf.where(count > 0, box, whole) / tf.concat([last, last], 0)
        boxes.append(box)
        seen.append(tf.cast(count[:, 0] > 0, tf.float32))
    return tf.stack(boxes, axis=1), tf.stack(seen, axis=1)


def crop(maps: tf.Tensor, boxes: tf.Tensor, edge: int) -> tf.Tensor:
    """Cuts boxes out of maps and resizes them, bilinearly: as `tf.image.crop_and_resize` does, but by matrix products,
    which XLA compiles.

    Args:
        maps: float32 [n, h, w, c].
        boxes: float32 [n, boxes, 4], top, left, bottom and right within the map, 0 its first and 1 its last pixel.
        edge: of what is made of a box, 2 pixels or more.

    Returns:
        float32 [n, boxes, edge, edge, c].
    """
    starts, ends = boxes[..., :2, tf.newaxis], boxes[..., 2:, tf.newaxis]
    places = starts + (ends - starts) * tf.linspace(0.0, 1.0, edge)
    # A pixel weighs by how near it is, none from one pixel away.
    rows, columns = (
        tf.nn.relu(
            1.0 - tf.abs(places[:, :, axis, :, tf.newaxis] * (size - 1.0) - tf.range(1.0 * size))
        )
        for axis, size in enumerate(maps.shape[1:3])
    )
    return tf.einsum("nbjw,nbiwc->nbijc", columns, tf.einsum("nbih,nhwc->nbiwc", rows, maps))
