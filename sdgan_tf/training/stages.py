"""Runs that go on from the weights of another run: the stages of a model that is trained in several."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sdgan_tf.models import AdversarialModel, variables
from sdgan_tf.training.checkpoints import Checkpoints
from sdgan_tf.training.run_directory import RunDirectory, RunError


class Predecessor:
    """The newest checkpoint of the run that another one starts from.

    Args:
        run_dir: the folder of the earlier run.

    Raises:
        RunError: there is no such run, or it has no checkpoint.
    """

    def __init__(self, run_dir: str | Path):
        run = RunDirectory(run_dir)
        self.path = run.path
        if not run.config_file.exists():
            raise RunError(
                f"{run.path}, which this run starts from, is no run directory: train it first, or restore it."
            )
        described = run.config()["model"]
        self.model, self._settings = described["name"], described.get("config", {})
        self._checkpoints = Checkpoints(run.checkpoints)
        if not self._checkpoints.steps():
            raise RunError(f"{run.path}, which this run starts from, has no checkpoint yet.")
        self.step = self._checkpoints.steps()[-1]

    def describe(self) -> dict[str, Any]:
        """What the configuration of the later run says of it: any change of its weights changes the digest."""
        content = self._checkpoints.path(self.step).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        return {"model": self.model, "step": self.step, "digest": digest}

    def check(self, model: AdversarialModel) -> None:
        """Refuses a model whose inherited networks are not those of the earlier run.

        Raises:
            CheckpointError: the checkpoint cannot be read.
            RunError: it lacks a network, or has one of another size.
        """
        for _ in self._inherited(model):
            pass

    def give(self, model: AdversarialModel) -> None:
        """Gives those networks of `model` that it inherits the weights that those of the same names have here.

        Raises:
            CheckpointError, RunError: as of `check`.
        """
        for variable, value in self._inherited(model):
            variable.assign(value)

    def _inherited(self, model: AdversarialModel) -> Iterator[tuple[tf.Variable, np.ndarray]]:
        """The variables that `model` inherits, each with the value that it has here."""
        arrays = self._checkpoints.arrays(self.step, model)
        for network, own in model.networks.items():
            inherited = (
                model.inherits is None or network.removeprefix("averaged_") in model.inherits
            )
            # What is neither trained nor averaged here is best taken as the earlier run's average, where it kept one.
            is_kept = network not in model.playing and f"averaged_{network}" not in model.networks
            for name, variable in variables.by_path(own, network).items() if inherited else ():
                # An average that the earlier run did not keep starts from what it would be of.
                names = [f"averaged_{name}"] * is_kept + [name, name.removeprefix("averaged_")]
                value = next((arrays[known] for known in names if known in arrays), None)
                if value is None or tuple(variable.shape) != value.shape:
                    shape = "none" if value is None else f"{value.shape}"
                    raise RunError(
                        f"This model has {name} of {tuple(variable.shape)}, but {self.path}, which it starts from, {shape}: "
                        f"both runs need the same networks, images and labels.{self._differences(model)}"
                    )
                yield variable, value

    def _differences(self, model: AdversarialModel) -> str:
        own = model.get_config()
        different = [
            f"{name}={there} there, {own[name]} here"
            for name, there in self._settings.items()
            if name in own and name != "name" and own[name] != there
        ]
        return f" What was set otherwise: {'; '.join(different)}." if different else ""
