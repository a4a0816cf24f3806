"""Images: bytes 0 to 255 outside, floats in [-1, 1] inside; grids of them; PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from sdgan_tf.files import atomic_file, local_path

# An image with more pixels is neither read nor written.
MAX_PIXELS = 64_000_000
# Pixels between the images of a grid.
GAP = 2


def to_float(images: tf.Tensor) -> tf.Tensor:
    """uint8 0 to 255 to float32 in [-1, 1], by `/ 127.5 - 1`; floats are taken to be in [-1, 1]
    already.
    """
    if images.dtype == tf.uint8:
        return tf.cast(images, tf.float32) / 127.5 - 1.0
    if images.dtype.is_floating:
        return tf.cast(images, tf.float32)
    raise ValueError(
        "Images are uint8 from 0 to 255 or floats in [-1, 1]. "
        f"Received: {images.dtype.name}; convert by tf.cast(images, tf.uint8)"
    )


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """float in [-1, 1] to uint8 0 to 255, rounded; what lies outside is clipped, NaN becomes 0."""
    scaled = tf.round((tf.cast(images, tf.float32) + 1.0) * 127.5)
    # As an integer a NaN is whatever the processor makes of it.
    scaled = tf.where(tf.math.is_nan(scaled), 0.0, scaled)
    return tf.cast(tf.clip_by_value(scaled, 0.0, 255.0), tf.uint8)


def check_grid(rows: int, columns: int, image_size: int) -> None:
    """Raises a `ValueError` if a grid, laid out by `tile`, had more pixels than our own readers
    take.
    """
    height, width = (count * (image_size + GAP) - GAP for count in (rows, columns))
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"A grid of {rows:,} x {columns:,} images would be {height:,} x {width:,} pixels, more "
            f"than the {MAX_PIXELS:,} allowed. Ask for fewer, or for a folder of single images."
        )


def tile(grid: np.ndarray, gap: int = GAP) -> np.ndarray:
    """Lays a grid out as one image, on white.

    Args:
        grid: uint8 [rows, columns, h, w, c].
        gap: pixels between images.

    Returns:
        uint8 [rows * (h + gap) - gap, columns * (w + gap) - gap, c].
    """
    rows, columns, height, width, channels = grid.shape
    canvas = np.full((rows, height + gap, columns, width + gap, channels), 255, np.uint8)
    canvas[:, :height, :, :width] = grid.transpose(0, 2, 1, 3, 4)
    canvas = canvas.reshape(rows * (height + gap), columns * (width + gap), channels)
    return canvas[: canvas.shape[0] - gap, : canvas.shape[1] - gap]


def save_png(image: np.ndarray, path: str | Path) -> Path:
    """Writes uint8 [h, w, 1 or 3] to a PNG file, whole or not at all, and makes its folder."""
    # Pillow costs a quarter of a second to import, which `import sdgan_tf` should not pay.
    from PIL import Image

    path = local_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    squeezed = image[..., 0] if image.shape[-1] == 1 else image
    with atomic_file(path) as file:
        Image.fromarray(squeezed).save(file, format="PNG")
    return path
