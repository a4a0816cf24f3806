"""The example that writes keypoints of game characters: what it writes is read with the pictures, and it refuses what it must."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sdgan_tf import data
from sdgan_tf.data import keypoints

pytestmark = pytest.mark.once

SCRIPT = Path(__file__).parents[1] / "examples" / "sprites_keypoints.py"
PLACES = {name: place for place, name in enumerate(keypoints.NAMES)}


@pytest.fixture(scope="module")
def script():
    """Return the script as a module."""
    spec = importlib.util.spec_from_file_location("sprites_keypoints", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def paint(path, size=(64, 64), colour="brown"):
    """Paint a block with legs down to the lowest row, a gap beside an arm and a white badge, on white."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((15, 10, 50, 63), fill=colour)
    draw.rectangle((30, 55, 34, 63), fill="white")
    draw.rectangle((21, 41, 23, 45), fill="white")
    draw.rectangle((30, 20, 33, 22), fill="white")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


@pytest.fixture
def folder(tmp_path):
    """Return a folder of two characters, a pose of each, with a picture of something else."""
    paint(tmp_path / "sprites" / "knight" / "slashleft4.png")
    paint(tmp_path / "sprites" / "mage" / "walkfront1.png", colour="teal")
    paint(tmp_path / "sprites" / "mage" / "portrait.png")
    return tmp_path / "sprites"


def test_what_it_writes_is_read_with_the_pictures(script, folder, capsys):
    for _ in range(2):
        script.main([str(folder)])
        said = capsys.readouterr().out
        assert "masks of 2 pictures" in said and "left 1 other PNG files alone" in said
    assert not (folder / "mage" / "portrait.json").exists()
    (folder / "mage" / "portrait.png").unlink()
    assert data.check(folder, 64, k=1, keypoints=True).clean
    people = data.from_directory(folder, 64, keypoints=True)
    points, masks = people.fields["keypoints"], people.fields["mask"]
    assert points.shape == (2, 18, 3) and masks.shape == (2, 64, 64, 1)
    left, front = points
    assert front[:, 2].all() and keypoints.inside(front, 64, 64).all()
    seen = left[:, 2] == 1
    hidden = {name for name, place in PLACES.items() if not seen[place]}
    assert hidden == {"right_shoulder", "right_eye", "right_ear"}
    assert keypoints.inside(left[seen], 64, 64).all() and not left[~seen].any()

    expected = np.zeros((64, 64), np.uint8)
    expected[10:, 15:51] = 1
    expected[55:, 30:35] = 0
    # No arm shuts in background here in the other pose.
    np.testing.assert_array_equal(masks[0, ..., 0], expected)
    expected[41:46, 21:24] = 0
    np.testing.assert_array_equal(masks[1, ..., 0], expected)


def test_the_table_has_all_poses_and_right_is_right(script):
    moves = [f"{move}{{}}{frame}" for move in ("slash", "spell", "walk") for frame in "14"]
    sides = ("front", "back", "left", "right")
    assert set(script.POSES) == {move.format(side) for move in moves for side in sides}
    tables = {pose: np.array(script.triples(pose)) for pose in script.POSES}
    for pose, points in tables.items():
        assert points.shape == (18, 3)
        keypoints.parse(json.dumps({"keypoints": points.tolist()}).encode(), pose, 64, 64)
        # Seen from the front, the right of a person is on the left of the picture.
        right, left = points[PLACES["right_ankle"], 1], points[PLACES["left_ankle"], 1]
        assert "front" not in pose or right < left
        assert "back" not in pose or (right > left and not points[PLACES["nose"], 2])
    twins = {"right": "left", "left": "right"}
    for move in moves:
        right, left = tables[move.format("right")], tables[move.format("left")]
        for name, place in PLACES.items():
            side, _, part = name.partition("_")
            row, column, visible = right[PLACES[f"{twins[side]}_{part}" if part else name]]
            expected = [row, 63 - column, 1] if visible else [0, 0, 0]
            np.testing.assert_array_equal(left[place], expected)


def test_it_refuses_what_it_cannot_do(script, folder, tmp_path):
    with pytest.raises(ValueError, match="One folder is expected, and 0 words came: none. Write"):
        script.main([])
    with pytest.raises(ValueError, match="nowhere is no folder.*mend the path"):
        script.main([str(tmp_path / "nowhere")])
    paint(tmp_path / "others" / "knight" / "portrait.png")
    with pytest.raises(
        ValueError, match=r"there are 1 PNG files, none with.*walkfront1\.png: rename"
    ):
        script.main([str(tmp_path / "others")])
    paint(folder / "knight" / "walkback1.png", (128, 64))
    with pytest.raises(data.BadImage, match="128x64 pixels.*Cut single poses"):
        script.main([str(folder)])
    for colour, share in (("black", "all"), ("white", "none")):
        Image.new("RGB", (64, 64), colour).save(folder / "knight" / "walkback1.png")
        with pytest.raises(data.BadImage, match=f"{share} of it would be the character.*white"):
            script.main([str(folder)])
    assert not list(folder.rglob("*.json")) and not list(folder.rglob("*.mask.png"))
