"""Folders of tiny images, made on the spot."""

from __future__ import annotations

import json
import shutil
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
def messy(make_folder, tmp_path):
    """Return arguments of `build` for a folder with broken images, copies, keypoints and a split of its own."""
    folder = make_folder({"ann": 5, "bob": 4, "cyd": 3, "dan": 2})
    shutil.copy(folder / "bob" / "00.png", folder / "ann" / "x.png")
    shutil.copy(folder / "cyd" / "00.png", folder / "cyd" / "x.png")
    for broken in ("ann/02.png", "dan/00.png"):
        (folder / broken).write_bytes(b"no image")
    lines = ["path,identity,split"]
    for path in sorted(folder.rglob("*.png")):
        points = [[path.stat().st_size % 8, place % 8, 1] for place in range(18)]
        path.with_suffix(".json").write_text(json.dumps({"keypoints": points}))
        part = "test" if path.parent.name == "dan" else "train"
        lines.append(f"{path.relative_to(folder)},{path.parent.name},{part}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    manifest = tmp_path / "list.csv"
    return {
        "data_dir": folder, "image_size": 6, "on_bad_data": "skip", "manifest": manifest, "keypoints": True
    }  # fmt: skip


@pytest.fixture
def files_of():
    """Return a function from a folder to the contents of its files by name."""
    return lambda folder: {path.name: path.read_bytes() for path in folder.iterdir()}


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
