"""Built data: a folder of decoded images that is opened at once and read as it is needed.

The folder holds `images.u8`, the uint8 images [images, size, size, channels] one after another and
nothing else, and `index.json`, which says how many there are of whom and what their SHA-256 is.
Where they were asked for, `keypoints.f32`, little-endian float32 [images, 18, 3], and `mask.u8`,
uint8 [images, size, size, 1], lie beside it in the same order. The files of images and masks are
mapped into memory: the system reads what is touched and keeps what fits.
"""

from __future__ import annotations

import itertools
import json
import math
import mmap
import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from sdgan_tf.data import decoding
from sdgan_tf.data.checks import parallel_map
from sdgan_tf.data.identity_data import IdentityData, digest_of
from sdgan_tf.data.keypoints import shapes
from sdgan_tf.data.names import PARTS, name_bytes
from sdgan_tf.data.report import Report
from sdgan_tf.data.tfrecord import holds_records
from sdgan_tf.files import local_path

INDEX_FILE, IMAGES_FILE = "index.json", "images.u8"
FIELD_FILES = {"keypoints": "keypoints.f32", "mask": "mask.u8"}
FORMAT = "sdgan_tf built data"
VERSION = 1


class Index(NamedTuple):
    """What `index.json` says.

    `names`, `counts` and `digests`, the SHA-256 of the identity's images and of what else is known
    of them, have an entry for each identity; `linked` and `parts` are as in `IdentityData`.
    """

    image_size: int
    channels: int
    fit: str
    names: list[str]
    counts: np.ndarray
    digests: list[bytes]
    linked: list[list[str]]
    parts: dict[str, str]


def is_built(path: str | os.PathLike) -> bool:
    """Whether this is a folder that `build` wrote."""
    path = local_path(path)
    return (path / INDEX_FILE).is_file() and not holds_records(path)


def from_built(
    path: str | os.PathLike, on_bad_data: str = "fail", keypoints: bool = False
) -> IdentityData:
    """Opens a folder that `build` wrote.

    The file of images must not change while it is open: the system ends a process that reads
    where a file was cut off.

    Args:
        path: the folder.
        on_bad_data: `"fail"` or `"skip"`, see `IdentityData`.
        keypoints: whether the data must hold keypoints. Data that hold some have them always.

    Returns:
        The data, with the same tuples as the folder they were built of.

    Raises:
        ValueError: the folder was not written by `build`, is damaged, or holds no keypoints.
    """
    index, images, fields = _open(str(local_path(path)), keypoints)
    for array in (images, *fields.values()):
        # Tuples come from all over the file. Read ahead, a cold disk would give forty times what is asked for, and where
        # the data are larger than memory that would go on for ever.
        array.base.madvise(mmap.MADV_RANDOM)
    data = IdentityData(
        index.names,
        index.counts,
        images,
        on_bad_data,
        fields=fields,
        linked=index.linked,
        parts=index.parts,
    )
    data._digests, data._place = index.digests, "on disk"
    return data


def read_index(path: str | os.PathLike) -> Index:
    """Reads and checks the index of a folder that `build` wrote; raises a `ValueError`."""
    file_name = str(local_path(path) / INDEX_FILE)
    try:
        with open(file_name, encoding="utf-8") as file:
            content = json.load(file)
        if (content["format"], content["version"]) != (FORMAT, VERSION):
            raise ValueError(f"it is {content['format']!r}, version {content['version']!r}")
        return _parse(content)
    # What anybody may have written into a JSON file raises any of these.
    except (
        ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, OSError
    ) as error:  # fmt: skip
        raise ValueError(
            f"{file_name!r} is no good index of built data: {type(error).__name__}: {error}. Build the "
            "data again by `bin/data build DIR --out=BUILT`."
        ) from error


def check_built(
    path: str | os.PathLike, k: int = 1, verbose: bool = False, keypoints: bool = False
) -> Report:
    """Reads a folder that `build` wrote from end to end and compares checksums.

    Args:
        path: the folder.
        k: how many images each identity should have.
        verbose: whether to show a progress bar.
        keypoints: whether the data must hold keypoints.

    Returns:
        The `Report`, with identities whose images have changed under `broken`.

    Raises:
        ValueError: the folder was not written by `build`, or a file is missing or cut short.
    """
    path = str(local_path(path))
    index, images, fields = _open(path, keypoints)
    report = Report(path, k, counts=dict.fromkeys(index.names, 0), linked=index.linked)
    digests = tqdm(
        digests_of(index.counts, images, fields),
        "identities",
        len(index.names),
        unit="",
        disable=not verbose,
    )
    for name, count, digest, actual in zip(index.names, index.counts, index.digests, digests):
        if actual == digest:
            report.counts[name] = int(count)
        else:
            report.broken.append((name, f"its images in {IMAGES_FILE} have changed"))
    report.sizes = {f"{index.image_size}x{index.image_size}": report.images}
    return report


