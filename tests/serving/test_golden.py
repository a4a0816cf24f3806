"""An export that was written once still loads on both stacks, and shows what it showed."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

import sdgan_tf as sd
from sdgan_tf.images import tile
from tests.commands import ROOT

GOLDEN = ROOT / "tests" / "golden"


def test_an_export_of_the_first_version():
    model = sd.load_saved_model(GOLDEN / "export")
    description = json.loads(model._restored.description().numpy())
    assert "latents" not in description and description["class"] == "SDGAN"
    assert (model.model, model.image_size, model.channels, model.k) == ("sdgan", 64, 3, 2)
    assert model.latents.get_config() == {
        "identity": [["identity", 32, "normal"]],
        "observation": [["observation", 32, "normal"]],
    }
    images = model.generate(identities=4, observations=4, seed=1)
    golden = np.asarray(Image.open(GOLDEN / "export.png")).astype(int)
    # Processors round otherwise.
    assert np.abs(tile(images).astype(int) - golden).max() <= 2
    assert np.shape(model.score(images[:2, :2])) == (2,)
    assert np.abs(model(np.zeros([1, 64], np.float32))).max() <= 1
