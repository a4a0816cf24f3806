"""The commands that campaigns disturb, each in a process of its own, and what an undisturbed one leaves.

A process is a fork of this one, which has imported TensorFlow and has not used it yet: nothing of a command has begun when
the disturbance may begin.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import sdgan_tf.cli.data
import sdgan_tf.cli.evaluate
import sdgan_tf.cli.export
import sdgan_tf.cli.generate
import sdgan_tf.cli.train  # noqa: F401 - imported before the fork, since it takes the time
from sdgan_tf.cli import command
from tests.campaigns.store import Store
from tests.commands import TINY, free_ports, pictures

# Seconds after which a command counts as hanging: many, since on a busy machine one of ten seconds takes minutes.
HANGING = 1200
# What tells of the time, the machine or the process, and so differs between equal runs.
UNLIKE = (
    "tensorboard/", "clock.json", "versions.json", ".lock", "fingerprint.pb", "__autograph_generated",
)  # fmt: skip

TRAIN = (
    "train", *TINY, "--steps=8", "--log_every=2", "--grid_every=4", "--checkpoint_every=2", "--keep=1",
    "--best_metric=d_loss", "--k=2", "--drawn_identities=40", "--run_dir=PLACE/run",
)  # fmt: skip


class Scenario(NamedTuple):
    """A command line in which PLACE is the folder to work in, GIVEN that of what it needs, and
    what of GIVEN is copied into PLACE first; or one that works in a store, or that serves at PORT until it is stopped
    and has its temporary files in PLACE.
    """

    arguments: tuple[str, ...]
    copied: str = ""
    stored: bool = False
    serving: bool = False


SCENARIOS = {
    "train": Scenario(TRAIN),
    "data": Scenario(("data", "build", "GIVEN/pictures", "--image_size=16", "--out=PLACE/built")),
    "evaluate": Scenario(
        ("evaluate", "--run_dir=PLACE/run", "--pairs=20", "--steps=2", "--dim=2", "--factor_steps=0", "--verifier_floor=0"),
        copied="run",
    ),
    "export": Scenario(("export", "--run_dir=GIVEN/run", "--out=PLACE/faces")),
    "version": Scenario(("export", "--run_dir=GIVEN/run", "--version=3", "--out=PLACE/faces")),
    "grid": Scenario(("generate", "--run_dir=GIVEN/run", "--identities=4", "--observations=4", "--out=PLACE/grid.png")),
    "folder": Scenario(("generate", "--run_dir=GIVEN/run", "--identities=4", "--observations=4", "--out=PLACE/made")),
}  # fmt: skip
if all(importlib.util.find_spec(name) for name in ("s3fs", "moto")):
    SCENARIOS["store"] = Scenario((*TRAIN[:-1], "--run_dir=s3://bucket/run"), stored=True)
if importlib.util.find_spec("gradio"):
    SCENARIOS["demo"] = Scenario(("demo", "--run_dir=GIVEN/run", "--port=PORT"), serving=True)


class Outcome(NamedTuple):
    """How a command ended: its status, negative for a signal, what it said, and after how long."""

    status: int
    said: str
    seconds: float


class Child:
    """A command that runs in a process of its own.

    Args:
        arguments: its name and its command line.
        log: the file for what it says.
        setup: called in the new process first, to disturb it.
    """

    def __init__(
        self, arguments: tuple[str, ...], log: Path, setup: Callable[[], None] | None = None
    ):
        self.log, self._began = log, time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        reading, writing = os.pipe()
        # Another process writes the log, which limits that are put on this one do not reach.
        with open(log, "wb") as file:
            self._writer = subprocess.Popen(["cat"], stdin=reading, stdout=file)
        os.close(reading)
        self.pid = os.fork()
        if not self.pid:
            _be(arguments, writing, setup)
        os.close(writing)

    def signal(self, number: int) -> None:
        """Sends a signal, unless the process has ended."""
        if self.running():
            os.kill(self.pid, number)

    def running(self) -> bool:
        """Whether the process has not ended."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def wait(self) -> Outcome:
        """Waits for the end; a command that hangs is killed."""
        # From now on: some have run for hours before anybody waits for them.
        waiting = time.monotonic()
        while time.monotonic() - waiting < HANGING:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                seconds = time.monotonic() - self._began
                self._writer.wait()
                return Outcome(code, self.log.read_text(errors="replace"), seconds)
            time.sleep(0.01)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return Outcome(-signal.SIGALRM, f"It hung for {HANGING} s.", HANGING)


