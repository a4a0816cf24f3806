"""Every file of flags/ trains and resumes, in the smallest form of its model; of each kind of model one is exported."""

from __future__ import annotations

import functools
import re

import pytest
import tensorflow as tf

from sdgan_tf.cli import export, train
from sdgan_tf.models import AdversarialModel
from sdgan_tf.training import load_run
from tests import commands

pytestmark = pytest.mark.once

SMALL = (
    "--image_size=16",
    "--dim=2",
    "--batch_size=2",
    "--drawn_identities=8",
    "--drawn_observations=4",
    "--precision=float32",
    "--log_every=1",
)
EAGERLY = functools.partialmethod(AdversarialModel.compile, run_eagerly=True)


def first_of(path):
    """Return the flag file of the first stage of what a flag file trains."""
    start = re.search("^--start=runs/(.*)$", path.read_text(), re.MULTILINE)
    return first_of(path.with_name(f"{start[1]}.cfg")) if start else path


PATHS = sorted((commands.ROOT / "flags").glob("*.cfg"))


def kind_of(path):
    """Return what decides how the model of a flag file is exported."""
    return re.findall("^--(?:model|stage|identifier|channels)=.*$", path.read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_preset_trains_and_resumes_and_one_of_its_kind_exports(
    path, tmp_path, capsys, monkeypatch
):
    run, out = tmp_path / "run", tmp_path / "exported"
    asked = (f"--flagfile={path}", *SMALL, f"--run_dir={run}")
    if (first := first_of(path)) != path:
        # Any later stage can go on from the first one.
        start = ("--steps=1", f"--run_dir={tmp_path / 'first'}")
        with monkeypatch.context() as patch:
            patch.setattr(AdversarialModel, "compile", EAGERLY)
            assert commands.call(train, f"--flagfile={first}", *SMALL, *start) == 0
        asked = (*asked, f"--start={tmp_path / 'first'}")
    if "--model=dpig_maps" in path.read_text():
        asked = (*asked, "--map_dim=4", "--pose_steps=2")
    if "--identity_features" in path.read_text():
        # A teacher may need an extra, and is tested elsewhere.
        asked = (*asked, "--embedder_dim=2", "--identity_steps=2", "--teacher=")
    assert commands.call(train, *asked, "--steps=2") == 0
    # The graph has been made once; that would take the most time here.
    monkeypatch.setattr(AdversarialModel, "compile", EAGERLY)
    assert commands.call(train, *asked, "--steps=3") == 0
    assert f"Continuing {run} at step 2," in capsys.readouterr().out

    # Exports are traced, which takes long.
    if path != next(other for other in PATHS if kind_of(other) == kind_of(path)):
        return
    assert commands.call(export, f"--run_dir={run}", f"--out={out}") == 0
    assert f"Exported step 3 to {out / '1'}\n" in capsys.readouterr().out
    seeds = tf.constant([1, 2, 3], tf.int64)
    sample = tf.saved_model.load(str(out / "1")).signatures["sample"]
    images = sample(identity_seed=seeds, observation_seed=seeds)["images"].numpy()
    grey = re.search("^--channels=1$", path.read_text(), re.MULTILINE)
    assert images.shape == (3, 16, 16, 1 if grey else 3)
    expected = load_run(run).generate([1, 2, 3], [1, 2, 3])[range(3), range(3)]
    assert abs(images.astype(int) - expected).max() <= 1
