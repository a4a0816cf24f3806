"""How well a model of disentangled people rebuilds whom it never saw, and whether they stay themselves in other poses
(arXiv 1712.02621, sections 4.2 and 4.4).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from sdgan_tf.data import IdentityData, Splits
from sdgan_tf.evaluation.verifiers import Verifier
from sdgan_tf.models import PersonModel

# Images that are rebuilt and swapped at most; training images that are copied at most; rows of the grid.
IMAGES, REFERENCE, SHOWN = 1000, 10_000, 6


class Likeness(NamedTuple):
    """How like images are to others, on average.

    Attributes:
        l1: absolute difference, as a share of the range of values.
        ssim: structural similarity of the grey images, 1 for equal ones.
        mask_ssim: the same of the coloured images of the persons alone, all else black.
    """

    l1: float
    ssim: float
    mask_ssim: float


class People(NamedTuple):
    """What `measure_people` returns.

    Attributes:
        images: how many images of unseen people were looked at.
        rebuilt: images that the model made of all codes of the unseen images, beside those.
        copied: the nearest training images, pixel by pixel, beside the unseen ones.
        kept: share of swaps, a person in the pose and before the background of another, that the verifier takes for
            the person.
        mistaken: share that it takes for the other one.
        real: share of real pairs of images of one of these people that it takes for one person.
        grid: uint8 [7, 7, h, w, c]: the first row and column are real, below and beside it the swaps: who is in the
            first image of a row, in the pose and before the background of the first image of a column.
    """

    images: int
    rebuilt: Likeness
    copied: Likeness
    kept: float
    mistaken: float
    real: float
    grid: np.ndarray

    def as_json(self) -> dict[str, Any]:
        """All numbers as plain JSON."""
        numbers = {name: value for name, value in self._asdict().items() if name != "grid"}
        likenesses = {name: numbers[name]._asdict() for name in ("rebuilt", "copied")}
        return {**numbers, **likenesses}

    def to_markdown(self) -> str:
        """All numbers as a section of a report."""
        lines = ["| | L1 | SSIM | mask-SSIM |", "| --- | --- | --- | --- |"]
        for name, row in (("rebuilt", self.rebuilt), ("nearest training image", self.copied)):
            lines.append(f"| {name} | {row.l1:.4f} | {row.ssim:.3f} | {row.mask_ssim:.3f} |")
        return "\n".join(
            [
                "## Rebuilt and swapped people\n",
                *lines,
                "",
                f"Of {self.images:,} images of unseen people. In the pose and before the background of another, the verifier takes "
                f"{self.kept:.0%} for the person and {self.mistaken:.0%} for the other, of real pairs of one person "
                f"{self.real:.0%}.\n",
            ]
        )


def likeness(images: np.ndarray, others: np.ndarray, masks: np.ndarray) -> Likeness:
    """Compares images one by one: uint8 [n, h, w, c] twice, and masks uint8 [n, h, w, 1], 1 where the person is."""
    parts = [
        _likeness(*(values[start : start + 64] for values in (images, others, masks)))
        for start in range(0, len(images), 64)
    ]
    return Likeness(*np.concatenate(parts, axis=1).mean(axis=1).tolist())


def _likeness(images: np.ndarray, others: np.ndarray, masks: np.ndarray) -> np.ndarray:
    one, two = (tf.cast(values, tf.float32) for values in (images, others))
    inside = tf.cast(masks, tf.float32)
    grey = (
        tf.image.rgb_to_grayscale(values) if values.shape[-1] == 3 else values
        for values in (one, two)
    )
    return np.stack(
        [
            tf.reduce_mean(tf.abs(one - two), axis=[1, 2, 3]) / 255,
            tf.image.ssim(*grey, 255),
            tf.image.ssim(one * inside, two * inside, 255),
        ]
    )


def measure_people(
    model: PersonModel, splits: Splits, verifier: Verifier, threshold: float, seed: int = 0
) -> People:
    """Rebuilds and swaps the people of the test split.

    Args:
        model: trained on the training split.
        splits: with keypoints and masks; the test split has two identities of two images or more.
        verifier: says how near two images are.
        threshold: of its squared distances, below which two images show one person.
        seed: of the choice of images and pairs.

    Raises:
        ValueError: the data have no keypoints, or too few images.
    """
    test = splits.test
    who = np.repeat(np.arange(len(test)), test.counts)
    if "keypoints" not in test.fields or np.sum(test.counts > 1) < 2:
        raise ValueError(
            "Rebuilding and swapping needs keypoints, and two test identities of two images or more: open the data "
            f"with keypoints=True. Received: {test.summary()}, fields {sorted(test.fields)}"
        )
    rng = np.random.default_rng([seed, 6])
    chosen = np.sort(rng.permutation(len(who))[:IMAGES])
    images, masks = test.images[chosen], test.fields["mask"][chosen]
    identity, observation = model.encode(images, test.fields["keypoints"][chosen], masks)
    rebuilt = model.render(np.concatenate([identity, observation], -1))
    first, other, partner = _swaps(who[chosen], rng)
    swapped = model.render(np.concatenate([identity[first], observation[other]], -1))
    embedded, made = verifier.embed(images), verifier.embed(swapped)

    def accepted(one: np.ndarray, two: np.ndarray) -> float:
        return float(np.mean(np.sum((one - two) ** 2, axis=-1) <= threshold))

    shown = first[np.unique(who[chosen][first], return_index=True)[1]][:SHOWN]
    return People(
        len(chosen),
        likeness(rebuilt, images, masks),
        likeness(_nearest(images, splits.train), images, masks),
        accepted(made, embedded[partner]),
        accepted(made, embedded[other]),
        accepted(embedded[first], embedded[partner]),
        _grid(model, images[shown], identity[shown], observation[shown]),
    )


def _swaps(who: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Images of persons with a second image, for each an image of somebody else, and another one of the person."""
    first, other, partner = [], [], []
    for place, person in enumerate(who):
        same, others = np.flatnonzero(who == person), np.flatnonzero(who != person)
        same = same[same != place]
        if len(same) and len(others):
            first.append(place)
            other.append(rng.choice(others))
            partner.append(rng.choice(same))
    return np.array(first), np.array(other), np.array(partner)


def _nearest(images: np.ndarray, train: IdentityData) -> np.ndarray:
    """The nearest training image of each image, by squared differences of pixels."""
    known = train.images[:REFERENCE]
    flat = known.reshape(len(known), -1).astype(np.float32)
    squares = np.einsum("nd,nd->n", flat, flat)
    # Squares of the images themselves do not change which is nearest.
    places = [
        np.argmin(squares - 2 * flat @ image.reshape(-1).astype(np.float32)) for image in images
    ]
    return known[places]


def _grid(
    model: PersonModel, images: np.ndarray, identity: np.ndarray, observation: np.ndarray
) -> np.ndarray:
    made = model.generate(identity, observation)
    blank = np.full_like(images[:1], 255)
    top = np.concatenate([blank, images])
    return np.stack([top, *(np.concatenate([one[None], row]) for one, row in zip(images, made))])
