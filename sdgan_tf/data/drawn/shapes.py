"""Shapes, shading and pose that the drawn people of `people.py` are painted with.

Everything works on a small batch of images at once. A scalar property of an image has shape
[n, 1, 1] and a colour [3, n, 1, 1], so both broadcast against planes of pixels [n, h, w].

Only ``+ - * /``, square roots, minima and maxima touch the pixels: IEEE 754 rounds these the same
way everywhere, so that an image has the same bytes on every platform and in every batch.
"""

from __future__ import annotations

from typing import Union

import numpy as np

Value = Union[float, np.ndarray]

NECK = 0.46  # the head tilts around this point below its centre


def _colour(red: int, green: int, blue: int) -> np.ndarray:
    return np.array([red, green, blue], np.float32).reshape(3, 1, 1, 1) / 255


WHITE, INK, RED = _colour(252, 250, 246), _colour(34, 26, 32), _colour(206, 72, 74)


class Scene:
    """The traits of some images, as attributes of shape [n, 1, 1] or, if colours, [3, n, 1, 1].

    Most parts belong to a few images only; those are looked up when a painter asks for them.
    """

    def __init__(self, traits: dict[str, np.ndarray], rows: np.ndarray) -> None:
        self.traits = traits
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getattr__(self, name: str) -> np.ndarray:
        if name not in self.traits:
            raise AttributeError(name)
        value = np.take(self.traits[name], self.rows, axis=-3)
        setattr(self, name, value)
        return value

    def where(self, keep: np.ndarray) -> Scene:
        """Return the images where `keep` [n, 1, 1] is true."""
        return Scene(self.traits, self.rows[np.flatnonzero(keep)])

    def each(self, *values: tuple) -> tuple:
        """Return the scene with each image repeated for every value, and the values [m, 1, 1].

        With (-1, 1) for left and right, a painter sees both eyes of all the images at once.
        """
        # Rounded: a sine may differ in its last bit between machines.
        columns = np.array(values).reshape(len(values), -1).T.round(4).astype(np.float32)
        tiled = np.tile(columns, (1, len(self)))[:, :, None, None]
        return (Scene(self.traits, np.repeat(self.rows, len(values))), *tiled)


