"""Builds: whole or not at all, the same bytes whatever the parts, and on from where they were stopped."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from sdgan_tf import data
from sdgan_tf.data import parts
from tests.data.conftest import noise

pytestmark = pytest.mark.once

COUNTS = {"p0": 4, "p1": 5, "p2": 3, "p3": 4}
# Decoded to 6 x 6 pixels in colour.
IMAGE_BYTES = 6 * 6 * 3


@pytest.fixture
def folder(make_folder):
    return make_folder(COUNTS)


@pytest.fixture
def looked(monkeypatch):
    """Return a list of the files that were decoded; with a number in `stop_after`, it stops there."""
    look = parts.look

    class Looked(list):
        stop_after = None
        error = KeyboardInterrupt()

    looked = Looked()

    def note(listing, path, wanted):
        if len(looked) == looked.stop_after:
            raise looked.error
        looked.append(path)
        return look(listing, path, wanted)

    monkeypatch.setattr(parts, "look", note)
    # One after another, so that it is known which come first.
    monkeypatch.setattr(parts, "parallel_map", lambda function, items: (function(i) for i in items))
    return looked


def test_nothing_is_overwritten(folder, tmp_path):
    (tmp_path / "out").mkdir()
    # As after a kill at the very end of a build.
    (tmp_path / ".out.parts" / "00000").mkdir(parents=True)
    with pytest.raises(FileExistsError, match="exists already"):
        data.build(folder, tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["faces", "out"]


def test_bad_data_build_nothing_or_are_left_out(folder, tmp_path):
    (folder / "p1" / "00.png").write_bytes(b"no image")
    with pytest.raises(data.BadData, match="p1/00.png"):
        data.build(folder, tmp_path / "out", image_size=8)
    assert sorted(os.listdir(tmp_path)) == [".out.parts", "faces"]
    data.build(folder, tmp_path / "out", image_size=8, on_bad_data="skip")
    assert sorted(os.listdir(tmp_path)) == ["faces", "out"]
    skipped = data.from_directory(folder, image_size=8, on_bad_data="skip")
    assert skipped.counts[1] == COUNTS["p1"] - 1
    assert data.from_built(tmp_path / "out").fingerprint == skipped.fingerprint


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_stopped_build_says_so_and_leaves_no_data(folder, tmp_path, looked, capsys, error):
    looked.stop_after, looked.error = 7, error
    with pytest.raises(type(error)) as caught:
        data.build(folder, tmp_path / "out", image_size=8, verbose=True)
    assert sorted(os.listdir(tmp_path)) == [".out.parts", "faces"]
    # The line of the progress bar has ended, so that a message stands on one of its own.
    assert capsys.readouterr().err.endswith("\n")
    if isinstance(error, OSError):
        assert "Cannot write to" in str(caught.value) and "No space left" in str(caught.value)


@pytest.mark.parametrize("on_duplicates", ["keep", "drop"])
def test_a_stopped_build_goes_on_where_it_was(
    messy, tmp_path, looked, files_of, monkeypatch, on_duplicates
):
    messy["on_duplicates"] = on_duplicates
    report = data.build(out=tmp_path / "whole", **messy)
    assert len(report.broken) == 2 and report.duplicates_across and report.duplicates_within
    assert len(set(report.parts.values())) == 2
    files = len(looked)
    monkeypatch.setattr(parts, "PART_BYTES", 4 * IMAGE_BYTES)
    looked.clear()
    looked.stop_after = 10
    with pytest.raises(KeyboardInterrupt):
        data.build(out=tmp_path / "out", **messy)
    looked.clear()
    looked.stop_after = None
    again = data.build(out=tmp_path / "out", **messy)
    assert len(looked) == files - 8, "two parts of four images were finished"
    assert again == report
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
    assert not (tmp_path / ".out.parts").exists()


def test_only_parts_whose_files_changed_are_made_again(folder, tmp_path, looked, monkeypatch):
    monkeypatch.setattr(parts, "PART_BYTES", 4 * IMAGE_BYTES)
    (folder / "p1" / "00.png").write_bytes(b"no image")
    with pytest.raises(data.BadData, match="p1/00.png"):
        data.build(folder, tmp_path / "out", image_size=6)
    looked.clear()
    Image.fromarray(noise("new", 0)).save(folder / "p1" / "00.png")
    data.build(folder, tmp_path / "out", image_size=6)
    assert looked == ["p1/00.png", "p1/01.png", "p1/02.png", "p1/03.png"]
    assert data.check(tmp_path / "out").clean
    mended = data.from_directory(folder, image_size=6)
    assert data.from_built(tmp_path / "out").fingerprint == mended.fingerprint
