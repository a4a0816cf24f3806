"""bin/compare: what it trains, what it refuses, and the table of all runs."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from absl import flags

from sdgan_tf import evaluation
from sdgan_tf.cli import compare, train
from sdgan_tf.evaluation import Verifier
from tests import commands

pytestmark = pytest.mark.once

DATA = ("--image_size=16", "--drawn_identities=60", "--drawn_observations=3", "--data_seed=5")
PRESETS = commands.ROOT / "flags" / "compare"
SMALL = "--dim=2 --d_i=3 --d_o=3 --batch_size=2 --precision=float32"


def run(*arguments):
    """Run bin/compare in this process and return its status."""
    return commands.call(compare, *arguments)


@pytest.fixture
def here(monkeypatch):
    """Let runs be trained in this process, by a verifier that looks at colours; return what was asked of bin/train."""
    asked = []

    def started(words, check):
        assert words[1:3] == ["-m", "sdgan_tf.cli.train"]
        asked.append(words[3:])
        return SimpleNamespace(returncode=commands.call(train, *words[3:]))

    verifier = Verifier(lambda images: images[:, 4::8, 4::8], "colours", 16, metric="euclidean")
    monkeypatch.setattr(compare.subprocess, "run", started)
    monkeypatch.setattr(evaluation, "load_verifier", lambda *settings: verifier)
    return asked


def test_runs_there_and_runs_to_train_are_measured_in_one_table(here, tmp_path, capsys):
    old, out = tmp_path / "old", tmp_path / "all"
    assert commands.call(train, *commands.TINY, *DATA, "--steps=1", f"--run_dir={old}") == 0
    order = f"ac --flagfile={commands.ROOT / 'flags' / 'acdcgan.cfg'} {SMALL} --steps=9"
    asked = (f"--train={order}", "--steps=2", "--verifier=v", "--pairs=20", f"--out={out}")
    assert run(f"--runs={old}", *asked, "--factor_steps=0", "--verifier_floor=0") == 0
    # The old run's data, and the budget of the comparison over that of the run.
    assert {*DATA, "--data_dir=", "--validation_fraction=0.1"} <= set(here[0])
    assert here[0].index("--steps=9") < here[0].index("--steps=2")

    report = json.loads((out / "report.json").read_text())
    names = [row["name"] for row in report["rows"]]
    assert names == ["real, unseen identities", "old, step 1", "ac, step 2"]
    assert all(0 <= row["auc"]["value"] <= 1 for row in report["rows"])
    table = capsys.readouterr().out
    assert "| ac, step 2 | " in table and f"Report: {out / 'report.md'}" in table
    assert {"samples-old.png", "samples-ac.png", "report.md"} <= {p.name for p in out.iterdir()}

    # Other images than the run was trained on.
    assert run(f"--runs={old}", "--data_seed=6", "--verifier=v", f"--out={out}") == 1
    assert f"{old} was trained on other data, of " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name what to compare"),
        (["--runs=a/x,b/x"], "each by another name"),
        (["--runs=a/x", "--train=x --dim=2"], "each by another name"),
        (["--runs=a/x"], "--verifier"),
        (["--runs=a/x", "--verifier=v"], "a/x is not a run directory"),
        (["--train=x --dim=two", "--verifier=v", *DATA], "x: bin/train ended with status"),
    ],
)
def test_errors_are_told_before_long_work(here, arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "--dim=2", "a/b --dim=2", "one --dim=3"])
def test_runs_without_a_name_of_their_own_are_refused(text):
    with pytest.raises(ValueError, match="a name of its own"):
        compare.training_orders(["one --dim=2", text])


def test_orders_are_split_as_a_shell_splits_them():
    orders = compare.training_orders(["a --dim=2 --data_dir='my faces'", "b"])
    assert orders == {"a": ["--dim=2", "--data_dir=my faces"], "b": []}


@pytest.mark.parametrize("preset", sorted(path.name for path in PRESETS.glob("*.cfg")))
def test_presets_name_what_there_is(preset):
    lines = (PRESETS / preset).read_text().splitlines()
    lines = [line for line in lines if line.startswith("--train=")]
    orders = compare.training_orders([line[len("--train=") :] for line in lines])
    assert len(orders) == len(lines) >= 5
    known = flags.FlagValues()
    train.define(known)
    for name, (flagfile, *others) in orders.items():
        assert Path(commands.ROOT, flagfile.split("=")[1]).exists(), name
        assert all(other[2:].split("=")[0] in known for other in others), name