def _be(arguments: tuple[str, ...], log: int, setup: Callable[[], None] | None) -> None:
    """What the new process does, which never returns."""
    status = 99
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = [*arguments]
        if setup is not None:
            setup()
        command.run(f"sdgan_tf.cli.{arguments[0]}")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class Bench:
    """A folder in which scenarios are run, again and again at the same place.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path):
        self.folder, self.place, self.given = folder, folder / "place", folder / "given"
        self.references: dict[str, dict[str, str]] = {}
        self.seconds: dict[str, float] = {}
        self.given.mkdir(parents=True)
        pictures(self.given / "pictures", [f"who-{n}" for n in range(12)], 3)
        self.reference("train")
        shutil.copytree(self.place / "run", self.given / "run")

    def prepare(self, name: str) -> None:
        """Empties the place and puts there what the scenario begins with."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        if SCENARIOS[name].stored:
            self.store.clear()
        copied = SCENARIOS[name].copied
        if copied:
            shutil.copytree(self.given / copied, self.place / copied)

    def start(self, name: str, setup: Callable[[], None] | None = None, log: str = "log") -> Child:
        """Starts the command of a scenario."""
        words = SCENARIOS[name].arguments
        places = (("PLACE", str(self.place)), ("GIVEN", str(self.given)))
        for word, path in places:
            words = tuple(argument.replace(word, path) for argument in words)
        if SCENARIOS[name].serving:
            port = str(free_ports(1)[0])
            words = tuple(argument.replace("PORT", port) for argument in words)
            setup = functools.partial(setattr, tempfile, "tempdir", str(self.place))
        return Child(words, self.folder / log, setup)

    def run(self, name: str) -> Outcome:
        """Lets the command of a scenario do all that it does; one that serves answers a visitor and is stopped then."""
        child = self.start(name)
        return served(child) if SCENARIOS[name].serving else child.wait()

    def reference(self, name: str) -> dict[str, str]:
        """What an undisturbed command leaves, as `left` says it; takes its time, too."""
        if name not in self.references:
            self.prepare(name)
            outcome = self.run(name)
            if outcome.status:
                raise RuntimeError(f"{name} fails undisturbed: {outcome.said}")
            self.references[name], self.seconds[name] = self._left(name), outcome.seconds
        return self.references[name]

    def differences(self, name: str) -> list[str]:
        """What the place holds other than an undisturbed run leaves."""
        reference, found = self.reference(name), self._left(name)
        lines = [f"{path} is missing" for path in reference.keys() - found.keys()]
        lines += [f"{path} is left over" for path in found.keys() - reference.keys()]
        for path in reference.keys() & found.keys():
            if reference[path] != found[path]:
                lines.append(f"{path} differs")
        return sorted(lines)

    def again(self, name: str) -> list[str]:
        """Runs the same command again; returns what is wrong then."""
        if SCENARIOS[name].stored:
            self.store.move()
        outcome = self.run(name)
        # What never overwrites says so, where all was done already.
        refused = outcome.status == 1 and "exists already" in outcome.said
        if outcome.status and not refused:
            return [f"the same command again ends with {outcome.status}: {outcome.said[-500:]}"]
        return self.differences(name)

    @functools.cached_property
    def store(self) -> Store:
        """The store that stored scenarios work in."""
        return Store(self.folder / "copies")

    def _left(self, name: str) -> dict[str, str]:
        if SCENARIOS[name].stored:
            self.store.fetch(self.place)
        return left(self.place)


def served(child: Child) -> Outcome:
    """Waits until a page is served, visits it and stops it: status 0 if it answered and ended by the signal."""
    began = time.monotonic()
    while child.running() and time.monotonic() - began < HANGING:
        said = child.log.read_text(errors="replace")
        if address := re.search(r"(http\S+) - Ctrl-C ends it", said):
            with urllib.request.urlopen(address[1], timeout=HANGING) as answer:
                answer.read()
            break
        time.sleep(0.1)
    child.signal(signal.SIGTERM)
    outcome = child.wait()
    return outcome._replace(status=0 if outcome.status == 128 + signal.SIGTERM else 1)


def left(folder: Path) -> dict[str, str]:
    """What lies in a folder, hidden files included: by path a checksum."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        # Of an export the next command makes the next version, which holds the same.
        name = name.replace("faces/2", "faces/1", 1)
        if path.is_file() and not any(part in f"{name}" for part in UNLIKE):
            content = _log(path) if path.name == "metrics.jsonl" else path.read_bytes()
            found[name] = hashlib.sha256(content).hexdigest()
        elif path.name.endswith(".part"):
            found[name] = "a fragment"
    return found


def _log(path: Path) -> bytes:
    """The lines of a log without what depends on the clock."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line.pop("tuples_per_second")
    return json.dumps(lines).encode()
