"""What is around the face of a drawn person: background, body, hair, sunglasses and hats.

Lengths are in units of half an image; the head's frame has its origin in the middle of the head
and y downwards. See `traits` for what the attributes of the scene `p` mean.
"""

from __future__ import annotations

import numpy as np

from sdgan_tf.data.drawn.shapes import (
    INK,
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
    turn,
    unturn,
    zigzag,
)
from sdgan_tf.data.drawn.traits import HAIR_STYLES


def _ring(count: int, pitch: float, start: float, end: float) -> list[tuple[float, float, float]]:
    """Return `count` directions on an arc around the skull, leaning back by `pitch`."""
    angles = np.linspace(start, end, count) * np.pi
    c, s = np.cos(pitch), np.sin(pitch)
    return [(np.sin(a), -np.cos(a) * c, -np.cos(a) * s) for a in angles]


# Balls of hair (x, y, z, radius) on the head, the radius in head widths.
_BALLS = {
    "afro": [(1.16 * x, 1.14 * y, 1.16 * z, 0.42) for x, y, z in _ring(11, 0.05, -0.62, 0.62)]
    + [(0.98 * x, 1.08 * y, 1.0 * z, 0.40) for x, y, z in _ring(7, 0.9, -0.5, 0.5)]
    + [(0.92 * x, 1.0 * y, 0.92 * z, 0.27) for x, y, z in _ring(7, -0.62, -0.42, 0.42)],
    "curls": [(0.85 * x, 1.02 * y, 0.9 * z, 0.30) for x, y, z in _ring(6, 0.5, -0.34, 0.34)]
    + [(0.92 * x, 1.06 * y, 0.95 * z, 0.27) for x, y, z in _ring(7, 0.0, -0.36, 0.36)]
    + [(0.85 * x, 0.98 * y, 0.9 * z, 0.22) for x, y, z in _ring(6, -0.62, -0.28, 0.28)],
    "bun": [(0.0, -1.22, -0.32, 0.40)],
    "mohawk": [
        (0.0, -1.22 * np.cos(a), -1.22 * np.sin(a), 0.24) for a in np.linspace(2.2, -0.72, 13)
    ],
    "pigtails": [
        (s * x, y, -0.2, r)
        for s in (-1, 1)
        for x, y, r in (
            (1.22, -0.1, 0.26),
            (1.38, 0.2, 0.33),
            (1.4, 0.55, 0.27),
            (1.36, 0.82, 0.17),
        )
    ],
}


def background(canvas: Canvas, p: Scene) -> None:
    """Paint a lit wall with a disc behind the person."""
    w = canvas.window(p, 0, 0, 1.0)
    glow = smooth(1.5, 0.0, np.sqrt((w.x - 0.25 * p.light_x) ** 2 + (w.y + 0.25) ** 2))
    slope = 1 + 0.10 * (p.light_x * w.x + p.light_y * w.y)
    colour = p.background * slope * (0.82 + 0.18 * glow) + 0.16 * glow
    # A large disc, as in a printed portrait; it stays put while the person moves.
    disc = cover(ellipse(w.x, w.y + 0.05, 0.86, 0.86), 2 / canvas.size)
    w.paint(colour + 0.07 * disc, np.ones_like(disc))


def back_hair(canvas: Canvas, p: Scene) -> None:
    """Paint the hair behind the head."""
    for style, reach, bottom, wide in (("bob", 0.8, 0.66, 1.24), ("long", 1.1, 1.15, 1.16)):
        q = p.where(p.hair_style == HAIR_STYLES.index(style))
        if not q:
            continue
        x, y, _ = place(q, 0, -0.05, -0.35)
        w = head_window(canvas, q, x, y + (0.0 if style == "bob" else 0.4), reach)
        x, y = w.x - x, w.y - y
        half = q.width * (wide + 0.12 * q.hair_volume)
        low = np.maximum(y, 0)
        half = half * (1 + (0.10 if style == "bob" else 0.16) * low)
        side = ellipse(x, np.minimum(y, 0), half, q.height * 1.14)
        # A bottom edge that is round at the corners.
        u = np.minimum(np.abs(x) / half, 1)
        under = y - q.height * bottom + 0.16 * u * u * u * u - 0.05 * (1 - u * u)
        light = shade(q, x / half, -0.2, 0.25)
        fade = 1 - 0.25 * smooth(0.9, 0.2, u)
        alpha = cover(np.maximum(side, under * 0.9), q.pixel)
        w.paint(q.hair * light * fade, alpha)
    _balls(canvas, p, front=False)


