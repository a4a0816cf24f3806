"""Spaces of features from outside, with stand-ins for networks that are large or not installed."""

from __future__ import annotations

import contextlib
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf.evaluation import VerifierError, load_features

IMAGES = np.random.default_rng(0).integers(0, 256, [5, 8, 8, 3], dtype=np.uint8)


def test_inception_of_keras_takes_weights_from_a_file(tmp_path, monkeypatch):
    asked = {}

    def small(**options):
        asked.update(options)
        return lambda images: tf.reduce_mean(images, [1, 2])

    monkeypatch.setattr(keras.applications, "InceptionV3", small)
    path = tmp_path / "notop.h5"
    opened = load_features(path)
    assert asked == dict(
        include_top=False, weights=str(path), input_shape=(299, 299, 3), pooling="avg"
    )
    assert opened.name == "Inception-v3, notop.h5"
    features = opened.embed(IMAGES)
    # In [-1, 1], and not brought to unit length.
    np.testing.assert_allclose(features, IMAGES.mean((1, 2)) / 127.5 - 1, atol=0.02)


def test_a_file_that_holds_no_weights_is_refused(tmp_path):
    path = tmp_path / "text.h5"
    path.write_text("no weights")
    with pytest.raises(VerifierError, match="text.h5 does not hold weights"):
        load_features(path)
    with pytest.raises(VerifierError, match="nowhere"):
        load_features("nowhere")


def test_a_network_of_the_users_own(tmp_path):
    network = keras.Sequential(
        [keras.layers.Input([4, 4, 3]), keras.layers.GlobalAveragePooling2D()]
    )
    path = tmp_path / "features.keras"
    network.save(path)
    opened = load_features(path)
    assert (opened.name, opened.image_size) == ("features", 4)
    expected = IMAGES.mean((1, 2)) / 127.5 - 1
    np.testing.assert_allclose(opened.embed(IMAGES), expected, atol=0.1)


def test_without_torch_fidelity_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(ImportError, match=r"pip install -e '\.\[fidelity\]'"):
        load_features("torch-fidelity")


def test_torch_fidelity_is_given_bytes_with_channels_first(monkeypatch):
    seen = []

    class Tensor(np.ndarray):
        def numpy(self):
            return np.asarray(self)

    def network(batch):
        seen.append(batch)
        return (batch.mean((2, 3)).astype(np.float32).view(Tensor),)

    def create(name, features, cuda):
        assert (name, features, cuda) == ("inception-v3-compat", ["2048"], False)
        return network

    modules = {
        "torch": SimpleNamespace(from_numpy=np.asarray, inference_mode=contextlib.nullcontext),
        "torch_fidelity": ModuleType("torch_fidelity"),
        "torch_fidelity.utils": SimpleNamespace(create_feature_extractor=create),
    }
    modules["torch_fidelity"].__version__ = "0.4.0"
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    opened = load_features("torch-fidelity")
    assert opened.name == "Inception-v3 of torch-fidelity 0.4.0"
    np.testing.assert_allclose(opened.embed(IMAGES, batch_size=2), IMAGES.mean((1, 2)), rtol=1e-6)
    assert [batch.shape for batch in seen] == [(2, 3, 8, 8), (2, 3, 8, 8), (1, 3, 8, 8)]
    assert seen[0].dtype == np.uint8
    grey = opened.embed(IMAGES[..., :1])
    np.testing.assert_allclose(grey, np.repeat(IMAGES[..., :1].mean((1, 2)), 3, 1), rtol=1e-6)
