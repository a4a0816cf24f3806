"""Checkpoints: a model's whole state as plain arrays, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from sdgan_tf.files import (
    atomic_file,
    local_path,
    read_arrays,
    read_json,
    refresh,
    remove_file,
    write_arrays,
    write_json,
)
from sdgan_tf.keras_compat import value_of
from sdgan_tf.models import AdversarialModel
from sdgan_tf.training import upgrade
from sdgan_tf.training.cluster import ALONE, Cluster

# Of the name under which a checkpoint holds the number that says how good it is.
SCORE = "score/"
# A checkpoint with more bytes than so many times the model's state, which optimizers of another stack may add to, is no
# checkpoint of it.
MOST_TIMES, SLACK = 4, 2**24


class CheckpointError(RuntimeError):
    """A checkpoint could not be written or read; the message says what is left to go on from."""


class Checkpoints:
    """The folder of a run's checkpoints: the newest ones, and the best one where a number says which one that is.

    A checkpoint is an `.npz` of plain arrays (no pickle): all networks and optimizers, the step counter, the running
    means of the log and, where a number says which checkpoint is best, that number. Equal states give equal bytes.
    `best.json` says which one is best, of those that are there.

    Args:
        folder: made when first written to.
        keep: how many of the newest stay, at least 1.
        best_metric: name of the number by which the best checkpoint is kept; empty for none.
        best_mode: `"min"` or `"max"`: which of its values is the better one.
        cluster: of the processes that train together, whose chief alone writes and removes; all of them call.

    Attributes:
        suspect_from: step from which on the run is suspected to have collapsed, or None. The last checkpoint from
            before that step is kept as well.
    """

    def __init__(
        self,
        folder: str | Path,
        keep: int = 3,
        best_metric: str = "",
        best_mode: str = "min",
        cluster: Cluster = ALONE,
    ):
        if keep < 1:
            raise ValueError(f"At least one checkpoint is kept. Received: keep={keep}")
        if best_mode not in ("min", "max"):
            raise ValueError(f"best_mode is 'min' or 'max'. Received: best_mode={best_mode!r}")
        self.folder = local_path(folder)
        self.keep = keep
        self.best_metric = best_metric
        self.best_mode = best_mode
        self.cluster = cluster
        self.suspect_from: int | None = None

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, in ascending order."""
        numbers = (path.stem.split("-", 1)[1] for path in self.folder.glob("step-*.npz"))
        return sorted(int(number) for number in numbers if number.isdecimal())

    def path(self, step: int) -> Path:
        """The file of the checkpoint of `step`."""
        return self.folder / f"step-{step:08d}.npz"

    def best(self) -> int | None:
        """The step of the best checkpoint, or None where no number says which one that is."""
        step = self._best_record().get("step")
        return step if step in self.steps() else None

    def last_unsuspected(self) -> int | None:
        """The newest step with a checkpoint from before a suspected collapse, or None where there is none."""
        limit = float("inf") if self.suspect_from is None else self.suspect_from
        return max((step for step in self.steps() if step < limit), default=None)

    def forget_after(self, step: int) -> None:
        """Removes the checkpoints of later steps. The best one is then the best of those that are left."""
        self._chief_does(lambda: self._forget_after(step))

    def _forget_after(self, step: int) -> None:
        # The newest first: killed amid this, the run comes by here again.
        for later in reversed(self.steps()):
            if later > step:
                remove_file(self.path(later))
        self._note_best()

    def rotate(self, step: int) -> None:
        """Removes what `save` at `step` would have removed, had a kill not come between."""
        self._chief_does(lambda: self._rotate(step))

    def save(self, model: AdversarialModel, score: float | None = None) -> Path:
        """Writes the checkpoint of the model's step, then removes those that are neither new nor the best.

        Args:
            model: a compiled model.
            score: value of `best_metric`; without one, or where it is not finite, the checkpoint is not a best one.

        Raises:
            CheckpointError: the file could not be written, or a weight is not finite. Older checkpoints stay as they
                are.
        """
        arrays = {name: value_of(value) for name, value in model.state().items()}
        broken = [name for name, array in arrays.items() if not np.all(np.isfinite(array))]
        if broken:
            raise CheckpointError(
                f"Step {model.completed_steps} has weights that are not finite ({broken[0]} and {len(broken) - 1} more): "
                f"not saved. {self.remaining()}"
            )
        path = self.path(model.completed_steps)
        if score is not None and np.isfinite(score):
            arrays[SCORE + self.best_metric] = np.float64(score)
        self._chief_does(lambda: self._write(path, arrays))
        for name, variable in model.state().items():
            # Several replicas share the running means out anew, as they do when the run is continued from here.
            if name.startswith("log/") and model.distribute_strategy.num_replicas_in_sync > 1:
                variable.assign(arrays[name])
        return path

    def _write(self, path: Path, arrays: dict[str, np.ndarray]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_file(path) as file:
                write_arrays(file, arrays)
            self._note_best()
        except OSError as error:
            raise CheckpointError(
                f"Could not write {path}: {error}. Free some space and run the same command again. {self.remaining()}"
            ) from error
        self._rotate(int(arrays["step"]))

    def load(self, model: AdversarialModel, step: int, to_continue: bool = True) -> None:
        """Gives `model` the state that it had at `step`.

        Args:
            model: a compiled model.
            step: one of `steps()`.
            to_continue: whether the optimizers and the running means of the log get their state, too, which training
                needs and which differs between stacks and versions.

        Raises:
            CheckpointError: there is no such checkpoint, its file is damaged, or it belongs to another model.
        """
        path, state, arrays = self.path(step), model.state(), self.arrays(step, model)
        if not to_continue:
            arrays, state = _of_use(arrays), _of_use(state)
        different = sorted(set(arrays) ^ set(state)) or [
            name for name, value in state.items() if tuple(value.shape) != arrays[name].shape
        ]
        if different:
            raise CheckpointError(
                f"{path} belongs to another model: {len(different)} variables differ, such as {different[0]}."
            )
        for name, value in state.items():
            value.assign(arrays[name])

    def arrays(self, step: int, model: AdversarialModel) -> dict[str, np.ndarray]:
        """The variables that the checkpoint of `step` holds, by name.

        Args:
            step: one of `steps()`.
            model: about as large as the one that was saved.

        Raises:
            CheckpointError: there is no such checkpoint, or its file is damaged.
        """
        path = self.path(step)
        # By shape: a variable that replicas share may not be read as one array.
        sizes = (np.prod(v.shape) * tf.as_dtype(v.dtype).size for v in model.state().values())
        most = SLACK + MOST_TIMES * int(sum(sizes))
        try:
            arrays = read_arrays(path, most)
        except Exception as error:  # A damaged zip file raises nearly anything.
            raise CheckpointError(f"Could not read the checkpoint {path}: {error}") from error
        arrays = {name: array for name, array in arrays.items() if not name.startswith(SCORE)}
        return upgrade.arrays(arrays)

    def load_newest(self, model: AdversarialModel) -> int | None:
        """Loads the newest checkpoint that can be read, and warns of each newer one that cannot be.

        Returns:
            Its step, or None where there is no checkpoint.

        Raises:
            CheckpointError: there are checkpoints, but none can be read.
        """
        for step in reversed(self.steps()):
            try:
                self.load(model, step)
            except CheckpointError as error:
                logging.warning("%s Trying the one before.", error)
            else:
                # It may have been saved right before a kill.
                self._chief_does(self._note_best)
                return step
        if self.steps():
            raise CheckpointError(f"None of the checkpoints in {self.folder} can be read.")
        return None

    def remaining(self) -> str:
        """A sentence that says where a run can go on from."""
        steps = self.steps()
        return (
            f"The last good checkpoint is {self.path(steps[-1])}."
            if steps
            else "There is no checkpoint yet."
        )

    def _best_record(self) -> dict[str, Any]:
        path = self.folder / "best.json"
        advice = "Delete it: the run notes the best checkpoint anew."
        return read_json(path, CheckpointError, advice) if path.exists() else {}

    def _note_best(self) -> None:
        """Writes down which checkpoint is the best one, if that has changed."""
        if not self.best_metric:
            return
        record = self._best_record()
        scores = {step: self.score(step) for step in self.steps()}
        # Version 0.1.0 wrote the score here alone, and not of which number.
        if "metric" not in record and scores.get(record.get("step"), 0.0) is None:
            scores[record["step"]] = record["score"]
        known = {step: score for step, score in scores.items() if score is not None}
        if not known:
            return
        # Of equals the older one, which comes first.
        best = (min if self.best_mode == "min" else max)(known, key=known.get)
        by = {"metric": self.best_metric, "mode": self.best_mode}
        if any(record.get(name, value) != value for name, value in by.items()):
            logging.warning("The best checkpoint was kept by %s, and now is by %s.", record, by)
        content = {"step": best, **by, "score": known[best]}
        if content != record:
            write_json(self.folder / "best.json", content)

    def score(self, step: int) -> float | None:
        """The value of `best_metric` that a checkpoint was saved with, or None."""
        try:
            with np.load(self.path(step), allow_pickle=False) as file:
                return float(file[SCORE + self.best_metric])
        except Exception:  # There is none, or the file is damaged.
            return None

    def _rotate(self, saved: int) -> None:
        # Later ones are damaged, or training would have gone on from there. It comes by them again.
        done = [step for step in self.steps() if step <= saved]
        for step in done[: -self.keep]:
            if step not in (self.best(), self.last_unsuspected()):
                remove_file(self.path(step))

    def _chief_does(self, action: Callable[[], Any]) -> None:
        self.cluster.chief_does(action)
        if not self.cluster.is_chief:
            refresh(self.folder, strict=True)


def _of_use(state: dict[str, Any]) -> dict[str, Any]:
    """The part of a state that a model needs to be used."""
    return {
        name: value
        for name, value in state.items()
        if "_optimizer/" not in name and not name.startswith("log/")
    }
