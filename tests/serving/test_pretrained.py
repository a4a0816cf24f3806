"""The trained model that comes along: it loads on both stacks and shows what it showed."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import sdgan_tf as sd
from sdgan_tf.images import tile
from sdgan_tf.serving.saved import PRETRAINED, _installed

GOLDEN = "tests/golden/drawn.png"


@pytest.fixture(scope="module")
def drawn():
    return sd.from_pretrained("drawn")


def test_it_shows_what_it_showed(drawn, pytestconfig):
    golden = np.asarray(Image.open(pytestconfig.rootpath / GOLDEN)).astype(int)
    shown = tile(drawn.generate(identities=4, observations=4, seed=1)).astype(int)
    # Processors round otherwise.
    assert np.abs(shown - golden).max() <= 2


def test_rows_are_one_identity_and_columns_one_observation(drawn):
    images = drawn.generate(identities=8, observations=8, seed=2).astype(float)
    rows, columns = images.mean(axis=1), images.mean(axis=0)
    # Each code moves the image on its own.
    assert np.std(rows, axis=0).mean() > 5
    assert np.std(columns, axis=0).mean() > 5
    alone = sd.from_pretrained("drawn").generate(identities=1, observations=8, seed=2)
    np.testing.assert_array_equal(alone[0], images[0])


def test_it_is_the_quick_starts(drawn):
    assert (drawn.model, drawn.image_size, drawn.channels, drawn.k) == ("sdgan", 64, 3, 2)
    assert drawn.latents.get_config() == {
        "identity": [["identity", 32, "normal"]],
        "observation": [["observation", 32, "normal"]],
    }
    images = drawn.generate(2, 2)
    assert np.shape(drawn.score(images)) == (2,)
    codes = np.zeros([1, 64], np.float32)
    assert np.abs(drawn(codes)).max() <= 1


def test_it_is_small_and_has_a_card():
    folder = _installed("drawn")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size <= 16e6
    card = (folder / "README.md").read_text()
    assert "flags/quickstart.cfg" in card and "AUC" in card


def test_others_are_refused():
    with pytest.raises(ValueError, match=r"are drawn; .* Received: name='faces'"):
        sd.from_pretrained("faces")
    assert PRETRAINED == ("drawn",)
