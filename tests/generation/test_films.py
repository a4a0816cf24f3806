"""Films: which codes their frames show, and what the files hold."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from sdgan_tf.generation import check_film, frame_codes, save_film
from sdgan_tf.latents import LatentSpace

SPACE = LatentSpace.split(1, 1)
IDENTITY = np.array([[1.0], [2.0]], np.float32)
OBSERVATION = np.array([[5.0], [6.0], [7.0]], np.float32)


def shades(count=3, height=5, width=6, channels=3):
    """Return frames, each of one grey level: 0, 100, 200."""
    levels = 100 * np.arange(count, dtype=np.uint8)
    shape = (count, height, width, channels)
    return np.broadcast_to(levels[:, None, None, None], shape).copy()


def test_a_walk_of_the_identity_shows_a_row_a_frame():
    frames = frame_codes(SPACE, IDENTITY, OBSERVATION, "identity")
    assert frames.tolist() == [[[[1, 5], [1, 6], [1, 7]]], [[[2, 5], [2, 6], [2, 7]]]]


def test_a_walk_of_the_observation_shows_a_column_a_frame():
    frames = frame_codes(SPACE, IDENTITY, OBSERVATION, "observation")
    assert frames.tolist() == [[[[i, o]] for i in (1, 2)] for o in (5, 6, 7)]
    assert frames.shape == (3, 2, 1, 2)


def test_a_walk_of_both_shows_an_image_a_frame():
    frames = frame_codes(SPACE, IDENTITY, OBSERVATION[:2], "both")
    assert frames.tolist() == [[[[1, 5]]], [[[2, 6]]]]
    with pytest.raises(ValueError, match="Received: 2 identity and 3 observation codes"):
        frame_codes(SPACE, IDENTITY, OBSERVATION, "both")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_gif_gives_its_frames_back(channels, tmp_path):
    path = save_film(shades(channels=channels), tmp_path / "made" / "walk.gif", fps=20)
    with Image.open(path) as film:
        assert (film.format, film.n_frames, film.size) == ("GIF", 3, (6, 5))
        for number in range(3):
            film.seek(number)
            assert film.info["duration"] == 50
            assert np.unique(np.array(film.convert("RGB"))) == [100 * number]
        assert film.info["loop"] == 0
    assert [item.name for item in path.parent.iterdir()] == ["walk.gif"]


def test_an_mp4_gives_its_frames_back(tmp_path):
    pytest.importorskip("imageio.v3", reason="the extra `video` is not installed")
    encoder = pytest.importorskip("imageio_ffmpeg", reason="the extra `video` is not installed")
    path = save_film(shades(), tmp_path / "walk.mp4")
    reader = encoder.read_frames(str(path))
    facts = next(reader)
    assert facts["size"] == (6, 6) and facts["codec"] == "h264" and facts["fps"] == 10
    frames = [np.frombuffer(frame, np.uint8).reshape(6, 6, 3) for frame in reader]
    assert len(frames) == 3
    for number, frame in enumerate(frames):
        assert abs(float(frame[:5].mean()) - 100 * number) < 12
    assert [item.name for item in tmp_path.iterdir()] == ["walk.mp4"]


@pytest.mark.parametrize("missing", ["imageio.v3", "imageio_ffmpeg"])
def test_what_cannot_be_written_is_refused_beforehand(missing, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"one of \('.gif', '.mp4'\). Received: walk.avi"):
        check_film("walk.avi")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"pip install 'sdgan_tf\[video\]', or write a .gif"):
        save_film(shades(), tmp_path / "walk.mp4")
    assert not list(tmp_path.iterdir())
