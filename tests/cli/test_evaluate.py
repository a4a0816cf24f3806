"""bin/evaluate: verifiers, runs, exports and folders."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from tensorflow import keras

import sdgan_tf as sd
from sdgan_tf.cli import evaluate, export, train
from sdgan_tf.data.drawn import IDENTITY_FACTORS, OBSERVATION_FACTORS
from sdgan_tf.evaluation import load_verifier
from sdgan_tf.images import save_png
from sdgan_tf.training import load_run
from tests import commands

DATA = ("--image_size=16", "--drawn_identities=60", "--drawn_observations=3", "--data_seed=5")
SMALL = ("--pairs=20", "--seed=3", "--factor_steps=0", "--verifier_floor=0")


def run(*arguments):
    """Run bin/evaluate in this process and return its status."""
    return commands.call(evaluate, *arguments)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a folder with a run and a verifier."""
    path = tmp_path_factory.mktemp("trained")
    asked = (*commands.TINY, *DATA, "--steps=2", "--k=2", f"--run_dir={path / 'run'}")
    assert commands.call(train, *asked) == 0
    verifier = ("train-verifier", *DATA, "--steps=3", "--dim=2", f"--out={path / 'eye'}")
    assert run(*verifier) == 0
    return path


def report(folder):
    """Return facts and rows of a report, and what its folder holds."""
    content = json.loads((folder / "report.json").read_text())
    return content["facts"], content["rows"], sorted(path.name for path in folder.iterdir())


def test_a_verifier_knows_its_own_score(trained):
    facts = load_verifier(trained / "eye").facts
    assert (facts["steps"], facts["loss"]) == (3, "contrastive")
    assert 0.3 < facts["test_auc"] <= 1
    assert 0.3 < facts["validation_auc"] <= 1


def test_a_run_is_measured_on_its_own_data(trained, capsys):
    assert run(f"--run_dir={trained / 'run'}", f"--verifier={trained / 'eye'}", *SMALL) == 0
    facts, rows, files = report(trained / "run" / "evaluation")
    assert {*files} - {"roc.png"} == {"nearest.png", "report.json", "report.md", "samples.png"}
    assert [row["name"] for row in rows] == ["real, unseen identities", "run, step 2"]
    assert (facts["verifier"], facts["pairs"], facts["seed"]) == ("eye", 20, 3)
    parts = sd.data.drawn(60, 3, 16, seed=5).split()
    assert facts["data"]["test"] == parts.test.summary()
    parameters = sum(load_run(trained / "run").parameters().values())
    assert rows[1]["megabytes"] == pytest.approx(4e-6 * parameters)
    out, err = capsys.readouterr()
    assert "| run, step 2 | " in out
    assert f"Report: {trained / 'run' / 'evaluation' / 'report.md'}\n" in out
    assert "Generating images: 100%" in err and "30/30" in err
    assert "Note:" not in err


@pytest.mark.once
def test_drawn_people_are_measured_by_their_known_factors(trained, tmp_path, monkeypatch, capsys):
    # What two steps teach is next to nothing.
    monkeypatch.setattr("sdgan_tf.evaluation.factors.LEAST_EXPLAINED", -np.inf)
    asked = (f"--run_dir={trained / 'run'}", f"--verifier={trained / 'eye'}", "--pairs=20")
    assert run(*asked, "--verifier_floor=0", "--factor_steps=2", f"--out={tmp_path}") == 0
    _, (real, made), _ = report(tmp_path)
    names = [factor["name"] for factor in made["factors"]]
    assert names == [*IDENTITY_FACTORS, *OBSERVATION_FACTORS]
    assert real["factors"] == []
    assert "## Known factors" in (tmp_path / "report.md").read_text()
    assert "Training the factor reader" in capsys.readouterr().err


