"""Diversity: how much pictures differ, by MS-SSIM (paper, section 4.2)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from sdgan_tf.evaluation.pairs import Progress, quiet

# Of the scales, from the finest on (Wang, Simoncelli, Bovik 2003).
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 11

# Pairs compared at a time.
_CHUNK = 128


def scales(image_size: int) -> int:
    """How many scales MS-SSIM has: the coarsest, halved each time, still covers the window."""
    if image_size < WINDOW:
        raise ValueError(
            f"MS-SSIM needs pictures of {WINDOW} px or more, the size of its window. "
            f"Received: {image_size} px"
        )
    found = 1
    while found < len(WEIGHTS) and -(-image_size // 2**found) >= WINDOW:
        found += 1
    return found


def protocol(image_size: int) -> str:
    """What was measured, to be printed with each number."""
    count = scales(image_size)
    weights = ", ".join(f"{weight:.4f}" for weight in _weights(image_size))
    plural = "s" * (count > 1)
    return (
        f"MS-SSIM at {image_size} px, {count} scale{plural} weighing {weights} (the standard "
        f"weights over their sum), Gaussian window of {WINDOW} px, sigma 1.5"
    )


def ms_ssim(images: np.ndarray, pairs: np.ndarray, progress: Progress = quiet) -> np.ndarray:
    """Multi-scale structural similarity of pairs of pictures, at their own size.

    The standard measure, which has five scales and needs 161 px, with as many of its scales as the
    pictures have room for; at 161 px and above it is `tf.image.ssim_multiscale` as it comes.

    Args:
        images: uint8 [m, h, h, c].
        pairs: int [n, 2], positions in `images`.
        progress: told of the pairs that are compared.

    Returns:
        float32 [n], 1 for equal pictures.
    """
    weights = _weights(images.shape[1])
    parts = []
    for start in range(0, len(pairs), _CHUNK):
        first, second = images[pairs[start : start + _CHUNK].T]
        parts.append(tf.image.ssim_multiscale(first, second, 255, weights, WINDOW).numpy())
        progress(min(start + _CHUNK, len(pairs)), len(pairs), "pairs compared")
    return np.concatenate(parts)


def _weights(image_size: int) -> list[float]:
    kept = WEIGHTS[: scales(image_size)]
    # All five are used as they are published, though they add up to 1.0001.
    return [weight / sum(kept) for weight in kept] if len(kept) < len(WEIGHTS) else list(kept)
