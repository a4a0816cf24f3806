"""Class-balanced pairs of images, real or generated: half show one identity, half show two."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from sdgan_tf.data import IdentityData
from sdgan_tf.models import ImageModel

PAIRS = 10_000

# Draws that are rendered at a time, three images each.
_DRAWS = 170
# Images whose borders are compared with all others' at a time.
_CHUNK = 256
# How often an equal code is replaced before a model counts as showing a single identity.
_REPLACEMENTS = 50


class Pairs(NamedTuple):
    """Images, and which of them make up pairs.

    Attributes:
        images: uint8 [m, h, w, c], 0 to 255.
        matched: int64 [n, 2], positions in `images`: two images of one identity.
        unmatched: int64 [n, 2]: of two identities, everything else drawn independently.
        same_observation: int64 [n, 2]: of two identities under one `z_O`; [0, 2] for images that
            were not generated, for which `alike_surroundings` finds what comes nearest to it.
        groups: int64 [m], the identity of each image; of generated images the number of the draw
            that they belong to, since draws are independent of each other.
        collisions: probability that two `z_I`, drawn independently, are the same code. Such two
            never make an unmatched pair, but they count when identities are counted.
    """

    images: np.ndarray
    matched: np.ndarray
    unmatched: np.ndarray
    same_observation: np.ndarray
    groups: np.ndarray
    collisions: float = 0.0


def check_identities(data: IdentityData, part: str) -> None:
    """Refuses data that give no pairs.

    Args:
        data: images by identity.
        part: what the error calls them, such as `"test"`.

    Raises:
        ValueError: fewer than two identities, or none with two images.
    """
    several = int(np.sum(data.counts >= 2))
    if np.sum(data.counts >= 1) < 2 or not several:
        raise ValueError(
            f"Pairs of the {part} identities need at least two identities, one of them with two images or more. "
            "Add identities, or keep more of them for this part by validation_fraction and test_fraction, and "
            "train the model again, because the parts are chosen before training. "
            f"Received: {data.summary()}, {several} of them with two images or more"
        )


def check_pairs(pairs: int) -> None:
    """Refuses numbers of pairs that have no half."""
    if pairs < 2 or pairs % 2:
        raise ValueError(
            f"Half of the pairs are matched, so their number is even. Received: pairs={pairs}"
        )


def real_pairs(
    data: IdentityData, pairs: int = PAIRS, seed: int = 0, verbose: bool = False
) -> Pairs:
    """Pairs of images whose identity is known.

    Matched: an identity drawn uniformly among those with two images or more, then two distinct
    images of it. Unmatched: two distinct identities, then an image of each. They are drawn with
    replacement, so that a pair may occur more than once where there are few images.

    Args:
        data: real identities, or generated tuples in a folder.
        pairs: how many, half of them matched.
        seed: of the draws.
        verbose: whether a progress bar is shown.

    Raises:
        ValueError: too few identities or images, or an odd number of pairs.
    """
    check_pairs(pairs)
    check_identities(data, "given")
    rng = np.random.default_rng([seed, 1])
    several = np.flatnonzero(data.counts >= 2)
    one = rng.choice(several, pairs // 2)
    matched = np.stack([one, one], axis=1), _distinct(rng, data.counts[one])
    some = np.flatnonzero(data.counts >= 1)
    two = some[_distinct(rng, np.full(pairs // 2, len(some)))]
    unmatched = two, rng.integers(data.counts[two])

    keys = [np.stack(drawn, axis=-1).reshape(-1, 2) for drawn in (matched, unmatched)]
    used, positions = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    matched, unmatched = positions.reshape(2, -1, 2)
    none = np.empty([0, 2], np.int64)
    return Pairs(_read(data, used, verbose), matched, unmatched, none, used[:, 0])


def alike_surroundings(images: np.ndarray, groups: np.ndarray, seed: int = 0) -> np.ndarray:
    """Pairs of two identities that look as if they shared an observation: each image with the one of somebody else whose
    left, right and upper borders have the nearest mean colours.

    A verifier that takes surroundings for the person brings them closer together than chance.

    Args:
        images: uint8 [m, h, w, c].
        groups: int64 [m], the identity of each; two different ones at least.
        seed: of the choice between images that are equally near.

    Returns:
        int64 [m, 2], positions in `images`.
    """
    width = max(images.shape[1] // 10, 1)
    strips = images[:, :, :width], images[:, :, -width:], images[:, :width]
    colours = np.concatenate([strip.mean((1, 2), dtype=np.float64) for strip in strips], axis=1)
    colours = (colours - colours.mean(0)) / np.maximum(colours.std(0), 1e-6)
    rng, nearest = np.random.default_rng([seed, 9]), []
    for start in range(0, len(images), _CHUNK):
        part = slice(start, start + _CHUNK)
        far = np.sum((colours[part, np.newaxis] - colours) ** 2, axis=-1)
        far += 1e-9 * rng.random(far.shape)
        far[groups[part, np.newaxis] == groups] = np.inf
        nearest.append(np.argmin(far, axis=1))
    return np.stack([np.arange(len(images)), np.concatenate(nearest)], axis=1)


def evenly(groups: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Positions drawn uniformly over groups, as training draws identities, not over members.

    Each group is drawn as often as the others, give or take one. Within a group no member comes
    again before all have come.

    Args:
        groups: int [m], the group of each member.
        count: how many positions.
        rng: of the draws.

    Returns:
        int64 [count].
    """
    _, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(groups))
    by_group = order[np.argsort(group_of[order], kind="stable")]
    shares = np.full(len(sizes), count // len(sizes))
    shares[rng.permutation(len(sizes))[: count % len(sizes)]] += 1
    drawn = np.repeat(np.arange(len(sizes)), shares)
    turns = np.arange(count) - np.repeat(np.cumsum(shares) - shares, shares)
    return by_group[(np.cumsum(sizes) - sizes)[drawn] + turns % sizes[drawn]]


def reference_images(
    data: IdentityData, count: int, seed: int = 0, verbose: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Images that stand for the distribution a model is trained on: uniform over identities.

    Args:
        data: the training identities.
        count: how many images; where there are fewer, as many as there are.
        seed: of the draws.
        verbose: whether a progress bar is shown.

    Returns:
        Distinct images, uint8 [m, h, w, c], and int64 [count] positions among them. Images of an
        identity that has few of them are named more than once.
    """
    identity = np.repeat(np.arange(len(data)), data.counts)
    number = np.arange(len(identity)) - np.repeat(np.cumsum(data.counts) - data.counts, data.counts)
    drawn = evenly(identity, min(count, len(identity)), np.random.default_rng([seed, 2]))
    distinct, positions = np.unique(drawn, return_inverse=True)
    return _read(data, np.stack([identity, number], axis=1)[distinct], verbose), positions


def generated_pairs(
    model: ImageModel, pairs: int = PAIRS, seed: int = 0, verbose: bool = False
) -> Pairs:
    """Pairs of images that a model generates.

    Each draw takes two identity and two observation codes and makes three images of them:
    (I1, O1), (I1, O2) and (I2, O1). The first two are matched, the last two unmatched, and the
    first and the third share z_O alone. These and the unmatched ones show the same two identities,
    so that what sets them apart is z_O and not chance.

    Args:
        model: turns codes into images.
        pairs: how many, half of them matched; and as many again as are matched that share z_O.
        seed: of the codes.
        verbose: whether a progress bar is shown.

    Raises:
        ValueError: an odd number of pairs, or a model that shows a single identity.
    """
    check_pairs(pairs)
    draws = pairs // 2
    seeds, images, collisions = _seeds(model, draws, seed), [], 0
    with tqdm(total=3 * draws, desc="Generating images", disable=not verbose) as bar:
        for start in range(0, draws, _DRAWS):
            codes, equal = _codes(model, *seeds[:, start : start + _DRAWS])
            images.append(model.render(codes, batch_size=len(codes)))
            collisions += equal
            bar.update(len(codes))
    triples = 3 * np.arange(draws)[:, np.newaxis]
    return Pairs(
        np.concatenate(images),
        matched=triples + [0, 1],
        unmatched=triples + [1, 2],
        same_observation=triples + [0, 2],
        groups=np.repeat(np.arange(draws), 3),
        collisions=1 / model.identities if model.identities else collisions / draws,
    )


def _read(data: IdentityData, wanted: np.ndarray, verbose: bool) -> np.ndarray:
    """Images by identity and number, int [n, 2], sorted so that each identity is read once."""
    images = np.empty([len(wanted), *[data.image_size] * 2, data.channels], np.uint8)
    bounds = np.flatnonzero(np.diff(wanted[:, 0], prepend=-1, append=-1))
    with tqdm(total=len(wanted), desc="Reading images", disable=not verbose) as bar:
        for start, end in zip(bounds[:-1], bounds[1:]):
            images[start:end] = data.observations(int(wanted[start, 0]), wanted[start:end, 1])
            bar.update(int(end - start))
    return images


def _seeds(model: ImageModel, draws: int, seed: int) -> np.ndarray:
    """Seeds of two identity and two observation codes for each draw: int64 [4, draws]."""
    known = {"identities": (model.identities, 7), "observations": (model.observations, 8)}
    parts = []
    for name, (number, stream) in known.items():
        if number is None:
            first = other = np.arange(draws, dtype=np.int64)
            if name == "identities" and model.labels:
                # Seeds in a row show one label after another: the other one's label is drawn.
                drawn = np.random.default_rng([seed, stream]).integers(model.labels, size=draws)
                other = model.labels * first + drawn
            parts += [seed * 2**32 + first, seed * 2**32 + 2**31 + other]
            continue
        if number < 2:
            raise ValueError(
                f"Pairs that differ in one code need a model of two {name} or more. Received: {name}={number}"
            )
        # Neighbouring seeds are neighbouring codes here, and come again, so these are drawn.
        shares = np.random.default_rng([seed, stream]).random([draws, 2])
        one, two = (shares * [number, number - 1]).astype(np.int64).T
        parts += [one, two + (two >= one)]
    return np.stack(parts)


def _codes(model: ImageModel, one, two, first, second) -> tuple[np.ndarray, int]:
    """Codes of the images of some draws, float32 [3 * n, codes], and how many of these drew the
    same `z_I` twice before the second was replaced.
    """
    one, other = (np.asarray(model.identity_codes(seeds)) for seeds in (one, two))
    equal = np.flatnonzero(np.all(one == other, axis=1))
    collisions, other = len(equal), other.copy()
    for replacement in range(1, _REPLACEMENTS + 1):
        if not len(equal):
            break
        other[equal] = np.asarray(model.identity_codes(two[equal] + replacement))
        equal = equal[np.all(one[equal] == other[equal], axis=1)]
    if len(equal):
        raise ValueError(
            "Unmatched pairs need a model of two identities or more. Received: equal identity codes "
            f"for the seeds {two[equal[0]]} to {two[equal[0]] + _REPLACEMENTS}"
        )
    seen, unseen = (np.asarray(model.observation_codes(seeds)) for seeds in (first, second))
    codes = [
        np.asarray(model.latents.join(*pair))
        for pair in ((one, seen), (one, unseen), (other, seen))
    ]
    return np.stack(codes, axis=1).reshape(3 * len(one), -1), collisions


def _distinct(rng: np.random.Generator, counts: np.ndarray) -> np.ndarray:
    """Two distinct numbers below each of `counts`: int64 [n, 2]."""
    first = rng.integers(counts)
    second = rng.integers(counts - 1)
    return np.stack([first, second + (second >= first)], axis=1)