def test_a_run_without_a_verifier_gets_one_of_its_own_and_keeps_it(trained, tmp_path, capsys):
    shutil.copytree(trained / "run", tmp_path / "run", ignore=shutil.ignore_patterns("evaluation"))
    asked = (f"--run_dir={tmp_path / 'run'}", "--steps=2", "--dim=2", *SMALL)
    assert run(*asked) == 0
    out, _ = capsys.readouterr()
    assert "one is trained on 53 training identities: 2 steps" in out and "minutes" in out
    facts, *_ = report(tmp_path / "run" / "evaluation")
    assert facts["verifier"] == "verifier of run"
    kept = (tmp_path / "run" / "verifier" / "weights.npz").read_bytes()
    assert run(*asked) == 0
    used = "Using the verifier that was trained for this run and these data before, for 2 steps"
    assert used in capsys.readouterr().out
    # Of other people it knows too little, or perhaps too much.
    other = (*asked, "--data_seed=6", f"--out={tmp_path / 'other'}")
    assert run(*other) == 0
    assert "one is trained on" in capsys.readouterr().out
    assert run(*other) == 0
    assert used in capsys.readouterr().out
    assert (tmp_path / "run" / "verifier" / "weights.npz").read_bytes() == kept
    again, *_ = report(tmp_path / "other")
    assert again["verifier_facts"]["data"] != facts["verifier_facts"]["data"]


@pytest.mark.once
def test_a_judge_who_taught_the_model_is_told_apart(trained, tmp_path, capsys):
    pupil = ("train-verifier", *DATA, "--steps=2", "--dim=2", f"--out={tmp_path / 'pupil'}")
    assert run(*pupil, f"--teacher={trained / 'eye'}") == 0
    assert load_verifier(tmp_path / "pupil").facts["teacher"] == "eye"
    seen = ("--identity_features=1", "--identity_steps=2", f"--teacher={trained / 'eye'}")
    asked = (*commands.TINY, *DATA, "--steps=1", "--k=2", *seen, f"--run_dir={tmp_path / 'run'}")
    assert commands.call(train, *asked) == 0
    for verifier, told in (
        (trained / "eye", ", taught by this verifier"),
        (tmp_path / "pupil", ""),
    ):
        capsys.readouterr()
        assert run(f"--run_dir={tmp_path / 'run'}", f"--verifier={verifier}", *SMALL) == 0
        _, rows, _ = report(tmp_path / "run" / "evaluation")
        assert rows[1]["name"] == f"run, step 1{told}"
        assert ("another verifier is a better judge" in capsys.readouterr().err) == bool(told)


def test_a_network_of_the_users_is_fed_as_the_flags_say_and_the_report_tells(trained, tmp_path):
    network = keras.Sequential(
        [keras.layers.Input([None, None, 3]), keras.layers.GlobalAveragePooling2D()]
    )
    network.save(tmp_path / "mine.keras")
    told = ("--verifier_scale=bytes", "--verifier_metric=euclidean", "--verifier_size=8")
    asked = (f"--run_dir={trained / 'run'}", f"--verifier={tmp_path / 'mine.keras'}", *SMALL)
    assert run(*asked, *told, f"--out={tmp_path}") == 0
    facts, *_ = report(tmp_path)
    assert facts["verifier_input"] == (
        "colour images of 8x8 pixels, scale bytes, euclidean distance"
    )
    assert facts["verifier_input"] in (tmp_path / "report.md").read_text()
    # Squared distances of grey levels, not of standardised images.
    assert facts["threshold"] > 10


def test_flags_that_are_given_win_over_those_of_the_run(trained, tmp_path, capsys):
    asked = (f"--run_dir={trained / 'run'}", f"--verifier={trained / 'eye'}", *SMALL)
    assert run(*asked, "--data_seed=6", f"--out={tmp_path}") == 0
    _, rows, _ = report(tmp_path)
    assert rows[1]["name"] == "run, step 2, trained on other data"
    assert "Note: the verifier was trained on other images" in capsys.readouterr().err


@pytest.mark.once
def test_an_export_is_measured_at_its_own_size(trained, tmp_path):
    load_run(trained / "run").export(tmp_path / "faces" / "1")
    asked = (f"--saved_model={tmp_path / 'faces'}", f"--verifier={trained / 'eye'}", *SMALL)
    assert run(*asked, *DATA[1:], f"--out={tmp_path / 'report'}") == 0
    facts, rows, _ = report(tmp_path / "report")
    assert rows[1]["name"] == "faces, step 2, trained on unknown data"
    assert rows[1]["megabytes"] is None
    assert "16x16x3" in facts["data"]["test"]


