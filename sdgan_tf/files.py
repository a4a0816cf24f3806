"""Paths, files and folders that are written whole or not at all, and archives that are read with care."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import platform
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

# What a process that was killed while it wrote leaves behind, as a pattern for `glob`.
FRAGMENTS = ".*.part"
# Two letters or more, since one is a drive; and one slash, since that is what `Path` leaves of two.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def local_path(path: str | os.PathLike) -> Path:
    """A path of this machine's file system.

    Raises:
        ValueError: it names a place on another system, such as `gs://bucket/folder`, which the file system would take
            for a folder called `gs:`.
    """
    if _SCHEME.match(os.fspath(path)):
        raise ValueError(
            "Only paths on this machine's own file system can be used: copy what is there to a local folder, or mount it "
            f"as one. A folder that is really called so is written with ./ in front. Received: {os.fspath(path)!r}"
        )
    return Path(path)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the name `path` only once it is complete and on the disk.

    Whatever goes wrong, an older file of that name stays as it was and no fragment is left.
    """
    remove_fragments(path.parent, path.name)
    temporary = _fragment(path)
    try:
        with open(temporary, "wb") as file:
            _claim(file.fileno())
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Writes readable JSON, whole or not at all."""
    with atomic_file(path) as file:
        file.write((json.dumps(content, indent=2) + "\n").encode())


def read_json(path: Path, error: type[Exception], advice: str) -> dict[str, Any]:
    """The JSON object in a file; raises `error`, whose message ends with the advice, where the file is damaged."""
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict):
            raise ValueError("it holds no JSON object")
    except ValueError as reason:
        raise error(f"{path} is damaged: {reason}. {advice}") from reason
    return content


def read_arrays(path: str | Path, max_bytes: int) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file, which holds nothing else: pickles, which may hold code, are refused.

    Args:
        path: the file.
        max_bytes: a file that has more when unpacked is refused before it is: a few kilobytes may become gigabytes.

    Raises:
        Exception: nearly any, where the file is damaged; a `ValueError`, where it is too large.
    """
    with zipfile.ZipFile(path) as file:
        size = sum(item.file_size for item in file.infolist())
    if size > max_bytes:
        raise ValueError(f"{size:,} bytes unpacked, more than the {max_bytes:,} allowed")
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which takes the name `path` only once it is complete and on the disk;
    `path` must not exist.

    Raises:
        FileExistsError: there is something at `path` already.
    """
    if os.path.lexists(path):
        raise FileExistsError(f"{path} exists already, and nothing is overwritten. Name another.")
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_fragments(path.parent, path.name)
    temporary = _fragment(path)
    # In a container the process number may be that of an earlier, killed process.
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        with _opened(temporary) as descriptor:
            _claim(descriptor)
            yield temporary
            for entry in (*temporary.rglob("*"), temporary):
                _flush(entry)
            os.rename(temporary, path)
        _flush(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Removes a folder whose name is gone at once: a kill amid this leaves a fragment, never half a folder."""
    fragment = _fragment(path)
    os.rename(path, fragment)
    shutil.rmtree(fragment)


def remove_fragments(folder: Path, name: str | None = None) -> None:
    """Removes what processes that were killed while they wrote left behind; what one still writes stays.

    Args:
        folder: where it lies.
        name: of the file or folder that was to be written; None for all.
    """
    pattern = FRAGMENTS if name is None else f".{glob.escape(name)}{FRAGMENTS[1:]}"
    for fragment in folder.glob(pattern):
        # Whoever writes it holds a lock, which ends with the process. Where files cannot be locked, nothing is removed.
        with contextlib.suppress(OSError), _opened(fragment) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(fragment) if fragment.is_dir() else fragment.unlink()


def _fragment(path: Path) -> Path:
    """Where a process writes what is to become `path`."""
    # Machines that share a disk have processes of the same number, containers above all.
    host = zlib.crc32(platform.node().encode())
    return path.with_name(f".{path.name}.{host:08x}-{os.getpid()}.part")


def _claim(descriptor: int) -> None:
    """Tells others that this fragment is being written."""
    with contextlib.suppress(OSError):  # Not every file system has locks.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The descriptor of a file or folder that is there; a pipe or a link is not waited for or followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _flush(path: Path) -> None:
    """Sees to it that a file's content, or the names in a folder, are on the disk."""
    with _opened(path) as descriptor:
        os.fsync(descriptor)
