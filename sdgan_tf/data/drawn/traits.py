"""What the factors of drawn people mean: from numbers in [0, 1] to colours, lengths and angles."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from sdgan_tf.data.drawn.shapes import INK, sine

# Each factor is a number in [0, 1]. `person` and `pose` stretch most of them over a range. The
# categories (hair_style, beard, mark, collar, accessory) divide [0, 1] by the weights below, in
# order. Colours are an entry of a palette, or a blend of neighbours for skin_tone and background.
IDENTITY_FACTORS: tuple[str, ...] = (
    "face_width",
    "face_height",
    "jaw_taper",
    "jaw_square",
    "skin_tone",
    "hair_style",
    "hair_colour",
    "hair_volume",
    "hair_side",
    "eye_spacing",
    "eye_size",
    "eye_colour",
    "nose_length",
    "nose_width",
    "brow_thickness",
    "brow_angle",
    "ear_size",
    "mouth_width",
    "lip_fullness",
    "lip_colour",
    "beard",
    "mark",
    "clothes_colour",
    "trim_colour",
    "collar",
)
OBSERVATION_FACTORS: tuple[str, ...] = (
    "turn",
    "nod",
    "tilt",
    "smile",
    "mouth_open",
    "brow_raise",
    "eye_open",
    "gaze",
    "light_side",
    "light_height",
    "light_warmth",
    "background",
    "zoom",
    "shift",
    "accessory",
    "accessory_colour",
)

# How likely each hair style is, and where it grows (see `drawn.shapes.hair_line`): how much further
# down at the back, at both sides, at one side, away from the middle; from which height; how thick
# it is and how much it adds on top.
_HAIR_STYLES = {
    "bald": (0.07, 0.60, 0.05, 0.00, 0.00, 9.00, 1.00, 0.00),
    "crop": (0.12, 0.45, 0.42, 0.00, 0.00, 0.24, 1.06, 0.05),
    "side": (0.13, 0.55, 0.20, 0.34, 0.00, 0.14, 1.08, 0.07),
    "bob": (0.12, 0.22, 0.62, 0.00, 0.00, 0.12, 1.15, 0.05),
    "long": (0.14, 0.50, 0.60, 0.00, 0.50, 0.30, 1.10, 0.05),
    "afro": (0.10, 0.60, 0.25, 0.00, 0.00, 0.10, 1.14, 0.05),
    "curls": (0.10, 0.60, 0.05, 0.00, 0.00, 0.22, 1.05, 0.03),
    "bun": (0.08, 0.55, 0.16, 0.00, -0.06, 0.16, 1.06, 0.04),
    "mohawk": (0.06, 0.60, -3.0, 0.00, 0.00, 0.10, 1.02, 0.00),
    "pigtails": (0.08, 0.42, 0.22, 0.00, 0.42, 0.26, 1.08, 0.05),
}
HAIR_STYLES = tuple(_HAIR_STYLES)
# How likely each category of the other kinds is.
_BEARDS = (0.66, 0.08, 0.08, 0.08, 0.10)  # none, stubble, moustache, goatee, full
_MARKS = (0.64, 0.12, 0.14, 0.10)  # none, mole, freckles, scar
_COLLARS = (0.26, 0.20, 0.18, 0.18, 0.18)  # crew neck, striped, vee, roll neck, shirt
_ACCESSORIES = (0.67, 0.12, 0.11, 0.10)  # none, sunglasses, cap, beanie


def _palette(colours: str) -> np.ndarray:
    """Return colours in hexadecimal RGB as float32 [n, 3] in [0, 1]."""
    return np.array([list(bytes.fromhex(c)) for c in colours.split()], np.float32) / 255


SKIN = _palette("fbd6bc f5c8a4 ecb88f d69c6e b4784e 8c5737 653e2a")
_BLUSH = _palette("ff9f94 f5937f e28263 c26a4c 9d4f3a 78382c 562621")
HAIR = _palette(
    "2b252d 2b252d 3a2a28 4b2f26 6b4229 8a5430 b5622c d9762f "
    "dfa951 f0cf85 f1e3c3 a9adb5 e8698f 2fa3a0 7d5cc0 3f6fd0"
)
_IRIS = _palette("4a2d20 7a4a28 3c7a4e 3d86b8 6d8796 a0702c")
_LIPS = _palette("c96b66 b5524f d4556a a83f52 c47a68 8e3d45")
CLOTHES = _palette("2f4b7c d1495b edae49 00798c 66a182 5f4b8b e8e4da 2b2d42 ef7b54 7a9cc6")
TRIM = _palette("fbf7ee 1f2a44 f4c95d e76f51 cfe3e8 86415a")
BACKGROUND = _palette(
    "6fb7b2 8ec3e6 7d8fd6 b79ad8 eaa0b4 f2a07b f4cb76 b8cc84 7fb58c 4d7391 c9c3b8"
)
_CLOTH = _palette("d1495b 2f4b7c edae49 2a9d8f 4a4e69 f1ede4 7d5cc0")

# Multiplies the hair of people whose hair would not show against their skin.
_WARM_DARK = np.array([0.62, 0.48, 0.40], np.float32).reshape(3, 1, 1, 1)


def category(u: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """Return which of the intervals that divide [0, 1] by the weights holds u, int [n, 1, 1]."""
    limits = np.cumsum(np.array(weights, np.float32), dtype=np.float64)[:-1].astype(np.float32)
    return np.searchsorted(limits, u.ravel(), side="right").reshape(u.shape)


def pick(u: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Return one of the palette's colours for each u, as [3, n, 1, 1]."""
    rows = np.minimum((u.ravel() * len(palette)).astype(np.int64), len(palette) - 1)
    return palette[rows].T[:, :, None, None]


