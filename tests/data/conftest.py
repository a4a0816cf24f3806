"""Folders of tiny images, made on the spot."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from PIL import Image


def noise(name: str, number: int, size: int = 8) -> np.ndarray:
    """Return an image of its own for each name and number: uint8 [size, size, 3]."""
    generator = np.random.default_rng([zlib.crc32(name.encode()), number])
    return generator.integers(0, 256, (size, size, 3), np.uint8)


@pytest.fixture
def make_folder(tmp_path):
    """Return a function that writes a folder with so many images of each identity."""

    def make(counts: dict[str, int], name: str = "faces"):
        for identity, count in counts.items():
            folder = tmp_path / name / identity
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                Image.fromarray(noise(identity, number)).save(folder / f"{number:02d}.png")
        return tmp_path / name

    return make
