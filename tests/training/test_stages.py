"""Runs that start from another run."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import sdgan_tf as sd
from sdgan_tf import training
from sdgan_tf.training import RunError
from tests import tiny

SMALL = {"image_size": 16, "channels": 3, "dim": 2, "noise_top": 2, "noise_bottom": 2}
QUIET = {"batch_size": 2, "log_every": 0}


def make(stage, labels=4, **arguments):
    """Return a compiled model of a stage."""
    model = sd.StackedGAN(labels, stage=stage, **{**SMALL, **arguments})
    model.compile()
    return model


def train(model, folder, steps=1, people=None, **options):
    """Train so many steps on random images."""
    people = people or tiny.people(size=16)
    return training.train(model, people, folder, training.Schedule(steps, **QUIET), **options)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """Return the folder of a run of the first stage."""
    folder = tmp_path_factory.mktemp("stages") / "encoder"
    train(make("encoder", seed=3), folder, steps=2)
    return folder


def test_a_stage_without_images_of_its_own_writes_no_grid(encoder, tmp_path):
    assert train(make("top"), tmp_path / "top", start_from=encoder) is None
    assert not list((tmp_path / "top" / "samples").glob("step-*"))
    path = train(make("bottom"), tmp_path / "bottom", start_from=encoder)
    assert path == tmp_path / "bottom" / "samples" / "step-00000001.png" and path.exists()


def test_a_stage_goes_on_with_the_weights_of_the_one_before(encoder, tmp_path):
    model = make("top", ema=0.9)
    train(model, tmp_path / "top", start_from=encoder)
    before = tiny.values(sd.load_run(encoder))
    after = tiny.values(model)
    for name, value in before.items():
        if name.startswith(("encoder/", "generator/", "discriminator/")):
            np.testing.assert_array_equal(after[name], value, err_msg=name)
    # Averages that the first stage did not keep begin with what they are of.
    name = next(name for name in after if name.startswith("averaged_generator/"))
    np.testing.assert_array_equal(after[name], before[name.removeprefix("averaged_")])
    start = training.RunDirectory(tmp_path / "top").config()["start"]
    assert (start["model"], start["step"], len(start["digest"])) == ("stacked", 2, 64)
    assert sd.load_run(tmp_path / "top").completed_steps == 1


def test_what_a_stage_does_not_train_is_the_average_of_the_one_before(encoder, tmp_path):
    train(make("bottom", ema=0.9), tmp_path / "bottom", steps=2, start_from=encoder)
    before = tiny.values(training.load_run(tmp_path / "bottom"))
    for stage, prefix in (("top", "averaged_"), ("bottom", "")):
        model = make(stage)
        training.stages.Predecessor(tmp_path / "bottom").give(model)
        for name, value in tiny.values(model).items():
            if name.startswith("generator/") and "kernel" in name:
                np.testing.assert_array_equal(value, before[prefix + name], err_msg=name)
                assert not np.array_equal(before["averaged_" + name], before[name])


def test_a_continued_stage_ends_as_one_that_never_stopped(encoder, tmp_path):
    whole, parts = make("top"), make("top")
    train(whole, tmp_path / "whole", steps=2, start_from=encoder)
    train(parts, tmp_path / "parts", steps=1, start_from=encoder)
    parts = make("top")
    train(parts, tmp_path / "parts", steps=2, start_from=encoder)
    for name, value in tiny.values(whole).items():
        np.testing.assert_array_equal(tiny.values(parts)[name], value, err_msg=name)


def test_an_earlier_stage_that_changed_is_refused(encoder, tmp_path):
    copy = tmp_path / "encoder"
    shutil.copytree(encoder, copy)
    train(make("top"), tmp_path / "top", start_from=copy)
    train(make("encoder", seed=3), copy, steps=3)
    with pytest.raises(RunError, match="(?s)another configuration.*start.*digest"):
        train(make("top"), tmp_path / "top", steps=2, start_from=copy)
    shutil.rmtree(copy)
    with pytest.raises(RunError, match="encoder, which this run starts from, is no run directory"):
        train(make("top"), tmp_path / "top", steps=2, start_from=copy)


def test_a_stage_without_the_one_before_is_refused(tmp_path):
    with pytest.raises(ValueError, match="--start=RUN.*Received: stacked without one"):
        train(make("bottom"), tmp_path / "bottom")
    (tmp_path / "new").mkdir()
    training.RunDirectory(tmp_path / "new").open({"model": {"name": "stacked"}})
    with pytest.raises(RunError, match="which this run starts from, has no checkpoint yet"):
        train(make("bottom"), tmp_path / "bottom", start_from=tmp_path / "new")
    assert not (tmp_path / "bottom").exists()


def test_a_stage_of_other_labels_is_refused(encoder, tmp_path):
    with pytest.raises(RunError, match=r"encoder/.* of \(16, 3\), but .*encoder.*\(16, 4\)"):
        three = tiny.people(identities=3, size=16)
        train(make("top", labels=3), tmp_path / "top", people=three, start_from=encoder)
    assert not (tmp_path / "top").exists()


def test_settings_that_do_not_fit_are_named_before_anything_is_written(encoder, tmp_path):
    with pytest.raises(RunError, match="set otherwise: .*dim=2 there, 3 here"):
        train(make("top", dim=3), tmp_path / "top", start_from=encoder)
    assert not (tmp_path / "top").exists()
