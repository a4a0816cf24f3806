"""Keypoints of the portraits of drawn people."""

from __future__ import annotations

import numpy as np

from sdgan_tf.data.drawn.shapes import NECK, Scene, place, skull
from sdgan_tf.data.drawn.traits import HAIR_STYLES
from sdgan_tf.data.keypoints import NAMES

# Hair of these styles covers the ears.
_COVERING = [HAIR_STYLES.index(style) for style in ("bob", "long")]


def keypoints(p: Scene) -> np.ndarray:
    """Where nose, neck, shoulders, eyes and ears are; a portrait shows no others.

    Args:
        p: the scene, of n images.

    Returns:
        float32 [n, 18, 3]: x and y in [-1, 1] from left to right and from top to bottom, and 1 where the keypoint is
        seen. Eyes behind sunglasses count as seen; those, and ears, that are turned away or under hair do not.
    """
    points = np.zeros((len(NAMES), 3, len(p), 1, 1), np.float32)

    def put(name: str, x, y, seen) -> None:
        points[NAMES.index(name)] = np.stack(np.broadcast_arrays(x, y, seen + 0 * p.zoom))

    def put_head(name: str, at: tuple, seen) -> None:
        x, y = at[0], at[1] - NECK
        x, y = p.tilt_cos * x - p.tilt_sin * y, p.tilt_sin * x + p.tilt_cos * y + NECK
        put(name, (x + p.head_x) * p.zoom, (y + p.head_y) * p.zoom, seen)

    put_head("nose", place(p, 0, 0.27 * p.nose_length, 1.24), 1)
    # The viewer's left is the person's right.
    for name, side in (("right", -1), ("left", 1)):
        eye = place(p, side * p.eye_x, -0.02, np.sqrt(1 - p.eye_x * p.eye_x - 0.0004))
        put_head(f"{name}_eye", eye, eye[2] > 0)
        ear = place(p, side * 1.02, 0.08, -0.12)
        out = (ear[2] > 0) | (skull(p, ear[0], ear[1])[3] > 0)
        put_head(f"{name}_ear", ear, out & ~np.isin(p.hair_style, _COVERING))
        shoulder = side * 0.8 * p.shoulders + 0.6 * p.head_x
        put(f"{name}_shoulder", shoulder * p.zoom, 0.76 * p.zoom, 1)
    put("neck", 0.6 * p.head_x * p.zoom, 0.58 * p.zoom, 1)
    return points[..., 0, 0].transpose(2, 0, 1)
