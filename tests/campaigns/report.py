"""What a campaign says at its end: what was tried, what came of it, and what went wrong."""

from __future__ import annotations

import collections
import json
import platform
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import tensorflow as tf
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_integer("seed", 0, "Of all that is drawn at random.", 0)
flags.DEFINE_string("json", "", "The file to which the report is written as JSON as well.")


class Campaign:
    """Counts cases, in a folder of its own that is gone afterwards.

    Attributes:
        counts: by kind of case, how many came to what.
        wrong: a line for each case that went wrong.
        folder: to work in.
    """

    def __init__(self, name: str):
        self.name = name
        self.counts: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
        self.wrong: list[str] = []

    def __enter__(self) -> Campaign:
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-")).resolve()
        self._began = time.monotonic()
        # Stopped early, it still says what it has tried.
        signal.signal(signal.SIGTERM, self._stop)
        return self

    def _stop(self, number: int, frame: object) -> None:
        # `timeout` sends the signal twice, to the process and to its group: the second must not end the report.
        signal.signal(number, signal.SIG_IGN)
        sys.exit(128 + number)

    def __exit__(self, kind: Any, *_: Any) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        seconds = time.monotonic() - self._began
        tried = sum(sum(counts.values()) for counts in self.counts.values())
        print(
            f"{self.name}{', stopped early' if kind else ''}: seed {FLAGS.seed}, {tried:,} tried in {seconds:,.0f} s, {len(self.wrong)} went wrong; "
            f"Python {platform.python_version()}, TensorFlow {tf.__version__}"
        )
        for kind, counts in self.counts.items():
            print(f"  {kind}: {', '.join(f'{count:,} {what}' for what, count in counts.items())}")
        for line in self.wrong:
            print(f"WRONG {line}")
        if FLAGS.json:
            content = {"seed": FLAGS.seed, "seconds": seconds, "counts": self.counts}
            Path(FLAGS.json).write_text(json.dumps({**content, "wrong": self.wrong}, indent=2))

    @property
    def status(self) -> int:
        """The exit status: 1 where something went wrong."""
        return int(bool(self.wrong))

    def note(self, kind: str, came_to: str, wrong: list[str] | None = None) -> None:
        """Counts a case."""
        self.counts[kind][came_to] += 1
        for line in wrong or []:
            self.wrong.append(f"{kind}: {line}")
            print(f"WRONG {kind}: {line}", flush=True)
