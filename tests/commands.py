"""Runs commands as a user does, in this process where that will do: TensorFlow starts slowly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest import mock

import pytest
from absl import flags
from absl.testing import flagsaver

from sdgan_tf.cli import command, export, train

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden" / "sdgan"
TINY = (
    "--image_size=16",
    "--dim=2",
    "--d_i=3",
    "--d_o=3",
    "--batch_size=2",
    "--drawn_identities=12",
    "--drawn_observations=4",
    "--precision=float32",
)


def run_train(*arguments: str) -> int:
    """Run bin/train in this process and return its exit status."""
    argv = mock.patch.object(sys, "argv", ["train", *arguments])
    with flagsaver.flagsaver(), argv, pytest.raises(SystemExit) as info:
        command.run(train.main, train.__doc__, train.GROUPS)
    return info.value.code or 0


def run_export(*arguments: str, **values) -> int:
    """Run bin/export in this process, which has the flags of bin/train, and return its status."""
    asked = SimpleNamespace(**{"version": None, "checkpoint": "newest", **values})
    with mock.patch.object(export, "FLAGS", asked):
        return command._guarded(export.main, ["export", *arguments]) or 0


def run_on_model(module: ModuleType, *arguments: str) -> int:
    """Run a command that uses a trained model, with flags of its own, and return its status."""
    values = flags.FlagValues()
    module.define(values)
    name = module.__name__.rsplit(".", 1)[-1]
    with mock.patch.object(module, "FLAGS", values):
        return command._guarded(module.main, values([name, *map(str, arguments)])) or 0


def start(name: str, *arguments: str, **options) -> subprocess.Popen:
    """Start a command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", f"sdgan_tf.cli.{name}", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def launch(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run one of bin/ to its end with this Python, from another folder."""
    here = Path(sys.executable).parent
    path = f"{here}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "VIRTUAL_ENV": str(here.parent), **environment}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [ROOT / "bin" / name, *arguments],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
