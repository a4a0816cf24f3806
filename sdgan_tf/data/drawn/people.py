"""Drawn people: a data set of portraits that needs no download.

An image is a pure function of (seed, identity, observation). The identity decides who is drawn,
the observation how: the pose, the expression, the light, the background and what is worn on the
head. There are portraits and whole bodies. Images are drawn with NumPy only, and have the same bytes on every platform.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from sdgan_tf.data.drawn import bodies, face, parts, portraits
from sdgan_tf.data.drawn.shapes import Canvas, Coverage, Scene
from sdgan_tf.data.drawn.traits import (
    IDENTITY_FACTORS,
    OBSERVATION_FACTORS,
    columns,
    person,
    pose,
)
from sdgan_tf.data.keypoints import NAMES, inside


class Style(NamedTuple):
    """What is drawn of a person.

    Attributes:
        identity_factors: names of what is constant for a person.
        observation_factors: names of what varies between the images of a person.
        traits: of columns of both factors and the edge of the image, what they mean.
        layers: painters from back to front, the first that of the background. Each paints one part of all the images
            of a scene.
        keypoints: of a scene, float32 [n, 18, 3]: x and y in [-1, 1] and whether it is seen.
    """

    identity_factors: tuple[str, ...]
    observation_factors: tuple[str, ...]
    traits: Callable
    layers: tuple[Callable, ...]
    keypoints: Callable


def _portrait_traits(identity, observation, size: int) -> dict[str, np.ndarray]:
    return {**person(identity), **pose(observation, size)}


def _body_traits(identity, observation, size: int) -> dict[str, np.ndarray]:
    traits = bodies.person(identity)
    return {**traits, **bodies.pose(observation, traits, size)}


PORTRAITS = Style(
    IDENTITY_FACTORS,
    OBSERVATION_FACTORS,
    _portrait_traits,
    (
        parts.background,
        parts.back_hair,
        parts.body,
        face.head,
        face.mark,
        face.mouth,
        face.nose,
        face.eyes,
        face.brows,
        parts.hair,
        parts.sunglasses,
        parts.hats,
    ),
    portraits.keypoints,
)
BODIES = Style(
    bodies.IDENTITY_FACTORS,
    bodies.OBSERVATION_FACTORS,
    _body_traits,
    bodies.LAYERS,
    bodies.keypoints,
)
CHUNK = 32  # images drawn at a time: enough to amortise NumPy's calls, few enough for the cache


def _mix(z: np.ndarray) -> np.ndarray:
    """Return SplitMix64's scramble of uint64 numbers."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _uniform(*keys: np.ndarray) -> np.ndarray:
    """Return a float32 in [0, 1) for each combination of the integer keys, which broadcast."""
    state = np.zeros(1, np.uint64)
    for key in keys:
        step = np.atleast_1d(np.asarray(key)).astype(np.uint64) + np.uint64(1)
        state = _mix(state + step * np.uint64(0x9E3779B97F4A7C15))
    return (state >> np.uint64(40)).astype(np.float32) / np.float32(2**24)


