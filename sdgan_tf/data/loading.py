"""Ways to a data set: a folder, TFRecords, the drawn people, or whatever a path turns out to be."""

from __future__ import annotations

import os
from typing import Any

from sdgan_tf.data import decoding
from sdgan_tf.data.arrays import MAX_BYTES
from sdgan_tf.data.built import check_built, from_built, is_built, read_index
from sdgan_tf.data.checks import check_images, find_files
from sdgan_tf.data.drawn.data_set import drawn
from sdgan_tf.data.identity_data import IdentityData
from sdgan_tf.data.likeness import Likeness
from sdgan_tf.data.reading import read_listing
from sdgan_tf.data.report import Report, check_on_duplicates
from sdgan_tf.data.tfrecord import holds_records
from sdgan_tf.files import local_path


def from_directory(
    path: str | os.PathLike,
    image_size: int = 64,
    channels: int = 3,
    fit: str = "crop",
    on_bad_data: str = "fail",
    on_duplicates: str = "keep",
    max_pixels: int = decoding.MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    k: int = 1,
    manifest: str | os.PathLike = "",
    verbose: bool = False,
    keypoints: bool = False,
) -> IdentityData:
    """Reads the images of a folder into memory, by identity.

    The folder has a sub-folder for each identity, or it is flat and its images are named
    `<IDENTITY>_<OBSERVATION>_<anything>.png`. Names that differ only in capitals or in how accents
    are written mean one identity.

    Args:
        path: the folder.
        image_size: height and width to which images are resized.
        channels: 1 for luminance, 3 for red, green and blue.
        fit: `"crop"` takes the square in the middle, `"pad"` keeps the whole image on white.
        on_bad_data: `"fail"` raises an error that lists all broken images and all identities with
            fewer than `k`; `"skip"` leaves broken images out and logs which.
        on_duplicates: what to do about images that look the same once decoded: `"keep"` them all,
            `"drop"` all but the first of each group, or `"fail"`.
        max_pixels: an image with more is broken; none is decoded before this is known.
        max_bytes: how much memory the decoded images may take.
        k: how many images each identity should have.
        manifest: a `.csv` or `.jsonl` file that tells who is in which image, in place of the names: it has `path`,
            relative to the folder, `identity` and, for all images or for none, `split`: `train`, `validation` or
            `test`.
        verbose: whether to show a progress bar.
        keypoints: whether each image has to have keypoints, and a mask where it has one, see
            `data.keypoints`. Batches then have the fields `"keypoints"`, float32 `[b, k, 18, 3]`,
            and `"mask"`, uint8 `[b, k, h, w, 1]`.

    Returns:
        The data, whose `report` says what the data doctor saw.

    Raises:
        ValueError: the folder has no images, a layout that tells no identities, or too many images
            for `max_bytes`.
        BadData: there are bad data and `on_bad_data` is `"fail"`, or duplicates and
            `on_duplicates` is.
    """
    return read_listing(
        find_files(path, manifest),
        image_size,
        channels,
        fit,
        on_bad_data,
        on_duplicates,
        max_pixels,
        max_bytes,
        k,
        verbose,
        keypoints,
    )


def from_tfrecord(path: str | os.PathLike, **options: Any) -> IdentityData:
    """Reads the images of a folder of TFRecords into memory, by identity.

    Args:
        path: a folder of files `*.tfrecord` of `tf.train.Example` with the features `identity` and
            `images`, such as `to_tfrecord` writes.
        **options: as for `from_directory`.

    Returns:
        The data, as from `from_directory`.

    Raises:
        ValueError: the folder holds no TFRecords; else as for `from_directory`.
    """
    path = local_path(path)
    if not holds_records(path):
        raise ValueError(f"{os.fspath(path)!r} holds no TFRecords: it has no files *.tfrecord.")
    return from_directory(path, **options)


