"""A file or folder on a store as fsspec shows it, asked with patience."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from absl import logging

# In a folder that is not complete.
MARK = ".incomplete"
# How long a store that does not answer is asked again, in seconds, and how long a wait between takes at most.
PATIENCE, LONGEST = 60.0, 8.0
# What tells by its change that a file is another one: the first of these that a store knows.
SIGNS = ("ETag", "etag", "md5Hash", "mtime", "modified", "last_modified", "LastModified", "created")
# What waiting does not mend.
LASTING = (FileNotFoundError, PermissionError, ValueError, TypeError, NotImplementedError)


class StoreError(RuntimeError):
    """A store cannot be read or written; the message says why, and where what it lacks is kept."""


class Changed(Exception):
    """Files were removed or replaced on the store while they were fetched."""


class Remote:
    """A file or folder on a store.

    All methods raise a `StoreError` where the store does not do it: at once where waiting would not help, else after
    asking again for a minute; a store that has failed so long is then asked only once.

    Args:
        url: its path.

    Attributes:
        url: its path, without a slash at the end.
        parts: the names in it, the bucket's first.
    """

    def __init__(self, url: str):
        self.url = url.rstrip("/")
        self._system, root = opened(url)
        self._root, self._gave_up = root.rstrip("/"), False
        self.parts = [part for part in root.split("/") if part]
        if not self.parts or {".", ".."} & set(self.parts):
            raise ValueError(f"On a store, name a bucket and a folder or file. Received: {url!r}")

    def signs(self) -> dict[str, str]:
        """Everything in it: by name a text that begins with its size and changes when the file does.

        Names are relative to the folder; that of a file that is no folder is empty.
        """
        self._system.invalidate_cache()
        found = self._ask(lambda: self._system.find(self._root, detail=True))
        start = len(self._root.strip("/"))
        return {
            path.lstrip("/")[start:].removeprefix("/"): _sign(info)
            for path, info in found.items()
            if info["type"] == "file"
        }

    def get(self, names: list[str], files: list[Path]) -> None:
        """Fetches some into files; raises `Changed` where one is gone."""
        self._ask(lambda: self._get(names, files))

    def put(self, files: list[Path], names: list[str]) -> None:
        """Uploads files, each of which is there whole or not at all if the store knows how to."""
        places, paths = self._places(names), [str(file) for file in files]
        self._ask(lambda: self._system.put(paths, places), "written")

    def mark(self, name: str) -> None:
        """Marks a folder as incomplete."""
        (place,) = self._places([f"{name}/{MARK}"])
        self._ask(lambda: self._system.pipe_file(place, b"incomplete\n"), "written")

    def delete(self, names: list[str]) -> None:
        """Removes some, as far as they are there."""
        places = self._places(names)

        def delete() -> None:
            with contextlib.suppress(FileNotFoundError):
                self._system.rm(places)

        self._ask(delete, "written")

    def _get(self, names: list[str], files: list[Path]) -> None:
        try:
            self._system.get(self._places(names), [str(file) for file in files])
        except FileNotFoundError as error:
            raise Changed from error

    def _places(self, names: Iterable[str]) -> list[str]:
        return [f"{self._root}/{name.lstrip('/')}".rstrip("/") for name in names]

    def _ask(self, action: Callable[[], Any], doing: str = "read") -> Any:
        until, pause = time.monotonic() + (0 if self._gave_up else PATIENCE), 0.5
        while True:
            try:
                result = action()
            except Changed:
                raise
            except Exception as error:
                advice = _advice(error)
                if advice is not None or time.monotonic() + pause > until:
                    self._gave_up = advice is None
                    reason = str(error).rstrip(".") or type(error).__name__
                    raise StoreError(
                        f"{self.url} cannot be {doing}: {reason}. {advice or ''}".rstrip()
                    ) from error
                logging.warning("%s: %s. Trying again in %g s.", self.url, error, pause)
                time.sleep(pause)
                pause = min(2 * pause, LONGEST)
            else:
                self._gave_up = False
                return result


def opened(url: str) -> tuple[Any, str]:
    """The file system of fsspec for a path, and what that calls it; the store is not asked.

    Raises:
        ValueError: nothing here handles such a path.
        ImportError: what handles it is not installed.
    """
    scheme = url.partition(":")[0]
    try:
        from fsspec.core import url_to_fs

        # Pages of the web cannot be listed as folders are.
        if scheme in ("http", "https"):
            raise ValueError("download what is there")
        return url_to_fs(url)
    except ImportError as error:
        raise ImportError(
            f"Paths on object stores need the extra `store`: pip install 'sdgan_tf[store]'. Those of {scheme}:// may need "
            f"another package: {error}. Received: {url!r}"
        ) from error
    except ValueError as error:
        raise ValueError(
            f"Nothing here handles {scheme}:// ({error}): name a local folder, or one on a store that fsspec knows, such as "
            f"s3://bucket/folder. A folder that is really called so is written with ./ in front. Received: {url!r}"
        ) from error


def _advice(error: Exception) -> str | None:
    """What to do about an error that waiting does not mend; None for one that it may."""
    # Botocore's own errors are of none of Python's kinds.
    kind = type(error).__name__
    if isinstance(error, PermissionError) or "Credential" in kind:
        return "Give credentials that may, in the way of the store's own tools."
    if isinstance(error, FileNotFoundError):
        return "Make the bucket, or name one that is there."
    lasting = "Validation" in kind or getattr(error, "errno", None) in (errno.EINVAL, errno.ENOSPC)
    return "" if lasting or isinstance(error, LASTING) else None


def _sign(info: dict[str, Any]) -> str:
    return f"{info['size']} {next((info[name] for name in SIGNS if info.get(name)), '')}"
