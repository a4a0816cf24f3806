"""Trains a model in a run directory, so that a run can be continued exactly."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import registry
from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation import Verifier, check_verifier
from sdgan_tf.files import atomic_file, temporary_folder
from sdgan_tf.images import save_png, tile
from sdgan_tf.models import AdversarialModel
from sdgan_tf.stores import shown
from sdgan_tf.training.callbacks import (
    Checkpointing,
    CollapseWatch,
    Evaluation,
    Grid,
    IdentityGrid,
    Interrupted,
    MatchWatch,
    PartGrid,
    ReconstructionGrid,
    RunLog,
    StopOnBadLoss,
    StopOnSignal,
    TraversalGrid,
)
from sdgan_tf.training.checkpoints import Checkpoints
from sdgan_tf.training.clock import Clock
from sdgan_tf.training.cluster import Cluster, same_code
from sdgan_tf.training.collapse import BadStreak, Collapsed
from sdgan_tf.training.run_directory import RunDirectory, RunError
from sdgan_tf.training.schedule import Schedule
from sdgan_tf.training.stages import Predecessor

# Where other random numbers help they help soon. After that, other settings are needed.
MAX_ROLLBACKS = 3


def describe(model: AdversarialModel, data: IdentityData, schedule: Schedule) -> dict[str, Any]:
    """The configuration of a run: all that the weights at a given step depend on."""
    return {
        "model": {
            "name": registry.name_of(type(model)),
            # The networks in it keep the names of their layers, which Keras refers to.
            "config": _plain({k: v for k, v in model.get_config().items() if k != "name"}),
            "parts": _unnamed(model.describe()),
        },
        "optimizers": {
            player: _unnamed(keras.optimizers.serialize(optimizer))
            for player, optimizer in model.optimizers.items()
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
    unseen: IdentityData | None = None,
    start_from: str | Path | None = None,
) -> Path | None:
    """Trains in `run_dir`, or continues what is there, until the steps or minutes of the schedule are done.

    A run that was killed at any moment and started again ends with the same bytes as a run that was never killed.

    Args:
        model: compiled; its weights are replaced where the run has a checkpoint.
        data: the images to train on.
        run_dir: the folder of the run, see `RunDirectory`.
        schedule: how long to train, and how often to write what.
        notes: text files to put into the run directory, by name.
        verifier: measures the model, where the schedule has evaluations.
        unseen: other identities, by which it is measured what the discriminator knows of people whom it never saw; None
            for none.
        start_from: the folder of an earlier run whose weights this one begins with; needed by models that are trained
            in stages. It has to stay there, and as it is.

    Returns:
        The path of the last grid of identities, or None where the model's images mean nothing, as in a stage that trains no
        generator of images.

    Raises:
        RunError: the directory belongs to another run, or the run to start from is missing or does not fit.
        CheckpointError: a checkpoint could not be written, or none can be read.
        BadLoss: a loss became NaN or infinite. The message names the step and the last good checkpoint.
        Collapsed: the model collapsed, and the schedule says to stop then, or there were too many rollbacks already,
            or there is no checkpoint from before. The message says what was seen.
        Interrupted: Ctrl-C or SIGTERM ended the run; its state was saved.
    """
    if schedule.evaluate_every and verifier is None:
        raise ValueError(
            "Evaluations need a verifier: give verifier=load_verifier(PATH). "
            f"Received: evaluate_every={schedule.evaluate_every} without one"
        )
    if schedule.evaluate_every:
        check_verifier(verifier, model.image_size, model.channels)
    _check_best(model, data, unseen, schedule)
    if model.needs_start and not start_from:
        raise ValueError(
            "This stage goes on from the run of an earlier one: name it by --start=RUN (start_from=RUN). "
            f"Received: {registry.name_of(type(model))} without one"
        )
    # Before anything is written: networks that do not fit and data that give no tuples are refused here.
    earlier = Predecessor(start_from) if start_from else None
    if earlier:
        earlier.check(model)
    _tuples(model, data, schedule, 0)
    shared, config = RunDirectory(run_dir), describe(model, data, schedule)
    if earlier:
        config["start"] = earlier.describe()
    cluster = Cluster(model.distribute_strategy)
    folder = contextlib.nullcontext("") if cluster.is_chief else temporary_folder("sdgan_tf-worker")
    with folder as own:
        try:
            with cluster.together(Checkpoints(shared.checkpoints).remaining):
                _check_together(cluster, config, schedule)
                cluster.chief_does(lambda: _open(shared, config, notes or {}))
                cluster.check_shared(shared.path)
                run = cluster.own_directory(shared, own)
                parts = (data, verifier, unseen, earlier)
                image = _run(model, parts, shared, run, cluster, schedule)
                return image and shared.samples / image.name
        finally:
            shared.close()


def _check_best(model, data, unseen, schedule: Schedule) -> None:
    """Refuses to choose the best checkpoint by a number that the log has not got whenever one is saved."""
    name = schedule.best_metric
    if not name:
        return
    logged = MatchWatch(data, unseen).measured(model)
    logged += CollapseWatch.NUMBERS if model.shows_images else []
    measured = Evaluation.NUMBERS if schedule.evaluate_every else ()
    every = {
        **dict.fromkeys([tracker.name for tracker in model.metrics], 1),
        **dict.fromkeys(logged, schedule.log_every),
        **dict.fromkeys(measured, schedule.evaluate_every),
    }
    if name not in every:
        raise ValueError(
            "The best checkpoint is chosen by a number that is logged; those of a verifier are with evaluate_every. There are "
            f"{', '.join(every)}. Received: best_metric={name!r}, evaluate_every={schedule.evaluate_every}"
        )
    if not schedule.checkpoint_every or not every[name] or schedule.checkpoint_every % every[name]:
        raise ValueError(
            f"To choose the best checkpoint by {name}, each one has to have it, which is logged every {every[name]} steps: "
            "checkpoint_every is a multiple of that, and neither is 0. "
            f"Received: checkpoint_every={schedule.checkpoint_every}"
        )


def _check_together(cluster: Cluster, config: dict[str, Any], schedule: Schedule) -> None:
    """Refuses workers that would not do the same, before anything is written."""
    if not cluster.alone and schedule.minutes:
        raise ValueError(
            "Workers end after a number of steps: their clocks differ, and each would wait for the others. "
            f"Received: minutes={schedule.minutes:g}"
        )
    if schedule.steps_per_execution > 1 and config["replicas"] > 1:
        raise ValueError(
            "Several replicas make one step in a call. "
            f"Received: steps_per_execution={schedule.steps_per_execution} on {config['replicas']} replicas"
        )
    cluster.agree(same_code(), "code")
    cluster.agree({**config, "schedule": dataclasses.asdict(schedule)}, "flags")


def _open(run: RunDirectory, config: dict[str, Any], notes: Mapping[str, str]) -> None:
    run.open(config)
    for name, text in notes.items():
        with atomic_file(run.path / name) as file:
            file.write(text.encode())


def _run(model, parts, shared, run, cluster, schedule: Schedule) -> Path | None:
    """Trains in a directory that is open. What only the chief keeps goes into `run`; checkpoints are in `shared`."""
    data, verifier, unseen, earlier = parts
    checkpoints = Checkpoints(
        shared.checkpoints, schedule.keep, schedule.best_metric, schedule.best_mode, cluster
    )
    found = checkpoints.load_newest(model)
    start = model.completed_steps
    # Only with the suspicions of then is it known which checkpoint may go.
    earlier_lines = (line for line in run.lines() if line["step"] <= start)
    checkpoints.suspect_from = BadStreak.after(earlier_lines, model).suspect_from
    checkpoints.rotate(start)
    clock = Clock(run, schedule.checkpoint_every, schedule.minutes)
    print(_intent(shared, start, clock, schedule))
    if found is None:
        _show_reals(run, data)
        model.prepare(data)
        if earlier:
            earlier.give(model)
        if hasattr(model, "prepared"):
            checkpoints.save(model)  # so that no kill costs the minutes of preparation again
    grids = _grids(model, data, run, schedule)
    while model.completed_steps < schedule.steps and not clock.is_over:
        try:
            _fit(model, data, run, checkpoints, grids, clock, schedule, verifier, unseen)
        except Collapsed as collapse:
            _go_back(model, checkpoints, collapse, schedule)
    images = [grid.write(model.completed_steps) for grid in grids]
    return images[0] if images else None


def _tuples(model, data: IdentityData, schedule: Schedule, start: int) -> tf.data.Dataset:
    learned = getattr(model, "training_identities", len(data))
    if learned != len(data):
        raise ValueError(
            "This model learns a given number of identities by heart: make it for as many as the data "
            f"have. Received: a model of {learned:,} and data of {len(data):,} identities"
        )
    return data.tuples(model.k, schedule.batch_size, model.random_seed, start)


def _intent(run: RunDirectory, start: int, clock: Clock, schedule: Schedule) -> str:
    path = shown(run.path)
    if clock.is_over:
        return (
            f"{path} has its {schedule.minutes:g} minutes already: give it more minutes to go on."
        )
    if start >= schedule.steps:
        return f"{path} has its {start:,} steps already: give it more steps to go on."
    verb = f"Continuing {path} at step {start:,}" if start else f"Training in {path}"
    every = f", a line every {schedule.log_every:,} steps" if schedule.log_every else ""
    limit = f" or {schedule.minutes:g} minutes in all" if schedule.minutes else ""
    return f"{verb}, up to step {schedule.steps:,}{limit}{every}."


def _grids(model, data: IdentityData, run: RunDirectory, schedule: Schedule) -> list[Grid]:
    if not model.shows_images:
        return []
    grids: list[Grid] = [IdentityGrid(run.path, schedule.grid_every)]
    if hasattr(model, "reconstruct"):
        grids.append(ReconstructionGrid(run.path, data, schedule.grid_every))
    grids += [PartGrid(run.path, schedule.grid_every, part) for part in model.varied]
    grids += [TraversalGrid(run.path, schedule.grid_every, *number) for number in model.traversed]
    for grid in grids:
        grid.set_model(model)
    return grids


def _fit(model, data, run, checkpoints, grids, clock, schedule: Schedule, verifier, unseen) -> None:
    """Trains on from the model's state, which is that of a checkpoint or of the start."""
    start = model.completed_steps
    run.forget_after(start)
    tuples = _tuples(model, model.annotate(data), schedule, start)
    action = "warn" if schedule.on_collapse == "warn" else "stop"
    watch = CollapseWatch(
        data, schedule.log_every, action, checkpoints=checkpoints, history=run.lines()
    )
    evaluation = Evaluation(verifier, schedule.evaluate_every)
    match = MatchWatch(data, unseen, schedule.log_every)
    log = RunLog(run, schedule.log_every, schedule.steps, schedule.batch_size)
    saving = Checkpointing(checkpoints, schedule.checkpoint_every)
    size = schedule.execution(start)
    if size != schedule.steps_per_execution:
        print(
            f"{size} steps an execution, so that log lines, grids, checkpoints and the end fall on their steps. "
            f"Asked: {schedule.steps_per_execution}."
        )
    model.execute(size)
    stop = StopOnSignal()
    # A worker that saves what the others are not told of would wait for them.
    if checkpoints.cluster.alone:
        stop.install()
    try:
        # One epoch is the whole run: an epoch's end would reset the running means of the log.
        model.fit(
            tuples,
            steps_per_epoch=schedule.steps - start,
            epochs=1,
            verbose=0,
            shuffle=False,
            # The checkpoint comes last: once it is there, everything else up to its step is there, too.
            callbacks=[
                StopOnBadLoss(checkpoints),
                clock,
                *([watch] if model.shows_images else []),
                evaluation,
                match,
                log,
                *grids,
                saving,
                stop,
            ],
        )
    except Interrupted:
        saving.finish()
        raise
    finally:
        stop.restore()
        clock.note()
    saving.finish()


