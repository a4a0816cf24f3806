"""Grids of pictures: rows share `z_I`, columns share `z_O`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdgan_tf.data.decoding import MAX_PIXELS
from sdgan_tf.files import atomic_file

# Pixels between the pictures of a grid.
GAP = 2


def check_grid(rows: int, columns: int, image_size: int) -> None:
    """Raises a `ValueError` if a grid, laid out by `tile`, had more pixels than our own readers
    take.
    """
    height, width = (count * (image_size + GAP) - GAP for count in (rows, columns))
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"A grid of {rows:,} x {columns:,} pictures would be {height:,} x {width:,} pixels, more than "
            f"the {MAX_PIXELS:,} allowed. Ask for fewer, or for a folder of single pictures."
        )


def tile(grid: np.ndarray, gap: int = GAP) -> np.ndarray:
    """Lays a grid out as one picture, on white.

    Args:
        grid: uint8 [rows, columns, h, w, c].
        gap: pixels between pictures.

    Returns:
        uint8 [rows * (h + gap) - gap, columns * (w + gap) - gap, c].
    """
    rows, columns, height, width, channels = grid.shape
    canvas = np.full((rows, height + gap, columns, width + gap, channels), 255, np.uint8)
    canvas[:, :height, :, :width] = grid.transpose(0, 2, 1, 3, 4)
    canvas = canvas.reshape(rows * (height + gap), columns * (width + gap), channels)
    return canvas[: canvas.shape[0] - gap, : canvas.shape[1] - gap]


def save_png(picture: np.ndarray, path: str | Path) -> Path:
    """Writes uint8 [h, w, 1 or 3] to a PNG file, whole or not at all, and makes its folder."""
    # Pillow costs a quarter of a second to import, which `import sdgan_tf` should not pay.
    from PIL import Image

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    squeezed = picture[..., 0] if picture.shape[-1] == 1 else picture
    with atomic_file(path) as file:
        Image.fromarray(squeezed).save(file, format="PNG")
    return path
