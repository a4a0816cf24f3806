"""bin/train: dry runs, errors, and runs that survive a kill."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from tensorflow import keras

import sdgan_tf as sd
from sdgan_tf import training
from sdgan_tf.cli import data_flags, export, model_flags, train
from sdgan_tf.learning_rates import HalvingRate
from sdgan_tf.training import RunDirectory
from sdgan_tf.training.callbacks import RunLog
from tests import commands, tiny
from tests.commands import TINY

EVERY = ("--log_every=7", "--grid_every=40", "--checkpoint_every=9")


def test_a_dry_run_tells_all_and_writes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = (*TINY, "--steps=77", "--norm=none", "--ema=0.5", "--run_dir=runs/a b")
    assert commands.call(train, *asked, "--dry_run") == 0
    out = capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    assert "Train: 10 identities, 40 images (4 - 4 each), 16x16x3" in out
    assert "generator: 815 parameters, discriminator: " in out
    for line in (
        "--steps=77",
        "--norm=none",
        "--run_dir=runs/a b",
        "--critic_steps=0",
        "--data_dir=",
    ):
        assert f"\n{line}\n" in out
    assert "dry_run" not in out

    # What was printed, as a flag file, resolves to itself.
    resolved = out[out.index("# Run") :]
    Path("same.cfg").write_text(resolved)
    assert commands.call(train, "--flagfile=same.cfg", "--dry_run") == 0
    again = capsys.readouterr().out
    assert again[again.index("# Run") :] == resolved


@pytest.mark.parametrize(
    "path", sorted((commands.ROOT / "flags").glob("*.cfg")), ids=lambda path: path.stem
)
def test_flag_files_build_their_model(path, capsys):
    header = path.read_text().splitlines()[0]
    assert header.startswith("# ")
    values = flags.FlagValues()
    train.define(values)
    values(["train", f"--flagfile={path}", "--dim=2", "--image_size=16"])
    model = model_flags.build(values, identities=10)
    resolved = train.resolved_flags(values, model).splitlines()
    assert all(size > 0 for size in model.parameters().values()) and model.parameters()
    # Every line of the file reaches the model or the run.
    again = flags.FlagValues()
    train.define(again)
    again(["train", *(line for line in resolved if line.startswith("--"))])
    lines = [line for line in path.read_text().splitlines() if line.startswith("--")]
    for name in {line[2:].split("=")[0] for line in lines} - {"dim", "image_size"}:
        assert again[name].value == values[name].value, name


@pytest.mark.parametrize(
    ("arguments", "rates"),
    [
        (["--halve_every=3"], {"d": (2e-4, 1e-4), "g": (2e-4, 1e-4)}),
        (["--halve_every=3", "--d_rate=0.5"], {"d": (0.5, 0.25), "g": (2e-4, 1e-4)}),
        # Whose rates halve of themselves, at every 100,000 updates.
        (["--model=sdbegan", "--halve_every=3"], {"d": (8e-5, 4e-5), "g": (8e-5, 4e-5)}),
        (["--model=sdbegan", "--halve_every=0"], {"d": (8e-5, 8e-5), "g": (8e-5, 8e-5)}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_rates_halve_as_asked(arguments, rates):
    values = flags.FlagValues()
    train.define(values)
    values(["train", *TINY, *arguments])
    model = model_flags.build(values, identities=10)
    for player, expected in rates.items():
        config = keras.optimizers.serialize(model.optimizers[player])["config"]["learning_rate"]
        rate = HalvingRate.from_config(config["config"])
        assert [float(rate(step)) for step in (2, 3)] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "5", "more"], "bin/train: Flags have the form --name=value. Received: more"),
        (["--data_dir=nowhere"], "nowhere"),
        ([*TINY, "--ema=2"], "Received: --ema=2"),
        ([*TINY, "--k=5"], "fewer than --k=5"),
        ([*TINY, "--augment=blur"], "'blur'"),
        ([*TINY, "--generator=unet"], "Received: --generator='unet'"),
        ([*TINY, "--gamma=0.5"], "Received: --gamma=0.5"),
        ([*TINY, "--objective=wgan", "--norm=none", "--beta_1=0.5"], "Received: --beta_1=0.5"),
        ([*TINY, "--run_dir=thesis"], "bin/train: thesis holds files but no run (thesis.tex)"),
        ([*TINY, "--evaluate_every=100"], "need a verifier: give --verifier=load_verifier(PATH)"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_errors_are_messages_without_a_traceback(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").touch()
    assert commands.call(train, *arguments) == 1
    captured = capsys.readouterr()
    assert message in captured.err + captured.out
    assert "Traceback" not in captured.err
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["thesis", "thesis.tex"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--flagfile=typo.cfg"], "Unknown command line flag 'stepz'"),
        (["--flagfile=missing.cfg"], "missing.cfg"),
        (["--steps=0"], "steps"),
        (["--model=vae"], "should be one of"),
        (["--import_module=no_such_family"], "No module named 'no_such_family'"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_a_wrong_command_line_has_a_status_of_its_own(
    arguments, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "typo.cfg").write_text("--stepz=5\n")
    assert commands.call(train, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("bin/train: ") and message in error


def test_a_loss_that_is_nan_ends_with_status_1_and_is_not_saved(tmp_path, capsys):
    asked = (*TINY, "--steps=20", "--checkpoint_every=0", f"--run_dir={tmp_path}")
    assert commands.call(train, *asked, "--d_rate=1e12", "--g_rate=1e12") == 1
    error = capsys.readouterr().err
    # Which comes first, a loss or a moving variance that is infinite, depends on the machine.
    assert re.search(r"^bin/train: .*[Ss]tep \d+", error, re.MULTILINE)
    assert error.endswith("There is no checkpoint yet.\n")
    assert "Traceback" not in error
    assert not list(tmp_path.rglob("*.npz"))


def products(path):
    """Return the bytes of all that a run makes, by digest."""
    patterns = ("checkpoints/*", "samples/*", "config.json")
    return {name: digest for p in patterns for name, digest in tiny.digests(path, p).items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the directory and the flags of a run that was never stopped."""
    path = tmp_path_factory.mktemp("whole") / "run"
    asked = (*TINY, *EVERY, "--steps=120")
    assert commands.call(train, *asked, f"--run_dir={path}") == 0
    return path, asked


