"""SavedModels: four signatures that TensorFlow alone can answer."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf import serving
from sdgan_tf.serving import warmup
from tests import own_gan, tiny


def codes(model, count, seed=0):
    """Return random identity and observation codes."""
    rng = np.random.default_rng(seed)
    return {
        "identity": rng.normal(size=(count, model.d_i)).astype(np.float32),
        "observation": rng.normal(size=(count, model.d_o)).astype(np.float32),
    }


def ask(signature, **inputs):
    """Return a signature's answers as arrays."""
    answers = signature(**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in answers.items()}


def test_the_signatures_are_the_promised_ones(served, model):
    spec = {
        name: (
            {key: (item.dtype.name, item.shape.as_list()) for key, item in inputs[1].items()},
            {key: (v.dtype.name, v.shape.as_list()) for key, v in outputs.items()},
        )
        for name, signature in served.items()
        for inputs, outputs in [
            (signature.structured_input_signature, signature.structured_outputs)
        ]
    }
    both = {"identity": ("float32", [None, 2]), "observation": ("float32", [None, 2])}
    images = ("uint8", [None, 8, 8, 3])
    assert spec == {
        "serving_default": (both, {"images": images}),
        "generate_png": (both, {"image_bytes": ("string", [None])}),
        "sample": (
            {"identity_seed": ("int64", [None]), "observation_seed": ("int64", [None])},
            {"images": images, **both},
        ),
        "score": ({"images": ("uint8", [None, 2, 8, 8, 3])}, {"score": ("float32", [None])}),
    }


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, model):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="Cannot write to .*1: .* Nothing is left there."):
            serving.export(model, tmp_path / "1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_a_model_that_does_not_score_has_no_such_signature(tmp_path):
    path = serving.export(own_gan.OwnGAN(image_size=8), tmp_path / "own" / "1")
    names = set(tf.saved_model.load(str(path)).signatures)
    assert names == {"serving_default", "generate_png", "sample"}


def test_an_export_describes_its_parts_size_and_channels(path, model):
    description = json.loads(tf.saved_model.load(str(path)).description().numpy())
    expected = {
        "model": "sdgan",
        "step": 0,
        "latents": model.latents.get_config(),
        "image_size": 8,
        "channels": 3,
        "k": 2,
        "identities": None,
        "observations": None,
        "scores": True,
        "data": None,
    }
    assert {name: description[name] for name in expected} == expected


def test_images_equal_those_of_the_model_bit_for_bit(served, model):
    asked = codes(model, 5)
    images = ask(served["serving_default"], **asked)["images"]
    expected = model.render(np.concatenate([asked["identity"], asked["observation"]], axis=1))
    assert images.std() > 20
    np.testing.assert_array_equal(images, expected)


def test_samples_are_the_grid_of_the_model(served, model):
    rows, columns = np.repeat([7, 2**40], 3), np.tile([1, 2, 3], 2)
    answers = ask(served["sample"], identity_seed=rows, observation_seed=columns)
    np.testing.assert_array_equal(
        answers["images"].reshape(2, 3, 8, 8, 3), model.generate([7, 2**40], [1, 2, 3])
    )
    asked = {name: answers[name] for name in ("identity", "observation")}
    again = ask(served["serving_default"], **asked)["images"]
    np.testing.assert_array_equal(again, answers["images"])


def test_equal_seeds_give_equal_codes_and_others_do_not(served):
    seeds = {"identity_seed": np.array([3, 3, 4]), "observation_seed": np.array([3, 5, 5])}
    answers = ask(served["sample"], **seeds)
    identity, observation = answers["identity"], answers["observation"]
    np.testing.assert_array_equal(identity[0], identity[1])
    np.testing.assert_array_equal(observation[1], observation[2])
    assert np.all(identity[1] != identity[2])
    assert np.all(observation[0] != observation[1])
    # The same number as an identity's and as an observation's seed are two things.
    assert np.all(identity[0] != observation[0])


def test_an_answer_does_not_depend_on_its_batch(served, model, tuples):
    asked = codes(model, 7)
    whole = ask(served["serving_default"], **asked)["images"]
    for rows in (slice(0, 1), slice(1, 4), slice(4, 7)):
        part = ask(served["serving_default"], **{name: v[rows] for name, v in asked.items()})
        np.testing.assert_array_equal(part["images"], whole[rows])
    images = tuples(count=5)
    scores = ask(served["score"], images=images)["score"]
    alone = [ask(served["score"], images=images[i : i + 1])["score"][0] for i in range(5)]
    np.testing.assert_allclose(alone, scores, rtol=1e-5)


def test_scores_are_those_of_the_model(served, model, tuples):
    images = tuples(count=4)
    scores = ask(served["score"], images=images)["score"]
    np.testing.assert_allclose(scores, model.score(images), rtol=1e-5)
    assert len(set(scores.tolist())) == 4


def test_pngs_decode_to_the_images(served, model):
    asked = codes(model, 3)
    encoded = ask(served["generate_png"], **asked)["image_bytes"]
    decoded = [tf.io.decode_png(item).numpy() for item in encoded]
    np.testing.assert_array_equal(decoded, ask(served["serving_default"], **asked)["images"])


def test_an_empty_batch_is_answered(served, model):
    assert ask(served["serving_default"], **codes(model, 0))["images"].shape == (0, 8, 8, 3)
    assert ask(served["generate_png"], **codes(model, 0))["image_bytes"].shape == (0,)


def test_a_version_holds_what_tensorflow_writes_and_warm_up_requests(path):
    names = {entry.name for entry in path.iterdir()}
    assert {"saved_model.pb", "variables"} <= names
    written = {"saved_model.pb", "variables", "assets", "fingerprint.pb"}
    assert names <= written | ({"assets.extra"} if warmup.available() else set())
    assert [entry.name for entry in path.parent.iterdir()] == ["1"]


ALONE = """
import sys

sys.path.append(sys.argv[1])
import importlib.util, json, sys
import numpy as np
import tensorflow as tf
from tensorflow.python.tools import saved_model_cli

assert importlib.util.find_spec("sdgan_tf") is None, "the package is on the path"
path, out = sys.argv[2:]
v1 = tf.compat.v1
with v1.Session(graph=tf.Graph()) as session:
    meta = v1.saved_model.load(session, ["serve"], path)
    signature = meta.signature_def["sample"]
    feed = {signature.inputs[name].name: [5, 6] for name in ("identity_seed", "observation_seed")}
    images = session.run(signature.outputs["images"].name, feed)
np.save(out + "/v1.npy", images)
exprs = ";".join(f"{name}=[5, 6]" for name in ("identity_seed", "observation_seed"))
sys.argv = [
    "saved_model_cli", "run", "--dir", path, "--tag_set", "serve", "--signature_def", "sample",
    "--input_exprs", exprs, "--outdir", out,
]
saved_model_cli.main()
assert not [name for name in sys.modules if name.startswith("sdgan_tf")]
"""


def test_an_export_needs_tensorflow_alone(path, model, tmp_path):
    """TensorFlow 1's loader and saved_model_cli answer in a process that has no sdgan_tf."""
    script = tmp_path / "alone.py"
    script.write_text(ALONE)
    done = subprocess.run(
        # Isolated and without site: an editable install puts sdgan_tf on the path by a .pth file.
        [
            sys.executable,
            "-I",
            "-S",
            str(script),
            sysconfig.get_path("purelib"),
            str(path),
            str(tmp_path),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = np.stack([model.generate([seed], [seed])[0, 0] for seed in (5, 6)])
    for name in ("v1.npy", "images.npy"):
        np.testing.assert_array_equal(np.load(tmp_path / name), expected, err_msg=name)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_nothing_is_overwritten(model, tmp_path, kind):
    path = tmp_path / "1"
    if kind == "file":
        path.write_text("mine")
    else:
        path.mkdir()
    with pytest.raises(FileExistsError, match="nothing is overwritten"):
        serving.export(model, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["1"]
    assert path.is_dir() or path.read_text() == "mine"


def test_an_export_that_fails_leaves_nothing(model, tmp_path, monkeypatch):
    def save(served, folder, signatures):
        Path(folder, "saved_model.pb").write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", save)
    with pytest.raises(OSError, match="No space"):
        serving.export(model, tmp_path / "faces" / "1")
    assert not list((tmp_path / "faces").iterdir())


def test_versions_count_on_from_the_greatest(tmp_path):
    folder = tmp_path / "faces"
    assert serving.next_version(folder) == folder / "1"
    for name in ("2", "10", "9", "notes", ".11.77.part", "²"):
        (folder / name).mkdir(parents=True)
    assert serving.next_version(folder) == folder / "11"


def test_versions_do_not_fit_below_a_file(tmp_path):
    (tmp_path / "faces").touch()
    with pytest.raises(NotADirectoryError, match="is a file"):
        serving.next_version(tmp_path / "faces")


def test_without_an_average_the_trained_generator_is_served(tmp_path):
    model = tiny.model()
    answers = tf.saved_model.load(str(serving.export(model, tmp_path / "1"))).signatures
    images = ask(answers["serving_default"], **codes(model, 2))["images"]
    expected = model.render(np.concatenate(list(codes(model, 2).values()), axis=1))
    np.testing.assert_array_equal(images, expected)


@pytest.mark.parametrize(
    ("size", "rows"), [(64, 64), (256, 4), (4096, 1)], ids=["most", "by memory", "one"]
)
def test_a_batch_is_as_large_as_its_maps_allow(size, rows):
    # A row's map at 256 pixels: 4 bytes x 256 x 256 x 64 wide x k = 2, so 32 MiB, of 128.
    shape = SimpleNamespace(image_size=size, generator=SimpleNamespace(dim=64), k=2)
    assert serving.batch_rows(shape) == rows
