"""Diversity: how much images differ, by MS-SSIM (paper, section 4.2)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

# Of the scales, from the finest on (Wang, Simoncelli, Bovik 2003).
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 11

# Pairs compared at a time.
_CHUNK = 128


def scales(image_size: int) -> int:
    """How many scales MS-SSIM has: the coarsest, halved each time, still covers the window."""
    if image_size < WINDOW:
        raise ValueError(
            f"MS-SSIM needs images of {WINDOW} px or more, the size of its window. "
            f"Received: {image_size} px"
        )
    count = 1
    while count < len(WEIGHTS) and -(-image_size // 2**count) >= WINDOW:
        count += 1
    return count


def protocol(image_size: int) -> str:
    """What was measured, to be printed with each number."""
    count = scales(image_size)
    weights = ", ".join(f"{weight:.4f}" for weight in _weights(image_size))
    plural = "s" * (count > 1)
    return (
        f"MS-SSIM at {image_size} px, {count} scale{plural} weighing {weights} (the standard "
        f"weights over their sum), Gaussian window of {WINDOW} px, sigma 1.5"
    )


def ms_ssim(images: np.ndarray, pairs: np.ndarray, verbose: bool = False) -> np.ndarray:
    """Multi-scale structural similarity of pairs of images, at their own size.

    The standard measure, which has five scales and needs 161 px, with as many of its scales as the
    images have room for; at 161 px and above it is `tf.image.ssim_multiscale` as it comes.

    Args:
        images: uint8 [m, h, h, c].
        pairs: int [n, 2], positions in `images`.
        verbose: whether a progress bar is shown.

    Returns:
        float32 [n], 1 for equal images.
    """
    weights = _weights(images.shape[1])
    parts = []
    with tqdm(total=len(pairs), desc="Comparing pairs", disable=not verbose) as bar:
        for start in range(0, len(pairs), _CHUNK):
            first, second = images[pairs[start : start + _CHUNK].T]
            parts.append(tf.image.ssim_multiscale(first, second, 255, weights, WINDOW).numpy())
            bar.update(len(first))
    return np.concatenate(parts)


def _weights(image_size: int) -> list[float]:
    kept = WEIGHTS[: scales(image_size)]
    # All five are used as they are published, though they add up to 1.0001.
    return [weight / sum(kept) for weight in kept] if len(kept) < len(WEIGHTS) else list(kept)