def kill_when(process, file, number=signal.SIGKILL):
    """Kill a process as soon as it has written a file, and return what it said."""
    limit = time.monotonic() + 120
    while not file.exists() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.005)
    process.send_signal(number)
    return process.communicate()


OWN = (
    *("--import_module=tests.own_gan", "--model=own_gan", "--digits=3", "--second_stage=9"),
    *("--image_size=16", "--batch_size=2", "--drawn_identities=12", "--drawn_observations=4"),
    *("--precision=float32", "--steps=150", "--log_every=7", "--grid_every=40"),
    "--checkpoint_every=9",
)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Return the directory and the flags of a run of a user's own model that was never stopped."""
    path = tmp_path_factory.mktemp("own") / "run"
    # In two parts: stopped and continued it is the same run.
    for steps in (31, 150):
        assert commands.call(train, *OWN, f"--run_dir={path}", f"--steps={steps}") == 0
    # Each part draws a last grid.
    (path / "samples" / "step-00000031.png").unlink()
    return path, OWN


@pytest.mark.parametrize("name", ["whole", "own"])
def test_killed_by_sigkill_and_restarted_a_run_ends_with_the_same_bytes(name, request, tmp_path):
    path, asked = request.getfixturevalue(name)
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


def test_a_users_own_model_is_loaded_exported_and_repeated_by_its_flags(own, tmp_path, capsys):
    path, _ = own
    model = training.load_run(path)
    assert (type(model).__name__, model.digits, model.completed_steps) == ("OwnGAN", 3, 150)
    last = training.RunDirectory(path).lines()[-1]
    assert last["read"] > 0
    before = products(path)
    assert commands.call(train, f"--flagfile={path / 'flags.cfg'}") == 0
    assert products(path) == before

    out = tmp_path / "own"
    words = (f"--run_dir={path}", f"--out={out}", "--import_module=tests.own_gan")
    assert commands.call(export, *words) == 0
    exported = sd.load_saved_model(out)
    assert (exported.model, exported.latents.parts) == ("own_gan", model.latents.parts)
    np.testing.assert_array_equal(exported.generate(3, 3), model.generate(3, 3))
    # It does not score.
    assert set(tf.saved_model.load(str(out / "1")).signatures) == {
        "serving_default",
        "generate_png",
        "sample",
    }


