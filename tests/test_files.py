"""Files and folders appear whole or not at all."""

from __future__ import annotations

import os

import pytest

from sdgan_tf.files import atomic_file, atomic_folder


def names(folder):
    """Return all that lies in `folder`, hidden files included."""
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "weights.npz"
    with atomic_file(path) as file:
        file.write(b"new")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["weights.npz"]


def test_a_failed_write_leaves_the_older_file_and_no_fragment(tmp_path):
    path = tmp_path / "weights.npz"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="disk full"), atomic_file(path) as file:
        file.write(b"half")
        raise OSError("disk full")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["weights.npz"]


def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    path = tmp_path / "file"
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(path.exists()))
    with atomic_file(path) as file:
        file.write(b"x")
    assert synced == [False] and path.exists()


def test_a_file_replaces_the_older_one(tmp_path):
    path = tmp_path / "file"
    for content in (b"a longer first version", b"second"):
        with atomic_file(path) as file:
            file.write(content)
    assert path.read_bytes() == b"second"


def test_a_folder_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "deep" / "store"
    with atomic_folder(path) as folder:
        (folder / "a").write_text("1")
        assert not path.exists()
    assert (path / "a").read_text() == "1"
    assert names(tmp_path / "deep") == ["store"]


def test_a_failed_folder_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), atomic_folder(tmp_path / "store") as folder:
        (folder / "a").write_text("1")
        raise KeyError("stop")
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_nothing_is_overwritten_by_a_folder(tmp_path, kind):
    path = tmp_path / "store"
    path.write_text("mine") if kind == "file" else path.mkdir()
    with (
        pytest.raises(FileExistsError, match="store exists already"),
        atomic_folder(path),
    ):
        pytest.fail("the work must not begin")
    assert names(tmp_path) == ["store"]


def test_a_folder_made_meanwhile_by_another_is_not_touched(tmp_path):
    path = tmp_path / "store"
    with pytest.raises(OSError), atomic_folder(path) as folder:
        (folder / "a").write_text("mine")
        path.mkdir()
        (path / "a").write_text("theirs")
    assert (path / "a").read_text() == "theirs"
    assert names(tmp_path) == ["store"]


def test_fragments_of_a_killed_process_of_the_same_number_are_no_obstacle(tmp_path):
    # In a container the process has the same number each time.
    file, folder = tmp_path / "file", tmp_path / "store"
    (tmp_path / f".file.{os.getpid()}.part").write_bytes(b"a longer fragment")
    stale = tmp_path / f".store.{os.getpid()}.part"
    stale.mkdir()
    (stale / "fragment").write_text("half")
    with atomic_file(file) as opened:
        opened.write(b"new")
    with atomic_folder(folder) as opened:
        (opened / "a").write_text("new")
    assert file.read_bytes() == b"new"
    assert names(folder) == ["a"]
    assert names(tmp_path) == ["file", "store"]
