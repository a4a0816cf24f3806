"""Checkpoints: a model's whole state as plain arrays, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from sdgan_tf.files import atomic_file
from sdgan_tf.models import AdversarialModel
from sdgan_tf.training import upgrade


class CheckpointError(RuntimeError):
    """A checkpoint could not be written or read; the message says what is left to go on from."""


class Checkpoints:
    """The folder of a run's checkpoints: the newest ones, and the best where a number says which it
    is.

    A checkpoint is an `.npz` of plain arrays (no pickle): all networks and optimizers, step counter and the running means of the log. Equal states give equal bytes.

    Args:
        folder: made when first written to.
        keep: how many of the newest stay, at least 1.
        best_mode: `"min"` or `"max"`: which score is the better one.

    Attributes:
        suspect_from: step from which on the run is suspected to have collapsed, or None; the last
            checkpoint from before stays, too.
    """

    def __init__(self, folder: str | Path, keep: int = 3, best_mode: str = "min"):
        if keep < 1:
            raise ValueError(f"At least one checkpoint is kept. Received: keep={keep}")
        if best_mode not in ("min", "max"):
            raise ValueError(f"best_mode is 'min' or 'max'. Received: {best_mode!r}")
        self.folder = Path(folder)
        self.keep = keep
        self.best_mode = best_mode
        self.suspect_from: int | None = None

    def steps(self) -> list[int]:
        """Steps that have a checkpoint, ascending."""
        numbers = (path.stem.split("-", 1)[1] for path in self.folder.glob("step-*.npz"))
        return sorted(int(number) for number in numbers if number.isdecimal())

    def path(self, step: int) -> Path:
        """Where the checkpoint of `step` lies."""
        return self.folder / f"step-{step:08d}.npz"

    def best(self) -> int | None:
        """The step with the best score, or None where none was given."""
        record = self._best_record()
        return record and record["step"]

    def last_unsuspected(self) -> int | None:
        """The newest step with a checkpoint that is under no suspicion, or None where there is
        none.
        """
        limit = float("inf") if self.suspect_from is None else self.suspect_from
        return max((step for step in self.steps() if step < limit), default=None)

    def forget_after(self, step: int) -> None:
        """Removes the checkpoints past `step`, and the note of the best one where it is among
        them.
        """
        if (self.best() or 0) > step:
            (self.folder / "best.json").unlink()
        # The newest first: killed amid this, the run comes by here again.
        for later in reversed(self.steps()):
            if later > step:
                self.path(later).unlink()

    def save(self, model: AdversarialModel, score: float | None = None) -> Path:
        """Writes the checkpoint of the model's step, then removes those that are neither new nor
        best.

        Args:
            model: a compiled model.
            score: number by which the best checkpoint is kept.

        Raises:
            CheckpointError: the disk refused, or a weight is not finite; older checkpoints stay as
                they are.
        """
        arrays = {name: np.asarray(value) for name, value in model.state().items()}
        broken = [name for name, array in arrays.items() if not np.all(np.isfinite(array))]
        if broken:
            raise CheckpointError(
                f"Step {model.completed_steps} has weights that are not finite ({broken[0]} and {len(broken) - 1} more): "
                f"not saved. {self.remaining()}"
            )
        path = self.path(model.completed_steps)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # The score first: killed between the two, a run comes by here again, with the same
            # score.
            self._note_score(model.completed_steps, score)
            with atomic_file(path) as file:
                np.savez(file, **arrays)
        except OSError as error:
            raise CheckpointError(
                f"Could not write {path}: {error}. Free some space and run the same command again. {self.remaining()}"
            ) from error
        self._rotate()
        return path

    def load(self, model: AdversarialModel, step: int, optimizers: bool = True) -> None:
        """Gives `model` the state that it had at `step`.

        Args:
            model: a compiled model.
            step: one of `steps()`.
            optimizers: whether the state of the optimizers is wanted, too.

        Raises:
            CheckpointError: no such checkpoint, a damaged file, or one of another model.
        """
        path = self.path(step)
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except Exception as error:  # A damaged zip file raises nearly anything.
            raise CheckpointError(f"Could not read the checkpoint {path}: {error}") from error
        state = model.state()
        arrays = upgrade.arrays(arrays)
        if not optimizers:
            arrays, state = _without_optimizers(arrays), _without_optimizers(state)
        different = sorted(set(arrays) ^ set(state)) or [
            name for name, value in state.items() if tuple(value.shape) != arrays[name].shape
        ]
        if different:
            raise CheckpointError(
                f"{path} belongs to another model: {len(different)} variables differ, such as {different[0]}."
            )
        for name, value in state.items():
            value.assign(arrays[name])

    def load_newest(self, model: AdversarialModel) -> int | None:
        """Loads the newest checkpoint that can be read, with a warning for any that cannot; None
        where there is none.
        """
        for step in reversed(self.steps()):
            try:
                self.load(model, step)
            except CheckpointError as error:
                logging.warning("%s Trying the one before.", error)
            else:
                return step
        if self.steps():
            raise CheckpointError(f"None of the checkpoints in {self.folder} can be read.")
        return None

    def remaining(self) -> str:
        """A sentence on where a run can go on from."""
        steps = self.steps()
        return (
            f"The last good checkpoint is {self.path(steps[-1])}."
            if steps
            else "There is no checkpoint yet."
        )

    def _best_record(self) -> dict | None:
        path = self.folder / "best.json"
        return json.loads(path.read_text()) if path.exists() else None

    def _note_score(self, step: int, score: float | None) -> None:
        if score is None or not np.isfinite(score):
            return
        record = self._best_record()
        sign = 1 if self.best_mode == "min" else -1
        if record is None or sign * score < sign * record["score"]:
            with atomic_file(self.folder / "best.json") as file:
                file.write(json.dumps({"step": step, "score": float(score)}).encode())

    def _rotate(self) -> None:
        for step in self.steps()[: -self.keep]:
            if step not in (self.best(), self.last_unsuspected()):
                self.path(step).unlink()


def _without_optimizers(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if "_optimizer/" not in name}
