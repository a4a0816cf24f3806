"""Grids laid out as one picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdgan_tf.generation import save_png, tile


def numbered(rows, columns, height=3, width=4, channels=3):
    """Return a grid in which every byte of picture (r, c) is 10 r + c."""
    values = 10 * np.arange(rows)[:, None] + np.arange(columns)
    shape = (rows, columns, height, width, channels)
    return np.broadcast_to(values[..., None, None, None], shape).astype(np.uint8)


@pytest.mark.parametrize("gap", [0, 1, 2])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_lie_in_their_row_and_column_on_white(gap, channels):
    picture = tile(numbered(2, 3, channels=channels), gap)
    assert picture.shape == (2 * (3 + gap) - gap, 3 * (4 + gap) - gap, channels)
    assert picture.dtype == np.uint8
    seen = np.zeros(picture.shape, bool)
    for row in range(2):
        for column in range(3):
            top, left = row * (3 + gap), column * (4 + gap)
            area = (slice(top, top + 3), slice(left, left + 4))
            assert np.all(picture[area] == 10 * row + column)
            seen[area] = True
    assert np.all(picture[~seen] == 255)


def test_pixels_within_a_picture_keep_their_place():
    grid = np.arange(1 * 2 * 2 * 3 * 1, dtype=np.uint8).reshape(1, 2, 2, 3, 1)
    assert tile(grid, 0)[..., 0].tolist() == [[0, 1, 2, 6, 7, 8], [3, 4, 5, 9, 10, 11]]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_gives_the_same_pixels_back(tmp_path, channels):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    path = save_png(picture, tmp_path / "made" / "grid.png")
    with Image.open(path) as image:
        assert image.format == "PNG"
        np.testing.assert_array_equal(np.array(image).reshape(picture.shape), picture)
    assert [item.name for item in path.parent.iterdir()] == ["grid.png"]


def test_a_png_that_cannot_be_written_leaves_the_older_one(tmp_path):
    path = save_png(np.zeros((2, 2, 3), np.uint8), str(tmp_path / "grid.png"))
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_png(np.zeros((2, 2, 7), np.uint8), path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["grid.png"]
