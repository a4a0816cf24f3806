"""bin/train: dry runs, errors, and runs that survive a kill."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import commands
import pytest
import tiny
from absl import flags
from absl.testing import flagsaver
from commands import TINY, run_train

from sdgan_tf.cli import model_flags, train
from sdgan_tf.training import RunDirectory
from sdgan_tf.training.callbacks import RunLog

EVERY = ("--log_every=7", "--grid_every=40", "--checkpoint_every=9")


def test_a_dry_run_tells_all_and_writes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = (*TINY, "--steps=77", "--norm=none", "--ema=0.5", "--run_dir=runs/a b")
    assert run_train(*asked, "--dry_run") == 0
    out = capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    assert "Train: 10 identities, 40 pictures (4 - 4 each), 16x16x3" in out
    assert "generator: 815 parameters, discriminator: " in out
    for line in ("--steps=77", "--norm=none", "--run_dir=runs/a b", "--mixed=0.0", "--data_dir="):
        assert f"\n{line}\n" in out
    assert "dry_run" not in out

    # What was printed, as a flag file, resolves to itself.
    resolved = out[out.index("# Run") :]
    Path("same.cfg").write_text(resolved)
    assert run_train("--flagfile=same.cfg", "--dry_run") == 0
    again = capsys.readouterr().out
    assert again[again.index("# Run") :] == resolved


@pytest.mark.parametrize(
    "path", sorted((commands.ROOT / "flags").glob("*.cfg")), ids=lambda path: path.stem
)
def test_flag_files_build_their_model(path, capsys):
    header = path.read_text().splitlines()[0]
    assert header.startswith("# ")
    with flagsaver.flagsaver():
        flags.FLAGS(["train", f"--flagfile={path}", "--dim=2", "--image_size=16"])
        model = model_flags.build(identities=10)
        resolved = train.resolved_flags(model).splitlines()
    assert model.parameters()["generator"] > 0
    # Every line of the file reaches the model or the run.
    asked = [line for line in path.read_text().splitlines() if line.startswith("--")]
    changed = ("--dim", "--image_size")
    assert {line for line in asked if not line.startswith(changed)} <= set(resolved)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--flagfile=typo.cfg"], "Unknown command line flag 'stepz'"),
        (["--flagfile=missing.cfg"], "missing.cfg"),
        (["--steps=0"], "steps"),
        (["--model=vae"], "should be one of"),
        (["--steps", "5", "more"], "bin/train: Flags have the form --name=value. Received: more"),
        (["--data_dir=nowhere"], "nowhere"),
        ([*TINY, "--ema=2"], "Received: ema=2"),
        ([*TINY, "--k=5"], "fewer than k=5"),
        ([*TINY, "--augment=blur"], "Received: 'blur'"),
        ([*TINY, "--run_dir=thesis"], "bin/train: thesis holds files but no run (thesis.tex)"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_errors_are_messages_without_a_traceback(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)
    (tmp_path / "typo.cfg").write_text("--stepz=5\n")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").touch()
    assert run_train(*arguments) == 1
    captured = capsys.readouterr()
    assert message in captured.err + captured.out
    assert "Traceback" not in captured.err
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["thesis", "thesis.tex", "typo.cfg"]


def test_a_loss_that_is_nan_ends_with_status_1_and_is_not_saved(tmp_path, capsys):
    asked = (*TINY, "--steps=20", "--checkpoint_every=0", f"--run_dir={tmp_path}")
    assert run_train(*asked, "--d_rate=1e12", "--g_rate=1e12") == 1
    error = capsys.readouterr().err
    # Which comes first, a loss or a moving variance that is infinite, depends on the machine.
    assert re.search(r"^bin/train: .*[Ss]tep \d+", error, re.MULTILINE)
    assert error.endswith("There is no checkpoint yet.\n")
    assert "Traceback" not in error
    assert not list(tmp_path.rglob("*.npz"))


def products(path):
    """Return the bytes of all that a run makes, by digest."""
    found = tiny.digests(path, "checkpoints/*")
    return {**found, **tiny.digests(path, "samples/*"), **tiny.digests(path, "config.json")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the directory and the flags of a run that was never stopped."""
    path = tmp_path_factory.mktemp("whole") / "run"
    asked = (*TINY, *EVERY, "--steps=120")
    assert run_train(*asked, f"--run_dir={path}") == 0
    return path, asked


def kill_when(process, file, number=signal.SIGKILL):
    """Kill a process as soon as it has written a file, and return what it said."""
    limit = time.monotonic() + 120
    while not file.exists() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.005)
    process.send_signal(number)
    return process.communicate()


def test_killed_by_sigkill_and_restarted_a_run_ends_with_the_same_bytes(whole, tmp_path):
    path, asked = whole
    asked = (*asked, f"--run_dir={tmp_path / 'run'}")
    process = commands.start("train", *asked)
    kill_when(process, tmp_path / "run" / "checkpoints" / "step-00000018.npz")
    assert process.returncode == -signal.SIGKILL
    assert products(tmp_path / "run") != products(path)
    process = commands.start("train", *asked)
    out, error = process.communicate()
    assert process.returncode == 0, error
    assert f"Continuing {tmp_path / 'run'} at step " in out
    assert products(tmp_path / "run") == products(path)


def test_ctrl_c_saves_says_so_and_has_its_own_status(whole, tmp_path, monkeypatch, capsys):
    _, asked = whole
    run = RunLog.run

    def interrupted(self, step, logs):
        run(self, step, logs)
        if step == 7:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(RunLog, "run", interrupted)
    assert run_train(*asked, f"--run_dir={tmp_path}") == 130
    assert "Stopped by SIGINT at step 7, and saved. The same command" in capsys.readouterr().out
    assert (tmp_path / "checkpoints" / "step-00000007.npz").exists()


def test_a_finished_run_tells_what_to_do_next_and_can_be_repeated_by_its_flags(whole, capsys):
    path, asked = whole
    before = products(path)
    assert run_train(f"--flagfile={path / 'flags.cfg'}") == 0
    out = capsys.readouterr().out
    assert f"Picture: {path / 'samples' / 'step-00000120.png'}\n" in out
    assert f"tensorboard --logdir {path / 'tensorboard'}" in out
    assert f"bin/export --run_dir={path}" in out
    assert products(path) == before


def test_changed_flags_and_a_directory_in_use_are_refused(whole, capsys):
    path, asked = whole
    before = products(path)
    assert run_train(*asked, f"--run_dir={path}", "--k=3") == 1
    error = capsys.readouterr().err
    assert error.startswith("bin/train: ")
    assert "  model.config.k: 2 in the directory, 3 asked\n" in error
    run = RunDirectory(path)
    run.open(run.config())
    assert run_train(*asked, f"--run_dir={path}") == 1
    assert "Another process is training in" in capsys.readouterr().err
    run.close()
    assert products(path) == before


@pytest.mark.parametrize(("fraction", "told"), [("0", True), ("0.5", False)])
def test_parts_too_small_to_judge_by_are_told_of(fraction, told, capsys):
    asked = (
        *TINY,
        f"--validation_fraction={fraction}",
        "--test_fraction=0.25",
        "--dry_run",
    )
    assert run_train(*asked) == 0
    assert ("bin/evaluate needs two validation" in capsys.readouterr().out) == told
