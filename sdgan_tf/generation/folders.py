"""Imagined data sets: a folder of images for each identity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from sdgan_tf.files import atomic_folder, local_path
from sdgan_tf.generation.codes import save_codes
from sdgan_tf.images import save_png
from sdgan_tf.models import ImageModel

# More files than this are a slip of the keyboard rather than a wish.
MAX_IMAGES = 1_000_000


def check_folder(identities: int, observations: int) -> None:
    """Raises a `ValueError` for more images than a folder should hold."""
    count = identities * observations
    if count > MAX_IMAGES:
        raise ValueError(
            f"A folder takes {MAX_IMAGES:,} images at most. Received: {identities:,} identities "
            f"of {observations:,} observations, {count:,} images"
        )


def save_folder(
    model: ImageModel,
    identity: np.ndarray,
    observation: np.ndarray,
    path: str | Path,
    batch_size: int = 64,
    verbose: bool = False,
) -> Path:
    """Writes every identity under every observation, whole or not at all, as
    `identity-00000/00000.png` and so on: a data set that `data.from_directory` reads. `codes.npz`
    beside them says what they show.

    Args:
        model: what makes the images.
        identity: float [n, d_i].
        observation: float [m, d_o].
        path: the folder, which must not exist.
        batch_size: images made, and held in memory, at a time.
        verbose: whether to show a progress bar.

    Returns:
        The path.

    Raises:
        ValueError: too many images, or codes that the model does not take.
        FileExistsError: there is something at `path` already.
    """
    path, count = local_path(path), len(identity) * len(observation)
    check_folder(len(identity), len(observation))
    with atomic_folder(path) as folder:
        save_codes(folder / "codes.npz", identity, observation)
        starts = range(0, count, batch_size)
        for start in tqdm(starts, desc="Batches of images", disable=not verbose):
            numbers = np.arange(start, min(start + batch_size, count))
            who, how = np.divmod(numbers, len(observation))
            images = model.render(model.latents.join(identity[who], observation[how]), batch_size)
            for i, j, image in zip(who, how, images):
                save_png(image, folder / f"identity-{i:05d}" / f"{j:05d}.png")
    return path
