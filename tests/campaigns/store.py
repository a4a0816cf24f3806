"""An object store in which a command works in place of a folder: a server of S3 in a process of its own."""

from __future__ import annotations

import atexit
import os
import shutil
from pathlib import Path

from tests.stores.server import Server


class Store:
    """A server whose bucket `bucket` holds what a command writes.

    Args:
        folder: for the working copies.
    """

    def __init__(self, folder: Path):
        import s3fs

        server = Server()
        atexit.register(server.end)
        os.environ.update(server.environment, SDGAN_CACHE=str(folder))
        self._copies, self._system = folder, s3fs.S3FileSystem
        self._moves = 0

    def clear(self) -> None:
        """Empties the bucket."""
        system = self._system()
        system.invalidate_cache()
        names = system.find("bucket")
        if names:
            system.rm(names)
        shutil.rmtree(self._copies, ignore_errors=True)

    def move(self) -> None:
        """Has every second command run on another machine than the one before, which takes its working copies along."""
        self._moves += 1
        if self._moves % 2:
            shutil.rmtree(self._copies, ignore_errors=True)

    def fetch(self, place: Path) -> None:
        """Makes a folder hold what the bucket does."""
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        system = self._system()
        system.invalidate_cache()
        for name in system.find("bucket"):
            file = place / name.split("/", 1)[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            system.get_file(name, str(file))
