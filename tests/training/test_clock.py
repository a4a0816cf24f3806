"""The clock: steps count, what lies between them does not, and the count outlives the process."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from sdgan_tf.training import RunDirectory, RunError, clock
from sdgan_tf.training.clock import Clock


class Time:
    """Stands for the module `time`."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def time(monkeypatch):
    stopped = Time()
    monkeypatch.setattr(clock, "time", stopped)
    return stopped


def steps(watch, time, seconds, between=100.0):
    """Let steps take so many seconds each; return after how many the clock stopped training."""
    model = SimpleNamespace(completed_steps=0, stop_training=False)
    watch.set_model(model)
    watch.on_train_begin()
    for number, spent in enumerate(seconds, 1):
        watch.on_train_batch_begin(number - 1)
        time.now += spent
        model.completed_steps = number
        watch.on_train_batch_end(number - 1)
        time.now += between
        if model.stop_training:
            return number
    return None


def test_steps_count_but_neither_the_first_nor_what_lies_between(tmp_path, time):
    run = RunDirectory(tmp_path)
    watch = Clock(run, every=2, minutes=0.5)
    assert steps(watch, time, [50.0, 10.0, 12.0, 9.0, 3.0]) == 4
    assert watch.seconds == 31.0 and watch.is_over
    # Noted at the fourth step, by its own interval.
    assert json.loads(watch.file.read_text()) == {"seconds": 31.0}


def test_the_count_goes_on_in_another_process(tmp_path, time):
    run = RunDirectory(tmp_path)
    first = Clock(run, every=0)
    assert steps(first, time, [50.0, 10.0, 12.0]) is None
    assert not first.is_over and not first.file.exists()
    first.note()
    second = Clock(run, every=0, minutes=0.5)
    assert second.seconds == 22.0
    assert steps(second, time, [50.0, 4.0, 5.0, 6.0]) == 3
    assert Clock(run, every=0, minutes=0.3).is_over


def test_less_than_no_minutes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Received: minutes=-1"):
        Clock(RunDirectory(tmp_path), every=0, minutes=-1)


def test_a_damaged_count_is_told_with_what_to_do(tmp_path):
    (tmp_path / "clock.json").write_text('{"seco')
    with pytest.raises(RunError, match="clock.json is damaged: .* Delete it to count anew"):
        Clock(RunDirectory(tmp_path), every=0)
