"""Edits of inverted photos: the same identity in new observations, and other identities in this one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sdgan_tf.files import atomic_folder, local_path
from sdgan_tf.generation.codes import save_codes
from sdgan_tf.generation.inversion import Inversion
from sdgan_tf.images import check_grid, save_png, tile
from sdgan_tf.models import ImageModel

# New observations, or other identities, shown of each photo.
EDITS = 6
# From a photo to the next.
STEPS = 7


def save_inversion(
    model: ImageModel,
    photos: np.ndarray,
    inversion: Inversion,
    path: str | Path,
    names: Sequence[str],
    seed: int = 0,
) -> Path:
    """Writes a folder, whole or not at all:

        codes.npz           identity float32 [n, d_i] and observation float32 [n, d_o]
        errors.json         for each photo: its error and that of the best random code
        inversion.png       a row for each photo: the photo and the image of its codes
        observations.png    the same, and this identity in new observations
        identities.png      the same, and other identities in this observation
        interpolation.png   from the first photo to the second: rows along z_I, columns along z_O

    Args:
        model: the model of the inversion.
        photos: uint8 [n, h, w, c].
        inversion: what `invert` returned for them.
        path: the folder, which must not exist.
        names: the photos' names, for `errors.json`.
        seed: seed of the new observations and of the other identities.

    Returns:
        The path.

    Raises:
        FileExistsError: there is something at `path` already.
        ValueError: so many photos that the images would be too large.
    """
    check_grid(len(photos), 2 + EDITS, model.image_size)
    identity, observation = inversion.identity, inversion.observation
    others, new = model.grid_codes(EDITS, EDITS, seed)
    pair = np.stack([photos, inversion.images], axis=1)
    join = model.latents.join
    edits = {
        "observations": join(*_all_pairs(identity, new)),
        "identities": join(*reversed(_all_pairs(observation, others))),
    }
    path = local_path(path)
    with atomic_folder(path) as folder:
        save_codes(folder / "codes.npz", identity, observation)
        errors = zip(names, inversion.error.tolist(), inversion.random_error.tolist())
        records = [dict(zip(("photo", "error", "random_error"), line)) for line in errors]
        (folder / "errors.json").write_text(json.dumps(records, indent=2) + "\n")
        save_png(tile(pair), folder / "inversion.png")
        for name, codes in edits.items():
            row = np.concatenate([pair, model.render(codes)], axis=1)
            save_png(tile(row), folder / f"{name}.png")
        if len(photos) > 1:
            way = model.interpolate(identity[:2], observation[:2], STEPS)
            save_png(tile(way), folder / "interpolation.png")
    return path


def _all_pairs(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float [n, a] and float [m, b] to float [n, m, a] and float [n, m, b]."""
    n, m = len(first), len(second)
    return np.repeat(first[:, np.newaxis], m, axis=1), np.repeat(second[np.newaxis], n, axis=0)
