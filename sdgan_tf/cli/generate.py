"""Makes images by a trained model: grids, folders of single images, interpolations, films.

  bin/generate --run_dir=RUN --out=grid.png                      rows share z_I, columns share z_O
  bin/generate --run_dir=RUN --identities=100 --out=people       a folder for each identity
  bin/generate --run_dir=RUN --identity_seeds=5 --out=grid.png   one identity, many observations
  bin/generate --run_dir=RUN --interpolate=both --out=walk.png   rows walk along z_I, columns along z_O
  bin/generate --run_dir=RUN --interpolate=identity --out=walk.gif
  bin/generate --run_dir=RUN --pose=DIR/0001.png --out=posed.png         people in the pose of an image
  bin/generate --run_dir=RUN --vary=pose --out=poses.png         columns differ in that part of the code alone
  bin/generate --run_dir=RUN --traverse=continuous:1 --out=slant.png     columns walk along one number

The name after --out says what is written: .png is a grid, .gif or .mp4 a film, and a name without an
extension a folder, which is a data set for bin/train. --saved_model=DIR takes an exported model in
place of a run. Equal seeds give equal images.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags

from sdgan_tf import generation
from sdgan_tf.cli import command, source_flags
from sdgan_tf.data import keypoints
from sdgan_tf.files import local_file, local_path
from sdgan_tf.images import check_grid, save_png, tile
from sdgan_tf.latents import PATHS, walk
from sdgan_tf.models import ImageModel
from sdgan_tf.stores import shown

WALKS = {"none": (), "identity": (0,), "observation": (1,), "both": (0, 1)}


def define(values: flags.FlagValues) -> None:
    """Defines the flags of this command."""
    source_flags.define(values)
    at = {"flag_values": values}
    flags.DEFINE_string(
        "out",
        None,
        "The file or the folder to write; its extension says which kind, see above.",
        **at,
    )
    for name, part in (("identities", "z_I"), ("observations", "z_O")):
        help = f"How many {part} codes are drawn. By default 8, or 2 for a part that walks."
        flags.DEFINE_integer(name, None, help, lower_bound=1, **at)
    for name, part in (("identity_seeds", "z_I"), ("observation_seeds", "z_O")):
        flags.DEFINE_list(
            name,
            None,
            f"Seeds of the {part} codes, separated by commas, in place of a number of codes.",
            **at,
        )
    flags.DEFINE_integer(
        "seed", 0, "Seed of the drawn codes: another seed draws other codes.", **at
    )
    flags.DEFINE_string(
        "codes",
        None,
        "A code file (.npz) whose codes are shown, such as the codes.npz that bin/invert writes.",
        **at,
    )
    flags.DEFINE_list(
        "pose",
        [],
        "Images with their keypoints beside them (README.md), separated by commas: each column of the grid has the pose of "
        "one of them. For models of poses, such as dpig.",
        **at,
    )
    flags.DEFINE_float(
        "truncation",
        1.0,
        "Factor from 0 to 1 for drawn codes. A smaller one gives more typical and less varied images.",
        lower_bound=0.0,
        upper_bound=1.0,
        **at,
    )
    flags.DEFINE_enum(
        "interpolate",
        "none",
        list(WALKS),
        "Which part of the code walks from each of its codes to the next.",
        **at,
    )
    flags.DEFINE_list(
        "vary",
        [],
        "Parts of the code, separated by commas, such as pose or background of dpig_maps: columns, or rows, whose code has "
        "such a part differ in it alone, also where they walk.",
        **at,
    )
    flags.DEFINE_string(
        "traverse",
        None,
        "A number of the observation code, as PART:NUMBER, along which the columns go from -reach to reach while the rest "
        "stays. SD-GAN's part is called observation, InfoGAN's continuous.",
        **at,
    )
    flags.DEFINE_float(
        "reach", 2.0, "How far --traverse goes; trained codes of a uniform law end at 1.", 0.0, **at
    )
    flags.DEFINE_integer("steps", 8, "The number of steps from one code to the next.", 1, **at)
    flags.DEFINE_enum(
        "path",
        "linear",
        PATHS,
        "How codes walk: linear, as in the paper, or slerp, along great arcs.",
        **at,
    )
    flags.DEFINE_float(
        "fps", 10.0, "How many frames of a film are shown in a second.", 0.1, 100.0, **at
    )
    flags.DEFINE_integer("batch_size", 64, "How many images are made at a time.", 1, **at)


def main(words: Sequence[str], values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    command.no_words(words)
    kind = _kind(values)
    model = source_flags.load(values)
    codes = _codes(model, kind, values)
    out = {"": _folder, ".png": _grid}.get(kind, _film)(model, *codes, values)
    print(f"Written: {shown(out)}")
    return 0


def _kind(values: flags.FlagValues) -> str:
    """The extension of the output, refused before long work if nothing can be written by it."""
    if not values.out:
        raise ValueError("Name what to write by --out, such as --out=grid.png.")
    kind, out = Path(values.out).suffix, local_path(values.out)
    if kind not in ("", ".png"):
        generation.check_film(values.out)
        if values.interpolate == "none":
            raise ValueError(
                "A film shows a walk: name what walks by --interpolate=identity, observation or both."
            )
    elif not kind and out.exists():
        raise FileExistsError(f"{values.out} exists already, and nothing is overwritten.")
    return kind


def _codes(model: ImageModel, kind: str, values: flags.FlagValues) -> list[np.ndarray]:
    """Identity and observation codes of the flags, walked where asked: float32 [n, width] each.

    Drawing takes its time, so their numbers are checked before.
    """
    if values.traverse:
        return _traversed(model, kind, values)
    file = generation.load_codes(values.codes) if values.codes else {}
    walks = WALKS[values.interpolate]
    poses = _poses(model, values)
    asked = [
        _asked(part, file, index in walks, values) for index, part in enumerate(generation.PARTS)
    ]
    counts = [len(wanted) if np.ndim(wanted) else wanted for wanted in asked]
    for index in walks:
        counts[index] = (counts[index] - 1) * values.steps + 1
    _check(kind, *counts, model.image_size, values)
    codes = list(model.grid_codes(*asked, values.seed, values.truncation))
    if poses is not None:
        codes[1] = model.in_poses(codes[1], poses)
    codes = [
        model.latents.vary(each, values.vary, part) for each, part in zip(codes, generation.PARTS)
    ]
    for index in walks:
        codes[index] = walk(codes[index], values.steps, values.path)
    return codes


def _traversed(model: ImageModel, kind: str, values: flags.FlagValues) -> list[np.ndarray]:
    """Identity codes by number or seeds, and observation codes along one number of one of them."""
    seeds = values.observation_seeds is not None
    if values.codes or values.pose or values.vary or seeds or values.interpolate != "none":
        raise ValueError(
            "--traverse says what the columns are: leave out --codes, --interpolate, --pose, --vary and --observation_seeds."
        )
    part, _, number = values.traverse.partition(":")
    if not number.isdecimal():
        raise ValueError(
            f"A number of a part is named as PART:NUMBER. Received: --traverse={values.traverse}"
        )
    columns = values.observations or 9
    rows = _asked("identity", {}, False, values)
    _check(kind, len(rows) if np.ndim(rows) else rows, columns, model.image_size, values)
    identity, (code,) = model.grid_codes(rows, 1, values.seed, values.truncation)
    return [identity, model.latents.traverse(code, part, int(number), values.reach, columns)]


def _check(kind: str, rows: int, columns: int, image_size: int, values: flags.FlagValues) -> None:
    if not kind:
        generation.check_folder(rows, columns)
    elif kind != ".png" and values.interpolate == "both":
        check_grid(rows, 1, image_size)  # each frame is an image
    else:
        check_grid(rows, columns, image_size)


def _asked(
    part: str, file: dict[str, np.ndarray], walked: bool, values: flags.FlagValues
) -> int | list[int] | np.ndarray:
    """How many codes, their seeds, or the codes themselves."""
    seeds = getattr(values, f"{part}_seeds")
    count = values.identities if part == "identity" else values.observations
    given = [value for value in (seeds, count, file.get(part)) if value is not None]
    if len(given) > 1:
        raise ValueError(
            f"The {part} codes are drawn by number, drawn by seeds, or taken from --codes: "
            "only one of these."
        )
    if seeds is not None:
        return _numbers(seeds)
    if given:
        return given[0]
    if values.pose and part == "observation":
        return len(values.pose)
    return 2 if walked else 8


def _poses(model: ImageModel, values: flags.FlagValues) -> np.ndarray | None:
    """The keypoints that are asked for: float32 [n, 18, 3] in pixels of the model's images; None for none."""
    if not values.pose:
        return None
    if not hasattr(model, "in_poses"):
        raise ValueError(
            "This model has no poses: give a run of --model=dpig or dpig_maps by --run_dir. "
            f"Received: --pose={','.join(values.pose)}"
        )
    return np.stack(
        [keypoints.of_image(str(local_file(path)), model.image_size)[0] for path in values.pose]
    )


def _numbers(seeds: list[str]) -> list[int]:
    try:
        return [int(seed) for seed in seeds]
    except ValueError as error:
        raise ValueError(f"Seeds are whole numbers. Received: {','.join(seeds)}") from error


def _grid(
    model: ImageModel, identity: np.ndarray, observation: np.ndarray, values: flags.FlagValues
) -> Path:
    codes = model.latents.grid(identity, observation)
    images = model.render(codes, values.batch_size, verbose=True)
    return save_png(tile(images), values.out)


def _folder(
    model: ImageModel, identity: np.ndarray, observation: np.ndarray, values: flags.FlagValues
) -> Path:
    return generation.save_folder(
        model, identity, observation, values.out, values.batch_size, verbose=True
    )


def _film(
    model: ImageModel, identity: np.ndarray, observation: np.ndarray, values: flags.FlagValues
) -> Path:
    codes = generation.frame_codes(model.latents, identity, observation, values.interpolate)
    images = model.render(codes, values.batch_size, verbose=True)
    frames = np.stack([tile(frame) for frame in images])
    return generation.save_film(frames, values.out, values.fps)


if __name__ == "__main__":
    command.run("sdgan_tf.cli.generate")