def _go_back(model, checkpoints: Checkpoints, collapse: Collapsed, schedule: Schedule) -> None:
    """Goes back to the last good checkpoint, and removes the later ones.

    Raises `collapse` where the run may not go on from there with other random numbers. If the process is killed amid
    this, the run comes by here again, or has gone back already.
    """
    rollbacks = model.rollbacks
    if collapse.checkpoint is not None:
        checkpoints.forget_after(collapse.checkpoint)
    if schedule.on_collapse != "rollback" or collapse.checkpoint is None:
        raise collapse
    if rollbacks == MAX_ROLLBACKS:
        raise Collapsed(
            f"{collapse} It was rolled back {rollbacks} times already.", collapse.checkpoint
        )
    checkpoints.load(model, collapse.checkpoint)
    model.rollback.assign(rollbacks + 1)
    checkpoints.save(model, checkpoints.score(collapse.checkpoint))
    print(
        f"{collapse} Going back there to go on with other random numbers, rollback {rollbacks + 1} of {MAX_ROLLBACKS}.",
        file=sys.stderr,
        flush=True,
    )


def _show_reals(run: RunDirectory, data: IdentityData) -> None:
    image = tile(data.grid())
    save_png(image, run.samples / "reals.png")
    writer = tf.summary.create_file_writer(str(run.tensorboard))
    with writer.as_default():
        tf.summary.image("reals", image[np.newaxis], step=0)
    writer.close()


