"""What is written of inverted photos."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from sdgan_tf.generation import Inversion, load_codes, save_inversion
from sdgan_tf.images import GAP
from tests.painter import Painter

MODEL = Painter()
IDENTITY, OBSERVATION = MODEL.grid_codes([7, 8], [9, 10])
PHOTOS = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), np.uint8)
INVERSION = Inversion(
    IDENTITY,
    OBSERVATION,
    MODEL.render(np.concatenate([IDENTITY, OBSERVATION], axis=1)),
    np.array([1.5, 2.5], np.float32),
    np.array([8.0, 9.0], np.float32),
)


def cells(path):
    """Return the images of a grid: uint8 [rows, columns, 4, 4, 3]."""
    with Image.open(path) as opened:
        canvas = np.pad(np.array(opened), [(0, GAP), (0, GAP), (0, 0)])
    rows, columns = (edge // (4 + GAP) for edge in canvas.shape[:2])
    grid = canvas.reshape(rows, 4 + GAP, columns, 4 + GAP, 3).swapaxes(1, 2)
    return grid[:, :, :4, :4]


def test_edits_keep_what_they_promise(tmp_path):
    path = save_inversion(
        MODEL, PHOTOS, INVERSION, tmp_path / "inverted", ["a.png", "b.png"], seed=3
    )
    pair = np.stack([PHOTOS, INVERSION.images], axis=1)
    np.testing.assert_array_equal(cells(path / "inversion.png"), pair)
    others, new = MODEL.grid_codes(6, 6, seed=3)
    observations, identities = cells(path / "observations.png"), cells(path / "identities.png")
    for edits in (observations, identities):
        np.testing.assert_array_equal(edits[:, :2], pair)
    np.testing.assert_array_equal(observations[:, 2:], MODEL.generate(IDENTITY, new))
    swapped = MODEL.generate(others, OBSERVATION).swapaxes(0, 1)
    np.testing.assert_array_equal(identities[:, 2:], swapped)

    way = cells(path / "interpolation.png")
    assert way.shape[:2] == (8, 8)
    for number, corner in enumerate((way[0, 0], way[-1, -1])):
        np.testing.assert_array_equal(corner, INVERSION.images[number])
    np.testing.assert_array_equal(load_codes(path / "codes.npz")["identity"], IDENTITY)
    assert json.loads((path / "errors.json").read_text()) == [
        {"photo": "a.png", "error": 1.5, "random_error": 8.0},
        {"photo": "b.png", "error": 2.5, "random_error": 9.0},
    ]


def test_a_single_photo_has_no_way_to_go_and_nothing_is_overwritten(tmp_path):
    alone = Inversion(*(value[:1] for value in vars(INVERSION).values()))
    save_inversion(MODEL, PHOTOS[:1], alone, tmp_path / "inverted", ["a.png"])
    names = {item.name for item in (tmp_path / "inverted").iterdir()}
    images = {"inversion.png", "observations.png", "identities.png"}
    assert names == {"codes.npz", "errors.json"} | images
    with pytest.raises(FileExistsError, match="nothing is overwritten"):
        save_inversion(MODEL, PHOTOS[:1], alone, tmp_path / "inverted", ["a.png"])
