"""Working copies of what lies on stores: fetched, and what is new in them uploaded."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from absl import logging

from sdgan_tf.stores.remote import MARK, Changed, Remote, StoreError, opened

# Files in one call of fsspec, which moves them side by side.
TOGETHER = 256
# Fetches of a folder that changes meanwhile.
ATTEMPTS = 5


class WorkingCopy:
    """A file or folder on a store and its copy here.

    A record says of each file what it was there and here when both were the same.

    Args:
        url: its path on the store.

    Attributes:
        url: the same.
        path: of the copy.
    """

    def __init__(self, url: str):
        self._remote = Remote(url)
        self.url = self._remote.url
        self._home = _cache() / hashlib.sha256(self.url.encode()).hexdigest()[:16]
        # Of a SavedModel the name of the folder above counts, too.
        self.path = self._home.joinpath("copy", *self._remote.parts[-2:])
        self._record: dict[str, list[str]] = {}

    def fetch(self, strict: bool = False) -> None:
        """Brings the copy up to date, and the store where an earlier process could not.

        Args:
            strict: give up what has changed here, as who only reads does.

        Raises:
            StoreError: the store cannot be read.
        """
        for _ in range(ATTEMPTS):
            if _trained_in(self.path):
                return
            with contextlib.suppress(Changed), self._held(), self._told("read"):
                self._fetch(strict)
                return
        raise StoreError(f"{self.url} changes faster than it can be read. Try again.")

    def upload(self, path: Path) -> None:
        """Uploads all that has changed, last the file or folder `path` that was just finished; raises a `StoreError`."""
        with self._held(), self._told():
            if path.is_dir():
                self._remote.mark(self._name(path))
            self._put(self._name(path), path.is_dir())

    def announce(self, path: Path) -> None:
        """Marks a folder that is about to appear as incomplete on the store: it may be killed before its upload begins."""
        with contextlib.suppress(StoreError):  # The upload will say it.
            self._remote.mark(self._name(path))

    def remove(self, path: Path) -> None:
        """Removes a file or folder that is gone here, a folder with the mark last; raises a `StoreError`."""
        name = self._name(path)
        with self._held(), self._told():
            names = [other for other in self._remote.signs() if _within(other, name)]
            mark = f"{name}/{MARK}".lstrip("/")
            if names not in ([], [name]):
                self._remote.mark(name)
                names = [*(other for other in names if other != mark), mark]
            self._delete(names[:-1])
            self._delete(names[-1:])

    def _fetch(self, strict: bool) -> None:
        here, record = self._here(), self._record
        there, marks = self._there()
        moved = strict or any(there.get(name) != old[0] for name, old in record.items())
        if moved or any(name in here and name not in record for name in there):
            for name in here.keys() - there.keys():
                self._forget_here(name)
            here = {n: sign for n, sign in here.items() if record.get(n) == [there.get(n), sign]}
            self._record = record = {name: record[name] for name in here}
        self._get([name for name in there if name not in here], there)
        if any(self._changed(name, sign) for name, sign in here.items()):
            try:
                with self._told():
                    self._put(None, False)
                    for mark in marks:
                        if (self.path / mark).is_dir():
                            self._put(mark, True)
            except StoreError as error:  # Whoever only reads needs no permission to write.
                logging.warning("%s", error)

    def _there(self) -> tuple[dict[str, str], list[str]]:
        """The signs of what is on the store, and the folders that are incomplete, which are left out."""
        found = self._remote.signs()
        marks = [name[: -len(MARK)].rstrip("/") for name in found if _base(name) == MARK]
        for mark in marks:
            logging.warning(
                "%s is incomplete and left out: whoever wrote it was stopped, or still does.",
                f"{self.url}/{mark}".rstrip("/"),
            )
        whole = {
            name: sign
            for name, sign in found.items()
            if not name or all(part[:1] not in ("", ".") for part in name.split("/"))
            if not any(_within(name, mark) for mark in marks)
        }
        return whole, marks

    def _get(self, names: list[str], there: dict[str, str]) -> None:
        for some in _portions(names):
            files = [self.path / name for name in some]
            parts = [file.with_name(f".{file.name}.{os.getpid()}.part") for file in files]
            for file in files:
                file.parent.mkdir(parents=True, exist_ok=True)
            sizes = [int(there[name].split()[0]) for name in some]
            try:
                self._remote.get(some, parts, sum(sizes))
                for name, part, file, size in zip(some, parts, files, sizes):
                    if part.stat().st_size != size:
                        raise Changed
                    os.replace(part, file)
                    self._record[name] = [there[name], _sign(file)]
            finally:
                for part in parts:
                    part.unlink(missing_ok=True)
            self._note()

    def _put(self, last: str | None, folder: bool) -> None:
        here = self._here()

        def place(name: str) -> tuple[bool, bool, int]:
            new = last is not None and _within(name, last)
            return new, name.endswith(".npz"), -name.count("/")

        changed = [name for name, sign in here.items() if self._changed(name, sign)]
        for _, group in itertools.groupby(sorted(changed, key=place), place):
            names = list(group)
            for some in _portions(names):
                self._remote.put([self.path / name for name in some], some)
            there = self._remote.signs()
            for name in names:
                self._record[name] = [there.get(name, ""), here[name]]
        if folder:
            mark = f"{last}/{MARK}".lstrip("/")
            # Another process may have been stopped while it wrote other files there.
            others = [n for n in self._remote.signs() if _within(n, last) and n not in here]
            self._delete([name for name in others if name != mark])
            self._delete([mark])

    def _delete(self, names: list[str]) -> None:
        for some in _portions(names):
            self._remote.delete(some)
            for name in some:
                self._record.pop(name, None)

    def _forget_here(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # The first that is not empty.
            for folder in Path(name).parents:
                (self.path / folder).rmdir()

    def _here(self) -> dict[str, str]:
        """The signs of what is in the copy."""
        if self.path.is_file():
            return {"": _sign(self.path)}
        found = {}
        for folder, folders, files in os.walk(self.path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for file in (Path(folder, name) for name in files if not name.startswith(".")):
                with contextlib.suppress(FileNotFoundError):  # Others may remove it meanwhile.
                    found[self._name(file)] = _sign(file)
        return found

    def _changed(self, name: str, sign: str) -> bool:
        return name not in self._record or self._record[name][1] != sign

    def _name(self, path: Path) -> str:
        return "" if path == self.path else path.relative_to(self.path).as_posix()

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Keeps other processes of this machine away, and reads and writes the record."""
        self._home.mkdir(parents=True, exist_ok=True)
        with open(self._home / "lock", "a") as lock:
            with contextlib.suppress(OSError):  # Not every file system has locks.
                fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                self._record = json.loads((self._home / "record.json").read_text())
            except (OSError, ValueError):  # Without it the store is right.
                self._record = {}
            try:
                yield
            finally:
                self._note()

    def _note(self) -> None:
        part = self._home / f"record.{os.getpid()}.part"
        part.write_text(json.dumps(self._record))
        os.replace(part, self._home / "record.json")

    @contextlib.contextmanager
    def _told(self, doing: str = "written") -> Iterator[None]:
        """Adds to the error of a store that cannot be read or written what is there and what is here."""
        try:
            yield
        except StoreError as error:
            steps = [n for n in self._record if re.fullmatch(r"(.*/)?step-\d+\.npz", n)]
            told = f"{error}"
            if steps:
                told += f" The last good checkpoint there is {self.url}/{max(steps)}."
            if steps or doing == "written":
                told += f" What the store lacks is kept below {self._home}: the same command again uploads it and goes on."
            raise StoreError(told) from error.__cause__


