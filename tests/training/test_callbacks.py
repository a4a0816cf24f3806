"""Callbacks: they count by the model's step, and say what happened."""

from __future__ import annotations

import json
import os
import signal
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import sdgan_tf as sd
from sdgan_tf.images import tile
from sdgan_tf.training import BadLoss, Checkpoints, Interrupted, RunDirectory
from sdgan_tf.training.callbacks import (
    Checkpointing,
    EverySteps,
    RunLog,
    StopOnBadLoss,
    StopOnSignal,
)
from tests import tiny


class Recorder(EverySteps):
    """Notes the steps at which it was run."""

    def __init__(self, every):
        super().__init__(every)
        self.steps = []

    def run(self, step, logs):
        self.steps.append(step)


def made_up(step):
    """Return what a log needs of a model."""
    return SimpleNamespace(completed_steps=step, rollbacks=0, metrics=[], precision="float32")


def drive(callback, start, stop, stride=1, logs=None):
    """Call a callback as training does from step `start` to `stop`."""
    callback.set_model(made_up(start))
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    for step in range(start + stride, stop + 1, stride):
        callback.model.completed_steps = step
        # Keras counts batches from 0 in each fit, whatever the model's step, and gives the last one of an execution.
        callback.on_train_batch_end(step - start - 1, logs or {})
    return callback


@pytest.mark.parametrize(
    ("every", "start", "stop", "stride", "expected"),
    [
        (5, 0, 17, 1, [5, 10, 15]),
        (5, 7, 17, 1, [10, 15]),
        (5, 10, 15, 1, [15]),
        (5, 0, 18, 2, [6, 10, 16]),
        (3, 0, 8, 2, [4, 6]),
        (2, 0, 12, 6, [6, 12]),
        (0, 0, 10, 1, []),
    ],
)
def test_intervals_are_counted_by_the_models_step(every, start, stop, stride, expected):
    assert drive(Recorder(every), start, stop, stride).steps == expected


def test_a_negative_interval_is_refused():
    with pytest.raises(ValueError, match="every=-1"):
        Recorder(-1)


def events(folder):
    """Return (step, tag) of all values in the event files of a folder."""
    values = []
    for path in sorted(folder.glob("events*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            values += [(event.step, value.tag) for value in event.summary.value]
    return values


def test_grids_and_counts_in_a_users_own_fit_with_steps_per_execution(tmp_path, people):
    model = tiny.model()
    model.compile(steps_per_execution=2)
    recorder = Recorder(3)
    grid = sd.callbacks.IdentityGrid(tmp_path, every=3, identities=2, observations=3, seed=5)
    model.fit(
        people.tuples(k=2, batch_size=2),
        steps_per_epoch=4,
        epochs=2,
        verbose=0,
        callbacks=[recorder, grid],
    )
    assert int(model.step) == 8
    assert recorder.steps == [4, 6]
    images = sorted((tmp_path / "samples").iterdir())
    assert [path.name for path in images] == ["step-00000004.png", "step-00000006.png"]
    assert events(tmp_path / "tensorboard") == [(4, "identities"), (6, "identities")]

    now = np.asarray(Image.open(grid.write(8)))
    np.testing.assert_array_equal(now, tile(model.generate(2, 3, seed=5)))
    assert now.shape == (2 * 8 + 2, 3 * 8 + 2 * 2, 3)


def logging(tmp_path, every=5, until=20, batch_size=4):
    """Return the log of a run in a new folder."""
    return RunLog(RunDirectory(tmp_path), every, until, batch_size)


def test_the_log_has_a_line_on_the_screen_in_the_file_and_in_tensorboard(tmp_path, capsys):
    log = logging(tmp_path)
    drive(log, 0, 11, logs={"d_loss": np.float32(0.5), "g_loss": 2.0})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["d_loss"], line["g_loss"]) for line in lines] == [
        (5, 0.5, 2.0),
        (10, 0.5, 2.0),
    ]
    assert all(line["tuples_per_second"] > 0 for line in lines)
    screen = capsys.readouterr().err.splitlines()
    assert len(screen) == 2
    assert screen[0].startswith("step  5/20  d_loss 0.500  g_loss 2.000  ")
    assert screen[1].startswith("step 10/20  ")
    assert screen[1].endswith(" left")
    assert set(events(tmp_path / "tensorboard")) == {
        (step, tag) for step in (5, 10) for tag in ("d_loss", "g_loss", "tuples_per_second")
    }


