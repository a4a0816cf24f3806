"""Whole bodies of drawn people: who has which clothes, skin and hair, in poses of all limbs, before a room.

A body is built of joints, the keypoints of `data.keypoints`, around the middle of the hips. Lengths are in units of
half an image, y downwards; what is called right is the person's own right, on the left of who looks at a person from
the front. Only operations that IEEE 754 rounds in the same way everywhere touch the pixels, see `shapes`.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from sdgan_tf.data.drawn.shapes import (
    INK,
    WHITE,
    Canvas,
    Scene,
    cover,
    ellipse,
    sine,
    smooth,
    stroke,
    zigzag,
)
from sdgan_tf.data.drawn.traits import (
    BACKGROUND,
    CLOTHES,
    HAIR,
    SKIN,
    TRIM,
    between,
    category,
    pick,
)
from sdgan_tf.data.keypoints import NAMES

IDENTITY_FACTORS: tuple[str, ...] = (
    "height",
    "width",
    "skin_tone",
    "hair_style",
    "hair_colour",
    "shirt_colour",
    "trim_colour",
    "pattern",
    "sleeves",
    "trousers_colour",
    "trousers_length",
    "shoe_colour",
)
_LIMB_FACTORS = tuple(f"{side}_{part}" for side in ("right", "left") for part in
                      ("arm", "elbow", "leg", "knee"))  # fmt: skip
OBSERVATION_FACTORS: tuple[str, ...] = (
    *("turn", "lean", *_LIMB_FACTORS),
    *("shift", "zoom", "wall", "floor", "window", "brightness"),
)

_HAIR_STYLES = (0.12, 0.36, 0.28, 0.24)  # bald, short, long, bun
_PATTERNS = (0.5, 0.25, 0.25)  # plain, striped, a band around the chest
# The middle of the head is so far above the neck, and the head so wide.
_HEAD, _SKULL = 0.17, 0.125
_FLOOR = 0.56


def _sine_cosine(angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sine and cosine for |angle| < 4: those of a quarter of it, doubled twice."""
    s = sine(angle / 4)
    c = np.sqrt(1 - s * s)
    for _ in range(2):
        s, c = 2 * s * c, c * c - s * s
    return s, c


def person(f: SimpleNamespace) -> dict[str, np.ndarray]:
    """The traits that the identity factors stand for."""
    skin = between(f.skin_tone, SKIN)
    shirt, trousers = pick(f.shirt_colour, CLOTHES), pick(f.trousers_colour, CLOTHES)
    return dict(
        height=0.92 + 0.16 * f.height,
        width=0.85 + 0.35 * f.width,
        skin=skin,
        hair=pick(f.hair_colour, HAIR),
        hair_style=category(f.hair_style, _HAIR_STYLES),
        shirt=shirt,
        trim=pick(f.trim_colour, TRIM),
        pattern=category(f.pattern, _PATTERNS),
        sleeve=np.where(f.sleeves < 0.5, skin, shirt),
        trousers=trousers * 0.8,
        trouser_leg=np.where(f.trousers_length < 0.35, skin, trousers * 0.8),
        shoes=pick(f.shoe_colour, TRIM) * 0.7,
    )


def pose(f: SimpleNamespace, traits: dict[str, np.ndarray], size: int) -> dict[str, np.ndarray]:
    """The joints of a person, and what else the observation factors mean.

    Args:
        f: the observation factors.
        traits: of the persons.
        size: edge of the image in pixels.
    """
    turn = 1.7 * (f.turn - 0.5)
    front = np.sqrt(1 - 0.8 * turn * turn)
    scale = (0.86 + 0.18 * f.zoom) * traits["height"]
    joints = _joints(f, turn, front, traits["width"])
    x = np.stack([joints[name][0] for name in NAMES]) * scale + 0.5 * (f.shift - 0.5)
    y = np.stack([joints[name][1] for name in NAMES]) * scale + 0.06
    result = dict(
        joint_x=x,
        joint_y=y,
        turn=turn,
        front=front,
        scale=scale,
        # Who turns to the right of the image brings the own right shoulder to the front.
        right_is_near=turn > 0,
        pixel=np.full_like(turn, 2 / size),
        zoom=np.ones_like(turn),
        wall=between(f.wall, BACKGROUND),
        floor=between(f.floor, BACKGROUND) * 0.72,
        window=1.6 * (f.window - 0.5),
        bright=0.86 + 0.2 * f.brightness[None],
    )
    result["joint_seen"] = _seen(result, traits["width"])
    return result


