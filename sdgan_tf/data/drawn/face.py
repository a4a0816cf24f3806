"""The head of a drawn person: skin, ears, marks, nose, eyes, brows, mouth and beard.

Lengths are in units of half an image; the head's frame has its origin in the middle of the head
and y downwards. See `traits` for what the attributes of the scene `p` mean.
"""

from __future__ import annotations

import numpy as np

from sdgan_tf.data.drawn.shapes import (
    INK,
    RED,
    WHITE,
    Canvas,
    Scene,
    cover,
    ellipse,
    hair_line,
    head_window,
    patch,
    place,
    shade,
    skull,
    smooth,
    stroke,
    unturn,
)


def _ears(canvas: Canvas, p: Scene, front: bool) -> None:
    """Paint both ears, or only the one before the head."""
    p, side = p.each(-1, 1)
    if front:
        shown = place(p, side, 0.08, -0.12)[2] > 0
        p, side = p.where(shown), side[shown[:, 0, 0]]
        if not p:
            return
    x, y, z = place(p, side * 1.02, 0.08, -0.12)
    size = 0.105 * p.ear
    w = head_window(canvas, p, x, y, size * 1.6)
    u, v = w.x - x - 0.25 * side * (w.y - y), w.y - y
    # An ear that turns to the viewer comes out from behind the head.
    seen = smooth(0.0, 0.25, z) if front else 1
    light = shade(p, side * 0.75, 0, 0.5)
    w.paint(p.skin * light, cover(ellipse(u, v, size * 0.78, size * 1.35), p.pixel) * seen)
    inner = smooth(0.3, -0.4, ellipse(u - 0.02 * side, v, size * 0.42, size * 0.85) / size)
    w.paint(p.blush * light * 0.8, inner * 0.6 * seen)


def head(canvas: Canvas, p: Scene) -> None:
    """Paint the skin of the head, with what is soft on it, and the ears."""
    _ears(canvas, p, front=False)
    w = head_window(canvas, p, 0, 0, p.width * 1.25, p.height * 1.05)
    x, y, z, edge = skull(p, w.x, w.y)
    right, down, front = unturn(p, x, y, z)
    up = -down
    aside = np.abs(right)
    cheek = (aside - 0.5) ** 2 + (up + 0.3) ** 2 + np.minimum(front, 0) ** 2
    skin = p.skin + (p.blush - p.skin) * (0.45 * smooth(0.11, 0.0, cheek))
    socket = (aside - p.eye_x) ** 2 * 0.8 + (up - 0.06) ** 2 * 1.6
    socket = 0.30 * smooth(0.08, 0.0, socket)
    # Hair and hats cast a soft shadow on the brow.
    line = np.where(p.hat > 0, up - 0.16 + 0.1 * front, hair_line(p, right, up, front))
    skin = skin * (1 - (1 - p.shadow) * (0.55 * smooth(-0.26, 0.02, line) + socket))
    beard = _beard(p, right, up, front)
    skin = skin + (p.hair * 0.92 - skin) * beard
    light = shade(p, x, y, z * 0.9 + 0.1, 0.10)
    w.paint(skin * light, cover(edge, p.pixel))
    _ears(canvas, p, front=True)


def _beard(p: Scene, right, up, front) -> np.ndarray:
    """Return how much beard covers the skin: 1 stubble, 3 goatee, 4 full (2 is a moustache)."""
    square = right * right
    line = -up - 0.40 - 0.9 * square + 1.5 * square * square
    full = smooth(-0.03, 0.05, line) * smooth(-0.5, -0.2, front)
    goatee = smooth(0.02, -0.05, np.sqrt(square + (up + 0.66) ** 2 * 0.75) - 0.27)
    full = full * (p.beard == 4) + 0.34 * full * (p.beard == 1)
    return np.maximum(full, goatee * (p.beard == 3))


_FRECKLES = ((-0.52, 0.2), (-0.40, 0.29), (-0.30, 0.18), (-0.58, 0.33), (-0.14, 0.24))


def mark(canvas: Canvas, p: Scene) -> None:
    """Paint what is on the skin: 1 a mole, 2 freckles, 3 a scar."""
    q = p.where(p.mark == 1)
    if q:
        w = patch(canvas, q, 0.40 * q.mark_side, 0.36, 0.06)
        w.paint(q.skin * 0.32, w.seen * cover(ellipse(w.x, w.y, 0.021, 0.021), w.pixel))
    q = p.where(p.mark == 2)
    if q:
        q, x, y = q.each(*((s * x, y + 0.02 * s) for x, y in _FRECKLES for s in (-1, 1)))
        w = patch(canvas, q, x, y, 0.05)
        dot = cover(ellipse(w.x, w.y, 0.015, 0.014), w.pixel)
        w.paint(0.45 * q.skin + 0.25 * q.blush, w.seen * dot * 0.85)
    q = p.where(p.mark == 3)
    if q:
        w = patch(canvas, q, 0.48 * q.mark_side, 0.26, 0.15)
        line, _ = stroke(w.x, w.y, (-0.05, -0.09), (0.05, 0.09), 0.012, 0.008)
        w.paint(q.skin * 0.55 + 0.42 * RED, w.seen * cover(line, w.pixel) * 0.85)


