"""Bytes outside, floats in [-1, 1] inside; grids laid out as one image."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from sdgan_tf.images import save_png, tile, to_float, to_uint8


def test_all_bytes_survive_the_round_trip():
    values = tf.range(256)
    floats = to_float(tf.cast(values, tf.uint8))
    assert floats.dtype == tf.float32
    np.testing.assert_allclose(floats, np.arange(256) / 127.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(to_uint8(floats), values)


def test_bytes_are_rounded_and_clipped():
    # 127.5 * (1 + x) = 100.4, 100.6, then outside on either side, then NaN.
    inside = np.array([100.4, 100.6]) / 127.5 - 1
    images = to_uint8(tf.constant([*inside, -1.5, 1.5, np.inf, -np.inf, np.nan], tf.float32))
    assert images.dtype == tf.uint8
    assert images.numpy().tolist() == [100, 101, 0, 255, 255, 0, 0]


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float64])
def test_floats_pass_as_float32(dtype):
    images = to_float(tf.constant([-1.0, 0.5], dtype))
    assert images.dtype == tf.float32
    assert images.numpy().tolist() == [-1.0, 0.5]


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64, tf.bool])
def test_other_integers_are_refused(dtype):
    with pytest.raises(ValueError, match=f"Received: {dtype.name}; convert by tf.cast"):
        to_float(tf.zeros([2], dtype))


def numbered(rows, columns, height=3, width=4, channels=3):
    """Return a grid in which every byte of image (r, c) is 10 r + c."""
    values = 10 * np.arange(rows)[:, None] + np.arange(columns)
    shape = (rows, columns, height, width, channels)
    return np.broadcast_to(values[..., None, None, None], shape).astype(np.uint8)


@pytest.mark.parametrize("gap", [0, 1, 2])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_lie_in_their_row_and_column_on_white(gap, channels):
    image = tile(numbered(2, 3, channels=channels), gap)
    assert image.shape == (2 * (3 + gap) - gap, 3 * (4 + gap) - gap, channels)
    assert image.dtype == np.uint8
    seen = np.zeros(image.shape, bool)
    for row in range(2):
        for column in range(3):
            top, left = row * (3 + gap), column * (4 + gap)
            area = (slice(top, top + 3), slice(left, left + 4))
            assert np.all(image[area] == 10 * row + column)
            seen[area] = True
    assert np.all(image[~seen] == 255)


def test_pixels_within_an_image_keep_their_place():
    grid = np.arange(1 * 2 * 2 * 3 * 1, dtype=np.uint8).reshape(1, 2, 2, 3, 1)
    assert tile(grid, 0)[..., 0].tolist() == [[0, 1, 2, 6, 7, 8], [3, 4, 5, 9, 10, 11]]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_gives_the_same_pixels_back(tmp_path, channels):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    path = save_png(image, tmp_path / "made" / "grid.png")
    with Image.open(path) as opened:
        assert opened.format == "PNG"
        np.testing.assert_array_equal(np.array(opened).reshape(image.shape), image)
    assert [item.name for item in path.parent.iterdir()] == ["grid.png"]


def test_a_png_that_cannot_be_written_leaves_the_older_one(tmp_path):
    path = save_png(np.zeros((2, 2, 3), np.uint8), str(tmp_path / "grid.png"))
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_png(np.zeros((2, 2, 7), np.uint8), path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["grid.png"]