def _joints(f: SimpleNamespace, turn, front, width) -> dict[str, tuple]:
    """All joints in units of the body, around the middle of the hips."""
    lean_s, lean_c = _sine_cosine(0.6 * (f.lean - 0.5))

    def upper(x, y):
        return lean_c * x - lean_s * y, lean_s * x + lean_c * y

    joints = {"neck": upper(0 * turn, -0.52 + 0 * turn)}
    head = -0.52 - _HEAD
    joints["nose"] = upper(0.10 * turn, head + 0.02)
    for name, side in (("right", -1), ("left", 1)):
        joints[f"{name}_eye"] = upper(0.10 * turn + side * 0.05 * front, head - 0.02)
        joints[f"{name}_ear"] = upper(side * _SKULL * front - 0.06 * turn, head)
        shoulder = upper(side * 0.19 * width * front, -0.48 + 0 * turn)
        hip = side * 0.10 * width * front, 0 * turn
        values = {part: getattr(f, f"{name}_{part}") for part in ("arm", "elbow", "leg", "knee")}
        arm = -0.3 + 2.7 * values["arm"] * values["arm"]
        elbow = _along(shoulder, arm, 0.27, side)
        wrist = _along(elbow, arm + 1.9 * (values["elbow"] - 0.15), 0.25, side)
        leg = -0.12 + 0.62 * values["leg"] * values["leg"]
        knee = _along(hip, leg, 0.36, side)
        ankle = _along(knee, leg - 0.75 * values["knee"] * values["knee"], 0.36, side)
        joints.update(
            {
                f"{name}_{part}": joint
                for part, joint in dict(
                    shoulder=shoulder, elbow=elbow, wrist=wrist, hip=hip, knee=knee, ankle=ankle
                ).items()
            }
        )
    return joints


def _along(start: tuple, angle: np.ndarray, length: float, side: int) -> tuple:
    """Where a limb ends that leaves the body by an angle: 0 hangs down, pi / 2 points sidewards."""
    s, c = _sine_cosine(angle)
    return start[0] + side * length * s, start[1] + length * c


def _seen(p: dict[str, np.ndarray], width: np.ndarray) -> np.ndarray:
    """Which joints are seen, float32 [18, n, 1, 1]: not those of the arm behind the torso, and not an eye or an ear on
    the side of the head that is turned away.
    """
    seen = np.ones_like(p["joint_x"])
    x, y = p["joint_x"], p["joint_y"]
    neck, hips = NAMES.index("neck"), NAMES.index("right_hip")
    middle = (x[hips] + x[NAMES.index("left_hip")]) / 2, y[hips]
    for name, far in (("right", ~p["right_is_near"]), ("left", p["right_is_near"])):
        for part in ("elbow", "wrist"):
            place = NAMES.index(f"{name}_{part}")
            reach = 0.15 * width * p["front"] * p["scale"]
            behind = stroke(x[place], y[place], (x[neck], y[neck]), middle, reach, reach)[0] < 0
            seen[place] = ~(far & behind)
        away = np.abs(p["turn"])
        seen[NAMES.index(f"{name}_eye")] = ~(far & (away > 0.6))
        seen[NAMES.index(f"{name}_ear")] = ~(far & (away > 0.25))
    return seen


# --- painters, back to front


