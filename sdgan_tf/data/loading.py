"""Ways to a data set: a folder, the drawn people, or whatever a path turns out to be."""

from __future__ import annotations

import os

import numpy as np

from sdgan_tf.data import decoding, sources
from sdgan_tf.data.checks import check_images, parallel_map
from sdgan_tf.data.drawn import (
    IDENTITY_FACTORS,
    OBSERVATION_FACTORS,
    identity_factors,
    observation_factors,
    render,
)
from sdgan_tf.data.identity_data import IdentityData
from sdgan_tf.data.memory import MAX_BYTES, IdentityImages, aligned_empty, check_memory
from sdgan_tf.data.records import from_tfrecord, is_shards
from sdgan_tf.data.report import Report, check_on_bad_data, settle


def from_directory(
    path: str | os.PathLike,
    image_size: int = 64,
    channels: int = 3,
    fit: str = "crop",
    on_bad_data: str = "fail",
    max_pixels: int = decoding.MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    k: int = 1,
) -> IdentityImages:
    """Reads the images of a folder into memory, by identity.

    The folder has a sub-folder for each identity, or it is flat and its images are named
    `<IDENTITY>_<OBSERVATION>_<anything>.png`.

    Args:
        path: The folder.
        image_size: Height and width to which images are resized.
        channels: 1 for luminance, 3 for red, green and blue.
        fit: `"crop"` takes the square in the middle, `"pad"` keeps the whole image on white.
        on_bad_data: `"fail"` raises an error that lists all broken images and all identities
            with fewer than `k`; `"skip"` leaves broken images out and logs which.
        max_pixels: An image with more is broken; none is decoded before this is known.
        max_bytes: How much memory the decoded images may take.
        k: How many images each identity should have.

    Returns:
        `IdentityImages`, whose `report` says what was found.

    Raises:
        ValueError: If the folder has no images, a layout that tells no identities, or too many
            images for `max_bytes`.
        BadData: If there are bad data and `on_bad_data` is `"fail"`.
    """
    check_on_bad_data(on_bad_data)
    decoding.check_options(image_size, channels, fit)
    listing = sources.find_images(path)
    check_memory(listing.images, image_size, channels, max_bytes)
    images = aligned_empty((listing.images, image_size, image_size, channels))
    report = Report(source=listing.root, k=k)
    filled = 0
    for image in check_images(listing, report, image_size, channels, fit, max_pixels):
        images[filled] = image.pixels
        filled += 1
    settle(report, on_bad_data)
    kept = {name: count for name, count in report.counts.items() if count}
    return IdentityImages(
        list(kept), np.array(list(kept.values())), images[:filled], on_bad_data, report
    )


def drawn(
    identities: int = 400,
    observations: int = 16,
    image_size: int = 64,
    seed: int = 0,
    channels: int = 3,
    on_bad_data: str = "fail",
    max_bytes: int = MAX_BYTES,
) -> IdentityImages:
    """Draws people: a data set that needs no download and whose every factor is known.

    Args:
        identities: How many
        observations: How many images of each.
        image_size: Height and width of the images.
        seed: Another seed gives other  More identities or observations do not: they are
            added to those there are.
        channels: 1 for luminance, 3 for red, green and blue.
        on_bad_data: `"fail"` or `"skip"`, see `IdentityData`.
        max_bytes: How much memory the images may take.

    Returns:
        `IdentityImages` with `factors`.

    Raises:
        ValueError: If an argument is out of range.
    """
    for name, value in (("identities", identities), ("observations", observations)):
        if value < 1:
            raise ValueError(f"`{name}` must be 1 or more. Received: {name}={value}")
    decoding.check_options(image_size, channels, "crop")
    check_memory(identities * observations, image_size, channels, max_bytes)
    who = np.repeat(np.arange(identities), observations)
    identity = identity_factors(seed, np.arange(identities))
    observation = observation_factors(seed, who, np.tile(np.arange(observations), identities))
    images = aligned_empty((len(who), image_size, image_size, channels))

    def draw(start: int) -> None:
        part = slice(start, start + _DRAWN_AT_ONCE)
        colours = render(identity[who[part]], observation[part], image_size)
        images[part] = colours if channels == 3 else _luminance(colours)

    for _ in parallel_map(draw, range(0, len(who), _DRAWN_AT_ONCE)):
        pass
    factors = {
        "identity": identity,
        "observation": observation,
        "identity_names": tuple(IDENTITY_FACTORS),
        "observation_names": tuple(OBSERVATION_FACTORS),
    }
    names = [f"person-{i:05d}" for i in range(identities)]
    counts = np.full(identities, observations)
    return IdentityImages(names, counts, images, on_bad_data, factors=factors)


def load(
    path: str | os.PathLike = "",
    image_size: int = 64,
    channels: int = 3,
    fit: str = "crop",
    on_bad_data: str = "fail",
    max_pixels: int = decoding.MAX_PIXELS,
    k: int = 1,
    drawn_identities: int = 400,
    drawn_observations: int = 16,
    seed: int = 0,
) -> IdentityData:
    """Opens a data set, whatever it is: shards, a folder of images, or the drawn

    Args:
        path: A folder that `build_shards` wrote, or a folder of images; empty for drawn
        image_size: Height and width of the images. Shards must have been built with it, with
            `channels` and, to the letter, with `fit`.
        channels: 1 or 3.
        fit: `"crop"` or `"pad"`.
        on_bad_data: `"fail"` or `"skip"`.
        max_pixels: See `from_directory`.
        k: How many images each identity of a folder should have.
        drawn_identities: How many people to draw.
        drawn_observations: How many images to draw of each.
        seed: Which people to draw.

    Returns:
        The `IdentityData`.

    Raises:
        ValueError: If there is no such data, or it is not as asked.
    """
    if not os.fspath(path):
        return drawn(drawn_identities, drawn_observations, image_size, seed, channels, on_bad_data)
    if not is_shards(path):
        return from_directory(
            path, image_size, channels, fit, on_bad_data, max_pixels=max_pixels, k=k
        )
    data = from_tfrecord(path, on_bad_data)
    built = {"image_size": data.image_size, "channels": data.channels, "fit": data.fit}
    asked = {"image_size": image_size, "channels": channels, "fit": fit}
    if built != asked:
        raise ValueError(
            f"The shards in {os.fspath(path)!r} were built with {_flags(built)}. Received: "
            f"{_flags(asked)}. Ask for what they are, or build other shards of the images."
        )
    return data


# Enough to keep NumPy busy, few enough to stay in the processor's cache.
_DRAWN_AT_ONCE = 32


def _luminance(colours: np.ndarray) -> np.ndarray:
    """uint8 `[n, h, w, 3]` to `[n, h, w, 1]`, with the weights and the rounding of Pillow."""
    weights = np.array([19595, 38470, 7471], np.uint32)
    return ((colours.astype(np.uint32) @ weights + 0x8000) >> 16).astype(np.uint8)[..., np.newaxis]


def _flags(values: dict) -> str:
    return " ".join(f"--{name}={value}" for name, value in values.items())