def between(u: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Return the colour at u along the palette, as [3, n, 1, 1]."""
    at = u.ravel() * np.float32(len(palette) - 1)
    rows = np.minimum(at.astype(np.int64), len(palette) - 2)
    part = (at - rows.astype(np.float32))[:, None]
    return (palette[rows] * (1 - part) + palette[rows + 1] * part).T[:, :, None, None]


def columns(values: np.ndarray, names: tuple[str, ...]) -> SimpleNamespace:
    """Return the columns of values [n, len(names)] by name, as [n, 1, 1]."""
    return SimpleNamespace(**{name: values[:, i, None, None] for i, name in enumerate(names)})


def person(f: SimpleNamespace) -> dict[str, np.ndarray]:
    """Return the traits that the identity factors stand for."""
    styles = np.array(list(_HAIR_STYLES.values()), np.float32)
    style = category(f.hair_style, styles[:, 0])
    shell = styles[style.ravel(), 1:].T[:, :, None, None]
    skin = between(f.skin_tone, SKIN)
    # Bold colours are dyed: who has no hair has brows of a natural colour.
    hair = pick(f.hair_colour * np.where(style == 0, np.float32(0.7), np.float32(1)), HAIR)
    alike = np.abs(hair - skin).max(axis=0) < 0.3
    hair = np.where(alike, hair * _WARM_DARK, hair)
    return dict(
        width=0.355 + 0.085 * f.face_width,
        height=0.475 + 0.075 * f.face_height,
        taper=0.10 + 0.26 * f.jaw_taper,
        square=0.75 * f.jaw_square,
        skin=skin,
        blush=between(f.skin_tone, _BLUSH),
        hair_style=style,
        hair=hair,
        hair_volume=f.hair_volume,
        hair_back=shell[0],
        hair_wide=shell[1],
        hair_part=shell[2] * np.where(f.hair_side < 0.5, np.float32(-1), np.float32(1)),
        hair_middle=shell[3],
        hair_edge=shell[4] + 0.08 * (f.hair_volume - 0.5),
        hair_shell=shell[5] + 0.03 * f.hair_volume,
        hair_top=shell[6] * (0.6 + 0.8 * f.hair_volume),
        straight=np.isin(style, (1, 2, 3, 4, 7, 9)).astype(np.float32),
        eye_x=0.36 + 0.11 * f.eye_spacing,
        eye=0.84 + 0.34 * f.eye_size,
        iris=pick(f.eye_colour, _IRIS),
        nose_length=0.8 + 0.4 * f.nose_length,
        nose_width=0.75 + 0.65 * f.nose_width,
        brow=0.6 + 0.9 * f.brow_thickness,
        brow_angle=-0.20 + 0.30 * f.brow_angle,
        brow_colour=0.5 * hair + 0.22 * INK + 0.08 * between(f.skin_tone, SKIN),
        ear=np.where(np.isin(style, (3, 4)), 0.3, 0.8 + 0.45 * f.ear_size).astype(np.float32),
        mouth=0.145 + 0.065 * f.mouth_width,
        lips=f.lip_fullness,
        lip=0.55 * pick(f.lip_colour, _LIPS) + 0.45 * between(f.skin_tone, _BLUSH),
        beard=category(f.beard, _BEARDS),
        mark=category(f.mark, _MARKS),
        mark_side=np.where(f.hair_side < 0.5, np.float32(1), np.float32(-1)),
        neck=0.155 + 0.06 * f.face_width,
        shoulders=0.66 + 0.18 * f.face_width,
        clothes=pick(f.clothes_colour, CLOTHES),
        trim=pick(f.trim_colour, TRIM),
        collar=category(f.collar, _COLLARS),
    )


def pose(f: SimpleNamespace, size: int) -> dict[str, np.ndarray]:
    """Return the pose, the expression, the light and so on that the observation factors mean."""
    angles = dict(
        turn=sine(1.20 * (f.turn - 0.5)),
        nod=sine(0.66 * (f.nod - 0.5)),
        tilt=sine(0.44 * (f.tilt - 0.5)),
    )
    pose = {f"{k}_sin": v for k, v in angles.items()}
    pose.update({f"{k}_cos": np.sqrt(1 - v * v) for k, v in angles.items()})
    light_x, light_y = 1.7 * (f.light_side - 0.5), -0.05 - 0.6 * f.light_height
    light_z = np.sqrt(np.maximum(1 - light_x * light_x - light_y * light_y, 0.06))
    half = np.sqrt(light_x * light_x + light_y * light_y + (light_z + 1) * (light_z + 1))
    warmth = (2 * f.light_warmth - 1)[None]
    tint = np.array([0.06, 0.0, -0.11], np.float32).reshape(3, 1, 1, 1)
    shadow = np.array([0.64, 0.53, 0.55], np.float32).reshape(3, 1, 1, 1)
    zoom = 1.03 + 0.20 * f.zoom
    close = 1 - f.eye_open
    mouth_open = np.maximum(f.mouth_open - 0.45, 0) * (1 / 0.55)
    accessory = category(f.accessory, _ACCESSORIES)
    return dict(
        pose,
        head_x=0.10 * (f.shift - 0.5) + 0.06 * pose["turn_sin"],
        head_y=-0.06 + 0.06 * pose["nod_sin"],
        zoom=zoom,
        pixel=2 / size / zoom,
        smile=-0.55 + 1.65 * f.smile,
        mouth_open=mouth_open,
        brow_raise=1.4 * f.brow_raise - 0.6,
        eye_open=1.08 - 0.92 * close * close * close,
        gaze=2 * f.gaze - 1,
        light_x=light_x,
        light_y=light_y,
        light_z=light_z,
        half_x=light_x / half,
        half_y=light_y / half,
        half_z=(light_z + 1) / half,
        lit=1.06 + tint * warmth,
        shadow=shadow - 0.6 * tint * warmth,
        background=between(f.background, BACKGROUND),
        accessory=accessory,
        hat=np.maximum(accessory - 1, 0),
        frame=pick(f.accessory_colour, _CLOTH) * 0.6,
        cloth=pick(f.accessory_colour, _CLOTH),
        cloth_trim=pick(1 - f.accessory_colour, _CLOTH),
    )