def room(canvas: Canvas, p: Scene) -> None:
    """Paint a wall with a window, and the floor."""
    w = canvas.window(p, 0, 0, 1.0)
    plane = np.zeros((len(p), canvas.size, canvas.size), np.float32)
    x, y = w.x + plane, w.y + plane
    w.paint(p.wall * (1 - 0.12 * y) * p.bright, plane + 1)
    pane = np.maximum(np.abs(x - p.window) - 0.26, np.abs(y + 0.5) - 0.3)
    bars = np.minimum(np.abs(x - p.window), np.abs(y + 0.5))
    w.paint(WHITE * 0.9 * p.bright, cover(pane - 0.04, p.pixel))
    w.paint(p.floor * (1.2 + 0.3 * y), cover(np.maximum(pane, 0.025 - bars), p.pixel))
    w.paint(p.floor * p.bright, cover(_FLOOR - y, p.pixel))


def _joint(p: Scene, name: str) -> tuple[np.ndarray, np.ndarray]:
    place = NAMES.index(name)
    return p.joint_x[place], p.joint_y[place]


def _of(p: Scene, near: bool, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A joint of the nearer or of the further side."""
    right, left = _joint(p, f"right_{name}"), _joint(p, f"left_{name}")
    return tuple(np.where(p.right_is_near == near, one, two) for one, two in zip(right, left))


def _limb(canvas: Canvas, p: Scene, start, end, wide, narrow, colour, dark=1.0) -> None:
    """Paint a tapered round limb, darker towards its edges."""
    wide, narrow = wide * p.scale, narrow * p.scale
    middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    reach = [np.abs(end[axis] - start[axis]) / 2 + wide + 0.02 for axis in (0, 1)]
    w = canvas.window(p, *middle, *reach)
    distance, _ = stroke(w.x, w.y, start, end, wide, narrow)
    edge = np.maximum(1 + distance / narrow, 0)
    light = (1.05 - 0.3 * np.minimum(edge * edge, 1)) * dark
    w.paint(colour * light * p.bright, cover(distance, p.pixel))


def _leg(canvas: Canvas, p: Scene, near: bool) -> None:
    dark = 1.0 if near else 0.82
    hip, knee, ankle = (_of(p, near, name) for name in ("hip", "knee", "ankle"))
    toe = ankle[0] + 0.09 * p.turn * p.scale, ankle[1] + 0.03 * p.scale
    _limb(canvas, p, ankle, toe, 0.05, 0.045, p.shoes, dark)
    _limb(canvas, p, knee, ankle, 0.062 * p.width, 0.045 * p.width, p.trouser_leg, dark)
    _limb(canvas, p, hip, knee, 0.085 * p.width, 0.065 * p.width, p.trousers, dark)


def _arm(canvas: Canvas, p: Scene, near: bool) -> None:
    dark = 1.0 if near else 0.82
    shoulder, elbow, wrist = (_of(p, near, name) for name in ("shoulder", "elbow", "wrist"))
    _limb(canvas, p, wrist, wrist, 0.052, 0.052, p.skin, dark)
    _limb(canvas, p, elbow, wrist, 0.046 * p.width, 0.038 * p.width, p.sleeve, dark)
    _limb(canvas, p, shoulder, elbow, 0.058 * p.width, 0.048 * p.width, p.shirt, dark)


def far_limbs(canvas: Canvas, p: Scene) -> None:
    """Paint the leg and the arm that the body may hide, and the nearer leg."""
    _leg(canvas, p, near=False)
    _arm(canvas, p, near=False)
    _leg(canvas, p, near=True)


def torso(canvas: Canvas, p: Scene) -> None:
    """Paint hips, shirt and neck."""
    neck, hips = _joint(p, "neck"), [_joint(p, f"{side}_hip") for side in ("right", "left")]
    _limb(canvas, p, *hips, 0.09 * p.width, 0.09 * p.width, p.trousers)
    middle = (hips[0][0] + hips[1][0]) / 2, hips[0][1] - 0.03 * p.scale
    chest = neck[0] * 0.86 + middle[0] * 0.14, neck[1] * 0.86 + middle[1] * 0.14
    wide, narrow = (0.15 * p.width * p.front + 0.03) * p.scale, (0.11 * p.width + 0.01) * p.scale
    w = canvas.window(p, (chest[0] + middle[0]) / 2, (chest[1] + middle[1]) / 2, 0.5, 0.5)
    distance, along = stroke(w.x, w.y, chest, middle, wide, narrow)
    edge = np.maximum(1 + distance / narrow, 0)
    bands = cover(zigzag(along * 3.5) / 4 * 0.15, p.pixel) * (p.pattern == 1)
    bands = bands + cover(np.abs(along - 0.3) * 0.4 - 0.05, p.pixel) * (p.pattern == 2)
    cloth = p.shirt + (p.trim - p.shirt) * bands
    light = 1.05 - 0.3 * np.minimum(edge * edge, 1)
    w.paint(cloth * light * p.bright, cover(distance, p.pixel))
    for side in ("right", "left"):
        _limb(canvas, p, chest, _joint(p, f"{side}_shoulder"), 0.06, 0.058, p.shirt)
    head = _middle_of_head(p)
    _limb(canvas, p, neck, head, 0.05 * p.width, 0.05 * p.width, p.skin, 0.9)


def _middle_of_head(p: Scene) -> tuple[np.ndarray, np.ndarray]:
    right, left = _joint(p, "right_ear"), _joint(p, "left_ear")
    return (right[0] + left[0]) / 2 + 0.06 * p.turn * p.scale, (right[1] + left[1]) / 2


def head(canvas: Canvas, p: Scene) -> None:
    """Paint hair and face."""
    x, y = _middle_of_head(p)
    size = _SKULL * p.scale
    q = p.where(p.hair_style == 2)
    if q:
        cx, cy = _middle_of_head(q)
        behind = cx - 0.07 * q.turn * q.scale
        end = behind, cy + 0.2 * q.scale
        _limb(canvas, q, (behind, cy), end, 0.135, 0.11, q.hair, 0.9)
    q = p.where(p.hair_style == 3)
    if q:
        cx, cy = _middle_of_head(q)
        bun = cx - 0.08 * q.turn * q.scale, cy - 0.16 * q.scale
        _limb(canvas, q, bun, bun, 0.065, 0.065, q.hair, 0.95)
    w = canvas.window(p, x, y, 0.3)
    u, v = (w.x - x) / size, (w.y - y) / size
    skull = ellipse(u, v, 0.92, 1.12)
    light = 1.05 - 0.25 * np.minimum(np.maximum(1 + skull, 0) ** 2, 1)
    w.paint(p.skin * light * p.bright, cover(skull * size, p.pixel))
    # Hair falls from the crown, further down at the back of the head.
    line = v + 0.42 - 0.55 * np.maximum(-u * p.turn, 0)
    crown = np.maximum(ellipse(u, v + 0.06, 1.0, 1.18), line)
    w.paint(p.hair * light * p.bright, cover(crown * size, p.pixel) * (p.hair_style > 0))
    for side in ("right", "left"):
        q = p.where(p.joint_seen[NAMES.index(f"{side}_eye")] > 0)
        if q:
            ex, ey = _joint(q, f"{side}_eye")
            w = canvas.window(q, ex, ey, 0.06)
            eye = ellipse(w.x - ex, w.y - ey, 0.020 * q.scale, 0.024 * q.scale)
            w.paint(INK, cover(eye, q.pixel))
    nx, ny = _joint(p, "nose")
    w = canvas.window(p, nx, ny, 0.08)
    nose = ellipse(w.x - nx, w.y - ny, 0.018 * p.scale, 0.026 * p.scale)
    w.paint(p.skin * 0.72, 0.7 * smooth(0.02, -0.02, nose))


def near_arm(canvas: Canvas, p: Scene) -> None:
    """Paint the arm before the body."""
    _arm(canvas, p, near=True)


LAYERS = (room, far_limbs, torso, head, near_arm)


def keypoints(p: Scene) -> np.ndarray:
    """float32 [n, 18, 3]: x and y in [-1, 1] and whether it is seen, of each keypoint."""
    columns = [p.joint_x, p.joint_y, p.joint_seen]
    return np.stack([value[:, :, 0, 0].T for value in columns], axis=-1)
