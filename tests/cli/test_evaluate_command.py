"""bin/evaluate: judges, runs, exports and folders."""

from __future__ import annotations

import json
import shutil

import commands
import numpy as np
import pytest

import sdgan_tf as sd
from sdgan_tf.cli import evaluate
from sdgan_tf.data.drawn import IDENTITY_FACTORS, OBSERVATION_FACTORS
from sdgan_tf.evaluation import load_verifier
from sdgan_tf.images import save_png
from sdgan_tf.training import load_run

DATA = ("--image_size=16", "--drawn_identities=60", "--drawn_observations=3", "--data_seed=5")
SMALL = ("--pairs=20", "--seed=3", "--factor_steps=0", "--judge_floor=0")


def run(*arguments):
    """Run bin/evaluate in this process and return its status."""
    return commands.run_on_model(evaluate, *arguments)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a folder with a run and a judge."""
    path = tmp_path_factory.mktemp("trained")
    asked = (*commands.TINY, *DATA, "--steps=2", "--k=2", f"--run_dir={path / 'run'}")
    assert commands.run_train(*asked) == 0
    judge = ("train-verifier", *DATA, "--steps=3", "--dim=2", f"--out={path / 'judge'}")
    assert run(*judge) == 0
    return path


def report(folder):
    """Return facts and rows of a report, and what its folder holds."""
    found = json.loads((folder / "report.json").read_text())
    return found["facts"], found["rows"], sorted(path.name for path in folder.iterdir())


def test_a_judge_knows_its_own_score(trained):
    facts = load_verifier(trained / "judge").facts
    assert (facts["steps"], facts["loss"]) == (3, "margin")
    assert 0.3 < facts["test_auc"] <= 1
    assert 0.3 < facts["validation_auc"] <= 1


def test_a_run_is_measured_on_its_own_data(trained, capsys):
    assert run(f"--run_dir={trained / 'run'}", f"--verifier={trained / 'judge'}", *SMALL) == 0
    facts, rows, files = report(trained / "run" / "evaluation")
    assert files == ["nearest.png", "report.json", "report.md", "roc.png", "samples.png"]
    assert [row["name"] for row in rows] == ["real, unseen identities", "run, step 2"]
    assert (facts["verifier"], facts["pairs"], facts["seed"]) == ("judge", 20, 3)
    parts = sd.data.drawn(60, 3, 16, seed=5).split()
    assert facts["data"]["test"] == parts.test.summary()
    parameters = sum(load_run(trained / "run").parameters().values())
    assert rows[1]["megabytes"] == pytest.approx(4e-6 * parameters)
    out, err = capsys.readouterr()
    assert "| run, step 2 | " in out
    assert f"Report: {trained / 'run' / 'evaluation' / 'report.md'}\n" in out
    assert "30 of 30 pictures made" in err
    assert "Note:" not in err


def test_drawn_people_are_measured_by_their_known_factors(trained, tmp_path, monkeypatch, capsys):
    # What two steps teach is next to nothing.
    monkeypatch.setattr("sdgan_tf.evaluation.factors.LEAST_EXPLAINED", -np.inf)
    asked = (f"--run_dir={trained / 'run'}", f"--verifier={trained / 'judge'}", "--pairs=20")
    assert run(*asked, "--judge_floor=0", "--factor_steps=2", f"--out={tmp_path}") == 0
    _, (real, made), _ = report(tmp_path)
    names = [factor["name"] for factor in made["factors"]]
    assert names == [*IDENTITY_FACTORS, *OBSERVATION_FACTORS]
    assert real["factors"] == []
    assert "## Known factors" in (tmp_path / "report.md").read_text()
    assert "2 of 2 steps" in capsys.readouterr().err


def test_flags_that_are_given_win_over_those_of_the_run(trained, tmp_path, capsys):
    asked = (f"--run_dir={trained / 'run'}", f"--verifier={trained / 'judge'}", *SMALL)
    assert run(*asked, "--data_seed=6", f"--out={tmp_path}") == 0
    _, rows, _ = report(tmp_path)
    assert rows[1]["name"] == "run, step 2, trained on other data"
    assert "Note: the verifier was trained on other pictures" in capsys.readouterr().err


def test_an_export_is_measured_at_its_own_size(trained, tmp_path):
    load_run(trained / "run").export(tmp_path / "faces" / "1")
    asked = (f"--saved_model={tmp_path / 'faces'}", f"--verifier={trained / 'judge'}", *SMALL)
    assert run(*asked, *DATA[1:], f"--out={tmp_path / 'report'}") == 0
    facts, rows, _ = report(tmp_path / "report")
    assert rows[1]["name"] == "faces, step 2"
    assert rows[1]["megabytes"] is None
    assert "16x16x3" in facts["data"]["test"]


def test_a_folder_of_pictures_is_measured(trained, tmp_path):
    for identity, row in enumerate(load_run(trained / "run").generate(3, 2)):
        for number, picture in enumerate(row):
            save_png(picture, tmp_path / "made" / f"who-{identity}" / f"{number}.png")
    asked = (f"--images={tmp_path / 'made'}", f"--verifier={trained / 'judge'}", *SMALL, *DATA)
    assert run(*asked, f"--out={tmp_path / 'report'}") == 0
    _, rows, _ = report(tmp_path / "report")
    assert rows[1]["name"] == "made"
    assert rows[1]["auc_same_observation"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["measure"], "the only word is train-verifier. Received: measure"),
        (["--verifier=JUDGE", "--run_dir=x", "--saved_model=y"], "one of --run_dir and --saved_m"),
        (["--saved_model=x", "--verifier=JUDGE"], "Say where to write by --out"),
        (["--run_dir=nowhere", "--verifier=JUDGE"], "nowhere is not a run directory"),
        (["--run_dir=RUN"], "Name the judge by --verifier"),
        (["--run_dir=RUN", "--verifier=nowhere"], "Received: nowhere"),
        (["--run_dir=RUN", "--verifier=JUDGE", "--pairs=7"], "even number. Received: pairs=7"),
        (["--run_dir=RUN", "--verifier=JUDGE", "--out=RUN/config.json"], "is no folder"),
        (["--run_dir=RUN", "--verifier=JUDGE", "--judge_floor=1"], "on validation pairs, floor=1.0"),
        (["--run_dir=RUN", "--verifier=JUDGE", "--features=x.h5"], "x.h5 does not hold weights"),
        (["--run_dir=RUN", "--verifier=JUDGE", "--test_fraction=0"], "Pairs of the test identities"),
        (["--run_dir=RUN", "--verifier=JUDGE", "--image_size=32"], "image_size=16, channels=3"),
        (["train-verifier", *DATA], "Received: --out=\n"),
        (["train-verifier", *DATA, "--out=JUDGE"], "judge, which exists"),
        (["train-verifier", "--drawn_identities=3", "--out=NEW"], "need at least two identities"),
    ],
    ids=lambda value: "" if isinstance(value, list) else value[:20],
)  # fmt: skip
def test_errors_are_messages_before_any_work(
    arguments, message, trained, tmp_path, capsys, monkeypatch
):
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)
    places = {"JUDGE": trained / "judge", "RUN": tmp_path / "run", "NEW": tmp_path / "new"}
    shutil.copytree(trained / "run", tmp_path / "run", ignore=shutil.ignore_patterns("evaluation"))
    for name, place in places.items():
        arguments = [argument.replace(name, str(place)) for argument in arguments]
    assert run(*arguments) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run" / "evaluation").exists()
    assert not (tmp_path / "new").exists()


def test_the_launcher_helps():
    done = commands.launch("evaluate", "--help")
    assert done.returncode == 0, done.stderr
    for part in ("bin/evaluate train-verifier", "--pairs", "--saved_model", "--data_dir"):
        assert part in done.stdout
