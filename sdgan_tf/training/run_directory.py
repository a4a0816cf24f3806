"""The run directory: the folder of a run, which says by itself what was trained, with what, and how far."""

from __future__ import annotations

import fcntl
import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from sdgan_tf.files import (
    FRAGMENTS,
    atomic_file,
    local_path,
    read_json,
    refresh,
    remove_fragments,
    write_json,
)
from sdgan_tf.keras_compat import KERAS_VERSION
from sdgan_tf.training import upgrade
from sdgan_tf.version import __version__


class RunError(RuntimeError):
    """A run directory that cannot be used as asked; the message says why and what to do."""


class RunDirectory:
    """The folder of a run, in which lie:

        config.json      the resolved configuration: model, optimizers, data
        versions.json    the versions of Python, TensorFlow, Keras and this package when the run last started
        flags.cfg        the resolved flags, where a command started the run
        checkpoints/     step-00001000.npz …, and best.json, which names the best one
        metrics.jsonl    the log, a line for each log interval
        metrics.damaged  lines of the log that could not be read, if there ever were any
        clock.json       the seconds spent in training steps
        samples/         reals.png, step-00001000.png …, reconstructions-00001000.png …
        tensorboard/     event files; those after a rollback lie in rollback-1 …

    Args:
        path: of the folder, which is made when it does not exist. It may lie on a store.

    Attributes:
        path: of the folder on this machine: of one on a store, the working copy's.
    """

    def __init__(self, path: str | Path):
        self.path = local_path(path)
        self.config_file = self.path / "config.json"
        self.metrics_file = self.path / "metrics.jsonl"
        self.checkpoints = self.path / "checkpoints"
        self.samples = self.path / "samples"
        self.tensorboard = self.path / "tensorboard"
        self._lock = None

    def open(self, config: dict[str, Any]) -> None:
        """Starts or continues the run that `config` describes.

        Raises:
            RunError: the directory holds another run, whose differences are listed, or something else; or another
                process uses it.
        """
        # Another worker may have brought to a store what was left on its machine.
        refresh(self.path)
        if self.path.is_dir() and not self.config_file.exists() and self._foreign():
            raise RunError(
                f"{self.path} holds files but no run ({', '.join(self._foreign()[:3])}): name a new folder by run_dir=FOLDER."
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self._acquire()
        try:
            self._settle(json.loads(json.dumps(config)))
        except BaseException:
            self.close()
            raise

    def config(self) -> dict[str, Any]:
        """The configuration of the run, as `config.json` holds it."""
        if not self.config_file.exists():
            raise RunError(f"{self.path} is not a run directory: it has no config.json.")
        config = read_json(self.config_file, RunError, "Restore it from a copy.")
        return upgrade.run_config(config)

    def close(self) -> None:
        """Lets another process use the directory."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def log(self, record: dict[str, Any]) -> None:
        """Appends one line to `metrics.jsonl`."""
        with open(self.metrics_file, "a") as file:
            file.write(json.dumps(record) + "\n")

    def lines(self) -> list[dict[str, Any]]:
        """The log, without damaged lines and without a last line that a kill cut through."""
        return self._read_log()[0]

    def forget_after(self, step: int) -> None:
        """Drops the log lines past `step`, which the continued run will write again.

        Damaged lines are moved to `metrics.damaged`, with a warning.
        """
        if not self.metrics_file.exists():
            return
        lines, damaged = self._read_log()
        if damaged:
            copy = self.metrics_file.with_suffix(".damaged")
            logging.warning(
                "%s has %d damaged lines, which are moved to %s: a plot of the run has gaps there.",
                self.metrics_file, len(damaged), copy,
            )  # fmt: skip
            with open(copy, "ab") as file:
                file.write(b"".join(line + b"\n" for line in damaged))
        kept = [json.dumps(line) + "\n" for line in lines if line["step"] <= step]
        with atomic_file(self.metrics_file) as file:
            file.write("".join(kept).encode())

    def _read_log(self) -> tuple[list[dict[str, Any]], list[bytes]]:
        """The records of the log, and the lines that are none."""
        content = self.metrics_file.read_bytes() if self.metrics_file.exists() else b""
        # No line break ends the last one: it is empty, or a kill cut through it.
        *whole, cut = content.split(b"\n")
        records = [_record(line) for line in (*whole, cut)]
        damaged = [line for line, record in zip(whole, records) if record is None]
        return [record for record in records if record is not None], damaged

    def _settle(self, config: dict[str, Any]) -> None:
        if self.config_file.exists():
            known = upgrade.with_later_options(self.config(), config)
            changes = differences(known, config)
            if changes:
                raise RunError(
                    f"{self.path} holds a run of another configuration. Use the old settings, delete the folder, or name a new "
                    "one by run_dir=FOLDER:\n" + "\n".join(f"  {line}" for line in changes)
                )
        # What an evaluation or an export of this run writes at this moment stays.
        for folder in (self.path, self.checkpoints, self.samples):
            remove_fragments(folder)
        if not self.config_file.exists():
            write_json(self.config_file, config)
        write_json(self.path / "versions.json", versions())

    def _foreign(self) -> list[str]:
        own = {".lock", *(path.name for path in self.path.glob(FRAGMENTS))}
        return sorted(entry.name for entry in self.path.iterdir() if entry.name not in own)

    def _acquire(self) -> None:
        # The lock ends with the process, however that ends: no stale one ever keeps a run from being continued.
        self._lock = open(self.path / ".lock", "w")  # noqa: SIM115 - held until close
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise RunError(
                f"Another process is training in {self.path}. Wait for it, or name another folder by run_dir=FOLDER."
            ) from error


def _record(line: bytes) -> dict[str, Any] | None:
    """What a line of the log says, or None where it is damaged."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("step"), int) else None


def versions() -> dict[str, str]:
    """The versions of what the numbers of a run depend on."""
    return {
        "sdgan_tf": __version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": KERAS_VERSION,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "command": " ".join(sys.argv),
    }


def differences(
    old: Any, new: Any, path: str = "", words: tuple[str, str] = ("in the directory", "asked")
) -> list[str]:
    """The differences of two nested configurations, a readable line for each; `words` say which is which."""
    if isinstance(old, dict) and isinstance(new, dict):
        lines = []
        for key in sorted(set(old) | set(new)):
            where = f"{path}.{key}" if path else key
            lines += differences(old.get(key, "(none)"), new.get(key, "(none)"), where, words)
        return lines
    return [] if old == new else [f"{path}: {old!r} {words[0]}, {new!r} {words[1]}"]
