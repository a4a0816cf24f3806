"""Stores for tests: one in memory, and a server of S3 in a process of its own."""

from __future__ import annotations

import os

import pytest

from sdgan_tf.stores import working
from tests.stores.server import Server


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return what makes of this process one on a new machine, or on that of a name: with its own working copies."""

    def use(name):
        monkeypatch.setenv("SDGAN_CACHE", str(tmp_path / name))
        working._copies.clear()

    use("first")
    yield use
    working._copies.clear()


@pytest.fixture
def memory(machine):
    """Return fsspec's file system in memory, empty."""
    fsspec = pytest.importorskip("fsspec", reason="needs fsspec, the extra `store`")
    system = fsspec.filesystem("memory")
    system.store.clear()
    return system


@pytest.fixture
def server(machine, monkeypatch):
    """Return a new server, which this process and those that it starts find by the environment."""
    s3fs = pytest.importorskip("s3fs", reason="needs s3fs, the extra `store`")
    pytest.importorskip("moto.server", reason="needs moto, the extra `store-server`")
    started = Server()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in started.environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    yield started
    started.end()
    s3fs.S3FileSystem.clear_instance_cache()
