"""Imagined data sets: a folder of pictures for each identity."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from sdgan_tf.files import atomic_folder
from sdgan_tf.generation.codes import save_codes
from sdgan_tf.images import save_png
from sdgan_tf.models import Renderer

# More files than this are a slip of the keyboard rather than a wish.
MAX_PICTURES = 1_000_000


def check_folder(identities: int, observations: int) -> None:
    """Raises a `ValueError` for more pictures than a folder should hold."""
    count = identities * observations
    if count > MAX_PICTURES:
        raise ValueError(
            f"A folder takes {MAX_PICTURES:,} pictures at most. Received: {identities:,} identities "
            f"of {observations:,} observations, {count:,} pictures"
        )


def save_folder(
    model: Renderer,
    identity: np.ndarray,
    observation: np.ndarray,
    path: str | Path,
    batch_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Writes every identity under every observation, whole or not at all, as
    `identity-00000/00000.png` and so on: a data set that `data.from_directory` reads. `codes.npz`
    beside them says what they show.

    Args:
        model: what makes the pictures.
        identity: float [n, d_i].
        observation: float [m, d_o].
        path: the folder, which must not exist.
        batch_size: pictures made, and held in memory, at a time.
        progress: called with the pictures written so far and their number in all.

    Returns:
        The path.

    Raises:
        ValueError: too many pictures, or codes that the model does not take.
        FileExistsError: there is something at `path` already.
    """
    path, count = Path(path), len(identity) * len(observation)
    check_folder(len(identity), len(observation))
    with atomic_folder(path) as folder:
        save_codes(folder / "codes.npz", identity, observation)
        for start in range(0, count, batch_size):
            numbers = np.arange(start, min(start + batch_size, count))
            who, how = np.divmod(numbers, len(observation))
            images = model.render(model.latents.join(identity[who], observation[how]), batch_size)
            for i, j, image in zip(who, how, images):
                save_png(image, folder / f"identity-{i:05d}" / f"{j:05d}.png")
            if progress:
                progress(int(numbers[-1]) + 1, count)
    return path
