"""Evaluations while training: numbers in the log, and the same ones after a kill."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf import training
from sdgan_tf.evaluation import Verifier, generator_metrics
from sdgan_tf.evaluation.pairs import generated_pairs
from sdgan_tf.training.callbacks import Evaluation, EverySteps, RunLog
from tests import tiny

NUMBERS = set(Evaluation.NUMBERS)


@pytest.fixture(scope="module")
def verifier():
    return Verifier(lambda images: images[:, ::4, ::4], "corners", 16)


@pytest.fixture(scope="module")
def people():
    return tiny.people(size=16)


@pytest.fixture(scope="module")
def traced():
    """Return a model whose images are large enough to be measured, and its first state."""
    made = tiny.model(image_size=16)
    return made, tiny.values(made)


class Recorder(EverySteps):
    """Notes what is logged."""

    def __init__(self):
        super().__init__(1)
        self.logs = {}

    def run(self, step, logs):
        self.logs[step] = dict(logs)


def test_numbers_are_added_for_the_callbacks_that_follow(model, people, verifier):
    evaluation, recorder = Evaluation(verifier, every=2, pairs=20, seed=3), Recorder()
    callbacks = [evaluation, recorder]
    model.fit(people.tuples(k=2, batch_size=2), steps_per_epoch=4, verbose=0, callbacks=callbacks)
    for step, logs in recorder.logs.items():
        assert set(logs) >= (NUMBERS if step % 2 == 0 else {"d_loss"})
        assert "auc" not in logs or step % 2 == 0
    expected = generator_metrics(model, verifier, 20, 3)
    assert set(expected) == NUMBERS
    assert {name: recorder.logs[4][name] for name in NUMBERS} == expected


def test_the_best_checkpoint_is_not_chosen_on_the_codes_of_the_final_evaluation(
    model, verifier, monkeypatch
):
    drawn = set()
    draw = model.identity_codes

    def noting(seeds):
        drawn.update(np.asarray(seeds).tolist())
        return draw(seeds)

    monkeypatch.setattr(model, "identity_codes", noting)
    evaluation = Evaluation(verifier, every=1, pairs=20)
    evaluation.set_model(model)
    evaluation.run(1, {})
    choosing = drawn.copy()
    drawn.clear()
    for seed in (0, 1, 1000):
        generated_pairs(model, 20, seed)
    assert len(choosing) == 20 and len(drawn) == 60
    assert not choosing & drawn


def test_what_cannot_be_measured_is_refused_when_training_begins(people, verifier):
    grey = Verifier(tf.identity, "grey", 16, channels=1)
    small = tiny.model()
    for model, asked, message in (
        (small, verifier, "Received: 8 px"),
        (tiny.model(image_size=16), grey, "takes grey images"),
    ):
        evaluation = Evaluation(asked, every=2)
        evaluation.set_model(model)
        with pytest.raises(ValueError, match=message):
            evaluation.on_train_begin()
    never = Evaluation(None, every=0)
    never.set_model(small)
    never.on_train_begin()


def lines(path):
    """Return the log without what depends on the clock."""
    records = training.RunDirectory(path).lines()
    return [{k: v for k, v in line.items() if k != "tuples_per_second"} for line in records]


SCHEDULE = training.Schedule(
    8, 2, log_every=2, grid_every=0, checkpoint_every=4, evaluate_every=4, keep=1,
    best_metric="auc", best_mode="max",
)  # fmt: skip


@pytest.mark.parametrize("at", [4, 8])
def test_a_run_logs_evaluations_and_after_a_kill_the_same_ones(
    traced, people, verifier, tmp_path, monkeypatch, at
):
    model = traced[0]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    tiny.restore(*traced)
    training.train(model, people, whole, SCHEDULE, verifier=verifier)
    assert [line["step"] for line in lines(whole) if "auc" in line] == [4, 8]
    assert [line["step"] for line in lines(whole)] == [2, 4, 6, 8]
    checkpoints = training.Checkpoints(whole / "checkpoints")
    scores = {line["step"]: line["auc"] for line in lines(whole) if "auc" in line}
    assert scores[checkpoints.best()] == max(scores.values())
    final = tiny.values(model)

    class Killed(BaseException):
        pass

    run = RunLog.run

    def dies(self, step, logs):
        run(self, step, logs)
        if step == at:
            raise Killed

    tiny.restore(*traced)
    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "run", dies)
        with pytest.raises(Killed):
            training.train(model, people, killed, SCHEDULE, verifier=verifier)
    tiny.restore(*traced)
    training.train(model, people, killed, SCHEDULE, verifier=verifier)
    assert lines(killed) == lines(whole)
    for name, value in tiny.values(model).items():
        np.testing.assert_array_equal(value, final[name])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"evaluate_every": 150}, "multiple of log_every. Received: evaluate_every=150"),
        ({"evaluate_every": 100, "log_every": 0}, "log_every=0"),
    ],
    ids=["between log lines", "no log lines"],
)
def test_intervals_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        training.Schedule(**options)


def test_a_checkpoint_that_is_not_evaluated_cannot_be_the_best(model, people, verifier, tmp_path):
    rarely = dataclasses.replace(SCHEDULE, checkpoint_every=6)
    told = "logged every 4 steps: .*a multiple of that.* Received: checkpoint_every=6"
    with pytest.raises(ValueError, match=told):
        training.train(model, people, tmp_path / "run", rarely, verifier=verifier)
    assert not (tmp_path / "run").exists()


def test_without_a_verifier_nothing_begins(model, people, tmp_path):
    with pytest.raises(ValueError, match="need a verifier: give verifier="):
        training.train(model, people, tmp_path / "run", SCHEDULE)
    assert not (tmp_path / "run").exists()
