"""The verification curves, by matplotlib."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sdgan_tf.evaluation.plots import roc_png
from sdgan_tf.evaluation.verification import Curve

pytest.importorskip("matplotlib", reason="needs matplotlib, the extra `plots`")

STEP = Curve(np.array([0, 0.25, 1.0]), np.array([0, 1.0, 1.0]))


def test_each_curve_is_drawn_in_a_colour_of_its_own():
    plain, drawn = (
        np.asarray(Image.open(io.BytesIO(roc_png(curves))).convert("RGB")).astype(int)
        for curves in ({"one": STEP}, {"one": STEP, "$ other": STEP._replace(true_accepts=STEP[0])})
    )
    assert plain.shape == drawn.shape and min(plain.shape[:2]) > 400

    def blue(image):
        return np.count_nonzero(np.all(np.abs(image - [0x00, 0x72, 0xB2]) < 20, axis=-1))

    assert blue(plain) == 0
    assert blue(drawn) > 200
    assert np.count_nonzero(np.all(plain < 40, axis=-1)) > 200
