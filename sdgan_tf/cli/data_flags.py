"""Flags that say which images to use, for every command that needs some."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from absl import flags

from sdgan_tf.data import IdentityData, Splits
from sdgan_tf.data import load as load_data
from sdgan_tf.data.decoding import FITS, MAX_PIXELS
from sdgan_tf.data.report import BAD_DATA_CHOICES, DUPLICATES_CHOICES
from sdgan_tf.files import local_path


def define(values: flags.FlagValues) -> None:
    """Defines the flags, unless they are defined already.

    Args:
        values: where to define them.
    """
    if "data_dir" in values:
        return
    at = {"flag_values": values}
    flags.DEFINE_string(
        "data_dir",
        "",
        "The data: a folder with a sub-folder of images for each identity, a flat folder of images "
        "named <IDENTITY>_<OBSERVATION>_<anything>.png, or a folder written by `bin/data build`. "
        "Leave it empty for the built-in drawn people.",
        **at,
    )
    define_manifest(values)
    define_decoding(values)
    flags.DEFINE_integer(
        "drawn_identities", 400, "How many people are drawn if there is no --data_dir.", 2, **at
    )
    flags.DEFINE_integer(
        "drawn_observations", 16, "How many images are drawn of each of these people.", 1, **at
    )
    flags.DEFINE_bool(
        "drawn_bodies",
        False,
        "Whether these people are drawn with their whole bodies, in poses, in place of portraits.",
        **at,
    )
    flags.DEFINE_integer(
        "data_seed",
        0,
        "Which people are drawn if there is no --data_dir: another number gives other people.",
        0,
        **at,
    )
    flags.DEFINE_float(
        "validation_fraction",
        0.1,
        "The share of identities that is kept out of training for validation.",
        0,
        1,
        **at,
    )
    flags.DEFINE_float(
        "test_fraction",
        0.1,
        "The share of identities that is kept out of training for tests.",
        0,
        1,
        **at,
    )


def define_manifest(values: flags.FlagValues) -> None:
    """Defines the flag that says who is in which file."""
    flags.DEFINE_string(
        "manifest",
        "",
        "A CSV or JSONL file that tells who is in which file of the folder, in place of the names: with path, identity "
        "and, if the data have a split of their own, split (train, validation or test).",
        flag_values=values,
    )


def define_decoding(values: flags.FlagValues) -> None:
    """Defines the flags that say how files of images are read.

    Args:
        values: where to define them.
    """
    at = {"flag_values": values}
    flags.DEFINE_integer(
        "image_size", 64, "Images are resized to this height and width in pixels.", 1, **at
    )
    flags.DEFINE_enum(
        "channels", "3", ["1", "3"], "Use 1 for grey images and 3 for images in colour.", **at
    )
    flags.DEFINE_enum(
        "fit",
        "crop",
        FITS,
        "How images become square: crop takes the square in the middle, pad adds white at the "
        "sides.",
        **at,
    )
    flags.DEFINE_enum(
        "on_bad_data",
        "fail",
        BAD_DATA_CHOICES,
        "What is done about broken images and about identities with too few: fail lists them and "
        "stops, skip lists them and goes on without them.",
        **at,
    )
    flags.DEFINE_enum(
        "on_duplicates",
        "keep",
        DUPLICATES_CHOICES,
        "What is done about images that look the same once decoded: keep lists them and uses all, "
        "drop uses the first of each group, fail lists them and stops.",
        **at,
    )
    flags.DEFINE_integer(
        "max_pixels",
        MAX_PIXELS,
        "An image with more pixels than this counts as broken and is not decoded.",
        1,
        **at,
    )
    flags.DEFINE_bool(
        "keypoints",
        False,
        "Whether the keypoints of the people are needed: beside each image 0001.png a file 0001.json, and 0001.mask.png "
        "where there is a mask; README.md describes them. Drawn people know theirs.",
        **at,
    )


def of_run(run_dir: str | Path) -> dict[str, str]:
    """The flags of these that a run was started with, by name; none of a run that no command started."""
    file = local_path(run_dir) / "flags.cfg"
    if not file.exists():
        return {}
    lines = file.read_text().splitlines()
    # It comes after all flags of the data.
    if not any(line.startswith("--model=") for line in lines):
        raise ValueError(
            f"{file} is damaged, so it is not known which images the run was trained on. Continue the run by the command that "
            "started it, which writes the file anew."
        )
    own = flags.FlagValues()
    define(own)
    settings = (line.removeprefix("--").partition("=")[::2] for line in lines)
    return {name: value for name, value in settings if name in own}


def adopt(settings: Mapping[str, str], values: flags.FlagValues) -> None:
    """Takes the flags that a model was trained with in place of those not given, so that its
    identities are split as they were.

    Args:
        settings: such as `of_run` returns.
        values: the parsed flags.
    """
    for name, value in settings.items():
        if name in values and not values[name].present:
            values[name].parse(value)


def decoding(values: flags.FlagValues) -> dict:
    """The values of the flags of `define_decoding`, as arguments.

    Args:
        values: the parsed flags.

    Returns:
        `image_size`, `channels`, `fit`, `on_bad_data`, `on_duplicates`, `max_pixels` and
        `keypoints`.
    """
    return {
        "image_size": values.image_size,
        "channels": int(values.channels),
        "fit": values.fit,
        "on_bad_data": values.on_bad_data,
        "on_duplicates": values.on_duplicates,
        "max_pixels": values.max_pixels,
        "keypoints": values.keypoints,
    }


def load(values: flags.FlagValues, k: int = 1) -> IdentityData:
    """Opens the data that the flags name.

    Args:
        values: the parsed flags.
        k: how many images each identity should have.

    Returns:
        All of the data.

    Raises:
        ValueError: there is no such data, or they are bad.
    """
    return load_data(
        values.data_dir,
        **decoding(values),
        k=k,
        manifest=values.manifest,
        drawn_identities=values.drawn_identities,
        drawn_observations=values.drawn_observations,
        drawn_bodies=values.drawn_bodies,
        seed=values.data_seed,
        verbose=True,
    )


def split(data: IdentityData, values: flags.FlagValues) -> Splits:
    """Splits data by identity as the flags say, or as the data do where they came with a split.

    Args:
        data: all of the data.
        values: the parsed flags.

    Returns:
        The parts for training, validation and tests.
    """
    return data.split(values.validation_fraction, values.test_fraction)
