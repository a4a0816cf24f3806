"""Finds images that look alike, such as one photograph that was saved anew, under two identities."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator

import numpy as np

# The edge of the small grey picture of an image, and of the still smaller ones whose differences make its hash.
EDGE, COARSE = 16, 8
# Bits of a hash, and words of 16 bits that they are looked up by.
BITS = 2 * COARSE**2
WORDS = BITS // 16
# Alike are images of which fewer bits differ than there are words, so that one word at least is equal, and whose small
# pictures, of equal brightness on average, differ by so many grey levels of 255 or fewer. Photographs stay within both when
# they are saved as JPEG, at half the size, or brighter, and leave them when they are cropped by two hundredths; no two
# photographs of two people or things that this was tried on were alike.
LEVELS = 3.0
# A word that more images share tells nothing; and further pairs are not listed.
MOST_IMAGES, MOST_PAIRS = 500, 10_000

_COUNTS = np.array([bin(word).count("1") for word in range(2**16)], np.uint8)
# Neighbouring bits say much the same: each word has some of everywhere.
_ORDER = np.random.default_rng(0).permutation(BITS)


class Likeness:
    """Remembers images by 272 bytes each."""

    def __init__(self) -> None:
        self._owners: list[str] = []
        self._paths: list[str] = []
        self._hashes: list[np.ndarray] = []
        self._pictures: list[np.ndarray] = []

    def add(self, identity: str, path: str, pixels: np.ndarray) -> None:
        """Remembers an image: uint8 `[size, size, 1 or 3]`."""
        across, down, picture = _small(pixels)
        bits = [(across[:, 1:] > across[:, :-1]).ravel(), (down[1:] > down[:-1]).ravel()]
        self._owners.append(identity)
        self._paths.append(path)
        self._hashes.append(np.packbits(np.concatenate(bits)[_ORDER]).view(np.uint16))
        self._pictures.append(picture.ravel())

    def pairs(self, without: Collection[str] = ()) -> list[list[str]]:
        """Pairs of paths of images that look alike and belong to two identities, `MOST_PAIRS` at most.

        Args:
            without: paths of images that are passed over.
        """
        kept = [number for number, path in enumerate(self._paths) if path not in without]
        if not kept:
            return []
        names = {name: number for number, name in enumerate(dict.fromkeys(self._owners))}
        owners = np.array([names[self._owners[number]] for number in kept])
        hashes = np.stack([self._hashes[number] for number in kept])
        pictures = np.stack([self._pictures[number] for number in kept])
        found: set[tuple[int, int]] = set()
        for group in _groups(hashes):
            found.update(_alike(group, owners, hashes, pictures))
            if len(found) >= MOST_PAIRS:
                break
        pairs = itertools.islice(sorted(found), MOST_PAIRS)
        return [[self._paths[kept[one]], self._paths[kept[other]]] for one, other in pairs]


def _small(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three small grey pictures of an image: one wider and one higher than `COARSE` by one, one of `EDGE`."""
    from PIL import Image

    image = Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0]).convert("L")
    sizes = ((COARSE + 1, COARSE), (COARSE, COARSE + 1), (EDGE, EDGE))
    across, down, picture = (np.asarray(image.resize(size, Image.Resampling.BOX)) for size in sizes)
    return across, down, picture


def _groups(hashes: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the numbers of images that have a word of their hashes in common."""
    for word in hashes.T:
        order = np.argsort(word, kind="stable")
        starts = np.flatnonzero(np.diff(word[order])) + 1
        ends = np.append(starts, len(order))
        starts = np.insert(starts, 0, 0)
        sizes = ends - starts
        telling = (sizes > 1) & (sizes <= MOST_IMAGES)
        for start, end in zip(starts[telling], ends[telling]):
            yield order[start:end]


def _alike(
    group: np.ndarray, owners: np.ndarray, hashes: np.ndarray, pictures: np.ndarray
) -> list[tuple[int, int]]:
    """The pairs of a group that look alike and belong to two identities."""
    words = hashes[group]
    differing = _COUNTS[words[:, None] ^ words].sum(-1)
    foreign = owners[group][:, None] != owners[group]
    first, second = np.nonzero(np.triu((differing < WORDS) & foreign, 1))
    one, other = group[first], group[second]
    # How bright an image is as a whole is nothing of its own.
    levels = pictures[one].astype(np.float32) - pictures[other]
    near = np.abs(levels - levels.mean(-1, keepdims=True)).mean(-1) <= LEVELS
    return list(zip(one[near].tolist(), other[near].tolist()))
