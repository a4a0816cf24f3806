"""The verification curves as a picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sdgan_tf.evaluation.verification import Curve

SIZE = 480
# Around the square of the curves: left, top, right, bottom.
MARGINS = (64, 16, 16, 56)
# Distinct for colour-blind eyes, too (Okabe and Ito).
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# Drawn larger and then reduced, which makes the lines smooth.
_SCALE = 3


def roc_picture(curves: Mapping[str, Curve]) -> np.ndarray:
    """Verification curves by name, false accept rate against true accept rate: uint8 [h, w, 3]."""
    from PIL import Image, ImageDraw, ImageFont

    left, top, right, bottom = MARGINS
    shape = (left + SIZE + right, top + SIZE + bottom)
    picture = Image.new("RGB", [_SCALE * edge for edge in shape], "white")
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(13 * _SCALE)

    def place(x: float, y: float) -> tuple[float, float]:
        return (left + x * SIZE) * _SCALE, (top + (1 - y) * SIZE) * _SCALE

    for tick in (0, 0.25, 0.5, 0.75, 1):
        pen.line([place(tick, 0), place(tick, 1)], "#DDDDDD", _SCALE)
        pen.line([place(0, tick), place(1, tick)], "#DDDDDD", _SCALE)
        x, y = place(tick, 0)
        pen.text((x, y + 6 * _SCALE), f"{tick:g}", "#444444", font, anchor="mt")
        x, y = place(0, tick)
        pen.text((x - 6 * _SCALE, y), f"{tick:g}", "#444444", font, anchor="rm")
    pen.line([place(0, 0), place(1, 1)], "#999999", _SCALE)
    x, y = place(0.5, 0)
    pen.text((x, y + 34 * _SCALE), "false accept rate", "black", font, anchor="mt")
    pen.text((left * _SCALE // 4, place(0, 1)[1]), "true\naccept\nrate", "black", font)
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [place(*point) for point in zip(curve.false_accepts, curve.true_accepts)]
        pen.line(points, colour, 2 * _SCALE, joint="curve")
        x, y = place(0.45, 0.05 + 0.05 * (len(curves) - number))
        pen.line([(x, y), (x + 24 * _SCALE, y)], colour, 3 * _SCALE)
        pen.text((x + 32 * _SCALE, y), name, "black", font, anchor="lm")
    return np.asarray(picture.resize(shape, Image.Resampling.LANCZOS))
