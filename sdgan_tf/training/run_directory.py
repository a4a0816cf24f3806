"""The run directory: it says by itself what was run, with what, and how far."""

from __future__ import annotations

import contextlib
import fcntl
import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sdgan_tf.files import FRAGMENTS, atomic_file, write_json
from sdgan_tf.keras_compat import KERAS_VERSION
from sdgan_tf.training import upgrade
from sdgan_tf.version import __version__


class RunError(RuntimeError):
    """A run directory that cannot be used as asked; the message says why and what to do."""


class RunDirectory:
    """Layout of a run:

        config.json      what was asked, resolved: model, optimizers, data, training
        versions.json    of Python, TensorFlow, Keras and this package, when the run last started
        flags.cfg        the resolved flags, where a command started the run
        checkpoints/     step-00001000.npz …, best.json
        metrics.jsonl    a line a log interval
        clock.json       seconds spent in training steps
        samples/         reals.png, step-00001000.png …, reconstructions-00001000.png …
        tensorboard/     event files, those after a rollback in rollback-1 …

    Args:
        path: made when it does not exist.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.metrics_file = self.path / "metrics.jsonl"
        self.checkpoints = self.path / "checkpoints"
        self.samples = self.path / "samples"
        self.tensorboard = self.path / "tensorboard"
        self._lock = None

    def open(self, config: dict[str, Any]) -> None:
        """Starts or continues the run that `config` describes.

        Raises:
            RunError: the directory holds another run (the differences are listed) or something
                else, or is in use.
        """
        if self.path.is_dir() and not self.config_file.exists() and self._foreign():
            raise RunError(
                f"{self.path} holds files but no run ({', '.join(self._foreign()[:3])}): name a new folder by --run_dir."
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self._acquire()
        try:
            self._settle(json.loads(json.dumps(config)))
        except BaseException:
            self.close()
            raise

    def config(self) -> dict[str, Any]:
        """What `config.json` holds."""
        if not self.config_file.exists():
            raise RunError(f"{self.path} is not a run directory: it has no config.json.")
        return upgrade.run_config(json.loads(self.config_file.read_text()))

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
        """What `metrics.jsonl` holds, without a line that a kill cut through."""
        if not self.metrics_file.exists():
            return []
        lines = []
        for line in self.metrics_file.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                lines.append(json.loads(line))
        return lines

    def forget_after(self, step: int) -> None:
        """Drops the log lines past `step`, which the continued run will write again."""
        if self.metrics_file.exists():
            kept = [json.dumps(line) + "\n" for line in self.lines() if line["step"] <= step]
            with atomic_file(self.metrics_file) as file:
                file.write("".join(kept).encode())

    def _settle(self, config: dict[str, Any]) -> None:
        if self.config_file.exists():
            changes = differences(self.config(), config)
            if changes:
                raise RunError(
                    f"{self.path} holds a run of another configuration. Use the old settings, delete the folder, or name a new one by "
                    "--run_dir:\n" + "\n".join(f"  {line}" for line in changes)
                )
        for fragment in self.path.rglob(FRAGMENTS):
            fragment.unlink()
        if not self.config_file.exists():
            write_json(self.config_file, config)
        write_json(self.path / "versions.json", versions())

    def _foreign(self) -> list[str]:
        own = {".lock", *(path.name for path in self.path.glob(FRAGMENTS))}
        return sorted(entry.name for entry in self.path.iterdir() if entry.name not in own)

    def _acquire(self) -> None:
        # The lock goes with the process, however it ends, so that no stale one ever stops a resume.
        self._lock = open(self.path / ".lock", "w")  # noqa: SIM115 - held until close
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise RunError(
                f"Another process is training in {self.path}. Wait for it, or name another folder by --run_dir."
            ) from error


def versions() -> dict[str, str]:
    """Of what a run's numbers depend on."""
    return {
        "sdgan_tf": __version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": KERAS_VERSION,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "command": " ".join(sys.argv),
    }


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Readable differences of two nested configurations, one line each."""
    if isinstance(old, dict) and isinstance(new, dict):
        lines = []
        for key in sorted(set(old) | set(new)):
            where = f"{path}.{key}" if path else key
            lines += differences(old.get(key, "(none)"), new.get(key, "(none)"), where)
        return lines
    return [] if old == new else [f"{path}: {old!r} in the directory, {new!r} asked"]
