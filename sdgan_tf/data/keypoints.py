"""Keypoints and masks of the people in images: how their files look, and how they follow an image to its square.

Beside `0001.png` lies `0001.json`, an object whose `"keypoints"` is a list of 18 triples (row, column, visible) in the
order of `NAMES`, that of the COCO model of pose estimators. Rows and columns are pixels of the upright image, 0 being
the middle of the first one; `visible` is 1, or 0 for a keypoint that is not seen, whose place then does not count.
Beside them may lie `0001.mask.png`, as large as the image: white where the person is. Where there is none, the mask is
made of the keypoints.
"""

from __future__ import annotations

import json
import os

import numpy as np

from sdgan_tf.data import decoding
from sdgan_tf.data.decoding import BadImage, Placement

NAMES: tuple[str, ...] = (
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
)
# Between which keypoints a person has flesh: head, neck, torso, arms and legs.
LIMBS: tuple[tuple[int, int], ...] = (
    *((0, 1), (0, 14), (0, 15), (0, 16), (0, 17), (14, 16), (15, 17), (1, 16), (1, 17)),
    *((1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (2, 5)),
    *((1, 8), (1, 11), (2, 8), (5, 11), (2, 11), (5, 8), (8, 11)),
    *((8, 9), (9, 10), (11, 12), (12, 13)),
)
# The fields of a batch.
FIELDS = ("keypoints", "mask")
# How far flesh reaches from a limb, in edges of an image: 7 pixels of 128.
FLESH = 7 / 128
# A file of 18 triples has a few hundred bytes.
MAX_BYTES = 2**20
# What takes the place of the extension of an image in the names of its files.
KEYPOINTS_ENDING, MASK_ENDING = ".json", ".mask.png"


def read(
    root: str, path: str, size: tuple[int, int], image_size: int, fit: str
) -> tuple[np.ndarray, np.ndarray]:
    """Reads the keypoints and the mask of an image.

    Args:
        root: the folder of the data.
        path: the image, relative to `root`.
        size: width and height of the upright image.
        image_size: edge of the square that is made of it.
        fit: how it is made: `"crop"` or `"pad"`.

    Returns:
        float32 `[18, 3]`, rows and columns in pixels of the square, and uint8 `[image_size, image_size, 1]`, 1 where
        the person is; by its file, or made of the keypoints where it has none.

    Raises:
        BadImage: a file is missing or not as it should be.
    """
    file, mask = files_of(path)
    if not os.path.exists(os.path.join(root, file)):
        raise BadImage(path, f"its keypoints are asked for, but there is no file {file}")
    points = parse(_read(root, file), file, *size)
    points = placed(points, decoding.place(*size, image_size, fit), image_size, file)
    if not os.path.exists(os.path.join(root, mask)):
        return points, mask_of(points, image_size)
    return points, decoding.decode_mask(_read(root, mask), mask, size, image_size, fit)


def files_of(path: str) -> tuple[str, str]:
    """The files of the keypoints and of the mask of an image, whether they are there or not."""
    stem = os.path.splitext(path)[0]
    return stem + KEYPOINTS_ENDING, stem + MASK_ENDING


def of_image(path: str, image_size: int, fit: str = "crop") -> tuple[np.ndarray, np.ndarray]:
    """The keypoints and the mask of a single image by the files beside it, those of the square that is made of it.

    Args:
        path: of the image.
        image_size: edge of the square.
        fit: `"crop"` or `"pad"`.

    Returns:
        What `read` gives.

    Raises:
        BadImage: the image or its keypoints cannot be read.
    """
    contents = decoding.read_bytes(path)
    header, _ = decoding.decode_with_header(contents, path, image_size, 3, fit, decoding.MAX_PIXELS)
    root, name = os.path.split(path)
    return read(root, name, header.upright, image_size, fit)


def _read(root: str, path: str) -> bytes:
    try:
        return decoding.read_bytes(os.path.join(root, path))
    except BadImage as error:
        raise BadImage(path, error.reason) from error


def parse(contents: bytes, path: str, width: int, height: int) -> np.ndarray:
    """Reads and checks a file of keypoints. It may be hostile.

    Args:
        contents: of the file.
        path: of the file, for errors.
        width: of the upright image in pixels.
        height: likewise.

    Returns:
        float32 `[18, 3]`: row, column, visible (0 or 1).

    Raises:
        BadImage: it holds no 18 triples of numbers, a visible keypoint lies outside the image, or none is visible.
    """
    try:
        if len(contents) > MAX_BYTES:
            raise ValueError(f"it has {len(contents):,} bytes")
        # A boolean or a text in it makes an array of another kind.
        points = np.array(json.loads(contents)["keypoints"])
        if points.shape != (len(NAMES), 3) or points.dtype.kind not in "iuf":
            raise ValueError(f"it holds {points.dtype} {list(points.shape)}")
        points = points.astype(np.float64)
        if not np.all(np.isfinite(points)) or not np.all(np.isin(points[:, 2], (0, 1))):
            raise ValueError("a number is not finite, or a keypoint's `visible` is neither 0 nor 1")
    # What anybody may have written into a JSON file raises any of these.
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise BadImage(
            path,
            f"no keypoints: an object is expected whose `keypoints` are {len(NAMES)} triples (row, column, visible). "
            f"{type(error).__name__}: {error}",
        ) from error
    visible = points[:, 2] == 1
    if not visible.any():
        raise BadImage(path, "none of its keypoints is visible: leave the image out")
    outside = visible & ~inside(points, height, width)
    if outside.any():
        first = int(np.flatnonzero(outside)[0])
        raise BadImage(
            path,
            f"its keypoints do not belong to the image of {width}x{height} pixels: the {NAMES[first]} is visible at row "
            f"{points[first, 0]:g}, column {points[first, 1]:g}",
        )
    return points.astype(np.float32)


def shapes(image_size: int) -> dict[str, tuple[tuple[int, ...], type]]:
    """Shape and dtype of what is known of one image, by field."""
    return {
        "keypoints": ((len(NAMES), 3), np.float32),
        "mask": ((image_size, image_size, 1), np.uint8),
    }


def inside(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Which keypoints `[..., 3]` lie on pixels of an image: bool `[...]`."""
    rows, columns = points[..., 0], points[..., 1]
    return (rows >= -0.5) & (rows <= height - 0.5) & (columns >= -0.5) & (columns <= width - 0.5)


def placed(points: np.ndarray, placement: Placement, size: int, path: str) -> np.ndarray:
    """Keypoints of an upright image as those of the square that `decoding.decode` makes of it.

    Args:
        points: float32 `[18, 3]` in pixels of the image.
        placement: how the image lies in the square.
        size: edge of the square.
        path: of the file, for errors.

    Returns:
        float32 `[18, 3]` in pixels of the square; what was cut off is not visible, and what is not visible is all 0.

    Raises:
        BadImage: no keypoint is left.
    """
    left, top, right, bottom = placement.box
    width, height = placement.inner
    moved = points.copy()
    moved[:, 0] = (points[:, 0] + 0.5 - top) * height / (bottom - top) + placement.corner[1] - 0.5
    moved[:, 1] = (points[:, 1] + 0.5 - left) * width / (right - left) + placement.corner[0] - 0.5
    moved[:, 2] = points[:, 2] * inside(moved, size, size)
    if not moved[:, 2].any():
        raise BadImage(path, "the crop of the image cuts off all visible keypoints: try fit=pad")
    return np.where(moved[:, 2:] > 0, moved, 0).astype(np.float32)


def mask_of(points: np.ndarray, size: int) -> np.ndarray:
    """A mask made of keypoints: all that is near a limb whose both ends are visible, or near a visible keypoint.

    Args:
        points: float32 `[18, 3]` in pixels of the image.
        size: edge of the image.

    Returns:
        uint8 `[size, size, 1]`, 1 where the person is taken to be, else 0.
    """
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    seen = [place for place in range(len(points)) if points[place, 2]]
    limbs = [limb for limb in LIMBS if points[limb[0], 2] and points[limb[1], 2]]
    mask = np.zeros((size, size), bool)
    for start, end in (*limbs, *((place, place) for place in seen)):
        (row, column), (down, right) = points[start, :2], points[end, :2] - points[start, :2]
        length = down * down + right * right
        along = ((rows - row) * down + (columns - column) * right) / max(length, 1e-6)
        along = np.clip(along, 0, 1)
        apart = (rows - row - along * down) ** 2 + (columns - column - along * right) ** 2
        mask |= apart <= (FLESH * size) ** 2
    return mask[..., np.newaxis].astype(np.uint8)