def test_an_export_of_a_run_knows_its_data_and_tells_others_from_them(trained, tmp_path, capsys):
    made = (f"--run_dir={trained / 'run'}", f"--out={tmp_path / 'faces'}")
    assert commands.call(export, *made) == 0
    known = sd.load_saved_model(tmp_path / "faces").data
    parts = sd.data.drawn(60, 3, 16, seed=5).split()
    assert known["fingerprint"] == parts.train.fingerprint
    assert known["identities"] == len(parts.train)
    assert known["flags"]["test_fraction"] == "0.1" and "data_dir" not in known["flags"]
    asked = (f"--saved_model={tmp_path / 'faces'}", f"--verifier={trained / 'eye'}", *SMALL)
    assert run(*asked, f"--out={tmp_path / 'report'}") == 0
    assert "Note: the model" not in capsys.readouterr().err
    facts, rows, _ = report(tmp_path / "report")
    assert rows[1]["name"] == "faces, step 2"
    assert facts["data"]["test"] == parts.test.summary()
    # Other shares make test identities of some that were trained on.
    assert run(*asked, "--test_fraction=0.3", f"--out={tmp_path / 'other'}") == 0
    assert "Note: the model was trained on other data. If it has seen" in capsys.readouterr().err
    assert report(tmp_path / "other")[1][1]["name"] == "faces, step 2, trained on other data"


def test_a_folder_of_images_is_measured(trained, tmp_path):
    for identity, row in enumerate(load_run(trained / "run").generate(3, 2)):
        for number, image in enumerate(row):
            save_png(image, tmp_path / "made" / f"who-{identity}" / f"{number}.png")
    asked = (f"--images={tmp_path / 'made'}", f"--verifier={trained / 'eye'}", *SMALL, *DATA)
    assert run(*asked, f"--out={tmp_path / 'report'}") == 0
    _, rows, _ = report(tmp_path / "report")
    assert rows[1]["name"] == "made"
    assert rows[1]["auc_same_observation"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["measure"], "train-verifier, read-codes, read-labels. Received: measure"),
        (["--verifier=VERIFIER", "--run_dir=x", "--saved_model=y"], "one of --run_dir and --saved_m"),
        (["--saved_model=x", "--verifier=VERIFIER"], "Say where to write by --out"),
        (["--run_dir=nowhere", "--verifier=VERIFIER"], "nowhere is not a run directory"),
        (["--images=x", "--out=y", *DATA], "Name the verifier by --verifier"),
        (["--run_dir=RUN", "--pairs=7"], "even. Received: --pairs=7"),
        (["--run_dir=RUN", "--verifier=VERIFIER", "--verifier_scale=unit"], "leave them out. Received: scale"),
        (["--run_dir=RUN", "--verifier=nowhere"], "Received: nowhere"),
        (["--run_dir=RUN", "--verifier=VERIFIER", "--pairs=7"], "number is even. Received: --pairs=7"),
        (["--run_dir=RUN", "--verifier=VERIFIER", "--out=RUN/config.json"], "is no folder"),
        (["--run_dir=RUN", "--verifier=VERIFIER", "--verifier_floor=1"], "on validation pairs, --verifier_floor=1.0"),
        (["--run_dir=RUN", "--verifier=VERIFIER", "--features=x.h5"], "x.h5 does not hold weights"),
        (["--run_dir=RUN", "--verifier=VERIFIER", "--test_fraction=0"], "Pairs of the test identities"),
        (["--run_dir=RUN", "--verifier=VERIFIER", "--image_size=32"], "--image_size=16, --channels=3"),
        (["train-verifier", *DATA], "Received: --out=\n"),
        (["train-verifier", *DATA, "--out=VERIFIER"], "eye, which exists"),
        (["train-verifier", "--drawn_identities=3", "--out=NEW"], "need at least two identities"),
    ],
    ids=lambda value: "" if isinstance(value, list) else value[:20],
)  # fmt: skip
@pytest.mark.once
def test_errors_are_messages_before_any_work(
    arguments, message, trained, tmp_path, capsys, monkeypatch
):
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)
    places = {"VERIFIER": trained / "eye", "RUN": tmp_path / "run", "NEW": tmp_path / "new"}
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
    for part in (
        "bin/evaluate train-verifier",
        "--pairs",
        "--saved_model",
        "--data_dir",
        "is a program",
    ):
        assert part in done.stdout