_copies: dict[Path, WorkingCopy] = {}


def local_copy(url: str) -> Path:
    """The path of the working copy of a file or folder on a store, brought up to date; nothing lies there of a new one.

    Raises:
        ValueError: nothing here handles such a path.
        ImportError: what handles it is not installed.
        StoreError: the store does not answer, its bucket is missing, or there is no permission.
    """
    if url.startswith(("file:", "local:")):
        return Path(opened(url)[1])
    copy = WorkingCopy(url)
    copy = _copies.setdefault(copy.path, copy)
    copy.fetch()
    copy.path.parent.mkdir(parents=True, exist_ok=True)
    return copy.path


def copies(path: Path) -> list[WorkingCopy]:
    """The working copy that a path is or lies in, if this process uses one. Hidden files are none of it."""
    return [
        copy
        for root, copy in _copies.items()
        if path.is_relative_to(root)
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    ]


def shown(text: object) -> str:
    """A text in which working copies are named as what they are copies of."""
    text = str(text)
    for copy in _copies.values():
        text = text.replace(str(copy.path), copy.url)
    return text


def _cache() -> Path:
    """The folder of all working copies. Nobody else may write there: models in it are programs."""
    asked = os.environ.get("SDGAN_CACHE")
    folder = Path(asked or Path(tempfile.gettempdir()) / f"sdgan_tf-{os.getuid()}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not asked and folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} is somebody else's. Name another folder by SDGAN_CACHE.")
    return folder.resolve()


def _trained_in(path: Path) -> bool:
    """Whether a process holds the lock of a run directory."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), open(path / ".lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _within(name: str, folder: str) -> bool:
    return not folder or name == folder or name.startswith(f"{folder}/")


def _portions(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + TOGETHER] for start in range(0, len(names), TOGETHER))


def _sign(file: Path) -> str:
    status = file.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
