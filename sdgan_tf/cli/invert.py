"""Finds the codes of photos; shows the same identity in new observations, and other identities.

  bin/invert PHOTO... --run_dir=RUN --out=inverted
  bin/invert a1.jpg a2.jpg --same_identity --run_dir=RUN --out=inverted   one z_I for both
  bin/invert 1.png 2.png --keypoints --run_dir=RUN --out=inverted         people, by the encoder of dpig or dpig_maps

Writes codes.npz (for bin/generate --codes), errors.json, inversion.png (photos beside their images),
observations.png, identities.png and, of two photos or more, interpolation.png. Photos are PNG, JPEG,
BMP, GIF or WebP of any size and are made square, of the model's size, as --fit says. The error is the root
mean square difference in grey levels, 0 to 255; it has to beat that of the best random code.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from absl import flags

from sdgan_tf import evaluation, generation
from sdgan_tf.cli import command, source_flags
from sdgan_tf.data import decoding, keypoints
from sdgan_tf.files import local_file, local_path
from sdgan_tf.models import ImageModel
from sdgan_tf.stores import shown

DEFAULTS = generation.Search()
NO_BETTER = " - no better: the model does not know such images"


def define(values: flags.FlagValues) -> None:
    """Defines the flags of this command."""
    source_flags.define(values)
    at = {"flag_values": values}
    flags.DEFINE_string("out", None, "The folder to write, which must not exist yet.", **at)
    flags.DEFINE_bool(
        "same_identity", False, "Whether all photos show one identity and so share one z_I.", **at
    )
    flags.DEFINE_bool(
        "keypoints",
        False,
        "Whether keypoints lie beside the photos (README.md): the model's encoder of people then tells the codes, in place of "
        "a search.",
        **at,
    )
    flags.DEFINE_enum(
        "fit",
        "crop",
        decoding.FITS,
        "How a photo becomes square: crop takes its middle, pad lays all of it on white.",
        **at,
    )
    flags.DEFINE_integer(
        "max_pixels",
        decoding.MAX_PIXELS,
        "A photo with more pixels is refused before it is decoded.",
        1,
        **at,
    )
    flags.DEFINE_string(
        "verifier",
        None,
        "The folder of a verifier: the search then looks for its embedding of the photo too, see --perceptual.",
        **at,
    )
    for name, help in (
        ("steps", "The number of steps of each descent."),
        ("restarts", "The number of descents for each photo."),
        (
            "random_codes",
            "How many random codes are tried first: the descents start from the best of them.",
        ),
    ):
        flags.DEFINE_integer(name, getattr(DEFAULTS, name), help, 1, **at)
    flags.DEFINE_float("rate", DEFAULTS.rate, "The first learning rate of a descent.", 0.0, **at)
    flags.DEFINE_float(
        "perceptual",
        DEFAULTS.perceptual,
        "The weight of the verifier's distance beside that of the pixels.",
        0.0,
        **at,
    )
    flags.DEFINE_integer("seed", 0, "Seed of the random codes and of the edits.", **at)


def main(words: Sequence[str], values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    if not words or not values.out:
        raise ValueError(
            "Name photos, and a folder to write by --out: bin/invert PHOTO... --out=DIR"
        )
    if local_path(values.out).exists():
        raise FileExistsError(f"{values.out} exists already, and nothing is overwritten.")
    search = generation.Search(**{name: getattr(values, name) for name in DEFAULTS.__annotations__})
    model = source_flags.load(values)
    size, channels = model.image_size, model.channels
    photos = np.stack(
        [
            decoding.decode(str(local_path(name)), size, channels, values.fit, values.max_pixels)
            for name in words
        ]
    )
    inversion = _inverted(model, photos, words, search, values)
    for name, error, random_error in zip(words, inversion.error, inversion.random_error):
        print(
            f"{name}: error {error:.1f}, best of {search.random_codes:,} random codes {random_error:.1f}"
            + (NO_BETTER if error >= random_error else "")
        )
    out = generation.save_inversion(model, photos, inversion, values.out, words, values.seed)
    print(f"Written: {shown(out)}")
    return 0


def _inverted(
    model: ImageModel,
    photos: np.ndarray,
    names: Sequence[str],
    search: generation.Search,
    values: flags.FlagValues,
) -> generation.Inversion:
    if not values.keypoints:
        embed = evaluation.load_verifier(values.verifier).embed_tensor if values.verifier else None
        return generation.invert(model, photos, search, values.same_identity, embed, verbose=True)
    if values.same_identity or values.verifier:
        raise ValueError(
            "The encoder looks at each photo by itself, and searches for nothing: leave out --same_identity and --verifier "
            "beside --keypoints."
        )
    size = model.image_size
    known = [keypoints.of_image(str(local_file(name)), size, values.fit) for name in names]
    return generation.encode(model, photos, *(np.stack(parts) for parts in zip(*known)), search)


if __name__ == "__main__":
    command.run("sdgan_tf.cli.invert")
