"""Paths, files and folders that are written whole or not at all, and archives that are read with care."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import platform
import re
import secrets
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sdgan_tf.stores import copies, local_copy, opened

# What a process that was killed while it wrote leaves behind, as a pattern for `glob`.
FRAGMENTS = ".*.part"
# Two letters or more, since one is a drive; and one slash, since that is what `Path` leaves of two.
_SCHEME = re.compile(r"(?:[A-Za-z0-9+.-]+::)*[A-Za-z][A-Za-z0-9+.-]+:/(?P<second>/?)")


def local_path(path: str | os.PathLike) -> Path:
    """A path of this machine's file system: of what lies on a store, such as `s3://bucket/folder`, that of its working copy,
    brought up to date; see `sdgan_tf.stores`.

    Raises:
        ValueError: nothing here handles such a path.
        ImportError: what handles it is not installed.
        StoreError: the store does not answer, its bucket is missing, or there is no permission.
    """
    url = _url(path)
    return local_copy(url) if url else Path(path)


def local_file(path: str | os.PathLike) -> Path:
    """As `local_path`, of a file that is used together with what lies beside it."""
    folder, name = os.path.split(path)
    return local_path(folder) / name


def check_path(path: str | os.PathLike) -> None:
    """Raises as `local_path` does for a path that nothing here handles, before any work is done."""
    url = _url(path)
    if url:
        opened(url)


def refresh(path: Path, strict: bool = False) -> None:
    """Brings the working copy that a path lies in up to date; `strict` gives up what has changed here."""
    for copy in copies(path):
        copy.fetch(strict)


def _url(path: str | os.PathLike) -> str:
    """The path of what lies on a store; empty for any other."""
    text = os.fspath(path)
    scheme = _SCHEME.match(text)
    if not scheme:
        return ""
    bare = scheme["second"] or text.startswith("file:")
    return text if bare else text.replace(":/", "://", 1)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the name `path` only once it is complete and on the disk.

    Whatever goes wrong, an older file of that name stays as it was and no fragment is left.
    """
    remove_fragments(path.parent, path.name)
    temporary = _fragment(path)
    try:
        with _claimed(temporary, temporary.touch), open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
    _upload(path)


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


def write_arrays(file: BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an `.npz` file, the bytes of `numpy.savez`, which leaves it to a finalizer to close what a full disk cut off."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)


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
        with _claimed(temporary, temporary.mkdir):
            yield temporary
            for entry in (*temporary.rglob("*"), temporary):
                _flush(entry)
            for copy in copies(path):
                copy.announce(path)
            os.rename(temporary, path)
        _flush(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _upload(path)


@contextlib.contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """A folder of this process alone, among the system's temporary ones, which is removed in the end.

    What processes that were killed left behind under the same name is removed first.
    """
    place = Path(tempfile.gettempdir())
    remove_fragments(place, name)
    folder = place / f".{name}.{secrets.token_hex(8)}.part"
    try:
        with _claimed(folder, lambda: folder.mkdir(0o700)):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_file(path: Path) -> None:
    """Removes a file, if it is there."""
    path.unlink(missing_ok=True)
    for copy in copies(path):
        copy.remove(path)


def remove_folder(path: Path) -> None:
    """Removes a folder whose name is gone at once: a kill amid this leaves a fragment, never half a folder."""
    fragment = _fragment(path)
    os.rename(path, fragment)
    shutil.rmtree(fragment)
    for copy in copies(path):
        copy.remove(path)


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


def _upload(path: Path) -> None:
    for copy in copies(path):
        copy.upload(path)


def _fragment(path: Path) -> Path:
    """Where a process writes what is to become `path`."""
    # Machines that share a disk have processes of the same number, containers above all.
    host = zlib.crc32(platform.node().encode())
    return path.with_name(f".{path.name}.{host:08x}-{os.getpid()}.part")


@contextlib.contextmanager
def _claimed(fragment: Path, make: Callable[[], Any]) -> Iterator[None]:
    """Makes a fragment and holds its lock, by which others know that it is being written."""
    while True:
        make()
        with contextlib.suppress(FileNotFoundError), _opened(fragment) as descriptor:
            with contextlib.suppress(OSError):  # Not every file system has locks.
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Before it was locked, others may have taken it for a dead process's, and removed it.
            if os.path.samestat(os.fstat(descriptor), os.stat(fragment)):
                held = os.dup(descriptor)  # The lock is that of both.
                break
    try:
        yield
    finally:
        os.close(held)


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
