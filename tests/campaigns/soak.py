"""Trains for long and watches memory, file handles and threads.

  python -m tests.campaigns.soak --seconds=21600

A small model is trained with its log, grids, checkpoints and their rotation, evaluation and the best checkpoint all on,
each every few steps. What the process holds is noted every second; the last quarter of the time must hold no more than the
second one, whose time is left for everything to have happened at least once. Ends with status 1 where it does.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
from absl import app, flags

from sdgan_tf.evaluation import train_verifier
from tests import tiny
from tests.campaigns import report
from tests.campaigns.commands import TRAIN, Child

FLAGS = flags.FLAGS
flags.DEFINE_integer("seconds", 40, "How long it trains.", 20)

# Beside the growth of the log in memory nothing may grow; allocators and garbage collection make noise.
MOST_MORE = {"megabytes": 24.0, "handles": 2.0, "threads": 2.0}


def held(pid: int) -> dict[str, float]:
    """What a process holds."""
    process = Path("/proc", str(pid))
    pages = int((process / "statm").read_text().split()[1])
    return {
        "megabytes": pages * os.sysconf("SC_PAGESIZE") / 2**20,
        "handles": len(os.listdir(process / "fd")),
        "threads": len(os.listdir(process / "task")),
    }


def main(argv: list[str]) -> int:
    with report.Campaign("soak") as campaign:
        run, verifier = campaign.folder / "run", campaign.folder / "eye"
        # In a process of its own: this one must not have used TensorFlow when it forks.
        if not (pid := os.fork()):
            train_verifier(tiny.people(size=16), "eye", steps=2, dim=2).save(verifier)
            os._exit(0)
        os.waitpid(pid, 0)
        endless = (
            "--steps=100000000",
            "--evaluate_every=2",
            f"--verifier={verifier}",
            f"--run_dir={run}",
        )
        child = Child(
            (*TRAIN, *endless, "--best_metric=auc", "--best_mode=max", "--keep=2"),
            campaign.folder / "log",
        )
        log = run / "metrics.jsonl"
        while not log.exists() and held(child.pid)["megabytes"]:
            time.sleep(0.2)
        began, seen = time.monotonic(), []
        while time.monotonic() - began < FLAGS.seconds:
            time.sleep(1)
            seen.append(held(child.pid))
        child.signal(signal.SIGTERM)
        outcome = child.wait()
        steps = len(log.read_text().splitlines()) * 2
        wrong = [] if outcome.status == 143 else [outcome.said[-1500:]]
        campaign.note("train", f"of {steps:,} steps", wrong)
        quarter = len(seen) // 4
        for name, most in MOST_MORE.items():
            values = [moment[name] for moment in seen]
            early, late = np.median(values[quarter : 2 * quarter]), np.median(values[-quarter:])
            growth = [f"{early:.1f} became {late:.1f}"] if late > early + most else []
            campaign.note(
                name, f"of {early:.0f} in the second quarter, {late:.0f} in the last", growth
            )
    return campaign.status


if __name__ == "__main__":
    app.run(main)