def test_unseen_people_with_keypoints_are_also_rebuilt_and_swapped(tmp_path, capsys):
    small = ("--image_size=16", "--dim=2", "--batch_size=2", "--precision=float32", "--steps=1")
    people = ("--drawn_identities=40", "--drawn_observations=3", "--validation_fraction=0.3")
    preset = f"--flagfile={commands.ROOT / 'flags' / 'dpig_small.cfg'}"
    at = f"--run_dir={tmp_path / 'run'}"
    asked = (preset, *small, *people, "--test_fraction=0.3", at)
    assert commands.call(train, *asked) == 0
    short = ("--steps=2", "--dim=2", "--pairs=20", "--verifier_floor=0", "--factor_steps=2")
    assert run(at, *short) == 0
    assert "| nearest training image |" in capsys.readouterr().out
    facts, *_ = report(tmp_path / "run" / "evaluation")
    assert 0 < facts["people"]["rebuilt"]["l1"] < 1 and 0 <= facts["people"]["kept"] <= 1
    text = (tmp_path / "run" / "evaluation" / "report.md").read_text()
    assert "## Rebuilt and swapped people" in text and "](swaps.png)" in text
    assert (tmp_path / "run" / "evaluation" / "swaps.png").exists()


@pytest.mark.once
def test_codes_of_real_images_are_read(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)
    small = (
        "--model=infogan",
        "--dim=2",
        "--categories=3",
        "--batch_size=2",
        "--precision=float32",
    )
    asked = (*small, *DATA, "--test_fraction=0.3", "--steps=1", f"--run_dir={tmp_path / 'run'}")
    assert commands.call(train, *asked) == 0
    folder = tmp_path / "data"
    people = sd.data.drawn(3, 4, 16, seed=9)
    for number, image in enumerate(people.images):
        save_png(image, folder / f"who-{number // 4}" / f"{number}.png")
    capsys.readouterr()
    flags = tmp_path / "run" / "flags.cfg"
    told = flags.read_text()
    # A list of the run's own images says nothing of others.
    flags.write_text(told.replace("--model=", "--manifest=own.csv\n--model="))
    assert run("read-codes", f"--run_dir={tmp_path / 'run'}", f"--data_dir={folder}") == 0
    flags.write_text(told)
    record = json.loads((tmp_path / "run" / "evaluation" / "codes.json").read_text())
    names = [code["code"] for code in record["codes"]]
    assert names == ["category", "continuous_1", "continuous_2"]
    assert 0 <= record["codes"][0]["error"] < 0.7 and record["step"] == 1
    assert "|  | category | continuous_1 | continuous_2 |" in capsys.readouterr().out
    # The run's own test people are more, and their factors are known.
    assert run("read-codes", f"--run_dir={tmp_path / 'run'}") == 1
    assert "leave the error out (--nomatched). Received: 3 categories" in capsys.readouterr().err
    out = tmp_path / "out"
    assert run("read-codes", "--nomatched", f"--run_dir={tmp_path / 'run'}", f"--out={out}") == 0
    (first, *_) = json.loads((out / "codes.json").read_text())["codes"]
    assert first["error"] is None
    assert {"identity", *IDENTITY_FACTORS, *OBSERVATION_FACTORS} == set(first["information"])


@pytest.mark.once
def test_labels_of_generated_images_are_read(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)
    small = ("--model=stacked", "--dim=2", "--batch_size=2", "--precision=float32", *DATA)
    small += ("--validation_fraction=0", "--test_fraction=0.9", "--steps=1")
    first = ("--stage=encoder", f"--run_dir={tmp_path / 'encoder'}")
    later = ("--stage=joint", f"--start={tmp_path / 'encoder'}", f"--run_dir={tmp_path / 'run'}")
    for stage in (first, (*later, "--d_rate=0.25")):
        assert commands.call(train, *small, *stage) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    rates = {name: of["config"]["learning_rate"] for name, of in config["optimizers"].items()}
    assert rates == pytest.approx({"d": 0.25, "top_d": 0.25, "g": 1e-4, "top_g": 1e-4})
    labels = load_run(tmp_path / "run").labels
    for number, image in enumerate(sd.data.drawn(labels, 2, 16, seed=9).images):
        save_png(image, tmp_path / "data" / f"label-{number // 2}" / f"{number}.png")
    asked = ("read-labels", "--label_steps=2", f"--run_dir={tmp_path / 'run'}")
    assert run(*asked) == 1
    assert "Name labelled images" in capsys.readouterr().err
    assert run(*asked, f"--data_dir={tmp_path / 'data'}") == 0
    record = json.loads((tmp_path / "run" / "evaluation" / "labels.json").read_text())
    assert (record["step"], record["label_steps"]) == (1, 2)
    assert record["generated"]["images"] == 100 * labels and record["real"]["images"] == 2 * labels
    assert (tmp_path / "run" / "evaluation" / "labels.png").exists()
    assert "| generated | " in capsys.readouterr().out
