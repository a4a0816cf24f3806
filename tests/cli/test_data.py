"""bin/data: exit codes, reports and messages."""

from __future__ import annotations

import json
import shutil
import signal
import time

import numpy as np
import pytest
from absl import flags
from PIL import Image

import sdgan_tf as sd
from sdgan_tf.cli import data, data_flags
from tests import commands


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    for identity in ("ann", "bob", "cyd"):
        (tmp_path / "faces" / identity).mkdir(parents=True)
        for number in range(3):
            pixels = generator.integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "faces" / identity / f"{number}.png")
    return tmp_path / "faces"


def run(*words):
    return commands.call(data, *words)


def test_check_prints_a_report(folder, tmp_path, capsys):
    assert run("check", folder, f"--json={tmp_path}/report.json") == 0
    assert "3 identities, 9 images" in capsys.readouterr().out
    assert json.loads((tmp_path / "report.json").read_text())["images"] == 9


def test_check_fails_for_bad_data(folder, capsys):
    assert run("check", folder, "--k=4") == 1
    assert "3 identities with fewer than k=4 images" in capsys.readouterr().out
    (folder / "bob" / "1.png").write_bytes(b"no image")
    assert run("check", folder) == 1
    assert "bob/1.png: not an image" in capsys.readouterr().out


def test_build_then_check_what_was_built(folder, tmp_path, capsys):
    out = tmp_path / "built"
    assert run("build", folder, f"--out={out}", "--image_size=6", "--channels=1") == 0
    assert f"--data_dir={out}" in capsys.readouterr().out
    built = sd.data.from_built(out)
    assert (built.image_size, built.channels) == (6, 1)
    assert run("check", out) == 0
    assert "3 identities, 9 images" in capsys.readouterr().out
    assert run("build", folder, f"--out={out}") == 1
    assert "exists already" in capsys.readouterr().err


def test_a_manifest_tells_who_is_in_which_file_and_in_which_part(folder, tmp_path, capsys):
    rows = [f"{path.relative_to(folder)},{path.parent.name}" for path in folder.rglob("*.png")]
    parts = {"ann": "train", "bob": "train", "cyd": "test"}
    lines = [f"{row},{parts[row.split(',')[1]]}" for row in rows if not row.startswith("bob/2")]
    (tmp_path / "list.csv").write_text("\n".join(["path,identity,split", *lines]))
    manifest = f"--manifest={tmp_path / 'list.csv'}"
    assert run("check", folder, manifest) == 0
    assert "3 identities, 8 images" in capsys.readouterr().out
    values = parsed(f"--data_dir={folder}", "--image_size=8", manifest)
    splits = data_flags.split(data_flags.load(values), values)
    assert [part.names for part in splits] == [["ann", "bob"], [], ["cyd"]]


def test_build_stops_at_bad_data_or_skips_them(folder, tmp_path, capsys):
    (folder / "bob" / "1.png").write_bytes(b"no image")
    out = tmp_path / "built"
    assert run("build", folder, f"--out={out}") == 1
    message = capsys.readouterr().err
    assert "bob/1.png" in message and "on_bad_data=skip" in message
    assert "Traceback" not in message and not out.exists()
    assert run("build", folder, f"--out={out}", "--on_bad_data=skip") == 0


def test_duplicates_can_be_bad_data(folder, capsys):
    shutil.copy(folder / "bob" / "1.png", folder / "ann" / "copy.png")
    assert run("check", folder) == 0
    assert run("check", folder, "--on_duplicates=fail") == 1
    assert "ann/copy.png = bob/1.png" in capsys.readouterr().out


@pytest.mark.parametrize("words", [(), ("check",), ("mend", "DIR"), ("build", "DIR")])
def test_wrong_words(words, capsys):
    assert run(*words) == 1
    message = capsys.readouterr().err
    assert message.startswith("bin/data: ") and "--out=BUILT" in message


@pytest.mark.once
def test_the_command_as_it_is_started(folder):
    text = commands.launch("data", "--help").stdout
    own, shared = text.split("\nFlags that say which images to use")
    for part, names in (
        (own, ("k", "json", "out")),
        (shared, ("image_size", "fit", "on_bad_data", "on_duplicates")),
    ):
        for name in names:
            assert f"\n  --{name}: " in part
    assert commands.launch("data", "check", str(folder), "--k=4").returncode == 1


@pytest.mark.once
def test_a_build_that_is_told_to_stop_goes_on_when_it_is_called_again(folder, tmp_path):
    # Enough to be busy for a while.
    for number in range(3000):
        shutil.copy(folder / "ann" / "0.png", folder / "ann" / f"x{number}.png")
    process = commands.start("data", "build", str(folder), f"--out={tmp_path}/built")
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".built.parts/.00000.*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.terminate()
    told = process.communicate()[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert "What was decoded is kept in" in told and "Traceback" not in told
    assert sorted(path.name for path in tmp_path.iterdir()) == [".built.parts", "faces"]
    assert run("build", folder, f"--out={tmp_path}/built") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["built", "faces"]


def test_only_a_build_has_a_runner(folder, capsys):
    assert run("check", folder, "--runner=direct") == 1
    assert "Received: --runner=direct" in capsys.readouterr().err


def test_a_missing_folder_is_one_line(tmp_path, capsys):
    assert run("check", tmp_path / "nowhere") == 1
    message = capsys.readouterr().err
    assert message.startswith("bin/data: There is no folder") and message.count("\n") == 1


def parsed(*words):
    values = flags.FlagValues()
    data_flags.define(values)
    data_flags.define(values)
    values(["test", *map(str, words)])
    return values


def test_flags_load_and_split_a_folder(folder):
    values = parsed(f"--data_dir={folder}", "--image_size=8", "--test_fraction=1")
    values.validation_fraction = 0.0
    people = data_flags.load(values, k=3)
    assert people.names == ["ann", "bob", "cyd"] and people.image_size == 8
    assert [len(part) for part in data_flags.split(people, values)] == [0, 0, 3]
    with pytest.raises(ValueError, match="fewer than k=4"):
        data_flags.load(values, k=4)


def test_flags_draw_people_when_there_is_no_folder():
    words = ("--drawn_identities=3", "--drawn_observations=2", "--image_size=16", "--data_seed=4")
    people = data_flags.load(parsed(*words, "--channels=1"))
    assert people.counts.tolist() == [2, 2, 2]
    assert people.images.shape == (6, 16, 16, 1)
    assert all(flag.help for flag in parsed().get_flags_for_module(data_flags.__name__))
