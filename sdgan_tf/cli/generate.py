"""Makes pictures by a trained model: grids, folders of single pictures, interpolations, films.

  bin/generate --run_dir=RUN --out=grid.png                      rows share z_I, columns share z_O
  bin/generate --run_dir=RUN --identities=100 --out=people       a folder for each identity
  bin/generate --run_dir=RUN --identity_seeds=5 --out=grid.png   one identity, many observations
  bin/generate --run_dir=RUN --interpolate=both --out=walk.png   rows go along z_I, columns along z_O
  bin/generate --run_dir=RUN --interpolate=identity --out=walk.gif

The name says what is written: .png a grid, .gif or .mp4 a film, no extension a folder, which is a
data set for bin/train. --saved_model=DIR takes an exported model. Equal seeds give equal pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags

from sdgan_tf import generation
from sdgan_tf.cli import command, source_flags
from sdgan_tf.images import check_grid, save_png, tile
from sdgan_tf.latents import PATHS, walk
from sdgan_tf.models import Renderer

FLAGS = flags.FLAGS
WALKS = {"none": (), "identity": (0,), "observation": (1,), "both": (0, 1)}


def define(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags of this command."""
    source_flags.define(values)
    at = {"flag_values": values}
    flags.DEFINE_string("out", None, "What to write; see above.", **at)
    for name, part in (("identities", "z_I"), ("observations", "z_O")):
        help = f"How many {part} to draw (8; 2 to walk between)."
        flags.DEFINE_integer(name, None, help, lower_bound=1, **at)
    for name, part in (("identity_seeds", "z_I"), ("observation_seeds", "z_O")):
        flags.DEFINE_list(name, None, f"The seeds of these {part} instead, comma-separated.", **at)
    flags.DEFINE_integer("seed", 0, "Another one draws other codes.", **at)
    flags.DEFINE_string("codes", None, "An .npz file of codes to show, such as bin/invert's.", **at)
    flags.DEFINE_float(
        "truncation",
        1.0,
        "Factor of drawn codes, uniform or normal: smaller gives more typical, less varied pictures.",
        lower_bound=0.0,
        upper_bound=1.0,
        **at,
    )
    flags.DEFINE_enum(
        "interpolate", "none", list(WALKS), "Which part walks between its codes.", **at
    )
    flags.DEFINE_integer("steps", 8, "Steps from a code to the next.", 1, **at)
    flags.DEFINE_enum("path", "linear", PATHS, "linear as in the paper, or along great arcs.", **at)
    flags.DEFINE_float("fps", 10.0, "Frames a second of a film.", 0.1, 100.0, **at)
    flags.DEFINE_integer("batch_size", 64, "Pictures made at a time.", 1, **at)


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    command.no_words(arguments)
    kind = _kind()
    model = source_flags.load(FLAGS)
    codes = _codes(model, kind)
    out = {"": _folder, ".png": _grid}.get(kind, _film)(model, *codes)
    print(f"Written: {out}")
    return 0


def _kind() -> str:
    """The extension of --out, refused before long work if nothing can be written by it."""
    if not FLAGS.out:
        raise ValueError("Say what to write by --out, such as --out=grid.png.")
    kind = Path(FLAGS.out).suffix
    if kind not in ("", ".png"):
        generation.check_film(FLAGS.out)
        if FLAGS.interpolate == "none":
            raise ValueError(
                "A film walks: say what by --interpolate=identity, observation or both."
            )
    elif not kind and Path(FLAGS.out).exists():
        raise FileExistsError(f"{FLAGS.out} exists already, and nothing is overwritten.")
    return kind


def _codes(model: Renderer, kind: str) -> list[np.ndarray]:
    """Identity and observation codes of the flags, walked where asked: float32 [n, width] each.

    Drawing takes its time, so their numbers are checked before.
    """
    file = generation.load_codes(FLAGS.codes) if FLAGS.codes else {}
    walks = WALKS[FLAGS.interpolate]
    asked = [_asked(part, file, index in walks) for index, part in enumerate(generation.PARTS)]
    counts = [len(wanted) if np.ndim(wanted) else wanted for wanted in asked]
    for index in walks:
        counts[index] = (counts[index] - 1) * FLAGS.steps + 1
    _check(kind, *counts, model.image_size)
    codes = list(model.grid_codes(*asked, FLAGS.seed, FLAGS.truncation))
    for index in walks:
        codes[index] = walk(codes[index], FLAGS.steps, FLAGS.path)
    return codes


def _check(kind: str, rows: int, columns: int, image_size: int) -> None:
    if not kind:
        generation.check_folder(rows, columns)
    elif kind != ".png" and FLAGS.interpolate == "both":
        check_grid(rows, 1, image_size)  # a picture a frame
    else:
        check_grid(rows, columns, image_size)


def _asked(part: str, file: dict[str, np.ndarray], walked: bool) -> int | list[int] | np.ndarray:
    """How many codes, their seeds, or the codes themselves."""
    seeds = getattr(FLAGS, f"{part}_seeds")
    count = FLAGS.identities if part == "identity" else FLAGS.observations
    given = [value for value in (seeds, count, file.get(part)) if value is not None]
    if len(given) > 1:
        raise ValueError(
            f"The {part} codes are drawn by number, drawn by seeds, or taken from --codes: only one of these."
        )
    if seeds is not None:
        return _numbers(seeds)
    return given[0] if given else 2 if walked else 8


def _numbers(seeds: list[str]) -> list[int]:
    try:
        return [int(seed) for seed in seeds]
    except ValueError as error:
        raise ValueError(f"Seeds are whole numbers. Received: {','.join(seeds)}") from error


def _grid(model: Renderer, identity: np.ndarray, observation: np.ndarray) -> Path:
    codes = model.latents.grid(identity, observation)
    images = model.render(codes, FLAGS.batch_size, command.progress)
    return save_png(tile(images), FLAGS.out)


def _folder(model: Renderer, identity: np.ndarray, observation: np.ndarray) -> Path:
    return generation.save_folder(
        model, identity, observation, FLAGS.out, FLAGS.batch_size, command.progress
    )


def _film(model: Renderer, identity: np.ndarray, observation: np.ndarray) -> Path:
    codes = generation.frame_codes(model.latents, identity, observation, FLAGS.interpolate)
    images = model.render(codes, FLAGS.batch_size, command.progress)
    frames = np.stack([tile(frame) for frame in images])
    return generation.save_film(frames, FLAGS.out, FLAGS.fps)


def run() -> None:
    """Entry point of `bin/generate`."""
    define()
    command.run(main, __doc__, [sys.modules[__name__], source_flags])


if __name__ == "__main__":
    run()
