"""The verifier: embeddings, saving and loading, models that users bring."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.evaluation import Verifier, VerifierError, load_verifier
from sdgan_tf.networks import Embedder


def images_of(count=5, size=8, channels=3, seed=0):
    """Return random images."""
    shape = (count, size, size, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def own(channels=3):
    """Return an untrained verifier of the kind that is trained."""
    network = Embedder(8, channels, dim=2, embedding_size=4)
    network.build()
    return Verifier(network, "own", 8, channels, facts={"auc": 0.98})


def middle(images):
    """Embed an image by the channels in its middle."""
    return images[:, 4, 4]


def test_embeddings_have_unit_length_and_do_not_depend_on_the_batch():
    images = images_of(7)
    verifier = own()
    embeddings = verifier.embed(images)
    assert embeddings.shape == (7, 4) and embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(verifier.embed(images, batch_size=2), embeddings, atol=1e-5)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [("symmetric", [-1, 0.2, 1]), ("unit", [0, 0.6, 1]), ("bytes", [0, 153, 255])],
)
def test_scales_and_the_euclidean_metric(scale, expected):
    images = np.zeros([1, 8, 8, 3], np.uint8) + np.array([0, 153, 255], np.uint8)
    verifier = Verifier(middle, "middle", 8, scale=scale, metric="euclidean")
    np.testing.assert_allclose(verifier.embed(images)[0], expected, atol=1e-5)


def test_each_image_is_standardised_by_itself():
    seen = Verifier(
        lambda images: tf.reshape(images, [-1, 8 * 8 * 3]),
        "all",
        8,
        scale="standardised",
        metric="euclidean",
    ).embed(images_of())
    np.testing.assert_allclose(seen.mean(1), 0, atol=1e-4)
    np.testing.assert_allclose(seen.std(1), 1, atol=1e-3)


def test_other_sizes_are_resized_and_grey_is_repeated():
    verifier = Verifier(middle, "middle", 8, metric="euclidean", scale="bytes")
    flat = np.full([1, 31, 20, 1], 77, np.uint8)
    np.testing.assert_allclose(verifier.embed(flat)[0], [77, 77, 77], atol=1e-3)


def test_one_verifier_takes_images_of_all_kinds():
    verifier = Verifier(middle, "middle", 8, metric="euclidean", scale="bytes")
    for size, channels in ((8, 3), (12, 3), (9, 1), (8, 3)):
        flat = np.full([2, size, size, channels], 77, np.uint8)
        np.testing.assert_allclose(verifier.embed(flat), np.full([2, 3], 77), atol=1e-3)


def test_gradients_pass():
    verifier = own()
    images = tf.constant(images_of() / 127.5 - 1.0, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(verifier.embed_tensor(images)[:, 0])
    assert float(tf.reduce_max(tf.abs(tape.gradient(total, images)))) > 0


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (images_of() / 255.0, "uint8 images.*Received: float64"),
        (images_of()[0], r"Received: uint8 \(8, 8, 3\)"),
        (images_of()[:0], "at least one"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(images, message):
    with pytest.raises(ValueError, match=message):
        own().embed(images)


def test_colour_is_refused_by_a_verifier_of_grey_images_of():
    with pytest.raises(ValueError, match="takes images of 1 channel.*Received: 3"):
        own(channels=1).embed(images_of())


@pytest.mark.parametrize("options", [{"scale": "none"}, {"metric": "none"}])
def test_unknown_settings_are_refused(options):
    with pytest.raises(ValueError, match="is one of.*Received: 'none'"):
        Verifier(middle, "middle", 8, **options)


def test_saved_and_loaded_it_is_the_same(tmp_path):
    verifier = own()
    loaded = load_verifier(verifier.save(tmp_path / "verifier"))
    np.testing.assert_array_equal(loaded.embed(images_of()), verifier.embed(images_of()))
    assert (loaded.name, loaded.image_size, loaded.channels) == ("own", 8, 3)
    assert loaded.facts == {"auc": 0.98}
    with pytest.raises(FileExistsError):
        verifier.save(tmp_path / "verifier")


def test_one_of_version_01_takes_the_mean_over_places(tmp_path):
    network = Embedder(8, 3, dim=2, embedding_size=4, pooling="mean")
    network.build()
    verifier = Verifier(network, "old", 8)
    folder = verifier.save(tmp_path / "old")
    config = json.loads((folder / "verifier.json").read_text())
    del config["network"]["pooling"]
    (folder / "verifier.json").write_text(json.dumps(config))
    np.testing.assert_array_equal(
        load_verifier(folder).embed(images_of()), verifier.embed(images_of())
    )


def test_a_brought_verifier_is_not_saved(tmp_path):
    with pytest.raises(VerifierError, match="train_verifier"):
        Verifier(middle, "middle", 8).save(tmp_path / "verifier")


def brought(size=8):
    """Return a Keras model as a user may bring it."""
    inputs = keras.Input([size, size, 3])
    return keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(inputs)))


def test_a_keras_model_may_be_a_verifier(tmp_path):
    model = brought()
    model.save(tmp_path / "mine.keras")
    verifier = load_verifier(tmp_path / "mine.keras", scale="unit")
    assert (verifier.name, verifier.image_size) == ("mine", 8)
    expected = np.array(model(images_of() / np.float32(255)))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(verifier.embed(images_of()), expected, atol=1e-5)


def test_a_saved_model_may_be_a_verifier(tmp_path):
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
    np.testing.assert_allclose(verifier.embed(images_of()), again.embed(images_of()), atol=1e-5)


def test_what_cannot_be_a_verifier_is_refused(tmp_path):
    with pytest.raises(VerifierError, match="A verifier is a folder.*Received"):
        load_verifier(tmp_path / "nothing")
    (tmp_path / "text.keras").write_text("not a model")
    with pytest.raises(VerifierError, match="has to be in the .keras format"):
        load_verifier(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "empty.keras", "w"):
        pass
    with pytest.raises(VerifierError, match="Could not read the verifier"):
        load_verifier(tmp_path / "empty.keras")
    folder = own().save(tmp_path / "torn")
    (folder / "weights.npz").write_bytes(b"torn")
    with pytest.raises(VerifierError, match="Could not read"):
        load_verifier(folder)


def test_weights_that_do_not_fit_are_refused(tmp_path):
    folder = own().save(tmp_path / "verifier")
    config = json.loads((folder / "verifier.json").read_text())
    config["network"]["dim"] = 3
    (folder / "verifier.json").write_text(json.dumps(config))
    with pytest.raises(VerifierError, match="does not fit"):
        load_verifier(folder)


@pytest.mark.parametrize(
    "giant",
    [
        {"dim": 2**13},
        {"embedding_size": 2**16, "dim": 2**10},
        {"image_size": 2**14},
        {"dim": 2**40},
    ],
    ids=["wide", "long", "large", "absurd"],
)
def test_a_giant_network_is_refused_before_it_is_built(giant, tmp_path, monkeypatch):
    folder = own().save(tmp_path / "verifier")
    config = json.loads((folder / "verifier.json").read_text())
    config["network"].update(giant)
    (folder / "verifier.json").write_text(json.dumps(config))
    built = []
    monkeypatch.setattr(Embedder, "build", lambda self: built.append(self))
    with pytest.raises(VerifierError, match="does not fit|is damaged: a network has"):
        load_verifier(folder)
    assert not built


def test_weights_that_unpack_to_more_than_the_file_are_refused(tmp_path):
    network = Embedder(8, 3, dim=256, embedding_size=4)
    network.build()
    folder = Verifier(network, "own", 8).save(tmp_path / "verifier")
    with np.load(folder / "weights.npz") as file:
        np.savez_compressed(folder / "weights.npz", **{name: 0 * file[name] for name in file.files})
    with pytest.raises(VerifierError, match="bytes unpacked, more than"):
        load_verifier(folder)


@pytest.mark.parametrize("name", ["evil.h5", "evil.hdf5", "evil.keras"])
def test_hdf5_is_refused_before_it_can_run_code(name, tmp_path):
    written = tmp_path / "written"
    inputs = keras.Input([8, 8, 3])
    # Its bytecode is stored in the file, and runs wherever Keras 2 opens that.
    code = f"(__import__('pathlib').Path({str(written)!r}).touch(), images)[1]"
    evil = keras.layers.Lambda(eval(f"lambda images: {code}"), output_shape=(8, 8, 3))
    keras.Model(inputs, evil(inputs)).save(tmp_path / "evil.h5")
    (tmp_path / "evil.h5").rename(tmp_path / name)
    written.unlink(missing_ok=True)
    with pytest.raises(VerifierError, match=f"has to be in the .keras format.*{name}"):
        load_verifier(tmp_path / name)
    assert not written.exists()


def test_code_in_a_keras_file_is_refused(tmp_path):
    inputs = keras.Input([8, 8, 3])
    evil = keras.layers.Lambda(lambda images: images * 2, output_shape=(8, 8, 3))
    keras.Model(inputs, evil(inputs)).save(tmp_path / "evil.keras")
    with pytest.raises(VerifierError, match="Could not read the verifier.*evil.keras"):
        load_verifier(tmp_path / "evil.keras")


def test_a_brought_network_is_used_as_it_is_told(tmp_path):
    brought().save(tmp_path / "mine.keras")
    plain = load_verifier(tmp_path / "mine.keras")
    assert plain.describe_input() == (
        "colour images of 8x8 pixels, scale standardised, cosine distance"
    )
    told = load_verifier(tmp_path / "mine.keras", 8, "bytes", "euclidean")
    assert (told.image_size, told.scale, told.metric) == (8, "bytes", "euclidean")
    assert np.abs(told.embed(images_of())).max() > 2


@pytest.mark.parametrize("options", [{"image_size": 8}, {"scale": "unit"}, {"metric": "cosine"}])
def test_our_own_verifiers_need_not_be_told(options, tmp_path):
    folder = own().save(tmp_path / "verifier")
    for path in (folder, "dlib-faces"):
        with pytest.raises(VerifierError, match="knows the size, the scale and the metric"):
            load_verifier(path, **options)


def test_a_network_of_grey_images_says_so(tmp_path):
    inputs = keras.Input([8, 8, 1])
    keras.Model(inputs, keras.layers.Flatten()(inputs)).save(tmp_path / "grey.keras")
    assert load_verifier(tmp_path / "grey.keras").channels == 1


def test_what_takes_no_images_is_refused(tmp_path):
    inputs = keras.Input([8])
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(tmp_path / "flat.keras")
    with pytest.raises(VerifierError, match=r"takes one batch of images.*\(None, 8\)"):
        load_verifier(tmp_path / "flat.keras")


def test_a_model_of_any_size_needs_to_be_told_one(tmp_path):
    inputs = keras.Input([None, None, 3])
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    model.save(tmp_path / "any.keras")
    with pytest.raises(VerifierError, match="size of images it takes: say it by verifier_size"):
        load_verifier(tmp_path / "any.keras")
    assert load_verifier(tmp_path / "any.keras", image_size=8).image_size == 8
