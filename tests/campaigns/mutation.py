"""Damages bytes and texts at random, as a fuzzer does."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

# Tries one case and says what it came to.
Try = Callable[[np.random.Generator], str]

# What nobody expects where a number or a name should stand.
ODD = (
    None, True, -1, 0, 1, 2**31, 2**63, 1e308, 0.5, "", "3", "\0", "../..", "\ud800", "ä" * 300, [], [[]], {}, [1, "a"], {"a": None},
)  # fmt: skip


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes with none to four kinds of damage: bits, gaps, repeats, noise, an end cut off."""
    data = bytearray(content)
    for _ in range(rng.integers(5)):
        if not data:
            break
        start = int(rng.integers(len(data)))
        end = min(len(data), start + int(2 ** rng.uniform(0, 8)))
        kind = rng.integers(7)
        if kind <= 1:  # a bit, most often of a header
            data[start // (1 if kind else 20)] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            data[start:end] = rng.bytes(end - start)
        elif kind == 3:
            data[start:end] = bytes(end - start)
        elif kind == 4:
            data[start:start] = data[start:end]
        elif kind == 5:
            del data[start:end]
        else:
            del data[start:]
    return bytes(data)


def altered(content: Any, rng: np.random.Generator) -> Any:
    """JSON in which one value, somewhere, is odd or missing."""
    content = json.loads(json.dumps(content))
    node = content
    while isinstance(node, (dict, list)) and node:
        keys: Sequence = list(node) if isinstance(node, dict) else range(len(node))
        key = keys[int(rng.integers(len(keys)))]
        if not isinstance(node[key], (dict, list)) or not node[key] or rng.random() < 0.3:
            if rng.random() < 0.2:
                del node[key]
            else:
                node[key] = ODD[int(rng.integers(len(ODD)))]
            return content
        node = node[key]
    return ODD[int(rng.integers(len(ODD)))]