def load_run(run_dir: str | Path, checkpoint: str | int = "newest") -> AdversarialModel:
    """Loads the model of a run directory, in order to use it; of either stack.

    Its optimizers are new ones, since they differ between the stacks: to continue a run call `train`. Import the
    module that registers a model of your own first.

    Args:
        run_dir: the folder that `train` wrote.
        checkpoint: `"newest"`, `"best"` or a step.

    Raises:
        RunError: there is no run, or no such checkpoint in it.
        CheckpointError: the checkpoint cannot be read.
        ValueError: the model of the run is not registered, or no longer exists.
    """
    run = RunDirectory(run_dir)
    config = run.config()
    checkpoints = Checkpoints(run.checkpoints)
    _chosen_step(run, checkpoints, checkpoint)  # which is refused before the model is built
    model = registry.get("model", config["model"]["name"]).from_config(config["model"]["config"])
    model.compile()
    # Anew: building takes long enough for a run that is being trained to replace its newest checkpoint.
    checkpoints.load(model, _chosen_step(run, checkpoints, checkpoint), to_continue=False)
    model.recalibrate()
    return model


def _chosen_step(run: RunDirectory, checkpoints: Checkpoints, checkpoint: str | int) -> int:
    """The step of the checkpoint that was asked for, as `load_run` takes it."""
    steps = checkpoints.steps()
    if not steps:
        raise RunError(f"{run.path} has no checkpoint yet: train it first.")
    step = {"newest": steps[-1], "best": checkpoints.best()}.get(checkpoint, checkpoint)
    if step not in steps:
        raise RunError(
            f"{run.path} has checkpoints of the steps {steps}, best: {checkpoints.best()}. Received: checkpoint={checkpoint!r}"
        )
    return step


def _unnamed(config: Any) -> Any:
    """A Keras configuration as plain JSON, without names: Keras numbers them (`adam_1`)."""
    if isinstance(config, dict):
        return {key: _unnamed(value) for key, value in config.items() if key != "name"}
    return _plain(config)


def _plain(config: Any) -> Any:
    return json.loads(json.dumps(config, default=float))