def nose(canvas: Canvas, p: Scene) -> None:
    """Paint the nose and the shadow under it."""
    # The tip stands out from the head, so it runs ahead of the face when that turns.
    bx, by, _ = place(p, 0, -0.06, 0.98)
    length = 0.27 * p.nose_length
    tx, ty, _ = place(p, 0, length, 1.24)
    w = head_window(canvas, p, tx, ty - 0.06, 0.32)
    wide = 0.062 * p.nose_width
    wing = ellipse(w.x - tx, w.y - ty - 0.035, wide * 1.35, 0.030)
    inside = cover(skull(p, w.x, w.y)[3] + 0.01, p.pixel)
    w.paint(p.blush * p.shadow * 0.82, smooth(0.030, -0.02, wing) * 0.55 * inside)
    d, along = stroke(w.x, w.y, (bx, by), (tx, ty), wide * 0.45, wide)
    middle = bx + (tx - bx) * along
    side = np.clip((w.x - middle) / (wide * 1.1), -1, 1)
    light = shade(p, side * 0.9, 0.1 + 0.3 * along, 0.55, 0.22)
    # The nose takes the colour of the cheeks towards its tip and melts into the brow.
    skin = p.skin + (p.blush - p.skin) * (0.30 * along)
    w.paint(skin * light, smooth(0.018, -0.022, d) * smooth(0.05, 0.75, along))


def eyes(canvas: Canvas, p: Scene) -> None:
    """Paint lashes, eyeballs, irises, pupils and a spark of the light."""
    p, side = p.each(-1, 1)
    w = patch(canvas, p, side * p.eye_x, -0.02, 0.2)
    a = 0.096 * p.eye
    b = a * 0.74 * p.eye_open
    # A smile pushes half-closed eyes up; the outer corners are a little higher.
    v = w.y + 0.09 * np.maximum(p.smile, 0) * (1 - p.eye_open) + 0.06 * side * w.x
    lash = ellipse(w.x - 0.006 * side, v + 0.013, a * 1.10, b + 0.018)
    w.paint(INK + 0.12 * p.hair, w.seen * cover(lash, w.pixel))
    white = cover(ellipse(w.x, v - 0.006, a * 0.98, b), w.pixel) * w.seen
    # Lids shade the upper part of the eyeball.
    light = (0.80 + 0.20 * smooth(-0.9, 0.1, v / (b + 0.02))) * (0.5 + 0.5 * p.lit)
    w.paint(WHITE * light, white)
    x, y = w.x - p.gaze * 0.035, v - 0.004
    iris = np.sqrt(x * x + y * y)
    size = a * 0.62
    w.paint(p.iris * (0.75 + 0.35 * smooth(-size, size, y)), white * cover(iris - size, w.pixel))
    w.paint(INK, white * cover(iris - size * 0.52, w.pixel))
    spark = ellipse(x - size * 0.4 * p.light_x, y + size * 0.42, size * 0.30, size * 0.30)
    w.paint(WHITE, white * cover(spark, w.pixel) * 0.95)


def brows(canvas: Canvas, p: Scene) -> None:
    """Paint the brows: arcs that are thicker towards the nose."""
    p, side = p.each(-1, 1)
    lift = 0.09 * p.brow_raise
    w = patch(canvas, p, side * p.eye_x * 1.14, -0.29 - lift, 0.19)
    x = w.x * side
    half = 0.106 * p.eye
    u = x / half
    v = w.y + x * p.brow_angle + 0.035 * p.brow_raise * (1 - u) + 0.03 * (1 - u * u)
    d, _ = stroke(x, v, (-half, 0), (half, 0), 0.030 * p.brow, 0.014 * p.brow)
    w.paint(p.brow_colour * shade(p, 0, -0.2, 0.9), w.seen * cover(d, w.pixel))


def mouth(canvas: Canvas, p: Scene) -> None:
    """Paint the lips, what is between them, and the moustache above."""
    w = patch(canvas, p, 0, 0.54 - 0.02 * p.mouth_open, 0.34)
    half = p.mouth * (1 + 0.14 * p.smile - 0.18 * p.mouth_open)
    q = np.minimum((w.x / half) ** 2, 1)
    swell = np.sqrt(1 - q)
    middle = w.y - p.smile * 0.085 * (0.45 - q)
    ends = np.abs(w.x) - half
    gap = 0.125 * p.mouth_open * swell
    upper, lower = 0.020 + 0.012 * p.lips, 0.026 + 0.016 * p.lips
    top = -upper * swell - 0.25 * gap
    bottom = lower * swell + gap
    lips = np.maximum(np.maximum(top - middle, middle - bottom), ends)
    light = shade(p, 0, 0.1 + smooth(-0.03, 0.03, middle - gap) * -0.3, 0.9)
    w.paint(p.lip * light, w.seen * cover(lips, w.pixel))
    # Inside: dark, teeth hanging from the upper lip, a tongue.
    inner = np.maximum(np.maximum(-0.25 * gap - middle, middle - gap), ends + 0.012)
    inside = cover(inner, w.pixel) * w.seen
    line = w.seen * cover(np.maximum(np.abs(middle) - 0.009, ends + 0.006), w.pixel)
    w.paint(p.lip * 0.25 + 0.2 * INK, np.maximum(inside, 0.75 * line))
    w.paint(RED, inside * cover(ellipse(w.x, middle - gap, half * 0.6, 0.045), w.pixel) * 0.8)
    w.paint(WHITE * 0.97, inside * cover(middle - 0.035, w.pixel) * (p.mouth_open > 0.2))
    q = p.where(p.beard >= 2)
    if q:
        w = patch(canvas, q, 0, 0.43, 0.3, 1.06)
        x = np.abs(w.x)
        d, _ = stroke(x, w.y + 0.15 * q.smile * x, (0.02, 0.0), (0.16, 0.045), 0.042, 0.012)
        w.paint(q.hair * 0.95 * shade(q, 0, -0.2, 0.9), w.seen * cover(d, w.pixel))