def _balls(canvas: Canvas, p: Scene, front: bool) -> None:
    """Paint the balls of hair behind (or before) the head."""
    for style, balls in _BALLS.items():
        q, x, y, z, radius = p.where(p.hair_style == HAIR_STYLES.index(style)).each(*balls)
        # Hats leave no room for hair on top, only at the sides.
        shown = ((turn(q, x, y, z)[2] >= 0) == front) & ((y > -0.25) | (q.hat == 0))
        q, (x, y, z, radius) = q.where(shown), (v[shown[:, 0, 0]] for v in (x, y, z, radius))
        if not q:
            continue
        radius = radius * q.width * (0.9 + 0.2 * q.hair_volume)
        cx, cy, _ = place(q, x, y, z)
        w = head_window(canvas, q, cx, cy, radius)
        u, v = (w.x - cx) / radius, (w.y - cy) / radius
        square = u * u + v * v
        # Lit as a part of the whole head of hair, and a little as a ball of its own.
        sx, sy, sz = turn(q, x, y, z)
        light = shade(q, 0.55 * (sx + u), 0.55 * (sy + v), 0.55 * sz + 0.4, 0.1)
        alpha = cover((np.sqrt(square) - 1) * radius, q.pixel)
        w.paint(q.hair * light * (1.04 - 0.2 * square), alpha)


def body(canvas: Canvas, p: Scene) -> None:
    """Paint shoulders, neck and collar."""
    w, x, y = _body_window(canvas, p, 1.0)
    half = p.shoulders
    u = np.minimum(np.abs(x) / half, 1)
    rise = np.maximum(1 - np.abs(x) / 0.42, 0)
    top = 0.60 + 0.50 * (1 - np.sqrt(1 - u * u * u)) - 0.10 * rise * rise
    stripes = zigzag((y - 0.25 * x * x) * 5.5) / 4
    cloth = p.clothes + (p.trim - p.clothes) * cover(stripes / 5.5, p.pixel) * (p.collar == 1)
    alpha = cover(np.maximum(top - y, np.abs(x) - half) * 0.85, p.pixel)
    w.paint(cloth * _cloth_light(p, x), alpha)

    # Skin: the neck and the opening of the collar, darker under the chin.
    w, x, y = _body_window(canvas, p, 0.45)
    neck_x = x - 0.3 * p.head_x
    neck = np.maximum(np.abs(neck_x) - p.neck * (1 + 0.9 * np.maximum(y - 0.42, 0)), y - 0.60)
    neck = np.minimum(neck, ellipse(x, y - 0.58, p.neck * 1.22, 0.10))
    vee = np.maximum(np.abs(x) * 0.82 + (y - 0.86) * 0.57, np.abs(x) - 1.25 * p.neck)
    vee = np.maximum(vee, 0.52 - y)
    neck = np.where((p.collar == 2) | (p.collar == 4), np.minimum(neck, vee), neck)
    neck = np.maximum(neck, 0.1 - y)
    chin = p.head_y + p.height
    dark = smooth(0.30, -0.06, y - chin - 0.08 - 0.1 * p.light_y) * (0.85 - 0.2 * p.light_z)
    skin = p.skin * shade(p, neck_x / p.neck * 0.8, 0.1, 0.7)
    w.paint(skin * (1 - (1 - p.shadow) * 0.75 * dark), cover(neck, p.pixel))
    for kinds, shape in (((0, 1), _crew), ((2,), _vee), ((3,), _roll), ((4,), _shirt)):
        q = p.where(np.isin(p.collar, kinds))
        if q:
            w, x, y = _body_window(canvas, q, 0.45)
            light = _cloth_light(q, x) * (0.86 + 0.14 * smooth(0.48, 0.62, y))
            w.paint(q.trim * light, cover(shape(q, x, y), q.pixel))


