"""Folders of tiny images, made on the spot."""

from __future__ import annotations

import struct
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


@pytest.fixture
def png_that_claims():
    """Return a maker of PNGs whose header promises a size that their few bytes do not hold."""

    def chunk(kind, data):
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    def make(width, height):
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + body

    return make
