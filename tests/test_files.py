"""Files and folders appear whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import gc
import io
import os
import re
from pathlib import Path

import numpy as np
import pytest

import sdgan_tf as sd
from sdgan_tf.files import (
    _fragment,
    atomic_file,
    atomic_folder,
    local_path,
    read_arrays,
    read_json,
    remove_folder,
    remove_fragments,
    temporary_folder,
    write_arrays,
    write_json,
)
from sdgan_tf.generation import load_codes
from sdgan_tf.images import save_png
from sdgan_tf.training import Checkpoints, RunDirectory


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


# Told apart from those of a process of the same number on another machine.
FRAGMENT = re.compile(rf"\.store\.[0-9a-f]{{8}}-{os.getpid()}\.part")


@pytest.fixture
def synced(monkeypatch):
    """Return a list of what was flushed to the disk: paths, and whether `store` existed then."""
    flushed = []

    def note(number):
        path = Path(os.readlink(f"/proc/self/fd/{number}"))
        flushed.append(
            (path.name, (path if path.is_dir() else path.parent).joinpath("store").exists())
        )

    monkeypatch.setattr(os, "fsync", note)
    return flushed


def test_a_file_is_on_the_disk_before_it_takes_its_name_which_is_then_on_the_disk_too(
    tmp_path, synced
):
    with atomic_file(tmp_path / "store") as file:
        file.write(b"x")
    [(fragment, early), last] = synced
    assert FRAGMENT.fullmatch(fragment) and not early and last == (tmp_path.name, True)


def test_a_folder_is_on_the_disk_before_it_takes_its_name_which_is_then_on_the_disk_too(
    tmp_path, synced
):
    with atomic_folder(tmp_path / "store") as folder:
        (folder / "a").write_text("1")
    [(inside, _), (fragment, early), last] = synced
    assert inside == "a" and FRAGMENT.fullmatch(fragment) and not early
    assert last == (tmp_path.name, True)


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
    _fragment(file).write_bytes(b"a longer fragment")
    stale = _fragment(folder)
    stale.mkdir()
    (stale / "fragment").write_text("half")
    with atomic_file(file) as opened:
        opened.write(b"new")
    with atomic_folder(folder) as opened:
        (opened / "a").write_text("new")
    assert file.read_bytes() == b"new"
    assert names(folder) == ["a"]
    assert names(tmp_path) == ["file", "store"]


@pytest.mark.parametrize("content", ["", '{"a": ', "[1]", "\xff"])
def test_damaged_json_is_told_with_advice(tmp_path, content):
    path = tmp_path / "note.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(RuntimeError, match="note.json is damaged: .* Delete it."):
        read_json(path, RuntimeError, "Delete it.")
    write_json(path, {"a": 1})
    assert read_json(path, RuntimeError, "Delete it.") == {"a": 1}


@pytest.mark.parametrize(
    "path", ["nowhere://bucket/run", Path("nowhere://bucket"), "a+b-c.d:/x", "https://host/faces"]
)
def test_a_place_that_nothing_here_reaches_is_no_local_path(path):
    pytest.importorskip("fsspec", reason="needs fsspec, the extra `store`")
    with pytest.raises(ValueError, match=r"local folder.*\./ in front. Received: '.*://"):
        local_path(path)


@pytest.mark.parametrize("path", ["runs/a", "/runs/a", "./gs:/a", "C:/a", "a:b", ""])
def test_local_paths_are_taken_as_they_are(path):
    assert local_path(path) == Path(path)


@pytest.mark.parametrize(
    "reach",
    [
        sd.data.load,
        sd.data.check,
        sd.data.from_built,
        sd.data.from_directory,
        sd.data.from_tfrecord,
        lambda path: sd.data.build("faces", path),
        lambda path: sd.data.to_tfrecord(None, path),
        sd.load_run,
        sd.load_saved_model,
        load_codes,
        sd.callbacks.IdentityGrid,
        RunDirectory,
        Checkpoints,
        lambda path: sd.serving.export(None, path),
        sd.evaluation.load_verifier,
        sd.evaluation.load_features,
        lambda path: sd.evaluation.write_report([], {}, path, {}),
        lambda path: save_png(np.zeros([2, 2, 3], np.uint8), path),
    ],
)
def test_nothing_takes_a_bucket_for_a_folder(reach, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces").mkdir()
    # Without the extra `store`, nothing can tell what would handle it.
    with pytest.raises((ValueError, ImportError), match="Received: 'nowhere://bucket/run'"):
        reach("nowhere://bucket/run")
    assert names(tmp_path) == ["faces"]


def test_what_a_killed_process_left_is_gone_after_the_next_write(tmp_path):
    (tmp_path / ".file.1234567.part").write_bytes(b"half")
    stale = tmp_path / ".store.1234567.part"
    stale.mkdir()
    (stale / "a").write_text("half")
    (tmp_path / ".pipe.1234567.part").symlink_to("nowhere")
    with atomic_file(tmp_path / "file") as opened:
        opened.write(b"new")
    assert names(tmp_path) == [".pipe.1234567.part", stale.name, "file"]
    with atomic_folder(tmp_path / "store"):
        pass
    assert names(tmp_path) == [".pipe.1234567.part", "file", "store"]


def test_what_is_being_written_stays(tmp_path):
    with atomic_file(tmp_path / "file") as file, atomic_folder(tmp_path / "store") as folder:
        (folder / "a").write_text("1")
        remove_fragments(tmp_path)
        file.write(b"new")
    assert names(tmp_path) == ["file", "store"]
    assert (tmp_path / "file").read_bytes() == b"new"
    assert names(tmp_path / "store") == ["a"]


def test_what_others_remove_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    lock = fcntl.flock

    def late(descriptor, how):
        monkeypatch.setattr(fcntl, "flock", lock)
        remove_fragments(tmp_path)
        lock(descriptor, how)

    def amid(write):
        monkeypatch.setattr(fcntl, "flock", late)
        with write as made:
            assert fcntl.flock is lock
            return made.name if isinstance(made, Path) else made.write(b"new")

    amid(atomic_file(tmp_path / "file"))
    amid(atomic_folder(tmp_path / "store"))
    assert amid(temporary_folder("photos")).startswith(".photos.")
    assert names(tmp_path) == ["file", "store"]
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_temporary_folder_goes_in_the_end_and_that_of_a_killed_process_before(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stale = tmp_path / ".photos.of-a-killed-process.part"
    stale.mkdir()
    (stale / "me.png").write_text("a visitor's photo")
    with temporary_folder("photos") as first, temporary_folder("photos") as second:
        (first / "a").write_text("1")
        assert first.stat().st_mode & 0o777 == 0o700
        assert names(tmp_path) == sorted([first.name, second.name])
    assert names(tmp_path) == []


def test_a_folder_goes_at_once(tmp_path, monkeypatch):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "a").touch()
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", lambda path: None)  # as if killed before it
        remove_folder(tmp_path / "store")
    assert not (tmp_path / "store").exists()
    remove_fragments(tmp_path)
    assert names(tmp_path) == []


def test_arrays_are_the_bytes_of_numpy_and_a_full_disk_is_one_error(tmp_path, monkeypatch):
    arrays = {"a/b": np.arange(6.0).reshape(2, 3).T, "step": np.int64(3), "none": np.zeros([0, 2])}
    np.savez(tmp_path / "numpy.npz", **arrays)
    with open(tmp_path / "ours.npz", "wb") as file:
        write_arrays(file, arrays)
    assert (tmp_path / "ours.npz").read_bytes() == (tmp_path / "numpy.npz").read_bytes()

    class Full(io.BytesIO):
        def write(self, content):
            if self.tell() + len(content) > 300:
                raise OSError(errno.EFBIG, "File too large")
            return super().write(content)

    unheard = []
    monkeypatch.setattr("sys.unraisablehook", unheard.append)
    with pytest.raises(OSError, match="File too large"):
        write_arrays(Full(), arrays)
    gc.collect()
    assert unheard == []


def test_arrays_that_unpack_to_more_than_allowed_are_refused(tmp_path):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, a=np.zeros(10**6, np.uint8))
    assert path.stat().st_size < 10**4
    assert read_arrays(path, 10**6 + 200)["a"].shape == (10**6,)
    with pytest.raises(ValueError, match="1,000,128 bytes unpacked, more than the 10,000 allowed"):
        read_arrays(path, 10**4)
