"""Stores that do not answer, that refuse, and that are not there."""

from __future__ import annotations

import asyncio
import time

import pytest

from sdgan_tf.cli import data, generate, train
from sdgan_tf.files import atomic_file, atomic_folder, local_path, read_json, write_json
from sdgan_tf.stores import StoreError, opened, remote
from tests import commands


def fails(error, times, method):
    """Return `method`, which first raises so many times."""
    left = [error] * times

    def call(*arguments, **options):
        if left:
            raise left.pop()
        return method(*arguments, **options)

    return call


@pytest.fixture
def waits(monkeypatch):
    """Return how long this process has waited, without waiting: the clock goes on by it."""
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    monkeypatch.setattr("time.monotonic", lambda: sum(slept))
    return slept


def test_a_store_that_is_away_for_half_a_minute_is_waited_for(memory, waits, monkeypatch, caplog):
    put = fails(TimeoutError("no answer"), 7, type(memory).put_file)
    monkeypatch.setattr(type(memory), "put_file", put)
    path = local_path("memory://bucket/file")
    with atomic_file(path) as file:
        file.write(b"1")
    assert waits == [0.5, 1, 2, 4, 8, 8, 8]
    assert memory.cat_file("/bucket/file") == b"1"
    assert "memory://bucket/file: no answer. Trying again in 4 s." in caplog.text


def test_a_store_that_stays_away_is_waited_for_once(memory, waits, monkeypatch):
    path = local_path("memory://bucket/file")
    monkeypatch.setattr(type(memory), "put_file", fails(OSError("away"), 10**3, None))
    for _ in range(2):
        with (
            pytest.raises(StoreError, match="file cannot be written: away. What"),
            atomic_file(path) as file,
        ):
            file.write(b"1")
        assert 110 < sum(waits) <= 120
    assert path.read_bytes() == b"1"


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (PermissionError("no"), "no. Give credentials"),
        (type("NoCredentialsError", (Exception,), {})("none"), "none. Give credentials"),
        (FileNotFoundError("no bucket"), "no bucket. Make the bucket"),
        (OSError(28, "No space left"), "No space left"),
        (type("ParamValidationError", (Exception,), {})("a b"), "cannot be read: a b."),
        (ValueError(), "ValueError."),
    ],
)
def test_what_waiting_does_not_mend_is_told_at_once(memory, waits, monkeypatch, error, advice):
    monkeypatch.setattr(type(memory), "find", fails(error, 1, None))
    with pytest.raises(StoreError, match=advice):
        local_path("memory://bucket/run")
    assert not waits


def test_how_long_it_is_waited_for_is_asked_by_the_environment(memory, waits, monkeypatch):
    path = local_path("memory://bucket/file")
    monkeypatch.setattr(type(memory), "put_file", fails(OSError("away"), 10**3, None))
    monkeypatch.setenv("SDGAN_PATIENCE", "3")
    with pytest.raises(StoreError, match="away"):
        write_json(path, {})
    assert waits == [0.5, 1]
    monkeypatch.setenv("SDGAN_PATIENCE", "long")
    with pytest.raises(ValueError, match="Received: SDGAN_PATIENCE='long'"):
        local_path("memory://bucket/other")


def test_a_call_of_any_store_ends(memory, monkeypatch):
    import fsspec.asyn

    class Silent(fsspec.asyn.AsyncFileSystem):
        protocol = "silent"

        async def _find(self, *arguments, **options):
            await asyncio.sleep(10**6)

    fsspec.register_implementation("silent", Silent, clobber=True)
    monkeypatch.setattr(remote, "LISTING", 0.1)
    monkeypatch.setenv("SDGAN_PATIENCE", "0")
    with pytest.raises(StoreError, match="silent://bucket/run cannot be read: no answer in time"):
        local_path("silent://bucket/run")


def test_a_server_that_takes_requests_and_says_nothing(server, monkeypatch):
    import s3fs

    monkeypatch.setattr(s3fs.S3FileSystem, "read_timeout", 0.5)
    monkeypatch.setattr(remote, "ANSWER", 0.5)
    monkeypatch.setenv("SDGAN_PATIENCE", "1")
    run = local_path("s3://bucket/run")
    run.mkdir()
    write_json(run / "step-00000001.npz", {})
    server.silence()
    start = time.monotonic()
    told = "(Read timeout|no answer in time).* The last good checkpoint there is s3://bucket/run/step-00000001.npz. What"
    with pytest.raises(StoreError, match=told):
        write_json(run / "step-00000002.npz", {"a": 2})
    assert time.monotonic() - start < 10
    assert (run / "step-00000002.npz").exists()
    with pytest.raises(StoreError, match=f"cannot be read.*{told}"):
        local_path("s3://bucket/run")


def test_what_is_not_installed_is_named():
    pytest.importorskip("fsspec", reason="needs fsspec, the extra `store`")
    with pytest.raises(ImportError, match="abfs:// may need another package: .*adlfs.* Received:"):
        opened("abfs://bucket/run")
    # Its own schemes need no package, and what lies here no working copy.
    assert str(local_path("file:///some/where")) == str(local_path("file:/some/where"))


def test_a_server_that_refuses_or_goes_away(server, machine, capsys, monkeypatch):
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)

    def said(command, *arguments):
        assert commands.call(command, *arguments) == 1
        return capsys.readouterr().err

    lost = "s3://nobucket/run cannot be read: The specified bucket does not exist. Make the bucket"
    assert lost in said(train, *commands.TINY, "--run_dir=s3://nobucket/run")
    assert "There is no folder 's3://bucket/none'" in said(data, "check", "s3://bucket/none")

    run = local_path("s3://bucket/run")
    (run / "checkpoints").mkdir(parents=True)
    with atomic_file(run / "checkpoints" / "step-00000001.npz") as file:
        file.write(b"1")
    last = "The last good checkpoint there is s3://bucket/run/checkpoints/step-00000001.npz."
    server.deny()
    denied = said(generate, "--run_dir=s3://bucket/run", "--out=s3://bucket/figures/grid.png")
    assert "grid.png cannot be read: " in denied and "Give credentials" in denied
    with pytest.raises(StoreError, match=f"written: .*Give credentials.* {last}"):
        write_json(run / "config.json", {"a": 1})
    server.deny(False)
    assert local_path("s3://bucket/run") == run
    machine("second")
    run = local_path("s3://bucket/run")
    assert read_json(run / "config.json", OSError, "") == {"a": 1}

    server.end()
    monkeypatch.setattr(remote, "PATIENCE", 0)
    with pytest.raises(StoreError, match="built cannot be read: Could not connect"):
        local_path("s3://bucket/built")
    with pytest.raises(StoreError, match=f"connect.* {last}"), atomic_folder(run / "b") as folder:
        (folder / "weights").write_text("1")
    assert (run / "b" / "weights").exists()
