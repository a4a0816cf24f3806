"""A run that an earlier version wrote still loads, on both stacks. See tests/golden/README.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from sdgan_tf.images import tile
from sdgan_tf.training import load_run

GOLDEN = Path(__file__).parents[1] / "golden" / "sdgan"


def test_yesterdays_run_still_loads_and_draws_the_same_pictures():
    model = load_run(GOLDEN)
    assert int(model.step) == 60
    grid = tile(model.generate(8, 8, seed=0)).astype(int)
    expected = np.asarray(Image.open(GOLDEN / "samples" / "step-00000060.png")).astype(int)
    # Or any two models would look alike.
    assert expected.std() > 40
    assert grid.shape == expected.shape
    assert np.abs(grid - expected).max() <= 1
