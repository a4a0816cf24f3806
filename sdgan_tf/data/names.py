"""Names of identities: which are the same, and where each belongs when data are split."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable

# The parts of a split, in the order of `Splits`.
PARTS = ("train", "validation", "test")


def same_name(name: str) -> str:
    """What two names have in common if they mean one identity.

    Capitals do not count, and neither does how accents are written: file systems differ in both.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def name_bytes(name: str) -> bytes:
    """The UTF-8 of a name with composed accents."""
    # File names may hold bytes that are no UTF-8; Python keeps them as surrogates.
    return unicodedata.normalize("NFC", name).encode("utf-8", "surrogateescape")


def name_fraction(name: str) -> float:
    """A number in [0, 1) that depends on the name only."""
    # 53 bits: a float holds no more, and rounding up could give 1.
    return (int.from_bytes(hashlib.sha256(name_bytes(name)).digest()[:8], "big") >> 11) / 2**53


def joined(groups: Iterable[Iterable[str]]) -> list[list[str]]:
    """Groups of names, with those made one that have a name in common; all sorted."""
    group_of: dict[str, set[str]] = {}
    for group in map(set, groups):
        whole = group.union(*(group_of[name] for name in group if name in group_of))
        group_of.update(dict.fromkeys(whole, whole))
    return sorted(
        sorted(group) for group in {id(group): group for group in group_of.values()}.values()
    )