class Window:
    """A rectangle of pixels in each image, with their coordinates x and y in some frame."""

    def __init__(self, views: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> None:
        self.views = views
        self.x = x
        self.y = y
        self.pixel: Value = 0.0
        self.seen: Value = 1.0

    def paint(self, colour: np.ndarray, alpha: np.ndarray) -> None:
        """Paint `colour` [3, n, h, w] with opacity `alpha` [n, h, w] in [0, 1]."""
        colours = np.broadcast_to(colour, (3, len(self.views), *colour.shape[2:]))
        for i, under in enumerate(self.views):
            step = colours[:, i] - under
            step *= alpha[i]
            under += step


class Canvas:
    """Images under way: float32 colours in [0, 1], one plane of pixels a colour for speed."""

    window_class: type[Window] = Window
    planes = 3

    def __init__(self, images: int, size: int) -> None:
        self.size = size
        self.pixels = np.zeros((images, self.planes, size, size), np.float32)

    def window(
        self, p: Scene, x: Value, y: Value, reach: Value, tall: Value | None = None
    ) -> Window:
        """Return the pixels at most `reach` away from (x, y).

        Most parts are small, so painting in windows is what makes drawing fast. A window may be
        larger than asked for: a shape covers none of the pixels that it gains.

        Args:
            p: the images.
            x: centre, in [-1, 1] from left to right, [n, 1, 1].
            y: centre, in [-1, 1] from top to bottom, [n, 1, 1].
            reach: half of the width in the same unit, [n, 1, 1].
            tall: half of the height, if that is not `reach`.

        Returns:
            The window, with `x` [n, 1, w] and `y` [n, h, 1] in the same unit.
        """
        size = self.size
        axes, corners = [], []
        for centre, half in ((x, reach), (y, reach if tall is None else tall)):
            side = min(size, int(np.max(half) * size) + 3)
            corner = np.rint(((centre + 1 + 0 * p.zoom) * size - side) / 2)
            corner = np.clip(corner, 0, size - side).astype(np.int64)
            corners.append([(c, c + side) for c in corner.ravel().tolist()])
            axes.append((2 * (corner + np.arange(side)) + 1).astype(np.float32) / size - 1)
        views = [
            self.pixels[row, :, top:bottom, left:right]
            for row, (left, right), (top, bottom) in zip(p.rows.tolist(), *corners)
        ]
        return self.window_class(views, axes[0], axes[1].transpose(0, 2, 1))


class _CoverageWindow(Window):
    def paint(self, colour: np.ndarray, alpha: np.ndarray) -> None:
        for i, under in enumerate(self.views):
            under += (1 - under) * alpha[i]


class Coverage(Canvas):
    """How much of each pixel is painted over: a single plane from 0 to 1, for masks."""

    window_class = _CoverageWindow
    planes = 1


def smooth(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Return a soft step from 0 at `low` to 1 at `high`."""
    t = np.clip((value - low) * (1 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def zigzag(value: np.ndarray) -> np.ndarray:
    """Return a wave of straight lines between -1 and 1 with period 1."""
    return np.abs(value - np.floor(value) - 0.5) * 4 - 1


def sine(angle: np.ndarray) -> np.ndarray:
    """Return sin(angle) for |angle| < 1; np.sin may differ in its last bit between machines."""
    square = angle * angle
    return angle * (1 - square / 6 * (1 - square / 20 * (1 - square / 42)))


def cover(distance: np.ndarray, pixel: Value) -> np.ndarray:
    """Return how much of a pixel a shape covers, from the signed distance to its edge."""
    return np.clip(0.5 - distance / pixel, 0, 1)


def ellipse(x: np.ndarray, y: np.ndarray, a: Value, b: Value) -> np.ndarray:
    """Return the (first-order) signed distance to an ellipse with half-axes a and b."""
    x, y = x / a, y / b
    level = np.sqrt(x * x + y * y) + 1e-6
    x, y = x / a, y / b
    return level * (level - 1) / (np.sqrt(x * x + y * y) + 1e-6)


def stroke(
    x: np.ndarray, y: np.ndarray, start: tuple, end: tuple, wide: Value, narrow: Value
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance to a tapered round stroke, and the place along it in [0, 1]."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    x, y = x - start[0], y - start[1]
    along = np.clip((x * dx + y * dy) / (dx * dx + dy * dy + 1e-6), 0, 1)
    x, y = x - along * dx, y - along * dy
    return np.sqrt(x * x + y * y) - (wide + (narrow - wide) * along), along


def shade(p: Scene, nx: Value, ny: Value, nz: Value, gloss: float = 0) -> np.ndarray:
    """Return the light [3, n, h, w] that a surface with normal (nx, ny, nz) sends to the eye."""
    t = smooth(-0.45, 1.0, nx * p.light_x + ny * p.light_y + nz * p.light_z)
    light = (p.lit - p.shadow) * t
    light += p.shadow
    if gloss:
        # Halfway between light and eye, where a shiny surface mirrors the light.
        shine = np.maximum(nx * p.half_x + ny * p.half_y + nz * p.half_z, 0)
        shine = shine * shine
        shine = shine * shine
        shine = shine * shine
        light += gloss * shine * shine
    return light


def turn(p: Scene, x: Value, y: Value, z: Value) -> tuple:
    """Turn and nod a point of the head (x right, y down, z to the viewer)."""
    x, z = x * p.turn_cos + z * p.turn_sin, z * p.turn_cos - x * p.turn_sin
    return x, y * p.nod_cos + z * p.nod_sin, z * p.nod_cos - y * p.nod_sin


def unturn(p: Scene, x: Value, y: Value, z: Value) -> tuple:
    """Undo `turn`."""
    y, z = y * p.nod_cos - z * p.nod_sin, y * p.nod_sin + z * p.nod_cos
    return x * p.turn_cos - z * p.turn_sin, y, x * p.turn_sin + z * p.turn_cos


def outline(p: Scene, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle and half width of the head at height y in [-1, 1] (top to chin)."""
    low = np.maximum(y, 0)
    low = low * low
    # The chin is in front of the neck, so it swings further than the skull does.
    return 0.26 * p.turn_sin * p.width * low, p.width * (1 - p.taper * low)


def place(p: Scene, x: Value, y: Value, z: Value) -> tuple:
    """Return where the point (x, y, z) of the unit head shows in the head's frame, and how near."""
    x, y, z = turn(p, x, y, z)
    middle, width = outline(p, np.clip(y, -1, 1))
    return middle + x * width, y * p.height, z


def skull(p: Scene, x: np.ndarray, y: np.ndarray, shell: Value = 1) -> tuple:
    """Return where pixels of the head's frame are on the unit head, or on a shell around it.

    Returns:
        x, y and z, which are also the normal there, and the signed distance to the outline.
    """
    height = p.height * shell
    y = y / height
    middle, width = outline(p, np.clip(y, -1, 1))
    width = width * shell
    x = (x - middle) / width
    # Taking a little off the level where both are large makes the jaw square.
    corner = np.minimum(np.abs(x), 1) * np.clip(y, 0, 1)
    level = np.sqrt(np.maximum(x * x + y * y - p.square * corner * corner, 1e-6))
    slope_x, slope_y = x / width, y / height
    edge = level * (level - 1) / (np.sqrt(slope_x * slope_x + slope_y * slope_y) + 1e-6)
    return x, y, np.sqrt(np.maximum(1 - level * level, 0)), edge


def hair_line(p: Scene, right: np.ndarray, up: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Return how far inside the hair a point of the unit head is: positive under hair."""
    line = up - p.hair_back * front + p.hair_wide * right * right + p.hair_part * right
    return line + p.hair_middle * np.abs(right) - p.hair_edge


def head_window(
    canvas: Canvas, p: Scene, x: Value, y: Value, reach: Value, tall: Value | None = None
) -> Window:
    """Return a window around (x, y) of the head's frame, with its pixels' x and y in that frame."""
    y = y - NECK
    x, y = p.tilt_cos * x - p.tilt_sin * y, p.tilt_sin * x + p.tilt_cos * y + NECK
    tall = (reach if tall is None else tall) * p.zoom
    w = canvas.window(p, (x + p.head_x) * p.zoom, (y + p.head_y) * p.zoom, reach * p.zoom, tall)
    x, y = w.x / p.zoom - p.head_x, w.y / p.zoom - p.head_y - NECK
    w.x, w.y = p.tilt_cos * x + p.tilt_sin * y, p.tilt_cos * y - p.tilt_sin * x + NECK
    return w


def patch(canvas: Canvas, p: Scene, x: Value, y: Value, reach: Value, lift: float = 1) -> Window:
    """Return a window whose x and y lie in the plane that touches the head at (x, y).

    A flat shape drawn in it moves and foreshortens like a thing that sits on the head. `pixel` is
    the size of a pixel in that plane, `seen` fades to 0 where the head turns away. What lies on
    the skin (`lift` 1) ends at the outline of the head.
    """
    x, y = x + 0 * p.zoom, y + 0 * p.zoom
    z = np.sqrt(np.maximum(1 - x * x - y * y, 0.01))
    across = np.sqrt(x * x + z * z)
    # The plane's axes before turning: rightwards (z, 0, -x), downwards their cross product.
    ux, uy, _ = turn(p, z / across, 0, -x / across)
    vx, vy, _ = turn(p, -x * y / across, across, -z * y / across)
    cx, cy, depth = place(p, x * lift, y * lift, z * lift)
    w = head_window(canvas, p, cx, cy, reach)
    seen = smooth(0.0, 0.3, depth)
    if lift == 1:
        seen = seen * cover(skull(p, w.x, w.y)[3], p.pixel)
    dx, dy = w.x - cx, w.y - cy
    area = np.maximum(ux * vy - uy * vx, 0.15)
    w.x, w.y = (dx * vy - dy * vx) / area, (dy * ux - dx * uy) / area
    w.pixel = p.pixel / np.sqrt(area)
    w.seen = seen
    return w
