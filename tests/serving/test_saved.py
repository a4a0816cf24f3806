"""Exported models, loaded again: the face of the model they were."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tensorflow as tf

import sdgan_tf as sd
from sdgan_tf.models import ImageModel
from tests import own_gan, tiny


@pytest.fixture(scope="module")
def model():
    """Return a model whose two generators differ and whose images vary."""
    made = tiny.model(ema=0.9, law="normal", d_o=3)
    rng = np.random.default_rng(5)
    for variable in (
        *made.averaged_generator.trainable_variables,
        *made.discriminator.trainable_variables,
    ):
        variable.assign(rng.normal(0, 1, variable.shape).astype(np.float32))
    made.step.assign(70)
    return made


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """Return the folder above an export."""
    folder = tmp_path_factory.mktemp("faces")
    model.export(folder / "2")
    return folder


@pytest.fixture(scope="module")
def loaded(folder):
    """Return the export, loaded."""
    return sd.load_saved_model(folder)


def test_it_describes_itself_as_the_model_did(loaded, model, folder):
    for name in ("image_size", "channels", "k", "completed_steps", "identities", "observations"):
        assert getattr(loaded, name) == getattr(model, name)
    assert loaded.latents.parts == model.latents.parts
    assert loaded.latents.parts["observation"] == (("observation", 3, "normal"),)
    assert loaded.model == "sdgan"
    assert loaded.path == folder / "2"
    assert isinstance(loaded, ImageModel) and isinstance(model, ImageModel)


def test_codes_and_images_are_those_of_the_model(loaded, model):
    seeds = [3, -1, 2**40]
    np.testing.assert_array_equal(loaded.identity_codes(seeds), model.identity_codes(seeds))
    np.testing.assert_array_equal(loaded.observation_codes(seeds), model.observation_codes(seeds))
    images = loaded.generate(3, [5, 6], seed=4, batch_size=2)
    assert images.std() > 20
    np.testing.assert_array_equal(images, model.generate(3, [5, 6], seed=4))


def test_images_have_the_gradients_of_the_model(loaded, model):
    codes = tf.random.stateless_normal([2, 5], [1, 2])

    def gradients(source):
        with tf.GradientTape() as tape:
            tape.watch(codes)
            value = tf.reduce_sum(tf.square(source(codes)))
        return tape.gradient(value, codes)

    assert np.abs(gradients(model)).min() > 0
    np.testing.assert_allclose(gradients(loaded), gradients(model), rtol=1e-4, atol=1e-5)


def test_scores_are_those_of_the_model(loaded, model, tuples):
    np.testing.assert_allclose(loaded.score(tuples()), model.score(tuples()), rtol=1e-5)
    for images in (tuples(k=3), tuples().astype(np.float32)):
        with pytest.raises(ValueError, match=r"uint8 \[n, 2, 8, 8, 3\]. Received: "):
            loaded.score(images)


def test_any_parts_of_the_code_come_back_and_what_does_not_score_says_so(tmp_path, tuples):
    model = own_gan.OwnGAN(image_size=8)
    loaded = sd.load_saved_model(model.export(tmp_path / "own" / "1"))
    assert (loaded.model, loaded.k) == ("own_gan", 1)
    assert loaded.latents.parts == model.latents.parts
    np.testing.assert_array_equal(loaded.generate(3, 2), model.generate(3, 2))
    with pytest.raises(NotImplementedError, match="own_gan does not score tuples"):
        loaded.score(tuples(k=1))


def test_a_folder_gives_its_newest_version_that_is_whole(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "faces")
    shutil.copytree(folder / "2", tmp_path / "faces" / "10")
    (tmp_path / "faces" / "11").mkdir()
    assert sd.load_saved_model(tmp_path / "faces").path.name == "10"
    assert sd.load_saved_model(str(tmp_path / "faces" / "2")).path.name == "2"


@pytest.mark.parametrize("where", ["nowhere", "."])
def test_a_folder_without_a_model_is_refused(where, tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no SavedModel in"):
        sd.load_saved_model(tmp_path / where)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index"])
@pytest.mark.parametrize("damage", ["cut", "scrambled"])
def test_a_damaged_model_is_refused(name, damage, folder, tmp_path):
    path = shutil.copytree(folder / "2", tmp_path / "2") / name
    contents = path.read_bytes()
    path.write_bytes(contents[: len(contents) // 2] if damage == "cut" else b"\xff" * 999)
    with pytest.raises(ValueError, match=r"The SavedModel in .*2 cannot be read: "):
        sd.load_saved_model(tmp_path)


def test_another_programs_model_is_refused(tmp_path):
    other = tf.Module()
    other.images = tf.function(lambda codes: codes, [tf.TensorSpec([None, 2])])
    tf.saved_model.save(other, str(tmp_path / "1"))
    with pytest.raises(ValueError, match="it has no identity_codes, observation_codes, desc"):
        sd.load_saved_model(tmp_path)