def _body_window(canvas: Canvas, p: Scene, reach: float):
    """Return the lower part of the image, with x and y in the frame of the body."""
    w = canvas.window(p, 0, 0.65, reach, 0.37)
    return w, w.x / p.zoom - 0.6 * p.head_x, w.y / p.zoom + 0.02


def _cloth_light(p: Scene, x: np.ndarray) -> np.ndarray:
    return shade(p, x / p.shoulders * 0.9, -0.35, 0.75)


def _crew(p: Scene, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(ellipse(x, y - 0.58, p.neck * 1.22, 0.10) - 0.02) - 0.026, 0.56 - y)


def _vee(p: Scene, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    line = np.abs(np.abs(x) * 0.82 + (y - 0.86) * 0.57 - 0.015) - 0.028
    return np.maximum(np.maximum(line, np.abs(x) - 1.35 * p.neck), 0.50 - y)


def _roll(p: Scene, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x = x - 0.2 * p.head_x
    return np.maximum(np.abs(x) - p.neck * 1.26, np.abs(y - 0.62 + 1.3 * x * x) - 0.11)


def _shirt(p: Scene, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the distance to two pointed flaps that meet below the throat."""
    x = np.abs(x)
    inner = 0.9 * (p.neck - x) - 0.55 * (y - 0.50)  # from the side of the neck to the throat
    lower = 0.45 * x + 0.9 * (y - 0.86)
    outer = 0.93 * (x - p.neck - 0.10) - 0.36 * (y - 0.52)
    return np.maximum(np.maximum(inner, lower), np.maximum(outer, 0.48 - y))


def hair(canvas: Canvas, p: Scene) -> None:
    """Paint the hair on the head, then what stands out in front of it."""
    q = p.where(p.hair_style > 0)
    if q:
        w = head_window(canvas, q, 0, -0.05, q.width * 1.4, q.height * 1.25)
        x, y, z, edge = skull(q, w.x, w.y + q.hair_top * q.height, q.hair_shell)
        right, down, front = unturn(q, x, y, z)
        line = hair_line(q, right, -down, front)
        light = shade(q, x, y, z, 0.08)
        # Strands: stripes that run from the crown down.
        reach = 1.35 - down
        lock = zigzag(right * 4.6 / np.where(reach == 0, 1e-6, reach) + 0.2)
        line = line + 0.035 * lock * q.straight
        shine = x * q.half_x + y * q.half_y + z * q.half_z
        band = smooth(0.13, 0.0, np.abs(shine - 0.80 + 0.03 * lock))
        light = light + (0.035 * lock + 0.15 * band) * q.straight
        parting = smooth(0.06, 0.0, np.abs(right)) * (q.hair_middle > 0.2)
        light = light * (1 - 0.35 * parting)
        # Hair rises from the skin behind its edge.
        rise = 0.7 * (q.hair_shell - 1) * q.width * smooth(0.9, 0.0, line)
        alpha = cover(np.maximum(edge + rise, -0.75 * q.width * line), q.pixel)
        w.paint(q.hair * light, alpha)
    q, side = p.where(p.hair_style == HAIR_STYLES.index("long")).each(-1, 1)
    if q:
        # Locks that fall over the shoulders, coming out of the hair and getting wider.
        x, y, _ = place(q, side * 0.97, 0.0, 0.1)
        end = (x + side * 0.02 + 0.12 * q.turn_sin, y + 0.68)  # clear of the swinging chin
        w = head_window(canvas, q, x, y + 0.35, 0.55)
        d, along = stroke(w.x, w.y, (x, y), end, 0.06, 0.115)
        u = np.clip((w.x - x) * 9, -1, 1)
        light = shade(q, u * 0.5 + side * 0.3, -0.1, 0.6) + 0.04 * zigzag(u * 1.5)
        w.paint(q.hair * light, cover(d, q.pixel) * smooth(0.0, 0.25, along))
    _balls(canvas, p, front=True)


def sunglasses(canvas: Canvas, p: Scene) -> None:
    """Paint the arms, the lenses and the bridge."""
    p = p.where(p.accessory == 1)
    if not p:
        return
    q, side = p.each(-1, 1)
    near_x, near_y, _ = place(q, side * (q.eye_x + 0.3), -0.06, 0.92)
    ear_x, ear_y, depth = place(q, side * 1.03, -0.04, 0.0)
    w = head_window(canvas, q, near_x, near_y, 0.4)
    arm, _ = stroke(w.x, w.y, (near_x, near_y), (ear_x, ear_y), 0.016, 0.016)
    w.paint(q.frame * 0.8, cover(arm, q.pixel) * smooth(-0.1, 0.1, depth))
    w = patch(canvas, q, side * (q.eye_x + 0.02), -0.01, 0.26, 1.05)
    v = w.y + 0.05 * side * w.x
    level = ellipse(w.x, v, 0.170 - 0.1 * np.maximum(v, 0), 0.125)
    w.paint(q.frame, cover(level - 0.016, w.pixel) * w.seen)
    streak = smooth(0.05, 0.0, np.abs(w.x * 0.7 + v + 0.03)) * 0.22
    fade = smooth(-0.1, 0.12, v)
    lens = INK * (1.0 + 0.9 * fade) + 0.16 * q.frame * fade + streak
    w.paint(lens, cover(level, w.pixel) * w.seen)
    w = patch(canvas, p, 0, -0.06, 0.14, 1.05)
    bridge = ellipse(w.x, w.y - 0.03, 0.09, 0.05)
    bridge = np.maximum(np.abs(bridge) - 0.014, w.y - 0.02)
    w.paint(p.frame, cover(bridge, w.pixel) * w.seen)


def hats(canvas: Canvas, p: Scene) -> None:
    """Paint caps and beanies."""
    for kind in (1, 2):
        q = p.where(p.hat == kind)
        if not q:
            continue
        w = head_window(canvas, q, 0, -0.25, q.width * 1.4, q.height)
        top = (0.10 if kind == 1 else 0.14) * q.height
        x, y, z, edge = skull(q, w.x, w.y + top, 1.14)
        right, down, front = unturn(q, x, y, z)
        line = 0.06 * front - down - 0.36
        light = shade(q, x, y, z, 0.06)
        rib = zigzag(right * 6)
        if kind == 1:
            seam = smooth(0.03, 0.0, np.minimum(np.abs(right), np.abs(right * 0.5 + front * 0.86)))
            cloth = q.cloth * (1 - 0.14 * seam)
        else:
            fold = cover((line - 0.26) * q.width, q.pixel)
            cloth = q.cloth * (1 + 0.05 * rib) * (1 - 0.16 * smooth(0.4, 0.26, line))
            cloth = cloth + (q.cloth_trim * (1 + 0.07 * rib) - cloth) * fold
        inset = 0.04 * smooth(0.3, 0.0, line)
        alpha = cover(np.maximum(edge + inset, -0.8 * q.width * line), q.pixel)
        w.paint(cloth * light, alpha)
        (_brim if kind == 1 else _pompom)(canvas, q)


def _brim(canvas: Canvas, p: Scene) -> None:
    """Paint the peak of a cap: a flat half disc that points forward and a little down."""
    x, y, _ = place(p, 0, -0.40, 0.98)
    ux, uy, _ = turn(p, 1, 0, 0)
    vx, vy, _ = turn(p, 0, 0.34, 0.94)
    vy = np.maximum(vy, 0.24)  # seen from below the peak would vanish
    w = head_window(canvas, p, x, y, 0.6)
    dx, dy = w.x - x, w.y - y
    area = ux * vy - uy * vx
    u, v = (dx * vy - dy * vx) / area, (dy * ux - dx * uy) / area
    pixel = p.pixel / np.sqrt(area)
    half = p.width * 0.92
    edge = np.maximum(ellipse(u, v, half, 0.36), -v - 0.10 + 0.5 * u * u)
    light = shade(p, u / half * 0.4, -0.8, 0.5) * (0.92 + 0.1 * smooth(0.0, 0.36, v))
    w.paint(p.cloth_trim * light, cover(edge, pixel))


def _pompom(canvas: Canvas, p: Scene) -> None:
    x, y, _ = place(p, 0, -1.36, -0.1)
    w = head_window(canvas, p, x, y, 0.16)
    u, v = (w.x - x) / 0.13, (w.y - y) / 0.13
    alpha = cover((np.sqrt(u * u + v * v) - 1) * 0.13, p.pixel)
    w.paint(p.cloth_trim * shade(p, u, v, 0.5), alpha)
