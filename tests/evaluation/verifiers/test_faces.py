"""The off-the-shelf verifier of faces, against real photographs where there are some."""

from __future__ import annotations

import builtins
import importlib.util
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from sdgan_tf.data import from_directory
from sdgan_tf.evaluation import load_verifier, verification
from sdgan_tf.evaluation.verifiers import faces

ARCHIVE = Path(os.environ.get("SDGAN_REAL_DATA", ""), "london.tar.gz")

PEOPLE = 30

needs_dlib = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ["dlib", "face_recognition_models"])),
    reason="the extra `faces` is not installed",
)


@needs_dlib
def test_embeddings_do_not_depend_on_the_batch_and_images_may_have_any_size():
    images = np.random.default_rng(0).integers(0, 256, [3, 32, 32, 3], dtype=np.uint8)
    verifier = load_verifier("dlib-faces")
    whole = verifier.embed(images)
    assert whole.shape == (3, 128)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(verifier.embed(images[1:2], batch_size=1), whole[1:2])
    assert verifier.embed(images[:1, :24, :24, :1]).shape == (1, 128)
    assert "dlib" in verifier.name


@needs_dlib
@pytest.mark.skipif(
    not (os.environ.get("SDGAN_REAL_DATA") and ARCHIVE.is_file()),
    reason="SDGAN_REAL_DATA names no folder that holds london.tar.gz",
)
def test_it_tells_real_people_apart(tmp_path):
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, **({"filter": "data"} if sys.version_info >= (3, 12) else {}))
    people = from_directory(tmp_path / "london", image_size=64)
    # A neutral and a smiling face each; the first of them, since dlib takes its time.
    images = people.images.reshape(len(people), 2, 64, 64, 3)[:PEOPLE]
    embeddings = faces.face_verifier().embed(images.reshape(-1, 64, 64, 3)).reshape(PEOPLE, 2, -1)
    # Every neutral face against every smiling one: the matched pairs are on the diagonal.
    squared = np.sum((embeddings[:, :1] - embeddings[np.newaxis, :, 1]) ** 2, axis=-1)
    matched = np.diag(squared)
    unmatched = squared[~np.eye(PEOPLE, dtype=bool)]
    assert verification.auc(matched, unmatched) > 0.95


@pytest.mark.parametrize("missing", ["dlib", "face_recognition_models"])
def test_what_is_missing_is_named(missing, monkeypatch):
    real_import, real_find = builtins.__import__, importlib.util.find_spec

    def fail(name, *arguments, **options):
        if name == missing:
            raise ImportError(name)
        return real_import(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", fail)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else real_find(name)
    )
    with pytest.raises(ImportError, match=r"pip install -e '.\[faces\]'"):
        faces.face_verifier()
