"""The judge: embeddings, saving and loading, models that users bring."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.evaluation import Verifier, VerifierError, load_verifier
from sdgan_tf.networks import Embedder


def pictures(count=5, size=8, channels=3, seed=0):
    """Return random pictures."""
    shape = (count, size, size, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def own(channels=3):
    """Return an untrained verifier of the kind that is trained."""
    network = Embedder(8, channels, dim=2, embedding_size=4)
    network.build()
    return Verifier(network, "own", 8, channels, facts={"auc": 0.98})


def middle(images):
    """Embed a picture by the channels in its middle."""
    return images[:, 4, 4]


def test_embeddings_have_unit_length_and_do_not_depend_on_the_batch():
    images = pictures(7)
    verifier = own()
    found = verifier.embed(images)
    assert found.shape == (7, 4) and found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(verifier.embed(images, batch_size=2), found, atol=1e-5)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [("symmetric", [-1, 0.2, 1]), ("unit", [0, 0.6, 1]), ("bytes", [0, 153, 255])],
)
def test_scales_and_the_euclidean_metric(scale, expected):
    images = np.zeros([1, 8, 8, 3], np.uint8) + np.array([0, 153, 255], np.uint8)
    verifier = Verifier(middle, "middle", 8, scale=scale, metric="euclidean")
    np.testing.assert_allclose(verifier.embed(images)[0], expected, atol=1e-5)


def test_each_picture_is_standardised_by_itself():
    seen = Verifier(
        lambda images: tf.reshape(images, [-1, 8 * 8 * 3]),
        "all",
        8,
        scale="standardised",
        metric="euclidean",
    ).embed(pictures())
    np.testing.assert_allclose(seen.mean(1), 0, atol=1e-4)
    np.testing.assert_allclose(seen.std(1), 1, atol=1e-3)


def test_other_sizes_are_resized_and_grey_is_repeated():
    verifier = Verifier(middle, "middle", 8, metric="euclidean", scale="bytes")
    flat = np.full([1, 31, 20, 1], 77, np.uint8)
    np.testing.assert_allclose(verifier.embed(flat)[0], [77, 77, 77], atol=1e-3)


def test_one_verifier_takes_pictures_of_all_kinds():
    verifier = Verifier(middle, "middle", 8, metric="euclidean", scale="bytes")
    for size, channels in ((8, 3), (12, 3), (9, 1), (8, 3)):
        flat = np.full([2, size, size, channels], 77, np.uint8)
        np.testing.assert_allclose(verifier.embed(flat), np.full([2, 3], 77), atol=1e-3)


def test_gradients_pass():
    verifier = own()
    images = tf.constant(pictures() / 127.5 - 1.0, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(verifier.embed_tensor(images)[:, 0])
    assert float(tf.reduce_max(tf.abs(tape.gradient(total, images)))) > 0


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (pictures() / 255.0, "uint8 pictures.*Received: float64"),
        (pictures()[0], r"Received: uint8 \(8, 8, 3\)"),
        (pictures()[:0], "at least one"),
    ],
)
def test_what_is_no_batch_of_pictures_is_refused(images, message):
    with pytest.raises(ValueError, match=message):
        own().embed(images)


def test_colour_is_refused_by_a_verifier_of_grey_pictures():
    with pytest.raises(ValueError, match="takes pictures of 1 channel.*Received: 3"):
        own(channels=1).embed(pictures())


@pytest.mark.parametrize("options", [{"scale": "none"}, {"metric": "none"}])
def test_unknown_settings_are_refused(options):
    with pytest.raises(ValueError, match="is one of.*Received: 'none'"):
        Verifier(middle, "middle", 8, **options)


def test_saved_and_loaded_it_is_the_same(tmp_path):
    verifier = own()
    loaded = load_verifier(verifier.save(tmp_path / "judge"))
    np.testing.assert_array_equal(loaded.embed(pictures()), verifier.embed(pictures()))
    assert (loaded.name, loaded.image_size, loaded.channels) == ("own", 8, 3)
    assert loaded.facts == {"auc": 0.98}
    with pytest.raises(FileExistsError):
        verifier.save(tmp_path / "judge")


def test_a_brought_judge_is_not_saved(tmp_path):
    with pytest.raises(VerifierError, match="train_verifier"):
        Verifier(middle, "middle", 8).save(tmp_path / "judge")


def brought(size=8):
    """Return a Keras model as a user may bring it."""
    inputs = keras.Input([size, size, 3])
    return keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(inputs)))


def test_a_keras_model_may_judge(tmp_path):
    model = brought()
    model.save(tmp_path / "mine.keras")
    verifier = load_verifier(tmp_path / "mine.keras", scale="unit")
    assert (verifier.name, verifier.image_size) == ("mine", 8)
    expected = np.array(model(pictures() / np.float32(255)))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(verifier.embed(pictures()), expected, atol=1e-5)


def test_a_saved_model_may_judge(tmp_path):
    model = brought()
    signature = tf.function(lambda images: model(images)).get_concrete_function(
        tf.TensorSpec([None, 8, 8, 3], tf.float32)
    )
    module = tf.Module()
    module.weights = [keras_compat.tensor_of(variable) for variable in model.variables]
    tf.saved_model.save(module, str(tmp_path / "mine"), signatures=signature)
    verifier = load_verifier(tmp_path / "mine", scale="unit")
    again = Verifier(model, "again", 8, scale="unit")
    assert verifier.image_size == 8
    np.testing.assert_allclose(verifier.embed(pictures()), again.embed(pictures()), atol=1e-5)


def test_what_cannot_be_a_judge_is_refused(tmp_path):
    with pytest.raises(VerifierError, match="A verifier is a folder.*Received"):
        load_verifier(tmp_path / "nothing")
    (tmp_path / "text.keras").write_text("not a model")
    with pytest.raises(VerifierError, match="Could not read the verifier"):
        load_verifier(tmp_path / "text.keras")
    folder = own().save(tmp_path / "torn")
    (folder / "weights.npz").write_bytes(b"torn")
    with pytest.raises(VerifierError, match="Could not read"):
        load_verifier(folder)


def test_weights_that_do_not_fit_are_refused(tmp_path):
    folder = own().save(tmp_path / "judge")
    config = json.loads((folder / "verifier.json").read_text())
    config["network"]["dim"] = 3
    (folder / "verifier.json").write_text(json.dumps(config))
    with pytest.raises(VerifierError, match="does not fit"):
        load_verifier(folder)


def test_a_model_of_any_size_needs_to_be_told_one(tmp_path):
    inputs = keras.Input([None, None, 3])
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    model.save(tmp_path / "any.keras")
    with pytest.raises(VerifierError, match="give image_size"):
        load_verifier(tmp_path / "any.keras")
    assert load_verifier(tmp_path / "any.keras", image_size=8).image_size == 8