def _indices(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 1 or values.dtype.kind not in "iu" or (values.size and values.min() < 0):
        raise ValueError(
            f"`{name}` must be a one-dimensional array of integers, none of them negative. "
            f"Received: {name}={values!r}"
        )
    return values


def _check_seed(seed: int) -> None:
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise ValueError(f"`seed` must be an integer in [0, 2**63). Received: seed={seed!r}")


def identity_factors(seed: int, identities: np.ndarray, style: Style = PORTRAITS) -> np.ndarray:
    """Return what is constant for each person.

    Args:
        seed: which population the people come from, at least 0.
        identities: indices of people, integers [n], at least 0.
        style: portraits or whole bodies.

    Returns:
        float32 [n, len(style.identity_factors)] in [0, 1). A person's row depends on the seed and the
        person's index alone.

    Raises:
        ValueError: an argument is not of this form.
    """
    _check_seed(seed)
    identities = _indices("identities", identities)
    return _uniform(seed, 0, identities[:, None], np.arange(len(style.identity_factors)))


def observation_factors(
    seed: int, identities: np.ndarray, observations: np.ndarray, style: Style = PORTRAITS
) -> np.ndarray:
    """Return what varies between the images of a person.

    Args:
        seed: as for `identity_factors`.
        identities: indices of people, integers [n], at least 0.
        observations: indices of their images, integers [n], at least 0.
        style: portraits or whole bodies.

    Returns:
        float32 [n, len(style.observation_factors)] in [0, 1).

    Raises:
        ValueError: an argument is not of this form.
    """
    _check_seed(seed)
    identities = _indices("identities", identities)
    observations = _indices("observations", observations)
    if len(identities) != len(observations):
        raise ValueError(
            "`identities` and `observations` must have the same length: the i-th image is of "
            "identities[i] in observations[i]. Received: "
            f"len(identities)={len(identities)}, len(observations)={len(observations)}"
        )
    factors = np.arange(len(style.observation_factors))
    return _uniform(seed, 1, identities[:, None], observations[:, None], factors)


def _factors(name: str, values: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != len(names) or values.dtype.kind not in "fiu":
        raise ValueError(
            f"`{name}` must be an array of numbers of shape [n, {len(names)}], one column for each "
            f"of {names}. Received: shape {values.shape}, dtype {values.dtype}"
        )
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError(
            f"`{name}` must lie in [0, 1]; clip or rescale it. Received: values from "
            f"{values.min()} to {values.max()}"
        )
    return values.astype(np.float32)


def render(
    identity: np.ndarray,
    observation: np.ndarray,
    image_size: int = 64,
    style: Style = PORTRAITS,
) -> np.ndarray:
    """Draw people from their factors.

    Args:
        identity: float [n, len(style.identity_factors)] in [0, 1].
        observation: float [n, len(style.observation_factors)] in [0, 1].
        image_size: height and width of an image in pixels, at least 16.
        style: portraits or whole bodies.

    Returns:
        uint8 [n, image_size, image_size, 3], red, green and blue. Each image depends on its own
        rows of factors alone.

    Raises:
        ValueError: an argument is not of this form.
    """
    identity, observation = _checked(identity, observation, image_size, style)
    images = np.empty((len(identity), image_size, image_size, 3), np.uint8)
    for rows, scene in _scenes(identity, observation, image_size, style):
        canvas = Canvas(len(scene), int(image_size))
        for paint in style.layers:
            paint(canvas, scene)
        pixels = np.clip(canvas.pixels, 0, 1) * 255 + 0.5
        images[rows] = pixels.astype(np.uint8).transpose(0, 2, 3, 1)
    return images


def annotate(
    identity: np.ndarray,
    observation: np.ndarray,
    image_size: int = 64,
    style: Style = PORTRAITS,
) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints and masks of what `render` draws of the same arguments.

    Returns:
        float32 [n, 18, 3] as `data.keypoints` has them, row, column, visible, where those that are not visible or lie
        outside the image are 0; and uint8 [n, image_size, image_size, 1], 1 where the person, with hair, hat and
        glasses, covers at least half of a pixel.

    Raises:
        ValueError: an argument is not of this form.
    """
    identity, observation = _checked(identity, observation, image_size, style)
    points = np.empty((len(identity), len(NAMES), 3), np.float32)
    masks = np.empty((len(identity), image_size, image_size, 1), np.uint8)
    for rows, scene in _scenes(identity, observation, image_size, style):
        canvas = Coverage(len(scene), int(image_size))
        for paint in style.layers[1:]:
            paint(canvas, scene)
        masks[rows] = (canvas.pixels >= 0.5).transpose(0, 2, 3, 1)
        x, y, seen = np.moveaxis(style.keypoints(scene), -1, 0)
        place = np.stack([(y + 1) * image_size / 2 - 0.5, (x + 1) * image_size / 2 - 0.5, seen], -1)
        shown = (seen > 0) & inside(place, image_size, image_size)
        points[rows] = np.where(shown[..., None], place, 0)
    return points, masks


def _checked(identity, observation, image_size: int, style: Style) -> tuple:
    if not isinstance(image_size, (int, np.integer)) or image_size < 16:
        raise ValueError(
            "`image_size` must be an integer of at least 16: a smaller face has no features. "
            f"Received: image_size={image_size!r}"
        )
    identity = _factors("identity", identity, style.identity_factors)
    observation = _factors("observation", observation, style.observation_factors)
    if len(identity) != len(observation):
        raise ValueError(
            "`identity` and `observation` must have a row for each image. Received: "
            f"{len(identity)} and {len(observation)} rows"
        )
    return identity, observation


def _scenes(identity, observation, size: int, style: Style) -> Iterator[tuple[slice, Scene]]:
    """What is to be painted, a few images at a time, and which rows they are."""
    for start in range(0, len(identity), CHUNK):
        rows = slice(start, start + CHUNK)
        known = columns(identity[rows], style.identity_factors)
        varying = columns(observation[rows], style.observation_factors)
        traits = style.traits(known, varying, int(size))
        yield rows, Scene(traits, np.arange(len(identity[rows])))
