"""Gives hostile files, folders and answers to whatever reads them.

  python -m tests.campaigns.hostile --scale=100

Each kind of case is tried `scale` times a number of its own. A case must be used, be refused with a reason, or be skipped
and listed; each kind runs in a process of its own, so that a crash is counted like a hang or an error of another kind. Of
folders each picture must be either used or listed. Ends with status 1 where something goes wrong.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import app, flags, logging

from tests.campaigns import inputs, report

FLAGS = flags.FLAGS
flags.DEFINE_integer("scale", 1, "How many times as many cases as the short form has.", 1)
flags.DEFINE_list("kinds", list(inputs.KINDS), "Which kinds of cases.")

# Seconds that one case may take, and megabytes that the cases of one process may take beyond what it begins with.
HANGING = 60
MEGABYTES = 1024


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raises a `TimeoutError` in a block that takes longer."""

    def stop(number: int, frame: object) -> None:
        raise TimeoutError(f"it hung for {seconds} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def peak() -> int:
    """The most memory that this process has had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def run(kind: str, folder: Path, cases: range, notes: int) -> None:
    """Tries cases of a kind; writes a line for each to a pipe, and one without a case if they took too much memory."""
    maker, expected = inputs.KINDS[kind].maker, inputs.KINDS[kind].expected
    try_case = maker(folder)
    before = peak()
    for case in cases:
        rng = np.random.default_rng([FLAGS.seed, *kind.encode(), case])
        wrong = ""
        try:
            with limited(HANGING):
                came_to = try_case(rng)
        except expected as error:
            came_to = "refused" if str(error) else "refused without a reason"
            wrong = "" if str(error) else repr(error)
        except BaseException:
            came_to, wrong = "another error", traceback.format_exc()[-1500:]
        os.write(notes, (json.dumps([case, came_to, wrong]) + "\n").encode())
    more = peak() - before
    if more > MEGABYTES:
        line = [None, "too much memory", f"{more:,} MB"]
        os.write(notes, (json.dumps(line) + "\n").encode())


def be(kind: str, folder: Path, cases: range, notes: int) -> None:
    """What a forked process does, which never returns."""
    status = 1
    try:
        logging.set_verbosity(logging.FATAL)
        # What readers say beside their errors is not asked here.
        for descriptor in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
        run(kind, folder, cases, notes)
        status = 0
    except BaseException:
        line = [cases.start, "broken campaign", traceback.format_exc()]
        os.write(notes, (json.dumps(line) + "\n").encode())
    finally:
        os._exit(status)


def forked(kind: str, folder: Path, cases: range, campaign: report.Campaign) -> int:
    """Tries cases of a kind in a process of its own and notes what came of it; returns how many it tried."""
    reading, writing = os.pipe()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        os.close(reading)
        be(kind, folder, cases, writing)
    os.close(writing)
    tried = 0
    with os.fdopen(reading) as lines:
        for line in lines:
            case, came_to, wrong = json.loads(line)
            tried += case is not None
            where = f"cases {cases}" if case is None else f"case {case}"
            campaign.note(kind, came_to, [f"{where}: {wrong}"] if wrong else [])
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        case = cases.start + tried
        campaign.note(kind, "crashed", [f"case {case}: the process ended with {status}"])
    return tried + bool(status)


def tried(kind: str, campaign: report.Campaign) -> None:
    """Tries all cases of a kind, some in each process; those after one that ended its process in another."""
    cases = range(inputs.KINDS[kind].count * FLAGS.scale)
    while cases:
        portion = cases[: inputs.KINDS[kind].portion]
        count = forked(kind, campaign.folder / kind, portion, campaign)
        cases = cases[count:]


def main(argv: list[str]) -> int:
    with report.Campaign("hostile") as campaign:
        for kind in FLAGS.kinds:
            tried(kind, campaign)
    return campaign.status


if __name__ == "__main__":
    app.run(main)
