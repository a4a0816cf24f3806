"""Measures how long a run has trained, and ends it after a given time."""

from __future__ import annotations

import time
from typing import Any

from sdgan_tf.files import read_json, write_json
from sdgan_tf.training.periodic import EverySteps
from sdgan_tf.training.run_directory import RunDirectory, RunError


class Clock(EverySteps):
    """Counts the seconds that a run spends in its training steps, and ends it after a given time.

    The time between the steps (grids, checkpoints, evaluation) does not count, and neither does the first step of a
    process, which compiles. The count is kept in the run's `clock.json`. What a killed process trained after its last
    note is not in it, and is trained again. In the list of callbacks the clock stands behind `StopOnBadLoss`, which
    waits for the step to end.

    Args:
        run: the directory that the count is kept in.
        every: steps between two notes of the count.
        minutes: of training, earlier parts of the run included, after which the run ends; 0 for never.

    Attributes:
        seconds: what has been counted so far.
    """

    def __init__(self, run: RunDirectory, every: int, minutes: float = 0.0):
        super().__init__(every)
        if minutes < 0:
            raise ValueError(
                f"A run ends after 0 (never) or more minutes. Received: minutes={minutes}"
            )
        self.file = run.path / "clock.json"
        self.minutes = minutes
        self.seconds = 0.0
        if self.file.exists():
            advice = "Delete it to count anew, from nothing."
            self.seconds = read_json(self.file, RunError, advice)["seconds"]
        self._warm = False

    @property
    def is_over(self) -> bool:
        """Whether the run has had its minutes."""
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
        """Writes the count to its file."""
        write_json(self.file, {"seconds": round(self.seconds, 3)})
