"""bin/data: exit codes, reports and messages."""

from __future__ import annotations

import json

import numpy as np
import pytest
from absl import flags
from PIL import Image

from sdgan_tf.cli import data as command
from sdgan_tf.cli import data_flags
from sdgan_tf.data import from_tfrecord


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
    return command.main(["bin/data", *map(str, words)])


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


def test_build_then_check_the_shards(folder, tmp_path, capsys):
    out = tmp_path / "shards"
    assert run("build", folder, f"--out={out}", "--image_size=6", "--channels=1") == 0
    assert f"--data_dir={out}" in capsys.readouterr().out
    shards = from_tfrecord(out)
    assert (shards.image_size, shards.channels) == (6, 1)
    assert run("check", out) == 0
    assert "3 identities, 9 images" in capsys.readouterr().out
    assert run("build", folder, f"--out={out}") == 1
    assert "exists already" in capsys.readouterr().err


def test_build_stops_at_bad_data_or_skips_them(folder, tmp_path, capsys):
    (folder / "bob" / "1.png").write_bytes(b"no image")
    out = tmp_path / "shards"
    assert run("build", folder, f"--out={out}") == 1
    message = capsys.readouterr().err
    assert "bob/1.png" in message and "--on_bad_data=skip" in message
    assert "Traceback" not in message and not out.exists()
    assert run("build", folder, f"--out={out}", "--on_bad_data=skip") == 0


@pytest.mark.parametrize(
    "words",
    [(), ("check",), ("mend", "DIR"), ("build", "DIR"), ("check", "DIR", "--k=0"), ("--colour",)],
)
def test_wrong_command_lines(words, capsys):
    assert run(*words) == 2
    assert "Try bin/data --help" in capsys.readouterr().err


def test_help_names_every_flag(capsys):
    assert run("--help") == 0
    text = capsys.readouterr().out
    own, shared = text.split("\nFlags that say which images to use")
    for part, names in (
        (own, ("k", "json", "out")),
        (shared, ("image_size", "fit", "on_bad_data")),
    ):
        for name in names:
            assert f"\n  --{name}: " in part


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
