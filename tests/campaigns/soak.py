"""Trains for long, asks a server often, and watches memory, file handles and threads.

  python -m tests.campaigns.soak --seconds=21600 --requests=10000

A small model is trained with its log, grids, checkpoints and their rotation, evaluation and the best checkpoint all on,
each every few steps. What the process holds is noted every second; the last quarter of the time must hold no more than the
second one, whose time is left for everything to have happened at least once. Then `sdgan_tf.serving.Client` asks a server
that stands in for TF Serving, over REST and, where its extra is installed, over gRPC, for one to 64 rows at a time: each answer
must be that of a direct call. Ends with status 1 where something grows or differs.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import app, flags, logging

from sdgan_tf.evaluation import train_verifier
from sdgan_tf.serving import Client
from tests import tiny
from tests.campaigns import report
from tests.campaigns.commands import TRAIN, Child
from tests.serving import servers

FLAGS = flags.FLAGS
flags.DEFINE_integer("seconds", 40, "How long it trains.", 20)
flags.DEFINE_integer("requests", 200, "How many requests are sent over each protocol.", 8)

# As many as the client sends at most.
ROWS = 64

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


def grown(campaign: report.Campaign, kind: str, seen: list[dict[str, float]]) -> None:
    """Notes whether a process held more in the last quarter than in the second one."""
    quarter = len(seen) // 4
    for name, most in MOST_MORE.items():
        values = [moment[name] for moment in seen]
        early, late = np.median(values[quarter : 2 * quarter]), np.median(values[-quarter:])
        wrong = [f"{early:.1f} became {late:.1f}"] if late > early + most else []
        came_to = f"of {early:.0f} in the second quarter, {late:.0f} in the last"
        campaign.note(f"{kind}, {name}", came_to, wrong)


def train(campaign: report.Campaign) -> None:
    """Trains a model for so many seconds."""
    run, verifier = campaign.folder / "run", campaign.folder / "eye"
    # In a process of its own: this one must not have used TensorFlow when it forks.
    if not (pid := os.fork()):
        train_verifier(tiny.people(size=16), "eye", steps=2, dim=2).save(verifier)
        os._exit(0)
    os.waitpid(pid, 0)
    endless = ("--steps=100000000", "--evaluate_every=2", f"--verifier={verifier}")
    chosen = ("--best_metric=auc", "--best_mode=max", "--keep=2", f"--run_dir={run}")
    child = Child((*TRAIN, *endless, *chosen), campaign.folder / "log")
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
    grown(campaign, "train", seen)


def ask(campaign: report.Campaign, kind: str) -> None:
    """Sends requests over REST or gRPC."""
    path = tiny.model().export(campaign.folder / kind / "faces" / "1")
    seeds = tf.range(ROWS, dtype=tf.int64)
    sample = tf.saved_model.load(str(path)).signatures["sample"]
    expected = sample(identity_seed=seeds, observation_seed=seeds)["images"].numpy().astype(int)
    rng, seconds, seen = np.random.default_rng(FLAGS.seed), [], []
    differing = 0
    with (
        getattr(servers, kind)(servers.Answers(path)) as address,
        Client(address, "faces") as client,
    ):
        for number in range(FLAGS.requests):
            rows = rng.integers(0, ROWS, int(2 ** rng.uniform(0, np.log2(ROWS))))
            began = time.monotonic()
            images = client.sample(rows, rows)["images"]
            seconds.append(time.monotonic() - began)
            # What the number of rows changes in the last digits may round to the next level.
            differing += bool(np.abs(images - expected[rows]).max() > 1)
            if number % max(FLAGS.requests // 100, 1) == 0:
                seen.append(held(os.getpid()))
    middle, slow = 1000 * np.percentile(seconds, [50, 99])
    wrong = [f"{differing:,} answers differ from direct calls"] if differing else []
    came_to = f"of {FLAGS.requests:,} requests, {middle:.0f} ms the median, {slow:.0f} ms one of a hundred"
    campaign.note(kind, came_to, wrong)
    grown(campaign, kind, seen)


def main(argv: list[str]) -> int:
    logging.set_verbosity(logging.ERROR)
    with report.Campaign("soak") as campaign:
        train(campaign)
        for kind in ("rest", "rpc")[: 1 + bool(importlib.util.find_spec("tensorflow_serving"))]:
            ask(campaign, kind)
    return campaign.status


if __name__ == "__main__":
    app.run(main)
