"""Runs that were written once still load, on both stacks. See tests/golden/README.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdgan_tf.images import tile
from sdgan_tf.models import AdversarialModel
from sdgan_tf.training import load_run

GOLDEN = Path(__file__).parents[1] / "golden"


# Of version 0.1.0, and of today's format.
@pytest.mark.parametrize("name", ["sdgan", "named"])
def test_a_run_that_was_written_once_still_loads_and_draws_the_same_images(name, monkeypatch):
    # Its grid was drawn while it trained, before any recalibration.
    monkeypatch.setattr(AdversarialModel, "recalibrate", lambda model: None)
    model = load_run(GOLDEN / name)
    assert int(model.step) == 60
    grid = tile(model.generate(8, 8, seed=0)).astype(int)
    image = Image.open(GOLDEN / name / "samples" / "step-00000060.png")
    expected = np.asarray(image).astype(int)
    # Or any two models would look alike.
    assert expected.std() > 40
    assert grid.shape == expected.shape
    assert np.abs(grid - expected).max() <= 1
