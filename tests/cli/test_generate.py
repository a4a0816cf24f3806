"""bin/generate: what it writes, and what it refuses before long work."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import sdgan_tf as sd
from sdgan_tf import generation
from sdgan_tf.cli import command, generate, source_flags
from sdgan_tf.images import tile
from sdgan_tf.latents import walk
from tests import commands
from tests.models import test_dpig as dpig

RUN = f"--run_dir={commands.GOLDEN}"


@pytest.fixture(scope="module")
def model():
    """Return the model of the golden run."""
    return sd.load_run(commands.GOLDEN)


@pytest.fixture
def run(model, monkeypatch):
    """Return the command with its model loaded already."""
    monkeypatch.setattr(source_flags, "load", lambda values: model)
    return lambda *arguments: commands.call(generate, *arguments)


def pixels(path):
    """Return an image's bytes."""
    with Image.open(path) as opened:
        return np.array(opened)


@pytest.mark.once
def test_the_launcher_writes_a_grid_and_shows_help(model, tmp_path):
    out = tmp_path / "made" / "grid.png"
    asked = (RUN, "--checkpoint=60", "--identities=3", "--observations=2", "--seed=5")
    done = commands.launch("generate", *asked, f"--out={out}")
    assert (done.returncode, done.stdout) == (0, f"Written: {out}\n"), done.stderr
    np.testing.assert_array_equal(pixels(out), tile(model.generate(3, 2, seed=5)))
    done = commands.launch("generate", "--help")
    assert done.returncode == 0
    for text in ("--identity_seeds", "--truncation", "--saved_model", "rows share z_I"):
        assert text in done.stdout


def test_an_exported_model_gives_the_same_grid(model, tmp_path):
    model.export(tmp_path / "faces" / "1")
    out = tmp_path / "grid.png"
    asked = (f"--saved_model={tmp_path / 'faces'}", "--identities=2", f"--out={out}")
    assert commands.call(generate, *asked) == 0
    np.testing.assert_array_equal(pixels(out), tile(model.generate(2, 8)))


def test_seeds_truncation_and_codes_of_a_file(run, model, tmp_path):
    out = tmp_path / "grid.png"
    asked = ("--identity_seeds=7", "--observation_seeds=3,-4,3", "--truncation=0.5")
    assert run(*asked, f"--out={out}") == 0
    expected = model.generate([7], [3, -4, 3], truncation=0.5)
    np.testing.assert_array_equal(pixels(out), tile(expected))
    codes = generation.save_codes(
        tmp_path / "codes.npz", *model.grid_codes([7], [3, -4, 3], 0, 0.5)
    )
    again = tmp_path / "again.png"
    assert run(f"--codes={codes}", f"--out={again}") == 0
    assert again.read_bytes() == out.read_bytes()


def test_a_name_without_extension_is_a_data_set(run, model, tmp_path, capsys):
    assert run("--identities=2", "--observations=3", f"--out={tmp_path / 'people'}") == 0
    people = sd.data.from_directory(tmp_path / "people", image_size=8)
    np.testing.assert_array_equal(people.images, model.generate(2, 3).reshape(6, 8, 8, 3))
    assert run(f"--out={tmp_path / 'people'}") == 1
    assert "people exists already, and nothing is overwritten" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("part", "shape"), [("identity", (3, 8)), ("observation", (8, 3)), ("both", (3, 3))]
)
def test_interpolation_walks_what_it_says(part, shape, run, model, tmp_path):
    out = tmp_path / "walk.png"
    assert run(f"--interpolate={part}", "--steps=2", "--path=slerp", f"--out={out}") == 0
    rows = 2 if part != "observation" else 8
    columns = 2 if part != "identity" else 8
    codes = model.grid_codes(rows, columns)
    walked = model.interpolate(*codes, steps=2, path="slerp")
    # The part that stands still shows the codes alone, not the ways between them.
    if rows == 8:
        walked = walked[::2]
    if columns == 8:
        walked = walked[:, ::2]
    assert walked.shape[:2] == shape
    np.testing.assert_array_equal(pixels(out), tile(walked))


def test_columns_walk_along_one_number(run, model, tmp_path):
    out = tmp_path / "walk.png"
    asked = ("--traverse=observation:2", "--reach=1.5", "--identities=2", "--observations=3")
    assert run(*asked, "--seed=3", f"--out={out}") == 0
    rows, (code,) = model.grid_codes(2, 1, seed=3)
    columns = np.stack([code] * 3)
    columns[:, 1] = (-1.5, 0, 1.5)
    np.testing.assert_array_equal(pixels(out), tile(model.generate(rows, columns)))


