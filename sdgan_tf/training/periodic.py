"""What the callbacks of this package share: they count on from the model's own step, which stays right with
`steps_per_execution` and when a run is continued.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow import keras


class EverySteps(keras.callbacks.Callback):
    """Calls `run(step, logs)` whenever the model's step passes a multiple of `every`; 0 for never."""

    def __init__(self, every: int):
        super().__init__()
        if every < 0:
            raise ValueError(f"An interval is 0 (never) or more steps. Received: every={every}")
        self.every = every

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._start = self._last = self.model.completed_steps

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._start = self.model.completed_steps

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # Keras counts batches from 0 in each epoch. To read the model's step takes a tenth of a millisecond.
        step = self._start + batch + 1
        if self.every and step // self.every > self._last // self.every:
            self.run(step, logs or {})
        self._last = step

    def run(self, step: int, logs: dict[str, Any]) -> None:
        raise NotImplementedError


def summary_writer(directory: Path, rollbacks: int) -> tf.summary.SummaryWriter:
    """Writes to the TensorBoard folder of a run directory: curves of their own after each rollback, since steps come
    again.
    """
    folder = directory / "tensorboard"
    name = folder / f"rollback-{rollbacks}" if rollbacks else folder
    return tf.summary.create_file_writer(str(name))
