"""Callbacks that show what a model makes, as PNG and in TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sdgan_tf.generation import save_png, tile
from sdgan_tf.training.every import EverySteps, summary_writer


class IdentityGrid(EverySteps):
    """Writes a grid of imagined identities, always of the same codes, to PNG and TensorBoard.

    Rows share `z_I`, columns share `z_O`. The pictures are `<directory>/samples/step-00000500.png`
    and the image "identities" in `<directory>/tensorboard`.

    Args:
        directory: such as a run directory.
        every: steps between grids.
        identities: rows.
        observations: columns.
        seed: which codes.
    """

    def __init__(
        self,
        directory: str | Path,
        every: int = 500,
        identities: int = 8,
        observations: int = 8,
        seed: int = 0,
    ):
        super().__init__(every)
        self.directory = Path(directory)
        self.identities = identities
        self.observations = observations
        self.seed = seed
        self._writer = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self._writer = None

    def run(self, step: int, logs: dict[str, Any]) -> None:
        self.write(step)

    def write(self, step: int) -> Path:
        """Makes the grid now and returns where its PNG lies."""
        if self._writer is None:
            self._writer = summary_writer(self.directory, self.model.rollbacks)
        grid = tile(self.model.generate(self.identities, self.observations, self.seed))
        with self._writer.as_default():
            tf.summary.image("identities", grid[np.newaxis], step=step)
        self._writer.flush()
        return save_png(grid, self.directory / "samples" / f"step-{step:08d}.png")
