"""How long a run has trained, and an end to it."""

from __future__ import annotations

import json
import time
from typing import Any

from sdgan_tf.files import write_json
from sdgan_tf.training.periodic import EverySteps
from sdgan_tf.training.run_directory import RunDirectory


class Clock(EverySteps):
    """Counts the seconds that a run spends in its training steps, and ends it when they are up.

    What lies between the steps (grids, checkpoints, evaluation) does not count, nor does the first
    step of a process, which compiles. The count outlives the process in the run's `clock.json`: what
    was trained and lost by a kill after the last note is not in it. To stand behind `StopOnBadLoss`,
    which waits for the step to end.

    Args:
        run: where it is kept.
        every: steps between two notes of the count.
        minutes: of training, earlier parts of the run included, after which it ends; 0 for never.

    Attributes:
        seconds: counted so far.
    """

    def __init__(self, run: RunDirectory, every: int, minutes: float = 0.0):
        super().__init__(every)
        if minutes < 0:
            raise ValueError(
                f"A run ends after 0 (never) or more minutes. Received: minutes={minutes}"
            )
        self.file = run.path / "clock.json"
        self.minutes = minutes
        self.seconds = json.loads(self.file.read_text())["seconds"] if self.file.exists() else 0.0
        self._warm = False

    @property
    def is_over(self) -> bool:
        """Whether the minutes are up."""
        return bool(self.minutes) and self.seconds >= 60 * self.minutes

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._warm:
            self.seconds += time.monotonic() - self._began
        self._warm = True
        super().on_train_batch_end(batch, logs)
        if self.is_over:
            self.model.stop_training = True

    def run(self, step: int, logs: dict[str, Any]) -> None:
        self.note()

    def note(self) -> None:
        """Writes the count down."""
        write_json(self.file, {"seconds": round(self.seconds, 3)})
