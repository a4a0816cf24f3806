"""Walks through the latent space as films."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from sdgan_tf.files import atomic_file, local_path
from sdgan_tf.latents import LatentSpace

FORMATS = (".gif", ".mp4")


def check_film(path: str | Path) -> None:
    """Raises unless a film can be written under such a name: before long work, not after.

    Raises:
        ValueError: neither .gif nor .mp4.
        ImportError: .mp4 without the extra `video`, which brings the encoder.
    """
    suffix = Path(path).suffix
    if suffix not in FORMATS:
        raise ValueError(f"A film is written as one of {FORMATS}. Received: {path}")
    if suffix == ".mp4":
        try:
            import imageio.v3  # noqa: F401
            import imageio_ffmpeg  # noqa: F401, what imageio writes .mp4 by
        except ImportError as error:
            raise ImportError(
                "A film as .mp4 needs an encoder: install it by pip install 'sdgan_tf[video]', or "
                f"write a .gif. Missing: {error.name}"
            ) from error


def frame_codes(
    space: LatentSpace, identity: np.ndarray, observation: np.ndarray, walking: str
) -> np.ndarray:
    """The codes of a film's frames, each a grid.

    Args:
        space: what joins the codes.
        identity: float [rows, d_i].
        observation: float [columns, d_o].
        walking: `"identity"`: each frame is a row, which shows all observations side by side;
            `"observation"`: each frame is a column, which shows all identities below each other;
            `"both"`: each frame is one image, and both codes move at once.

    Returns:
        float32 [frames, rows of a frame, columns of a frame, d_i + d_o].

    Raises:
        ValueError: both are to move, but are not as many.
    """
    if walking == "both":
        if len(identity) != len(observation):
            raise ValueError(
                "Where both codes move at once, there are as many of the one as of the other. "
                f"Received: {len(identity)} identity and {len(observation)} observation codes"
            )
        return np.asarray(space.join(identity, observation))[:, np.newaxis, np.newaxis]
    grid = np.asarray(space.grid(identity, observation))
    if walking == "observation":
        return grid.swapaxes(0, 1)[:, :, np.newaxis]
    return grid[:, np.newaxis]


def save_film(frames: np.ndarray, path: str | Path, fps: float = 10.0) -> Path:
    """Writes a film, whole or not at all, and makes its folder.

    Args:
        frames: uint8 [t, h, w, 1 or 3], 0 to 255.
        path: a name in .gif, which repeats for ever, by Pillow with 256 colours a frame; or in .mp4
            (H.264), which needs the extra `video`.
        fps: frames a second. GIF counts in hundredths of a second.

    Returns:
        The path.
    """
    check_film(path)
    path = local_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = np.broadcast_to(frames, (*frames.shape[:-1], 3))
    with atomic_file(path) as file:
        if path.suffix == ".gif":
            _write_gif(frames, file, fps)
        else:
            _write_mp4(frames, file.name, fps)
    return path


def _write_gif(frames: np.ndarray, file: BinaryIO, fps: float) -> None:
    from PIL import Image

    first, *others = (Image.fromarray(frame) for frame in frames)
    duration = max(10, 10 * round(100 / fps))
    first.save(file, "GIF", save_all=True, append_images=others, duration=duration, loop=0)


def _write_mp4(frames: np.ndarray, name: str, fps: float) -> None:
    import imageio.v3

    # The encoder halves the resolution of colour and so needs even edges.
    odd = [(0, edge % 2) for edge in frames.shape[1:3]]
    frames = np.pad(frames, [(0, 0), *odd, (0, 0)], constant_values=255)
    options = {"fps": fps, "quality": 8, "macro_block_size": 1, "output_params": ["-f", "mp4"]}
    imageio.v3.imwrite(name, frames, plugin="FFMPEG", extension=".mp4", **options)
