"""The drawn people as a data set."""

from __future__ import annotations

import numpy as np

from sdgan_tf.data.arrays import MAX_BYTES, aligned_empty, check_memory
from sdgan_tf.data.checks import parallel_map
from sdgan_tf.data.decoding import check_options
from sdgan_tf.data.drawn.people import (
    BODIES,
    CHUNK,
    PORTRAITS,
    annotate,
    identity_factors,
    observation_factors,
    render,
)
from sdgan_tf.data.identity_data import IdentityData
from sdgan_tf.data.keypoints import shapes


def drawn(
    identities: int = 400,
    observations: int = 16,
    image_size: int = 64,
    seed: int = 0,
    channels: int = 3,
    on_bad_data: str = "fail",
    max_bytes: int = MAX_BYTES,
    keypoints: bool = False,
    bodies: bool = False,
) -> IdentityData:
    """Draws people: a data set that needs no download and whose every factor is known.

    Args:
        identities: how many people to draw.
        observations: how many images to draw of each of them.
        image_size: height and width of the images.
        seed: another seed gives other people. More identities or observations do not: they are
            added to those there are.
        channels: 1 for luminance, 3 for red, green and blue.
        on_bad_data: `"fail"` or `"skip"`, see `IdentityData`.
        max_bytes: how much memory the images may take.
        keypoints: whether batches have the people's keypoints and masks, exact ones, see
            `data.keypoints`. Images are the same with them and without.
        bodies: whether whole bodies are drawn, in poses of all limbs before a room, in place of
            portraits.

    Returns:
        The data, with `factors`.

    Raises:
        ValueError: an argument is out of range.
    """
    for name, value in (("identities", identities), ("observations", observations)):
        if value < 1:
            raise ValueError(f"`{name}` must be 1 or more. Received: {name}={value}")
    check_options(image_size, channels, "crop")
    check_memory(identities * observations, image_size, channels + keypoints, max_bytes)
    style = BODIES if bodies else PORTRAITS
    who = np.repeat(np.arange(identities), observations)
    identity = identity_factors(seed, np.arange(identities), style)
    numbers = np.tile(np.arange(observations), identities)
    observation = observation_factors(seed, who, numbers, style)
    images = aligned_empty((len(who), image_size, image_size, channels))
    known = shapes(image_size) if keypoints else {}
    fields = {name: np.empty((len(who), *shape), dtype) for name, (shape, dtype) in known.items()}

    def draw(start: int) -> None:
        part = slice(start, start + CHUNK)
        drawn_of = identity[who[part]], observation[part], image_size, style
        colours = render(*drawn_of)
        images[part] = colours if channels == 3 else _luminance(colours)
        for values, found in zip(fields.values(), annotate(*drawn_of) if fields else ()):
            values[part] = found

    for _ in parallel_map(draw, range(0, len(who), CHUNK)):
        pass
    factors = {
        "identity": identity,
        "observation": observation,
        "identity_names": style.identity_factors,
        "observation_names": style.observation_factors,
    }
    names = [f"person-{i:05d}" for i in range(identities)]
    counts = np.full(identities, observations)
    return IdentityData(names, counts, images, on_bad_data, factors=factors, fields=fields)


def _luminance(colours: np.ndarray) -> np.ndarray:
    """uint8 `[n, h, w, 3]` to `[n, h, w, 1]`, with the weights and the rounding of Pillow."""
    weights = np.array([19595, 38470, 7471], np.uint32)
    return ((colours.astype(np.uint32) @ weights + 0x8000) >> 16).astype(np.uint8)[..., np.newaxis]
