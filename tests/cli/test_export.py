"""bin/export: from a run to a version."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.cli import export
from sdgan_tf.serving import container, warmup
from sdgan_tf.training import load_run
from tests import commands

GOLDEN = commands.GOLDEN


@pytest.mark.once
def test_the_launcher_exports_the_next_version_of_a_run(tmp_path):
    (tmp_path / "faces" / "3").mkdir(parents=True)
    done = commands.launch("export", f"--run_dir={GOLDEN}", f"--out={tmp_path / 'faces'}")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"Exported step 60 to {tmp_path / 'faces' / '4'}"
    serve, ask = container.commands(tmp_path / "faces")
    assert lines[-4:] == ["To serve it:", f"  {serve}", "To ask it:", f"  {ask}"]
    names = {entry.name for entry in (tmp_path / "faces").iterdir()}
    assert names == {"3", "4", "models.config", "batching.config"}
    seeds = tf.constant([1, 2], tf.int64)
    sample = tf.saved_model.load(str(tmp_path / "faces" / "4")).signatures["sample"]
    images = sample(identity_seed=seeds, observation_seed=seeds)["images"].numpy()
    expected = load_run(GOLDEN).generate([1, 2], [1, 2])
    np.testing.assert_array_equal(images, expected[[0, 1], [0, 1]])


def test_version_and_checkpoint_may_be_chosen_and_nothing_is_overwritten(tmp_path, capsys):
    asked = (f"--run_dir={GOLDEN}", f"--out={tmp_path}", "--version=7", "--checkpoint=60")
    assert commands.call(export, *asked) == 0
    assert f"Exported step 60 to {tmp_path / '7'}" in capsys.readouterr().out
    assert commands.call(export, *asked) == 1
    assert "bin/export: " in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["7"]


def test_a_version_that_is_there_has_its_configuration(tmp_path, monkeypatch):
    written = export.serving.export

    def ended(*arguments):
        written(*arguments)
        raise KeyboardInterrupt

    asked = (f"--run_dir={GOLDEN}", f"--out={tmp_path / 'faces'}", "--version=7")
    monkeypatch.setattr(export.serving, "export", ended)
    assert commands.call(export, *asked) == 130
    monkeypatch.undo()
    assert commands.call(export, *asked) == 1
    names = {entry.name for entry in (tmp_path / "faces").iterdir()}
    assert names == {"7", "models.config", "batching.config"}


def test_without_the_extra_it_says_what_is_left_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(warmup, "available", lambda: False)
    assert commands.call(export, f"--run_dir={GOLDEN}", f"--out={tmp_path}") == 0
    assert "Without warm-up requests, which need the extra: " in capsys.readouterr().out
    assert not (tmp_path / "1" / "assets.extra").exists()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--run_dir=nowhere", "bin/export: nowhere is not a run directory"),
        ("--run_dir=", "bin/export: Name the run by --run_dir."),
        ("--out=", "bin/export: Name the folder of the model by --out"),
        ("--checkpoint=best", "best: None. Received: --checkpoint='best'"),
        ("--checkpoint=5", "has checkpoints of the steps [60]"),
    ],
)
def test_errors_are_messages_and_leave_nothing(argument, message, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)
    out = tmp_path / "faces"
    assert commands.call(export, f"--run_dir={GOLDEN}", f"--out={out}", argument) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.rglob("*"))


def test_words_without_a_flag_are_refused(capsys):
    assert commands.call(export, "runs/faces", "--run_dir=x", "--out=y") == 1
    error = capsys.readouterr().err
    assert error.endswith("Flags have the form --name=value. Received: runs/faces\n")