@pytest.mark.parametrize(
    ("part", "size", "frames"),
    [("identity", (8, 3 * 10 - 2), 9), ("observation", (8 * 10 - 2, 8), 17), ("both", (8, 8), 9)],
)
def test_a_film_shows_the_walk_frame_by_frame(part, size, frames, run, tmp_path):
    out = tmp_path / "walk.gif"
    asked = {
        "identity": ("--observations=3",),
        "observation": ("--observation_seeds=1,2,3",),
        "both": ("--identity_seeds=1,2",),
    }[part]
    assert run(f"--interpolate={part}", *asked, "--fps=25", f"--out={out}") == 0
    with Image.open(out) as film:
        assert (film.size[::-1], film.n_frames) == (size, frames)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([RUN], "Name what to write by --out"),
        ([RUN, "--out=a.jpg"], "one of ('.gif', '.mp4'). Received: a.jpg"),
        ([RUN, "--out=a.gif"], "by --interpolate=identity"),
        ([RUN, "--out=a.png", "b.png"], "Flags have the form --name=value. Received: b.png"),
        (["--out=a.png"], "one of --run_dir and --saved_model"),
        ([RUN, "--saved_model=b", "--out=a.png"], "Received: --run_dir=/"),
        (["--saved_model=b", "--out=a.png"], "bin/generate: There is no SavedModel in b"),
        (["--run_dir=b", "--out=a.png"], "b is not a run directory"),
        ([RUN, "--checkpoint=7", "--out=a.png"], "checkpoints of the steps [60]"),
        ([RUN, "--codes=c.npz", "--out=a.png"], "The codes in c.npz cannot be read"),
        ([RUN, "--identities=99999", "--out=a.png"], "more than the 64,000,000 allowed"),
        ([RUN, "--interpolate=both", "--steps=999999", "--out=a.gif"], "more than the 64,000,000"),
        ([RUN, "--identities=999999", "--out=a"], "1,000,000 images at most"),
        ([RUN, "--traverse=slant:1", "--out=a.png"], "of observation of 2. Received: slant:1"),
        ([RUN, "--traverse=slant", "--out=a.png"], "PART:NUMBER. Received: --traverse=slant"),
        ([RUN, "--traverse=a:1", "--observation_seeds=1", "--out=a.png"], "what the columns are"),
        ([RUN, "--identities=2", "--identity_seeds=3", "--out=a.png"], "only one of these"),
        ([RUN, "--identity_seeds=x", "--out=a.png"], "Seeds are whole numbers. Received: x"),
        ([RUN, "--identity_seeds=" + "9" * 20, "--out=a.png"], "fit into 64 bits"),
    ],
    ids=lambda value: "" if isinstance(value, list) else value[:20],
)
def test_errors_are_messages_and_nothing_is_written(
    arguments, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)
    assert commands.call(generate, *arguments) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "argument",
    ["--identities=-1", "--observations=0", "--truncation=1.5", "--steps=0", "--path=bent"],
)
def test_values_out_of_range_are_refused_by_their_flag(argument, capsys):
    assert commands.call(generate, argument) == command.USAGE
    assert "bin/generate --help" in capsys.readouterr().err


def test_people_are_put_into_the_poses_of_images(tmp_path, monkeypatch, capsys):
    people = sd.data.drawn(3, 2, 20, keypoints=True, bodies=True)
    for number, (image, points) in enumerate(zip(people.images, people.fields["keypoints"])):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
        content = json.dumps({"keypoints": points.tolist()})
        (tmp_path / f"{number}.json").write_text(content)
    posed = dpig.make(3)
    monkeypatch.setattr(source_flags, "load", lambda values: posed)
    names = [str(tmp_path / f"{number}.png") for number in (4, 1, 2)]
    out = tmp_path / "posed.png"
    asked = (f"--pose={','.join(names)}", "--identities=2", f"--out={out}")
    assert commands.call(generate, *asked) == 0
    identity, observation = posed.grid_codes(2, 3)
    # Images of 20 pixels become ones of 16.
    points = people.fields["keypoints"][[4, 1, 2]].copy()
    points[..., :2] = ((points[..., :2] + 0.5) * 0.8 - 0.5) * points[..., 2:]
    expected = posed.generate(identity, posed.in_poses(observation, points))
    np.testing.assert_array_equal(pixels(out), tile(expected))
    assert np.any(expected != posed.generate(identity, observation))
    assert commands.call(generate, *asked, "--observations=2") == 1
    assert "Received: 2 codes, 3 poses" in capsys.readouterr().err

    # A part of the code by itself, drawn and walked.
    asked = ("--vary=pose", "--identities=2", f"--out={out}")
    assert commands.call(generate, *asked, "--observations=3") == 0
    observation[:, :4] = observation[0, :4]
    np.testing.assert_array_equal(pixels(out), tile(posed.generate(identity, observation)))
    assert commands.call(generate, *asked, "--interpolate=observation", "--steps=4") == 0
    way = posed.generate(identity, walk(observation[:2], 4))
    np.testing.assert_array_equal(pixels(out), tile(way))
    assert commands.call(generate, "--vary=hat", f"--out={out}") == 1
    told = "The parts of this code are foreground, background, pose. Received: hat"
    assert told in capsys.readouterr().err


def test_poses_of_a_model_without_any_are_refused(run, tmp_path, capsys):
    assert run("--pose=a.png", f"--out={tmp_path / 'x.png'}") == 1
    assert "This model has no poses" in capsys.readouterr().err
