"""Callbacks that show what a model makes, in PNG files and in TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sdgan_tf.data import IdentityData
from sdgan_tf.files import local_path
from sdgan_tf.images import save_png, tile, to_uint8
from sdgan_tf.training.periodic import EverySteps, summary_writer


class Grid(EverySteps):
    """Writes a grid of images at every interval: the file `<directory>/samples/<PREFIX>-00000500.png`, and the image
    `TAG` in `<directory>/tensorboard`.

    Args:
        directory: such as a run directory.
        every: steps between grids.
    """

    TAG: str
    PREFIX: str

    def __init__(self, directory: str | Path, every: int):
        super().__init__(every)
        self.directory = local_path(directory)
        self._writer = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self._writer = None

    def run(self, step: int, logs: dict[str, Any]) -> None:
        self.write(step)

    def write(self, step: int) -> Path:
        """Makes the grid now and returns the path of its PNG file."""
        if self._writer is None:
            self._writer = summary_writer(self.directory, self.model.rollbacks)
        image = tile(self.grid())
        with self._writer.as_default():
            tf.summary.image(self.TAG, image[np.newaxis], step=step)
        self._writer.flush()
        return save_png(image, self.directory / "samples" / f"{self.PREFIX}-{step:08d}.png")

    def grid(self) -> np.ndarray:
        """The images to show: uint8 [rows, columns, h, w, c]."""
        raise NotImplementedError


class IdentityGrid(Grid):
    """Shows imagined identities, always of the same codes: `samples/step-00000500.png`.

    Rows share `z_I`, columns share `z_O`.

    Args:
        directory: such as a run directory.
        every: steps between grids.
        identities: how many rows.
        observations: how many columns.
        seed: of the codes, see `generate`.
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


class TraversalGrid(Grid):
    """Shows what one number of the observation code does: `samples/continuous-1-00000500.png`.

    Rows are identities, ten or as many as there are; along the columns the number goes from -2 to 2.

    Args:
        directory: such as a run directory.
        every: steps between grids.
        part: the part of the observation block.
        number: which of its numbers, from 1.
        seed: of the rest of the code.
    """

    ROWS = 10

    def __init__(
        self, directory: str | Path, every: int, part: str, number: int = 1, seed: int = 0
    ):
        super().__init__(directory, every)
        self.part, self.number, self.seed = part, number, seed
        self.TAG = self.PREFIX = f"{part}-{number}"

    def grid(self) -> np.ndarray:
        model = self.model
        rows, (code,) = model.grid_codes(
            min(model.identities or self.ROWS, self.ROWS), 1, self.seed
        )
        return model.generate(rows, model.latents.traverse(code, self.part, self.number))


class PartGrid(Grid):
    """Shows what one part of the observation code does: `samples/pose-00000500.png`.

    Rows are identities; along the columns that part differs, and all else is that of the first column.

    Args:
        directory: such as a run directory.
        every: steps between grids.
        part: of the observation block.
        identities: how many rows.
        observations: how many columns.
        seed: of the codes, see `generate`.
    """

    def __init__(
        self,
        directory: str | Path,
        every: int,
        part: str,
        identities: int = 8,
        observations: int = 8,
        seed: int = 0,
    ):
        super().__init__(directory, every)
        self.part, self.seed = part, seed
        self.identities = identities
        self.observations = observations
        self.TAG = self.PREFIX = part

    def grid(self) -> np.ndarray:
        model = self.model
        rows, columns = model.grid_codes(self.identities, self.observations, self.seed)
        return model.generate(rows, model.latents.vary(columns, [self.part], "observation"))


class ReconstructionGrid(Grid):
    """Shows how a model's autoencoder reconstructs tuples: `samples/reconstructions-00000500.png`.

    The real tuples, and the codes of the imagined ones, are always the same. The rows are real images, their
    reconstructions, imagined images and their reconstructions; tuples stand side by side.

    Args:
        directory: such as a run directory.
        data: where the real tuples come from.
        every: steps between grids.
        tuples: how many there are of each kind.
        seed: of the tuples and codes.
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
        real = next(iter(self.data.tuples(k, self.tuples, self.seed).take(1)))["images"].numpy()
        fake = self.model.generate(self.tuples, k, self.seed)
        rows = [
            row for kind in (real, fake) for row in (kind, to_uint8(self.model.reconstruct(kind)))
        ]
        return np.stack(rows).reshape(len(rows), self.tuples * k, *real.shape[2:])
