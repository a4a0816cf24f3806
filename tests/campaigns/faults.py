"""Lets the disk fail under commands, and runs each again by the same command once it is whole.

  python -m tests.campaigns.faults --times=100

The faults, one drawn at random for each case:

- `error`: one file operation of Python's (open to write, mkdir, rename, fsync), drawn at random, fails with ENOSPC, EIO,
  EROFS, EACCES or EDQUOT; or it and all that follow fail.
- `full`: no file grows beyond a size drawn at random, which holds for what TensorFlow writes, too (RLIMIT_FSIZE).
- `vanishing`: the folder is removed at a random moment.
- `two`: the same command runs twice at the same time.
- `clock`: the time of day jumps back and forth by up to a year, again and again.

A command must end well or with status 1 and a sentence, never with a traceback, a crash or a hang; run again it must leave
the same bytes as an undisturbed one. Ends with status 1 where one does not.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from absl import app, flags

from tests.campaigns import report
from tests.campaigns.commands import SCENARIOS, Bench, Outcome

FLAGS = flags.FLAGS
flags.DEFINE_integer("times", 1, "How often each command meets each kind of fault.", 1)
flags.DEFINE_list(
    "scenarios",
    [name for name, kind in SCENARIOS.items() if not kind.stored and not kind.serving],
    "Which commands.",
)

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EDQUOT)
YEAR = 365 * 24 * 3600.0
CHANGING = ("os.mkdir", "os.rename", "os.link", "os.symlink")


def failing(bench: Bench, first: int, persisting: bool, number: int) -> Callable[[], None]:
    """What makes an operation below the bench's place fail, or only counts them for `first=0`, into a file."""

    def setup() -> None:
        count, place, notes = (
            0,
            str(bench.place),
            os.open(bench.folder / "count", os.O_CREAT | os.O_WRONLY),
        )

        def step(path: Any) -> None:
            nonlocal count
            if not str(path).startswith(place):
                return
            count += 1
            os.pwrite(notes, f"{count:08d}".encode(), 0)
            if first and (count == first or (persisting and count > first)):
                raise OSError(number, os.strerror(number), str(path))

        def hook(event: str, arguments: tuple) -> None:
            writes = (
                event == "open"
                and isinstance(arguments[2], int)
                and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            )
            if writes or event in CHANGING:
                step(arguments[0])

        flush = os.fsync

        def fsync(descriptor: int) -> None:
            step(os.readlink(f"/proc/self/fd/{descriptor}"))
            flush(descriptor)

        os.fsync = fsync
        sys.addaudithook(hook)

    return setup


def operations(bench: Bench, name: str, known: dict[str, int]) -> int:
    """How many file operations an undisturbed command makes in its place."""
    if name not in known:
        bench.prepare(name)
        bench.start(name, failing(bench, 0, False, 0)).wait()
        known[name] = int((bench.folder / "count").read_text())
    return known[name]


def error(
    bench: Bench, name: str, rng: np.random.Generator, known: dict[str, int]
) -> list[Outcome]:
    first = int(rng.integers(1, operations(bench, name, known) + 1))
    bench.prepare(name)
    return [
        bench.start(name, failing(bench, first, rng.random() < 0.5, int(rng.choice(ERRORS)))).wait()
    ]


def full(bench: Bench, name: str, rng: np.random.Generator, known: dict[str, int]) -> list[Outcome]:
    most = int(np.exp(rng.uniform(np.log(64), np.log(2**18))))
    bench.prepare(name)
    return [
        bench.start(name, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))).wait()
    ]


def vanishing(
    bench: Bench, name: str, rng: np.random.Generator, known: dict[str, int]
) -> list[Outcome]:
    bench.reference(name)
    bench.prepare(name)
    child = bench.start(name)
    time.sleep(float(rng.uniform(0, bench.seconds[name])))
    shutil.rmtree(bench.place, ignore_errors=True)
    outcome = child.wait()
    bench.prepare(name)
    return [outcome]


def two(bench: Bench, name: str, rng: np.random.Generator, known: dict[str, int]) -> list[Outcome]:
    bench.prepare(name)
    children = [bench.start(name, log=f"log-{number}") for number in range(2)]
    return [child.wait() for child in children]


def clock(
    bench: Bench, name: str, rng: np.random.Generator, known: dict[str, int]
) -> list[Outcome]:
    def setup() -> None:
        true, ahead = time.time, 0.0

        def jumping() -> float:
            nonlocal ahead
            if rng.random() < 0.2:
                ahead = rng.uniform(-YEAR, YEAR)
            return true() + ahead

        time.time = jumping

    bench.prepare(name)
    return [bench.start(name, setup).wait()]


FAULTS = {"error": error, "full": full, "vanishing": vanishing, "two": two, "clock": clock}


def wrong_with(outcome: Outcome) -> list[str]:
    """What is wrong with the way in which a command ended."""
    lines = outcome.said.strip().splitlines() or [""]
    told = outcome.status == 1 and any(line.startswith("bin/") for line in lines)
    # A fault that no reader of the folder would miss may be passed over.
    if (outcome.status == 0 or told) and "Traceback" not in outcome.said:
        return []
    return [f"it ended with {outcome.status}: {outcome.said[-1500:]}"]


def main(argv: list[str]) -> int:
    with report.Campaign("faults") as campaign:
        bench, known = Bench(campaign.folder), {}
        for turn in range(FLAGS.times):
            for place, name in enumerate(FLAGS.scenarios):
                for number, (fault, inflict) in enumerate(FAULTS.items()):
                    rng = np.random.default_rng([FLAGS.seed, turn, place, number])
                    bench.reference(name)
                    outcomes = inflict(bench, name, rng, known)
                    wrong = [line for outcome in outcomes for line in wrong_with(outcome)]
                    ended = " and ".join("refused" if one.status else "done" for one in outcomes)
                    campaign.note(f"{name}, {fault}", ended, wrong + bench.again(name))
    return campaign.status


if __name__ == "__main__":
    app.run(main)
