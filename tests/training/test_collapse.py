"""The watch for collapse: what it measures, when it speaks up, and runs that stop or go back."""

from __future__ import annotations

import json
import math
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from sdgan_tf import training
from sdgan_tf.training import Checkpoints, Collapsed
from sdgan_tf.training.callbacks import CollapseWatch, RunLog, StopOnBadLoss
from sdgan_tf.training.collapse import GRACE, variety
from tests import tiny


def grid(*rows):
    """Return a grid of images of 2x2 pixels, each of one shade."""
    shades = np.array(rows, np.uint8)[:, :, None, None, None]
    return np.broadcast_to(shades, (*shades.shape[:2], 2, 2, 3)).copy()


# --- measures


def test_variety_by_hand():
    within, between = variety(grid([0, 51], [255, 255]))
    # Pairs: 51 and 0 apart; then 255, 255, 204, 204.
    assert within == pytest.approx((0.2 + 0.0) / 2, abs=1e-12)
    assert between == pytest.approx((1.0 + 1.0 + 0.8 + 0.8) / 4, abs=1e-12)
    half = grid([0, 0], [0, 0])
    half[0, 0, 0] = 255
    # One image differs from the others at half of its pixels.
    assert variety(half) == pytest.approx((math.sqrt(0.5) / 2, math.sqrt(0.5) / 2), abs=1e-12)


def test_equal_pictures_have_no_variety_at_all():
    image = np.random.default_rng(0).integers(0, 256, (1, 1, 64, 64, 3), dtype=np.uint8)
    assert variety(np.tile(image, (8, 8, 1, 1, 1))) == (0.0, 0.0)


def test_where_there_is_no_pair_there_is_no_number():
    assert np.isnan(variety(grid([3], [7]))).tolist() == [True, False]
    assert np.isnan(variety(grid([3, 7]))).tolist() == [False, True]


# --- verdicts

WELL, ALIKE, ROWS_ALIKE = grid([0, 90], [180, 255]), grid([7, 7], [7, 7]), grid([0, 0], [255, 255])


def made_up(images, signs=(), d_o=2):
    """Return what the watch needs of a model that makes these images."""
    return SimpleNamespace(
        latents=SimpleNamespace(d_o=d_o),
        completed_steps=0,
        generate=lambda identities, observations: images[:, :observations],
        imbalance=lambda logs: list(signs),
    )


def watching(steps, every=10, people=None, **options):
    """Let a watch measure images, a grid for each interval; return it and what it logged."""
    watch = CollapseWatch(people or tiny.people(), every, **options)
    logged = []
    for index, images in enumerate(steps, start=1):
        model = made_up(*images) if isinstance(images, tuple) else made_up(images)
        watch.set_model(model)
        if index == 1:
            watch.on_train_begin()
        model.completed_steps = every * index
        logs = {"d_loss": 0.5}
        logged.append(logs)
        watch.on_train_batch_end(every * index - 1, logs)
    return watch, logged


def test_ratios_to_the_real_pictures_are_logged():
    people = tiny.people(identities=5, observations=3)
    _, (logs,) = watching([WELL], people=people)
    real = variety(people.grid(5, 3))
    imagined = variety(WELL)
    assert logs == {
        "d_loss": 0.5,
        "variety_within": imagined[0] / real[0],
        "variety_between": imagined[1] / real[1],
    }


def test_identities_with_one_picture_leave_the_measure_within_in_place():
    people = tiny.people(identities=6, observations=3)
    some = type(people)(people.names, [3, 3, 1, 1, 1, 1], people.images[:10], "skip")
    _, (logs,) = watching([WELL], people=some)
    assert logs["variety_within"] > 0


def test_a_model_without_observation_codes_has_no_variety_within():
    _, (logs, *_) = watching([(grid([0], [180]), (), 0)])
    assert set(logs) == {"d_loss", "variety_between"}
    # Nor need the data.
    _, (logs,) = watching([(WELL, (), 0)], people=tiny.people(observations=1))
    assert set(logs) == {"d_loss", "variety_between"}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (ALIKE, r"imagined identities hardly differ \(variety_between 0.000, below 0.1\)"),
        (ROWS_ALIKE, r"images of one imagined identity hardly differ \(variety_within 0.000"),
        ((WELL, ["k_t is pinned at 1"]), "k_t is pinned at 1. "),
    ],
    ids=["between", "within", "losses"],
)
def test_a_collapse_is_told_once_with_its_sign_and_advice(bad, message, capsys):
    _, logged = watching([WELL, *[bad] * 7])
    assert [logs.get("collapse") for logs in logged] == [None, *range(1, 8)]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "has collapsed: at step 60 and 4 measurements before, since step 20, " in lines[0]
    assert re.search(message, lines[0])
    assert "flags/modern.cfg" in lines[0]


