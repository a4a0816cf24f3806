"""The run itself: from a model and its data to a run directory, exactly resumable."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import models
from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation import Verifier
from sdgan_tf.images import save_png, tile
from sdgan_tf.models import AdversarialModel
from sdgan_tf.training.callbacks import (
    Checkpointing,
    CollapseWatch,
    Evaluation,
    Grid,
    IdentityGrid,
    Interrupted,
    ReconstructionGrid,
    RunLog,
    StopOnBadLoss,
    StopOnSignal,
)
from sdgan_tf.training.checkpoints import Checkpoints
from sdgan_tf.training.clock import Clock
from sdgan_tf.training.collapse import Collapsed
from sdgan_tf.training.run_directory import RunDirectory, RunError
from sdgan_tf.training.schedule import Schedule

# What helps by another draw helps soon; more is for other settings to mend.
MAX_ROLLBACKS = 3


def describe(model: AdversarialModel, data: IdentityData, schedule: Schedule) -> dict[str, Any]:
    """The configuration of a run: all that the weights at a given step depend on."""
    return {
        "model": {"class": type(model).__name__, "config": _unnamed(model.get_config())},
        "optimizers": {
            name: _unnamed(keras.optimizers.serialize(getattr(model, name)))
            for name in ("d_optimizer", "g_optimizer")
        },
        "replicas": model.distribute_strategy.num_replicas_in_sync,
        "data": {
            "identities": len(data),
            "fingerprint": data.fingerprint,
            "batch_size": schedule.batch_size,
        },
    }


def train(
    model: AdversarialModel,
    data: IdentityData,
    run_dir: str | Path,
    schedule: Schedule,
    notes: Mapping[str, str] | None = None,
    verifier: Verifier | None = None,
) -> Path:
    """Trains in `run_dir`, or continues what is there, until the schedule's steps or minutes are
    done.

    A run that was killed at any moment and started again ends with the same bytes as one that never
    was.

    Args:
        model: compiled; its weights are replaced where the run has a checkpoint.
        data: what to train on.
        run_dir: see `RunDirectory`.
        schedule: how long, and how often to write.
        notes: text files to leave in the run directory, by name.
        verifier: the judge, where the schedule has evaluations.

    Returns:
        The path of the last grid of identities.

    Raises:
        RunError: the directory belongs to another run.
        CheckpointError: the disk is full, or no checkpoint can be read.
        BadLoss: a loss became NaN or infinite; the message names the step and the last good
            checkpoint.
        Collapsed: the model collapsed and the schedule says to stop then, or there have been too
            many rollbacks, or there is no checkpoint from before; the message says what was seen.
        Interrupted: Ctrl-C or SIGTERM; the state was saved.
    """
    if schedule.evaluate_every and verifier is None:
        raise ValueError(
            "Evaluations need a judge: name it by --verifier. "
            f"Received: evaluate_every={schedule.evaluate_every} without one"
        )
    # Before anything is written: data that give no tuples are refused here.
    _tuples(model, data, schedule, 0)
    run = RunDirectory(run_dir)
    run.open(describe(model, data, schedule))
    try:
        for name, text in (notes or {}).items():
            (run.path / name).write_text(text)
        checkpoints = Checkpoints(run.checkpoints, schedule.keep, schedule.best_mode)
        checkpoints.load_newest(model)
        start = model.completed_steps
        clock = Clock(run, schedule.checkpoint_every, schedule.minutes)
        print(_intent(run, start, clock, schedule))
        if not start:
            _show_reals(run, data)
        grids = _grids(model, data, run, schedule)
        while model.completed_steps < schedule.steps and not clock.is_over:
            try:
                _fit(model, data, run, checkpoints, grids, clock, schedule, verifier)
            except Collapsed as collapse:
                _go_back(model, checkpoints, collapse, schedule)
        return [grid.write(model.completed_steps) for grid in grids][0]
    finally:
        run.close()


def _tuples(model, data: IdentityData, schedule: Schedule, start: int) -> tf.data.Dataset:
    if model.labelled and model.training_identities != len(data):
        raise ValueError(
            "This model learns a given number of identities by heart: make it for as many as the data "
            f"have. Received: a model of {model.training_identities:,} and data of {len(data):,} identities"
        )
    return data.tuples(model.k, schedule.batch_size, model.random_seed, start, model.labelled)


def _intent(run: RunDirectory, start: int, clock: Clock, schedule: Schedule) -> str:
    if clock.is_over:
        return f"{run.path} has its {schedule.minutes:g} minutes already: raise --minutes to go on."
    if start >= schedule.steps:
        return f"{run.path} has its {start:,} steps already: raise --steps to go on."
    verb = f"Continuing {run.path} at step {start:,}" if start else f"Training in {run.path}"
    every = f", a line every {schedule.log_every:,} steps" if schedule.log_every else ""
    limit = f" or {schedule.minutes:g} minutes in all" if schedule.minutes else ""
    return f"{verb}, up to step {schedule.steps:,}{limit}{every}."


def _grids(model, data: IdentityData, run: RunDirectory, schedule: Schedule) -> list[Grid]:
    grids: list[Grid] = [IdentityGrid(run.path, schedule.grid_every)]
    if hasattr(model, "reconstruct"):
        grids.append(ReconstructionGrid(run.path, data, schedule.grid_every))
    for grid in grids:
        grid.set_model(model)
    return grids


def _fit(model, data, run, checkpoints, grids, clock, schedule: Schedule, verifier) -> None:
    """Trains from where the model stands, which is that of a checkpoint or of the start."""
    start = model.completed_steps
    run.forget_after(start)
    tuples = _tuples(model, data, schedule, start)
    action = "warn" if schedule.on_collapse == "warn" else "stop"
    watch = CollapseWatch(
        data, schedule.log_every, action, checkpoints=checkpoints, history=run.lines()
    )
    evaluation = Evaluation(verifier, schedule.evaluate_every)
    log = RunLog(run, schedule.log_every, schedule.steps, schedule.batch_size)
    saving = Checkpointing(checkpoints, schedule.checkpoint_every, schedule.best_metric)
    stop = StopOnSignal()
    stop.install()
    try:
        # One epoch is the whole run: an epoch's end would reset the running means of the log.
        model.fit(
            tuples,
            steps_per_epoch=schedule.steps - start,
            epochs=1,
            verbose=0,
            shuffle=False,
            # A checkpoint comes last: once it is there, so is all else up to its step.
            callbacks=[
                StopOnBadLoss(checkpoints),
                clock,
                watch,
                evaluation,
                log,
                *grids,
                saving,
                stop,
            ],
        )
    except Interrupted:
        checkpoints.save(model)
        raise
    finally:
        stop.restore()
        clock.note()
    checkpoints.save(model)


def _go_back(model, checkpoints: Checkpoints, collapse: Collapsed, schedule: Schedule) -> None:
    """Leaves nothing that is later than the last good checkpoint, and loads that where the run may
    go on from it with other random numbers; raises `collapse` where it may not.

    Killed at any moment of this, the run comes by here again, or has gone back already.
    """
    attempts = model.rollbacks
    if collapse.checkpoint is not None:
        checkpoints.forget_after(collapse.checkpoint)
    if schedule.on_collapse != "rollback" or collapse.checkpoint is None:
        raise collapse
    if attempts == MAX_ROLLBACKS:
        raise Collapsed(
            f"{collapse} It was rolled back {attempts} times already.", collapse.checkpoint
        )
    checkpoints.load(model, collapse.checkpoint)
    model.attempt.assign(attempts + 1)
    checkpoints.save(model)
    print(
        f"{collapse} Going back there to go on with other random numbers, attempt {attempts + 1} of {MAX_ROLLBACKS}.",
        file=sys.stderr,
        flush=True,
    )


def _show_reals(run: RunDirectory, data: IdentityData) -> None:
    picture = tile(data.grid())
    save_png(picture, run.samples / "reals.png")
    writer = tf.summary.create_file_writer(str(run.tensorboard))
    with writer.as_default():
        tf.summary.image("reals", picture[np.newaxis], step=0)
    writer.close()


def load_run(run_dir: str | Path, checkpoint: str | int = "newest") -> AdversarialModel:
    """The model that a run directory holds, of either stack, to be used.

    Its optimizers are new ones: they differ between the stacks. `train` is what continues a run.

    Args:
        run_dir: what `train` wrote.
        checkpoint: `"newest"`, `"best"` or a step.
    """
    run = RunDirectory(run_dir)
    config = run.config()
    checkpoints = Checkpoints(run.checkpoints)
    steps = checkpoints.steps()
    if not steps:
        raise RunError(f"{run.path} has no checkpoint yet: train it first.")
    step = {"newest": steps[-1], "best": checkpoints.best()}.get(checkpoint, checkpoint)
    if step not in steps:
        raise RunError(
            f"{run.path} has checkpoints of the steps {steps}, best: {checkpoints.best()}. Received: {checkpoint!r}"
        )
    model = getattr(models, config["model"]["class"]).from_config(config["model"]["config"])
    model.compile()
    checkpoints.load(model, step, optimizers=False)
    return model


def _unnamed(config: Any) -> Any:
    """A Keras configuration as plain JSON, without names: Keras numbers them (`adam_1`)."""
    if isinstance(config, dict):
        return {key: _unnamed(value) for key, value in config.items() if key != "name"}
    return json.loads(json.dumps(config, default=float))
