"""bin/invert: photos of any kind in, codes and edits out."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import sdgan_tf as sd
from sdgan_tf import evaluation, generation
from sdgan_tf.cli import invert, source_flags
from sdgan_tf.evaluation import Verifier
from tests import commands
from tests.models import test_dpig as dpig

RUN = f"--run_dir={commands.GOLDEN}"
QUICK = ("--steps=3", "--random_codes=8", "--restarts=2")


@pytest.fixture(scope="module")
def model():
    """Return the model of the golden run."""
    return sd.load_run(commands.GOLDEN)


@pytest.fixture
def photos(tmp_path):
    """Return the names of a small photo and of a large one that is not square."""
    rng = np.random.default_rng(0)
    names = [tmp_path / "small.png", tmp_path / "large.jpg"]
    for name, shape in zip(names, [(8, 8, 3), (40, 30, 3)]):
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(name)
    return names


@pytest.mark.once
def test_the_launcher_writes_codes_and_edits(model, photos, tmp_path):
    out = tmp_path / "inverted"
    done = commands.launch("invert", *map(str, photos), RUN, *QUICK, f"--out={out}")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{photos[0]}: error ")
    assert lines[1].startswith(f"{photos[1]}: error ") and "best of 8 random codes" in lines[1]
    assert lines[2:] == [f"Written: {out}"]
    codes = generation.load_codes(out / "codes.npz")
    assert codes["identity"].shape == codes["observation"].shape == (2, 2)
    errors = json.loads((out / "errors.json").read_text())
    assert [item["photo"] for item in errors] == list(map(str, photos))
    assert all(item["error"] <= item["random_error"] for item in errors)
    names = ("inversion", "observations", "identities", "interpolation")
    assert {item.name for item in out.glob("*.png")} == {f"{name}.png" for name in names}


def test_people_are_encoded_by_their_keypoints(tmp_path, monkeypatch, capsys):
    people = sd.data.drawn(3, 1, 16, keypoints=True, bodies=True)
    fields, names = people.fields, [str(tmp_path / f"{number}.png") for number in range(2)]
    for number, name in enumerate(names):
        Image.fromarray(people.images[number]).save(name)
        Image.fromarray(255 * fields["mask"][number, ..., 0]).save(f"{name[:-4]}.mask.png")
        content = json.dumps({"keypoints": fields["keypoints"][number].tolist()})
        (tmp_path / f"{number}.json").write_text(content)
    known = dpig.make(3)
    monkeypatch.setattr(source_flags, "load", lambda values: known)
    asked = (*names, "--keypoints", *QUICK, f"--out={tmp_path / 'out'}")
    assert commands.call(invert, *asked) == 0
    lines = capsys.readouterr().out.splitlines()
    errors = json.loads((tmp_path / "out" / "errors.json").read_text())
    for line, item in zip(lines, errors):
        worse = item["error"] >= item["random_error"]
        assert line.endswith("no better: the model does not know such images") == worse
    codes = generation.load_codes(tmp_path / "out" / "codes.npz")
    parts = (people.images[:2], fields["keypoints"][:2], fields["mask"][:2])
    for name, expected in zip(generation.PARTS, known.encode(*parts)):
        np.testing.assert_allclose(codes[name], expected, rtol=1e-4, atol=1e-4, err_msg=name)
    other = f"--out={tmp_path / 'other'}"
    assert commands.call(invert, *asked[:-1], other, "--same_identity") == 1
    assert "leave out --same_identity and --verifier" in capsys.readouterr().err
    monkeypatch.setattr(source_flags, "load", lambda values: sd.SDGAN(image_size=16, dim=2))
    assert commands.call(invert, *asked[:-1], other) == 1
    assert "leave out --keypoints. Received: SDGAN" in capsys.readouterr().err


def test_a_verifier_and_a_shared_identity_are_used(model, photos, tmp_path, monkeypatch):
    used = []

    def network(images):
        used.append(images.shape)
        return images[:, ::4, ::4, 0]

    monkeypatch.setattr(source_flags, "load", lambda values: model)
    verifier = Verifier(network, "corners", 8)
    monkeypatch.setattr(evaluation, "load_verifier", {"corners": verifier}.get)
    asked = ("--same_identity", "--verifier=corners", "--fit=pad", f"--out={tmp_path / 'inverted'}")
    assert commands.call(invert, *photos, *QUICK, *asked) == 0
    assert used
    identity = generation.load_codes(tmp_path / "inverted" / "codes.npz")["identity"]
    np.testing.assert_array_equal(identity[0], identity[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([RUN, "--out=inverted"], "Name photos"),
        (["small.png", RUN], "Name photos"),
        (["small.png", RUN, "--out=large.jpg"], "large.jpg exists already"),
        (["missing.png", RUN, "--out=inverted"], "bin/invert: missing.png: cannot be read"),
        (["text.png", RUN, "--out=inverted"], "bin/invert: text.png: not an image"),
        (["large.jpg", RUN, "--max_pixels=99", "--out=inverted"], "more than --max_pixels=99"),
        (["small.png", RUN, "--rate=0", "--out=inverted"], "rate is above 0"),
        (["small.png", RUN, "--verifier=none", "--out=inverted"], "Received: none"),
    ],
    ids=lambda value: "" if isinstance(value, list) else value[:20],
)
def test_errors_are_messages_and_nothing_is_written(
    arguments, message, photos, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)
    (tmp_path / "text.png").write_text("Once upon a time")
    assert commands.call(invert, *arguments) == 1
    assert message in capsys.readouterr().err
    assert {item.name for item in tmp_path.iterdir()} == {"small.png", "large.jpg", "text.png"}
