"""Builds by Apache Beam: the same bytes as by one process."""

from __future__ import annotations

import os

import pytest

from sdgan_tf import data
from sdgan_tf.data import parts

pytest.importorskip("apache_beam", reason="needs Apache Beam, the extra `beam`")

WORKERS = "--direct_num_workers=2 --direct_running_mode=multi_processing"


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(parts, "PART_BYTES", 4 * 6 * 6 * 3)


def test_beam_builds_the_same_bytes(messy, tmp_path, files_of, small_parts, monkeypatch):
    report = data.build(out=tmp_path / "local", **messy)
    assert data.build(out=tmp_path / "beam", runner="direct", **messy) == report
    assert files_of(tmp_path / "beam") == files_of(tmp_path / "local")
    assert sorted(os.listdir(tmp_path)) == ["beam", "faces", "list.csv", "local"]
    # Two processes, which go on where one was stopped.
    look = parts.look

    def stop(listing, path, wanted):
        if path.startswith("bob"):
            raise KeyboardInterrupt
        return look(listing, path, wanted)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(parts, "look", stop)
        data.build(out=tmp_path / "two", **messy)
    assert (tmp_path / ".two.parts" / "00000").is_dir()
    data.build(out=tmp_path / "two", runner="direct", beam_options=WORKERS, **messy)
    assert files_of(tmp_path / "two") == files_of(tmp_path / "local")


def test_what_a_worker_meets_is_told(messy, tmp_path, small_parts, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parts, "look", fail)
    with pytest.raises(RuntimeError, match="Beam's runner 'direct' failed: .*No space left"):
        data.build(out=tmp_path / "out", runner="direct", **messy)


@pytest.mark.parametrize(
    ("runner", "options"),
    [
        ("nonsense", ""),
        ("direct", "'"),
        ("", "--streaming"),
    ],
)
def test_what_beam_does_not_take_is_told_before_anything_is_done(tmp_path, runner, options):
    with pytest.raises(ValueError, match="Received: .*beam_options="):
        data.build("nowhere", tmp_path / "out", runner=runner, beam_options=options)


def test_workers_that_see_another_disk_are_noticed(messy, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "make", lambda folder, number: None)
    with pytest.raises(ValueError, match="Part 0 is not in .*on a disk that they share"):
        data.build(out=tmp_path / "out", runner="direct", **messy)