def test_a_flag_that_the_model_does_not_take_is_refused(tmp_path, capsys):
    asked = (*OWN, f"--run_dir={tmp_path / 'run'}")
    assert commands.call(train, *asked, "--d_i=3") == 1
    assert "own_gan takes " in (error := capsys.readouterr().err) and "--d_i=3" in error
    assert not (tmp_path / "run").exists()


def test_without_its_module_a_run_of_an_unknown_model_says_what_to_do(own, tmp_path, capsys):
    run = shutil.copytree(own[0], tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    config["model"]["name"] = "elsewhere"
    (run / "config.json").write_text(json.dumps(config))
    assert commands.call(export, f"--run_dir={run}", f"--out={tmp_path / 'out'}") == 1
    error = capsys.readouterr().err
    assert "from the command line by --import_module=MODULE. Received: model='elsewhere'" in error


def test_ctrl_c_saves_says_so_and_has_its_own_status(whole, tmp_path, monkeypatch, capsys):
    _, asked = whole
    run = RunLog.run

    def interrupted(self, step, logs):
        run(self, step, logs)
        if step == 7:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(RunLog, "run", interrupted)
    assert commands.call(train, *asked, f"--run_dir={tmp_path}") == 130
    assert "Stopped by SIGINT at step 7, and saved. The same command" in capsys.readouterr().out
    assert (tmp_path / "checkpoints" / "step-00000007.npz").exists()


def test_a_finished_run_tells_what_to_do_next_and_can_be_repeated_by_its_flags(whole, capsys):
    path, asked = whole
    before = products(path)
    assert commands.call(train, f"--flagfile={path / 'flags.cfg'}") == 0
    out = capsys.readouterr().out
    assert f"Image: {path / 'samples' / 'step-00000120.png'}\n" in out
    assert f"tensorboard --logdir {path / 'tensorboard'}" in out
    assert f"bin/export --run_dir={path}" in out
    assert products(path) == before


def test_changed_flags_and_a_directory_in_use_are_refused(whole, capsys):
    path, asked = whole
    before = products(path)
    assert commands.call(train, *asked, f"--run_dir={path}", "--k=3") == 1
    error = capsys.readouterr().err
    assert error.startswith("bin/train: ")
    assert "  model.config.k: 2 in the directory, 3 asked\n" in error
    run = RunDirectory(path)
    run.open(run.config())
    assert commands.call(train, *asked, f"--run_dir={path}") == 1
    assert "Another process is training in" in capsys.readouterr().err
    run.close()
    assert products(path) == before


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_a_damaged_flag_file_is_refused_where_the_data_of_a_run_are_wanted(whole, share, tmp_path):
    def adopted(path):
        values = flags.FlagValues()
        data_flags.define(values)
        values(["evaluate"])
        data_flags.adopt(data_flags.of_run(path), values)
        return values

    assert adopted(whole[0]).drawn_identities == 12
    text = (whole[0] / "flags.cfg").read_text()
    assert share * len(text) < text.index("--model=")
    (tmp_path / "flags.cfg").write_text(text[: int(share * len(text))])
    with pytest.raises(
        ValueError, match="flags.cfg is damaged, .* Continue the run by the command"
    ):
        adopted(tmp_path)
    # A run that no command started has none.
    assert adopted(tmp_path / "other").drawn_identities == 400


@pytest.mark.parametrize(("fraction", "told"), [("0", True), ("0.5", False)])
def test_parts_too_small_to_evaluate_by_are_told_of(fraction, told, capsys):
    asked = (
        *TINY,
        f"--validation_fraction={fraction}",
        "--test_fraction=0.25",
        "--dry_run",
    )
    assert commands.call(train, *asked) == 0
    assert ("bin/evaluate needs two validation" in capsys.readouterr().out) == told
