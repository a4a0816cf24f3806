"""Callbacks that show what a model makes, as PNG and in TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sdgan_tf.data import IdentityData
from sdgan_tf.images import save_png, tile, to_uint8
from sdgan_tf.training.every import EverySteps, summary_writer


class Grid(EverySteps):
    """Writes a picture at every interval: `<directory>/samples/<PREFIX>-00000500.png` and the image
    `TAG` in `<directory>/tensorboard`.

    Args:
        directory: such as a run directory.
        every: steps between pictures.
    """

    TAG: str
    PREFIX: str

    def __init__(self, directory: str | Path, every: int):
        super().__init__(every)
        self.directory = Path(directory)
        self._writer = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self._writer = None

    def run(self, step: int, logs: dict[str, Any]) -> None:
        self.write(step)

    def write(self, step: int) -> Path:
        """Makes the picture now and returns where its PNG lies."""
        if self._writer is None:
            self._writer = summary_writer(self.directory, self.model.rollbacks)
        picture = tile(self.grid())
        with self._writer.as_default():
            tf.summary.image(self.TAG, picture[np.newaxis], step=step)
        self._writer.flush()
        return save_png(picture, self.directory / "samples" / f"{self.PREFIX}-{step:08d}.png")

    def grid(self) -> np.ndarray:
        """What to show: uint8 [rows, columns, h, w, c]."""
        raise NotImplementedError


class IdentityGrid(Grid):
    """Shows imagined identities, always of the same codes: `samples/step-00000500.png`.

    Rows share `z_I`, columns share `z_O`.

    Args:
        directory: such as a run directory.
        every: steps between grids.
        identities: rows.
        observations: columns.
        seed: which codes.
    """

    TAG, PREFIX = "identities", "step"

    def __init__(
        self,
        directory: str | Path,
        every: int = 500,
        identities: int = 8,
        observations: int = 8,
        seed: int = 0,
    ):
        super().__init__(directory, every)
        self.identities = identities
        self.observations = observations
        self.seed = seed

    def grid(self) -> np.ndarray:
        return self.model.generate(self.identities, self.observations, self.seed)


class ReconstructionGrid(Grid):
    """Shows what a model's autoencoder makes of tuples, always the same real ones and of the same
    codes: `samples/reconstructions-00000500.png`.

    Rows are real pictures, their reconstructions, imagined pictures and their reconstructions;
    tuples stand side by side.

    Args:
        directory: such as a run directory.
        data: where the real tuples are from.
        every: steps between grids.
        tuples: how many of each kind.
        seed: which tuples and codes.
    """

    TAG = PREFIX = "reconstructions"

    def __init__(
        self,
        directory: str | Path,
        data: IdentityData,
        every: int = 500,
        tuples: int = 4,
        seed: int = 0,
    ):
        super().__init__(directory, every)
        self.data = data
        self.tuples = tuples
        self.seed = seed

    def grid(self) -> np.ndarray:
        k = self.model.k
        real = next(iter(self.data.tuples(k, self.tuples, self.seed).take(1))).numpy()
        fake = self.model.generate(self.tuples, k, self.seed)
        rows = [
            row for kind in (real, fake) for row in (kind, to_uint8(self.model.reconstruct(kind)))
        ]
        return np.stack(rows).reshape(len(rows), self.tuples * k, *real.shape[2:])