def test_bad_measurements_count_in_a_row_only_and_a_new_collapse_is_told_anew(capsys):
    watching([WELL, *[ALIKE] * 4, WELL, *[ALIKE] * 4, WELL])
    assert not capsys.readouterr().err
    watching([WELL, *[ALIKE] * 6, WELL, *[ALIKE] * 6], patience=3)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_generator_that_has_not_begun_to_learn_has_time(capsys):
    _, logged = watching([ALIKE] * 6, every=GRACE // 5)
    assert [logs.get("collapse") for logs in logged] == [None] * 5 + [1]
    # But not for ever.
    watching([ALIKE] * 6, every=GRACE)
    assert "since step 4,000, " in capsys.readouterr().err


def test_stopping_raises_and_names_the_last_checkpoint_from_before(tmp_path, model):
    checkpoints = Checkpoints(tmp_path)
    for step in (5, 15, 20):
        model.step.assign(step)
        checkpoints.save(model)
    with pytest.raises(Collapsed) as info:
        watching([WELL, ALIKE, ALIKE], patience=2, on_collapse="stop", checkpoints=checkpoints)
    assert info.value.checkpoint == 15
    assert str(info.value).endswith(f" The last good checkpoint is {checkpoints.path(15)}.")
    # Never well: none is good.
    with pytest.raises(Collapsed, match="There is no checkpoint from before.") as info:
        watching([ALIKE] * 3, GRACE, patience=2, on_collapse="stop", checkpoints=checkpoints)
    assert info.value.checkpoint is None


def test_a_continued_run_goes_on_counting_and_does_not_repeat_itself(capsys):
    _, logged = watching([WELL, *[ALIKE] * 3])
    history = [{"step": 10 * i, **logs} for i, logs in enumerate(logged, start=1)]
    model = made_up(ALIKE)
    watch = CollapseWatch(tiny.people(), 10, history=[{"step": 5, "d_loss": 0.5}, *history])
    watch.set_model(model)
    model.completed_steps = 40
    watch.on_train_begin()
    for step in (50, 60, 70):
        model.completed_steps = step
        watch.on_train_batch_end(step - 41, {"d_loss": 0.5})
    assert capsys.readouterr().err.count("at step 60 and 4 measurements before, since step 20") == 1


@pytest.mark.parametrize("options", [{"on_collapse": "rollback"}, {"patience": 0}])
def test_bad_arguments_are_refused(options):
    with pytest.raises(ValueError, match="Received: on_collapse="):
        CollapseWatch(tiny.people(), **options)
    with pytest.raises(ValueError, match="on_collapse is one of .* Received: on_collapse='pray'"):
        training.Schedule(on_collapse="pray")


# --- runs

SCHEDULE = {"batch_size": 2, "log_every": 1, "grid_every": 0, "checkpoint_every": 3, "keep": 1}
STEPS, BREAKS = 14, 7


@pytest.fixture
def varied(model):
    """Return a model whose images differ as much as its data."""
    for network in (model.generator, model.averaged_generator):
        network.set_weights([100 * value for value in network.get_weights()])
    return model


@pytest.fixture
def breaks(monkeypatch):
    """Let models collapse at a step, until it was rolled back so often."""
    check = StopOnBadLoss.on_train_batch_end

    def install(times):
        def broken(self, batch, logs=None):
            check(self, batch, logs)
            if self.model.completed_steps >= BREAKS and self.model.rollbacks < times:
                network = self.model.averaged_generator
                network.set_weights([0 * value for value in network.get_weights()])

        monkeypatch.setattr(StopOnBadLoss, "on_train_batch_end", broken)

    return install


def train(model, people, path, on_collapse, **options):
    """Train to the end."""
    schedule = {**SCHEDULE, "steps": STEPS, "on_collapse": on_collapse, **options}
    return training.train(model, people, path, training.Schedule(**schedule))


def lines(path, name):
    """Return one number of all log lines."""
    text = (path / "metrics.jsonl").read_text()
    return [json.loads(line).get(name) for line in text.splitlines()]


def products(path):
    """Return what the files of a run contain, by name, and its numbers without the clock's."""
    numbers = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    for line in numbers:
        del line["tuples_per_second"]
    return {**tiny.digests(path, "checkpoints/*"), **tiny.digests(path, "samples/*")}, numbers


def test_a_warning_leaves_the_run_alone_but_keeps_the_last_good_checkpoint(
    varied, people, tmp_path, breaks, capsys
):
    breaks(1)
    train(varied, people, tmp_path, "warn")
    error = capsys.readouterr().err
    assert error.count("The model has collapsed: at step 11 ") == 1
    assert re.search("^step 11/14 .* variety_between 0.000  collapse 5  ", error, re.MULTILINE)
    assert lines(tmp_path, "collapse") == [None] * 6 + list(range(1, 9))
    assert lines(tmp_path, "step") == list(range(1, STEPS + 1))
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    assert checkpoints.steps() == [6, STEPS]
    assert varied.rollbacks == 0
    # Opened again, the run removes what a kill right after the last save would have left, and no more.
    shutil.copy(checkpoints.path(STEPS), checkpoints.path(STEPS - 2))
    train(varied, people, tmp_path, "warn")
    assert checkpoints.steps() == [6, STEPS]


def test_stopping_leaves_the_last_good_checkpoint_as_the_newest(varied, people, tmp_path, breaks):
    breaks(1)
    with pytest.raises(Collapsed, match="The last good checkpoint is .*step-00000006.npz"):
        train(varied, people, tmp_path, "stop")
    assert Checkpoints(tmp_path / "checkpoints").steps() == [6]
    # What to do about it may change, and is no other configuration.
    train(varied, people, tmp_path, "rollback")
    assert varied.rollbacks == 1


@pytest.fixture
def whole(varied, people, tmp_path_factory, breaks):
    """Return the directory of a run that went back once and was never stopped."""
    breaks(1)
    path = tmp_path_factory.mktemp("whole")
    first = tiny.values(varied)
    train(varied, people, path, "rollback")
    return path, first


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def test_a_rollback_goes_on_differently_and_exactly(
    whole, varied, people, tmp_path, breaks, monkeypatch
):
    path, first = whole
    assert varied.rollbacks == 1
    assert lines(path, "step") == list(range(1, STEPS + 1))
    assert lines(path, "rollbacks") == [None] * 6 + [1] * 8
    assert Checkpoints(path / "checkpoints").steps() == [STEPS]
    assert list((path / "tensorboard" / "rollback-1").glob("events*"))

    # Killed while it goes back, before each of its writes, and after.
    moments = [(Checkpoints, "forget_after"), (Checkpoints, "load"), (Checkpoints, "save")]
    for owner, name in [*moments, (RunLog, "on_train_begin")]:
        original = getattr(owner, name)

        def dies(self, *arguments, original=original, **options):
            if (varied.completed_steps, varied.rollbacks) in ((11, 0), (6, 1)):
                raise Killed
            return original(self, *arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, dies)
            tiny.restore(varied, first)
            with pytest.raises(Killed):
                train(varied, people, tmp_path, "rollback")
    tiny.restore(varied, first)
    train(varied, people, tmp_path, "rollback", steps=8)
    tiny.restore(varied, first)
    train(varied, people, tmp_path, "rollback")
    files, numbers = products(tmp_path)
    expected, expected_numbers = products(path)
    assert numbers == expected_numbers
    last = f"checkpoints/step-{STEPS:08d}.npz"
    assert files[last] == expected[last]

    # The same steps from the same checkpoint, but without a rollback.
    tiny.restore(varied, first)
    breaks(0)
    train(varied, people, tmp_path / "other", "rollback")
    assert products(tmp_path / "other")[1][:6] == expected_numbers[:6]
    assert products(tmp_path / "other")[1][7]["d_loss"] != expected_numbers[7]["d_loss"]


def test_the_checkpoint_that_a_run_goes_back_to_keeps_its_score(varied, people, tmp_path, breaks):
    breaks(1)
    train(varied, people, tmp_path, "rollback", steps=11, best_metric="d_loss", keep=9)
    checkpoints = Checkpoints(tmp_path / "checkpoints", best_metric="d_loss")
    assert checkpoints.steps() == [3, 6, 9, 11]
    assert [checkpoints.score(step) for step in (3, 6, 9)].count(None) == 0


@pytest.mark.once
def test_after_some_rollbacks_the_run_stops(varied, people, tmp_path, breaks, capsys):
    breaks(9)
    with pytest.raises(Collapsed, match="It was rolled back 3 times already.$"):
        train(varied, people, tmp_path, "rollback")
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    assert checkpoints.steps() == [6]
    assert capsys.readouterr().err.count("Going back there to go on with other random num") == 3


def test_a_collapse_without_a_good_checkpoint_stops_a_run(varied, people, tmp_path, breaks):
    breaks(1)
    with pytest.raises(Collapsed, match="There is no checkpoint from before."):
        train(varied, people, tmp_path, "rollback", checkpoint_every=0)
