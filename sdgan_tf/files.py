"""Paths, and files and folders that are written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

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
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
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
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    # In a container the process number may be that of an earlier, killed process.
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        yield temporary
        for entry in (*temporary.rglob("*"), temporary):
            _flush(entry)
        os.rename(temporary, path)
        _flush(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _flush(path: Path) -> None:
    """Sees to it that a file's content, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
