"""Runs commands as a user does, in this process where that will do: TensorFlow starts slowly."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image

from sdgan_tf.cli import command

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


def call(module: ModuleType, *arguments: object) -> int:
    """Run a command in this process, as its command line would, and return its exit status."""
    name = module.__name__.rsplit(".", 1)[-1]
    try:
        return command.call(module, [name, *map(str, arguments)])
    except SystemExit as end:
        return end.code


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


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on."""
    with contextlib.ExitStack() as held:
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def pictures(folder: Path, names: Iterable[str], count: int) -> None:
    """Write so many pictures of noise of each identity."""
    rng = np.random.default_rng(0)
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 256, [20, 20, 3], np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