def test_speed_and_time_left_are_those_of_the_interval(tmp_path, capsys, monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("sdgan_tf.training.callbacks.time.monotonic", lambda: clock.now)
    log = logging(tmp_path, every=2, until=42, batch_size=8)
    log.set_model(made_up(0))
    log.on_train_begin()
    for step, seconds in ((1, 30.0), (2, 30.0), (3, 2.0), (4, 2.0)):
        clock.now += seconds
        log.model.completed_steps = step
        log.on_train_batch_end(step - 1, {})
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("0.3 tuples/s  20:00 left")
    assert second.endswith("4.0 tuples/s  01:16 left")


def test_the_numbers_are_means_over_their_interval(tmp_path, model, people):
    log = logging(tmp_path, every=2)

    class Alone(EverySteps):
        """Notes what the last step added to the sums of the running means."""

        def run(self, step, logs):
            sums = {m.name: (float(m.total), float(m.count)) for m in self.model.metrics}
            self.seen.append(sums)

    before = Alone(1)
    before.seen = []
    model.fit(
        people.tuples(k=2, batch_size=2), steps_per_epoch=4, verbose=0, callbacks=[before, log]
    )
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [sums["d_loss"][1] for sums in before.seen] == [1, 2, 1, 2]
    for line, sums in zip(lines, before.seen[1::2]):
        assert line["d_loss"] == pytest.approx(sums["d_loss"][0] / 2, rel=1e-6)


def test_the_best_checkpoint_is_chosen_by_a_logged_number(tmp_path, model):
    saving = Checkpointing(Checkpoints(tmp_path, keep=1, best_metric="d_loss"), every=1)
    saving.set_model(model)
    saving.on_train_begin()
    for step, loss in enumerate((0.7, 0.3, 0.5), start=1):
        model.step.assign(step)
        saving.on_train_batch_end(step - 1, {"d_loss": loss})
    assert (saving.checkpoints.steps(), saving.checkpoints.best()) == ([2, 3], 2)


def test_what_was_just_saved_is_not_saved_again_without_its_score(tmp_path, model):
    saving = Checkpointing(Checkpoints(tmp_path, best_metric="d_loss"), every=2)
    saving.set_model(model)
    saving.on_train_begin()
    for step in (1, 2):
        model.step.assign(step)
        saving.on_train_batch_end(step - 1, {"d_loss": 0.5})
    before = tiny.digests(tmp_path, "*")
    saving.finish()
    assert tiny.digests(tmp_path, "*") == before
    model.step.assign(3)
    saving.finish()
    assert (saving.checkpoints.steps(), saving.checkpoints.best()) == ([2, 3], 2)


def test_a_number_that_is_not_logged_cannot_choose_and_what_was_trained_is_kept(tmp_path, model):
    saving = Checkpointing(Checkpoints(tmp_path, best_metric="fid"), every=1)
    saving.set_model(model)
    saving.on_train_begin()
    model.step.assign(1)
    with pytest.raises(ValueError, match=r"There are \['d_loss'\].*best_metric='fid'"):
        saving.on_train_batch_end(0, {"d_loss": 1.0})
    assert saving.checkpoints.steps() == [1]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("-inf")])
def test_a_bad_loss_stops_with_the_step_and_the_last_good_checkpoint(tmp_path, model, value):
    checkpoints = Checkpoints(tmp_path)
    model.step.assign(3)
    path = checkpoints.save(model)
    stop = StopOnBadLoss(checkpoints)
    stop.set_model(SimpleNamespace(completed_steps=7))
    stop.on_train_batch_end(0, {"d_loss": 0.5, "g_loss": 1.0})
    with pytest.raises(BadLoss) as info:
        stop.on_train_batch_end(1, {"d_loss": 0.5, "g_loss": value})
    assert str(info.value) == (
        f"g_loss became NaN or infinite at step 7. The last good checkpoint is {path}."
    )


def test_a_signal_is_answered_between_two_steps_and_a_second_one_at_once():
    # Python's own handler: a shell that starts this in the background leaves SIGINT ignored.
    outer, former = signal.getsignal(signal.SIGINT), signal.default_int_handler
    signal.signal(signal.SIGINT, former)
    stop = StopOnSignal()
    stop.install()
    try:
        stop.on_train_batch_end(0, {})
        os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is former
        with pytest.raises(Interrupted, match="SIGINT") as info:
            stop.on_train_batch_end(1, {})
        assert info.value.number == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        stop.restore()
        signal.signal(signal.SIGINT, outer)
    assert signal.getsignal(signal.SIGTERM) is not stop._note


def test_other_threads_train_without_listening_to_signals():
    former = signal.getsignal(signal.SIGINT)
    stop, failures = StopOnSignal(), []

    def work():
        try:
            stop.install()
            stop.restore()
        except ValueError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures
    assert signal.getsignal(signal.SIGINT) is former