def digests_of(
    counts: np.ndarray, images: np.ndarray, fields: dict[str, np.ndarray]
) -> Iterator[bytes]:
    """The SHA-256 of what is known of each identity, see `Index`, worked out on all processors."""
    ends = np.cumsum(counts)

    def digest(identity: int) -> bytes:
        part = slice(ends[identity] - counts[identity], ends[identity])
        return digest_of(images[part], {name: values[part] for name, values in fields.items()})

    return parallel_map(digest, range(len(counts)))


def map_files(
    folder: str, count: int, image_size: int, channels: int, keypoints: bool
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The images and fields of a folder of so many images as arrays; raises a `ValueError` where a file is missing or
    not of the right size.
    """
    images = _mapped(folder, IMAGES_FILE, (count, image_size, image_size, channels), np.uint8)
    known = shapes(image_size) if keypoints else {}
    return images, {
        name: _mapped(folder, FIELD_FILES[name], (count, *shape), dtype)
        for name, (shape, dtype) in known.items()
    }


def _open(folder: str, keypoints: bool) -> tuple[Index, np.ndarray, dict[str, np.ndarray]]:
    if holds_records(folder):
        raise ValueError(
            f"{folder!r} holds TFRecords, such as the shards of earlier versions. Convert them by "
            f"`bin/data build {folder} --out=BUILT` with the image_size, channels and fit that "
            "they were made with, and use BUILT."
        )
    if not is_built(folder):
        raise ValueError(
            f"{folder!r} holds no built data: it has no {INDEX_FILE}. Build some by `bin/data "
            "build DIR --out=BUILT`."
        )
    index = read_index(folder)
    # Either all of them were written, or none.
    there = any(os.path.exists(os.path.join(folder, file)) for file in FIELD_FILES.values())
    if keypoints and not there:
        raise ValueError(
            f"The data in {folder!r} were built without keypoints. Build them again by "
            "`bin/data build DIR --out=BUILT --keypoints`. Received: keypoints=True"
        )
    count = int(index.counts.sum())
    return index, *map_files(folder, count, index.image_size, index.channels, there)


def _mapped(folder: str, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """A file of a folder of built data as an array; raises a `ValueError` where it is not of this size."""
    path = os.path.join(folder, name)
    size = os.path.getsize(path) if os.path.isfile(path) else None
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if size != expected:
        state = "is missing" if size is None else f"has {size:,} bytes"
        raise ValueError(
            f"The file {path!r} {state}; {expected:,} bytes were expected. Copy it again, or build "
            "the data again by `bin/data build`."
        )
    # Copy on write: TensorFlow shares only what could be written to, and nothing ever is.
    return np.memmap(path, dtype, "c", shape=shape)


def _parse(content: dict) -> Index:
    """Checks all that the index says. It may be hostile."""
    decoding.check_options(content["image_size"], content["channels"], content["fit"])
    names, counts, linked = content["names"], content["counts"], content["linked"]
    parts = content.get("parts", {})
    if parts and (set(parts) != set(names) or not set(parts.values()) <= set(PARTS)):
        raise ValueError(f"each identity should be in one of the parts {', '.join(PARTS)}")
    digests = [bytes.fromhex(digest) for digest in content["sha256"]]
    if not len(names) == len(counts) == len(digests) >= 2:
        raise ValueError("it should have a name, a count and a checksum of two or more identities")
    if any(len(digest) != 32 for digest in digests):
        raise ValueError("a checksum should have 64 hexadecimal digits")
    for name in itertools.chain(names, *linked):
        name_bytes(name)
    for count in (content["image_size"], content["channels"], *counts):
        if type(count) is not int or not 1 <= count < 2**31:
            raise ValueError(f"a count or size should be a positive number, not {count!r}")
    return Index(
        content["image_size"], content["channels"], content["fit"], names,
        np.array(counts, np.int64), digests, linked, parts,
    )  # fmt: skip
