"""A file or folder on a store as fsspec shows it, asked with patience."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from absl import logging

# In a folder that is not complete.
MARK = ".incomplete"
# How long a store that fails is asked again, in seconds, unless SDGAN_PATIENCE says otherwise, and how long a wait between
# takes at most.
PATIENCE, LONGEST = 120.0, 8.0
# How long one call of a store that works asynchronously, as most do, may take, in seconds: of a list, however long, and of
# anything else, with so many bytes a second on top. What s3fs writes has no other limit: a server that does not even say
# that it goes on listening is waited for without end.
LISTING, ANSWER, SLOWEST = 600.0, 40.0, 2**18
# How often s3fs tries by itself, each time waiting for 15 s for what it reads: the parts of large files need it.
TRIES = 2
# What tells by its change that a file is another one: the first of these that a store knows.
SIGNS = ("ETag", "etag", "md5Hash", "mtime", "modified", "last_modified", "LastModified", "created")
# What waiting does not mend.
LASTING = (FileNotFoundError, PermissionError, ValueError, TypeError, NotImplementedError)
S3 = ("s3", "s3a")


class StoreError(RuntimeError):
    """A store cannot be read or written; the message says why, and where what it lacks is kept."""


class Changed(Exception):
    """Files were removed or replaced on the store while they were fetched."""


class Remote:
    """A file or folder on a store.

    All methods raise a `StoreError` where the store does not do it: at once where waiting would not help, else after
    asking again for two minutes, or as many seconds as the environment variable SDGAN_PATIENCE says; a store that has
    failed so long is then asked only once. One that takes a request and says nothing has failed after 40 seconds, and 4 more
    for each MiB that is moved; only lists may take ten minutes of stores other than S3.

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
        found = self._ask(
            lambda: self._system.find(self._root, detail=True, **self._limit(LISTING))
        )
        start = len(self._root.strip("/"))
        return {
            path.lstrip("/")[start:].removeprefix("/"): _sign(info)
            for path, info in found.items()
            if info["type"] == "file"
        }

    def get(self, names: list[str], files: list[Path], size: int) -> None:
        """Fetches some, of so many bytes together, into files; raises `Changed` where one is gone."""
        self._ask(lambda: self._get(names, files, size))

    def put(self, files: list[Path], names: list[str]) -> None:
        """Uploads files, each of which is there whole or not at all if the store knows how to."""
        places, paths = self._places(names), [str(file) for file in files]
        limit = self._limit(ANSWER + sum(file.stat().st_size for file in files) / SLOWEST)
        self._ask(lambda: self._system.put(paths, places, **limit), "written")

    def mark(self, name: str) -> None:
        """Marks a folder as incomplete."""
        (place,) = self._places([f"{name}/{MARK}"])
        limit = self._limit(ANSWER)
        self._ask(lambda: self._system.pipe_file(place, b"incomplete\n", **limit), "written")

    def delete(self, names: list[str]) -> None:
        """Removes some, as far as they are there."""
        places = self._places(names)

        def delete() -> None:
            with contextlib.suppress(FileNotFoundError):
                self._system.rm(places, **self._limit(ANSWER))

        self._ask(delete, "written")

    def _get(self, names: list[str], files: list[Path], size: int) -> None:
        paths, limit = [str(file) for file in files], self._limit(ANSWER + size / SLOWEST)
        try:
            self._system.get(self._places(names), paths, **limit)
        except FileNotFoundError as error:
            raise Changed from error

    def _limit(self, seconds: float) -> dict[str, float]:
        """What tells fsspec how long a call may take, of stores that it can tell this."""
        return {"timeout": seconds} if self._system.async_impl else {}

    def _places(self, names: Iterable[str]) -> list[str]:
        return [f"{self._root}/{name.lstrip('/')}".rstrip("/") for name in names]

    def _ask(self, action: Callable[[], Any], doing: str = "read") -> Any:
        patience = 0.0 if self._gave_up else _patience()
        until, pause = float("inf"), 0.5
        while True:
            try:
                result = action()
            except Changed:
                raise
            except Exception as error:
                advice = _advice(error)
                # From the first failure on: a large file takes its time.
                until = min(until, time.monotonic() + patience)
                if advice is not None or time.monotonic() + pause > until:
                    self._gave_up = advice is None
                    reason = str(error).rstrip(".") or _unsaid(error)
                    raise StoreError(
                        f"{self.url} cannot be {doing}: {reason}. {advice or ''}".rstrip()
                    ) from error
                logging.warning(
                    "%s: %s. Trying again in %g s.", self.url, str(error) or _unsaid(error), pause
                )
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
        system, root = url_to_fs(url, **_options(scheme))
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
    if scheme in S3:
        system.retries = TRIES
    return system, root


def _options(scheme: str) -> dict[str, Any]:
    """Options of a file system, without those that the user has set by fsspec's configuration."""
    if scheme not in S3:
        return {}
    from fsspec.config import conf

    # Or botocore tries five times for each time that s3fs does, and waits as often for what it reads.
    asked = conf.get(scheme, {}).get("config_kwargs", {})
    return {"config_kwargs": {"retries": {"max_attempts": 0}, **asked}}


def _patience() -> float:
    """How many seconds a store that fails is asked again."""
    text = os.environ.get("SDGAN_PATIENCE") or str(PATIENCE)
    with contextlib.suppress(ValueError):
        if 0 <= float(text) < float("inf"):
            return float(text)
    raise ValueError(
        "SDGAN_PATIENCE says for how many seconds a store that fails is asked again. "
        f"Received: SDGAN_PATIENCE={text!r}"
    )


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


def _unsaid(error: Exception) -> str:
    """What an error without a text means."""
    kind = type(error).__name__
    return "no answer in time" if isinstance(error, asyncio.TimeoutError) else kind


def _sign(info: dict[str, Any]) -> str:
    return f"{info['size']} {next((info[name] for name in SIGNS if info.get(name)), '')}"
