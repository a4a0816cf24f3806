"""bin/study: from a run or a folder to a page and a key, from answers to scores."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sdgan_tf.cli import source_flags, study
from sdgan_tf.images import save_png
from sdgan_tf.study import read_key
from tests import commands, tiny

DRAWN = (
    *("--image_size=16", "--drawn_identities=12", "--drawn_observations=4", "--pairs=8"),
    *("--validation_fraction=0", "--test_fraction=1"),
)


@pytest.fixture
def run(monkeypatch):
    """Return the command with its model loaded already."""
    monkeypatch.setattr(source_flags, "load", lambda values: tiny.model(image_size=16))
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)
    return lambda *arguments: commands.call(study, *arguments)


def answer(key, folder, annotator, right=True):
    """Write the file of an annotator who knows the key, and may lie."""
    lines = ["study,annotator,pair,same"]
    for pair, same in zip(key.pairs, key.same):
        lines.append(f"{key.study},{annotator},{pair},{'yes' if same == right else 'no'}")
    path = folder / f"{annotator}.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_study_is_made_answered_and_scored(run, tmp_path, capsys):
    out = tmp_path / "studies" / "one"
    asked = ("make", "--run_dir=run", *DRAWN, "--question=Same child?", f"--out={out}")
    assert run(*asked) == 0
    printed = capsys.readouterr().out
    assert f"For the annotators: {out / 'page.html'}\n" in printed
    assert f"bin/study score --key={out / 'key.json'} ANSWERS.csv" in printed
    assert "Same child?" in (out / "page.html").read_text()
    key = read_key(out / "key.json")
    assert len(key.pairs) == 8

    files = [answer(key, tmp_path, "Anna"), answer(key, tmp_path, "Ben")]
    assert run("score", f"--key={out / 'key.json'}", *files) == 0
    assert "| generated | 4 | 4 | 0 | 1.000" in capsys.readouterr().out
    scores = json.loads((out / "scores.json").read_text())
    assert scores["study"] == key.study
    for source in ("real", "generated"):
        assert scores["sources"][source]["pairs"] == 4
        assert scores["sources"][source]["accuracy"]["value"] == 1.0
    text = (out / "scores.md").read_text()
    assert "| real | 4 | 4 | 0 | 1.000 (1.000 to 1.000) | 0.000 (0.000 to 0.000) |" in text
    # Answers that came later replace the scores.
    files.append(answer(key, tmp_path, "Cleo", right=False))
    assert run("score", f"--key={out / 'key.json'}", *files) == 0
    assert "Cleo" in (out / "scores.md").read_text()


def test_a_folder_of_generated_images_will_do(run, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, [6, 3, 16, 16, 3], np.uint8)
    for identity, observation in np.ndindex(6, 3):
        path = tmp_path / "made" / f"person-{identity}" / f"{observation}.png"
        save_png(images[identity, observation], path)
    out = tmp_path / "study"
    assert run("make", f"--images={tmp_path / 'made'}", *DRAWN, f"--out={out}") == 0
    assert sorted(path.name for path in out.iterdir()) == ["key.json", "page.html"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Say `bin/study make` or `bin/study score FILES`"),
        (["grade"], "Received: grade"),
        (["make", "more", "--out=x"], "form --name=value. Received: more"),
        (["make", "--run_dir=r"], "Name the study's folder by --out"),
        (["make", "--out=/"], "/ exists already"),
        (["make", "--out=x", "--images=i", "--run_dir=r"], "from --images or from a model, not"),
        (
            ["make", "--out=x", "--run_dir=r", *DRAWN, "--pairs=6"],
            "4, 8, 12 and so on. Received: --pairs=6",
        ),
        (["make", "--out=x", "--run_dir=r", *DRAWN, "--image_size=17"], "need one size"),
        (["make", "--out=x", "--run_dir=r", *DRAWN, "--test_fraction=0"], "Pairs of the test"),
        (["score", "a.csv"], "Name the key by --key"),
        (["score", "--key=none.json", "a.csv"], "No such file or directory: 'none.json'"),
    ],
)
def test_errors_are_messages_and_leave_nothing(
    arguments, message, run, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_launcher_shows_help():
    done = commands.launch("study", "--help")
    assert done.returncode == 0, done.stderr
    for text in ("bin/study make", "bin/study score", "--question", "--run_dir", "--data_dir"):
        assert text in done.stdout