def load(
    path: str | os.PathLike = "",
    image_size: int = 64,
    channels: int = 3,
    fit: str = "crop",
    on_bad_data: str = "fail",
    on_duplicates: str = "keep",
    max_pixels: int = decoding.MAX_PIXELS,
    k: int = 1,
    manifest: str | os.PathLike = "",
    drawn_identities: int = 400,
    drawn_observations: int = 16,
    seed: int = 0,
    verbose: bool = False,
    keypoints: bool = False,
    drawn_bodies: bool = False,
) -> IdentityData:
    """Opens a data set, whatever it is: a folder of images, built data, or the drawn people.

    Args:
        path: a folder of images, a folder that `build` wrote, or nothing for drawn people.
        image_size: height and width of the images. Built data must have been built with it, with
            `channels` and, to the letter, with `fit`.
        channels: 1 or 3.
        fit: `"crop"` or `"pad"`.
        on_bad_data: `"fail"` or `"skip"`.
        on_duplicates: see `from_directory`; built data are taken as they are.
        max_pixels: see `from_directory`.
        k: how many images each identity of a folder should have.
        manifest: see `from_directory`.
        drawn_identities: how many people to draw.
        drawn_observations: how many images to draw of each.
        seed: which people to draw.
        verbose: whether to show a progress bar.
        keypoints: whether the keypoints and masks of the people are wanted, see `from_directory`.
            Built data must have been built with them.
        drawn_bodies: whether whole bodies are drawn in place of portraits.

    Returns:
        The data.

    Raises:
        ValueError: there are no such data, or they are not as asked.
    """
    if os.fspath(path):
        path = local_path(path)
    if os.fspath(manifest) and (not os.fspath(path) or is_built(path) or holds_records(path)):
        raise ValueError(
            "A manifest tells who is in which file of a folder of images; drawn people, built data and TFRecords tell "
            f"themselves. Received: manifest={os.fspath(manifest)!r}, data_dir={os.fspath(path)!r}"
        )
    if not os.fspath(path):
        return drawn(
            drawn_identities,
            drawn_observations,
            image_size,
            seed,
            channels,
            on_bad_data,
            keypoints=keypoints,
            bodies=drawn_bodies,
        )
    if not (is_built(path) or holds_records(path)):
        return from_directory(
            path,
            image_size,
            channels,
            fit,
            on_bad_data,
            on_duplicates,
            max_pixels,
            k=k,
            manifest=manifest,
            verbose=verbose,
            keypoints=keypoints,
        )
    data = from_built(path, on_bad_data, keypoints)
    index = read_index(path)
    built = {"image_size": index.image_size, "channels": index.channels, "fit": index.fit}
    asked = {"image_size": image_size, "channels": channels, "fit": fit}
    if built != asked:
        raise ValueError(
            f"The data in {os.fspath(path)!r} were built with {_words(built)}. Received: "
            f"{_words(asked)}. Ask for what they are, or build others of the images."
        )
    return data


def check(
    path: str | os.PathLike,
    image_size: int = 64,
    channels: int = 3,
    fit: str = "crop",
    on_duplicates: str = "keep",
    max_pixels: int = decoding.MAX_PIXELS,
    k: int = 1,
    manifest: str | os.PathLike = "",
    verbose: bool = False,
    keypoints: bool = False,
) -> Report:
    """Looks at a whole data set without keeping it: the data doctor.

    Args:
        path: a folder of images or of TFRecords, whose every image is decoded, and looked up among the others
            by `likeness`; or one that `build` wrote, whose checksums are compared.
        image_size: see `from_directory`.
        channels: see `from_directory`.
        fit: see `from_directory`.
        on_duplicates: `"fail"` makes bad data of images that look the same once decoded.
        max_pixels: see `from_directory`.
        k: how many images each identity should have.
        manifest: see `from_directory`.
        verbose: whether to show a progress bar.
        keypoints: whether each image has to have keypoints, see `from_directory`.

    Returns:
        The `Report`.

    Raises:
        ValueError: the folder is not what it should be.
    """
    check_on_duplicates(on_duplicates)
    path = local_path(path)
    if is_built(path):
        return check_built(path, k, verbose, keypoints)
    listing = find_files(path, manifest)
    report = Report(listing.root, k, on_duplicates)
    seen = Likeness()
    for image in check_images(
        listing, report, image_size, channels, fit, max_pixels, verbose, keypoints
    ):
        seen.add(image.identity, image.path, image.pixels)
    # Of each group of copies the first is enough: the report tells of the others already.
    groups = (*report.duplicates_across, *report.duplicates_within)
    report.alike = seen.pairs({path for group in groups for path in group[1:]})
    return report


def _words(values: dict) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())
