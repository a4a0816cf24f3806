"""Images that look alike: what is found, and what is not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdgan_tf import data
from sdgan_tf.cli import data as data_command
from sdgan_tf.data import likeness
from sdgan_tf.data.likeness import Likeness
from tests import commands

pytestmark = pytest.mark.once


def scene(seed, size=64):
    """Return something smooth, as photographs are, of many shapes: uint8 [size, size, 3]."""
    coarse = np.random.default_rng(seed).integers(0, 256, [6, 6, 3], np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


def folder_of(path, images):
    """Write images by their paths in a folder; return it."""
    for name, image in images.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(path / name)
    return path


@pytest.fixture
def faces(tmp_path):
    """Return a folder of five identities, of which images were saved anew under other names."""
    images = {f"who-{i}/{n}.png": scene(10 * i + n) for i in range(5) for n in range(3)}
    images["who-1/again.jpg"] = images["who-0/0.png"]
    images["who-2/smaller.png"] = images["who-0/1.png"].resize((32, 32))
    images["who-3/itself.jpg"] = images["who-3/2.png"]
    images["who-4/copy.png"] = images["who-2/2.png"]
    return folder_of(tmp_path / "faces", images)


def test_images_saved_anew_under_another_identity_are_told_of(faces, capsys):
    assert commands.call(data_command, "check", str(faces)) == 0
    told = capsys.readouterr().out
    assert "2 pairs of images of different identities that look alike. Look at them:" in told
    assert "  who-0/0.png ~ who-1/again.jpg\n  who-0/1.png ~ who-2/smaller.png\n" in told
    # Equal ones are told of as such.
    assert "who-2/2.png = who-4/copy.png" in told and "~ who-4" not in told


@pytest.mark.parametrize("size", [16, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_they_are_found_at_any_size(size, channels, faces):
    report = data.check(faces, size, channels)
    assert report.alike[0] == ["who-0/0.png", "who-1/again.jpg"]
    assert report.clean


def test_few_bits_and_levels_may_differ():
    steps = np.kron(np.random.default_rng(0).permutation(64).reshape(8, 8), np.ones([8, 8]))
    plain = np.repeat((3 * steps)[..., np.newaxis].astype(np.uint8), 3, -1)
    weaker = (plain * 0.8).astype(np.uint8)
    for changed, alike in ((plain + 9, True), (weaker, False), (255 - plain, False)):
        seen = Likeness()
        seen.add("ann", "a.png", plain)
        seen.add("bob", "b.png", changed)
        assert seen.pairs() == ([["a.png", "b.png"]] if alike else [])
        assert seen.pairs(without={"b.png"}) == []


def test_what_is_as_common_as_white_tells_nothing(monkeypatch):
    seen = Likeness()
    for number in range(6):
        seen.add(f"who-{number}", f"{number}.png", np.full([8, 8, 3], 255 - number // 5, np.uint8))
    assert len(seen.pairs()) == 15
    monkeypatch.setattr(likeness, "MOST_PAIRS", 4)
    assert len(seen.pairs()) == 4
    monkeypatch.setattr(likeness, "MOST_IMAGES", 5)
    assert seen.pairs() == []
    assert Likeness().pairs() == []
