"""Keras callbacks: all those of the package."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from typing import Any

import tensorflow as tf
from tensorflow import keras
from tqdm.auto import tqdm

from sdgan_tf.keras_compat import value_of
from sdgan_tf.training.checkpoints import Checkpoints
from sdgan_tf.training.collapse import CollapseWatch
from sdgan_tf.training.evaluation import Evaluation
from sdgan_tf.training.grids import (
    Grid,
    IdentityGrid,
    PartGrid,
    ReconstructionGrid,
    TraversalGrid,
)
from sdgan_tf.training.match import MatchWatch
from sdgan_tf.training.periodic import EverySteps, summary_writer
from sdgan_tf.training.run_directory import RunDirectory

__all__ = [
    "BadLoss",
    "Checkpointing",
    "CollapseWatch",
    "Evaluation",
    "EverySteps",
    "Grid",
    "IdentityGrid",
    "Interrupted",
    "MatchWatch",
    "PartGrid",
    "ReconstructionGrid",
    "RunLog",
    "StopOnBadLoss",
    "StopOnSignal",
    "TraversalGrid",
]


class RunLog(EverySteps):
    """Writes the log of a run: at every interval a line on the screen, a line of `metrics.jsonl` and scalars for
    TensorBoard.

    Args:
        run: the directory to write to.
        every: steps between lines; the numbers are means over this interval.
        until: the step at which the run ends, from which the time left is computed.
        batch_size: tuples in a step.
    """

    def __init__(self, run: RunDirectory, every: int, until: int, batch_size: int):
        super().__init__(every)
        self.directory = run
        self.until = until
        self.batch_size = batch_size

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self._writer = summary_writer(self.directory.path, self.model.rollbacks)
        self._since = (self._last, time.monotonic())
        self._means = [value_of(variable) for variable in self._variables()]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        # Keras has just reset the means, but a continued run goes on with those of its checkpoint.
        for variable, value in zip(self._variables(), self._means):
            variable.assign(value)
        self._means = []

    def run(self, step: int, logs: dict[str, Any]) -> None:
        now = time.monotonic()
        seconds = (now - self._since[1]) / (step - self._since[0])
        self._since = (step, now)
        # Counts stay whole numbers.
        numbers = {
            n: value if isinstance(value, int) else float(value) for n, value in logs.items()
        }
        if self.model.rollbacks:
            numbers["rollbacks"] = self.model.rollbacks
        if self.model.precision == "mixed_float16":
            numbers["skipped_updates"] = self.model.skipped_updates
        rate = self.batch_size / seconds
        self.directory.log({"step": step, **numbers, "tuples_per_second": round(rate, 2)})
        with self._writer.as_default():
            for name, value in {**numbers, "tuples_per_second": rate}.items():
                tf.summary.scalar(name, value, step=step)
        self._writer.flush()
        print(self._line(step, numbers, rate, seconds), file=sys.stderr, flush=True)
        for metric in self.model.metrics:
            metric.reset_state()

    def _variables(self) -> list[Any]:
        return [variable for metric in self.model.metrics for variable in metric.variables]

    def _line(self, step: int, numbers: dict[str, float], rate: float, seconds: float) -> str:
        parts = [f"step {step:>{len(str(self.until))}}/{self.until}"]
        for name, value in numbers.items():
            parts.append(f"{name} {value}" if isinstance(value, int) else f"{name} {value:.3f}")
        left = tqdm.format_interval(seconds * max(self.until - step, 0))
        return "  ".join([*parts, f"{rate:.1f} tuples/s", f"{left} left"])


class Checkpointing(EverySteps):
    """Saves the model's whole state at every interval, and when training ends.

    Args:
        checkpoints: where they are saved, and which logged number says which one is best.
        every: steps between checkpoints.
    """

    def __init__(self, checkpoints: Checkpoints, every: int):
        super().__init__(every)
        self.checkpoints = checkpoints
        self._saved: int | None = None

    def run(self, step: int, logs: dict[str, Any]) -> None:
        metric = self.checkpoints.best_metric
        self.checkpoints.save(self.model, float(logs[metric]) if metric in logs else None)
        self._saved = step
        if metric and metric not in logs:
            raise ValueError(
                f"The best checkpoint is to be chosen by a number that is not logged. There are {sorted(logs)}. "
                f"Received: best_metric={metric!r}"
            )

    def finish(self) -> None:
        """Saves the model as it is when training ends or is interrupted, unless that has just been done."""
        if self._saved != self.model.completed_steps:
            self.checkpoints.save(self.model)


class BadLoss(RuntimeError):
    """A loss is no longer a finite number."""


class StopOnBadLoss(keras.callbacks.Callback):
    """Ends training by raising `BadLoss` on the first step with a loss that is NaN or infinite.

    Keras' `TerminateOnNaN` looks at a log called `loss` only, which adversarial models do not have.

    Args:
        checkpoints: the error names the last one of them, to go on from.
    """

    def __init__(self, checkpoints: Checkpoints):
        super().__init__()
        self.checkpoints = checkpoints

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        bad = [name for name, value in (logs or {}).items() if not math.isfinite(float(value))]
        if bad:
            raise BadLoss(
                f"{', '.join(bad)} became NaN or infinite at step {self.model.completed_steps}. "
                f"{self.checkpoints.remaining()}"
            )


class Interrupted(RuntimeError):
    """A signal has asked the run to end."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


class StopOnSignal(keras.callbacks.Callback):
    """Ends training by raising `Interrupted` between two steps, after Ctrl-C or SIGTERM. A second such signal ends the
    process at once.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self):
        super().__init__()
        self._received = None
        self._before: dict[int, Any] = {}

    def install(self) -> None:
        """Starts to listen for signals; does nothing outside the main thread, where Python allows no listening."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._before = {number: signal.signal(number, self._note) for number in self.SIGNALS}

    def restore(self) -> None:
        """Puts back the handlers that were there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._received is not None:
            raise Interrupted(self._received)

    def _note(self, number: int, frame: Any) -> None:
        self._received = number
        self.restore()
