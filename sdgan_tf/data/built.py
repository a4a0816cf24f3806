"""Built data: a folder of decoded images that is opened at once and read as it is needed.

The folder holds `images.u8`, the uint8 images [images, size, size, channels] one after another and
nothing else, and `index.json`, which says how many there are of whom and what their SHA-256 is.
Where they were asked for, `keypoints.f32`, little-endian float32 [images, 18, 3], and `mask.u8`,
uint8 [images, size, size, 1], lie beside it in the same order. The files of images and masks are
mapped into memory: the system reads what is touched and keeps what fits.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from sdgan_tf.data import decoding
from sdgan_tf.data.checks import Checked, check_images, find_files, parallel_map
from sdgan_tf.data.identity_data import IdentityData, digest_of
from sdgan_tf.data.keypoints import shapes
from sdgan_tf.data.names import PARTS, name_bytes
from sdgan_tf.data.report import Report, check_on_bad_data, check_on_duplicates, settle
from sdgan_tf.data.tfrecord import holds_records
from sdgan_tf.files import atomic_folder, local_path

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


def build(
    data_dir: str | os.PathLike,
    out: str | os.PathLike,
    image_size: int = 64,
    channels: int = 3,
    fit: str = "crop",
    on_bad_data: str = "fail",
    on_duplicates: str = "keep",
    max_pixels: int = decoding.MAX_PIXELS,
    k: int = 1,
    manifest: str | os.PathLike = "",
    verbose: bool = False,
    keypoints: bool = False,
) -> Report:
    """Decodes a folder of images into one file, for data larger than memory.

    Images are read, checked and written one by one, so memory does not limit their number. `out`
    appears whole or not at all.

    Args:
        data_dir: a folder of images as `from_directory` takes it, or of TFRecords.
        out: the folder to write, which must not exist.
        image_size: height and width to which images are resized.
        channels: 1 for luminance, 3 for red, green and blue.
        fit: `"crop"` takes the square in the middle, `"pad"` keeps the whole image on white.
        on_bad_data: `"fail"` raises an error that lists all bad data; `"skip"` leaves it out.
        on_duplicates: see `from_directory`.
        max_pixels: an image with more is broken; none is decoded before this is known.
        k: how many images each identity should have.
        manifest: see `from_directory`.
        verbose: whether to show a progress bar.
        keypoints: whether each image has to have keypoints, see `from_directory`.

    Returns:
        The `Report` on the images.

    Raises:
        ValueError: an argument or the folder is not as expected.
        BadData: there are bad data and `on_bad_data` is `"fail"`.
        FileExistsError: `out` exists.
        OSError: the files cannot be written.
    """
    check_on_bad_data(on_bad_data)
    check_on_duplicates(on_duplicates)
    decoding.check_options(image_size, channels, fit)
    target = local_path(out)
    listing = find_files(data_dir, manifest)
    report = Report(listing.root, k, on_duplicates)
    checked = check_images(
        listing, report, image_size, channels, fit, max_pixels, verbose, keypoints
    )
    index = {"format": FORMAT, "version": VERSION}
    index.update(image_size=image_size, channels=channels, fit=fit)
    try:
        # Closed, a progress bar does not stand on the line of an error.
        with contextlib.closing(checked), atomic_folder(target) as folder:
            files = FIELD_FILES if keypoints else {}
            index.update(_write(checked, folder, files))
            settle(report, on_bad_data)
            index.update(linked=report.linked)
            if report.parts:
                index.update(parts={name: report.parts[name] for name in index["names"]})
            (folder / INDEX_FILE).write_text(json.dumps(index), encoding="utf-8")
    except FileExistsError:
        raise
    except OSError as error:
        raise OSError(
            f"Cannot write to {str(out)!r}: {error.strerror or error}. Nothing is left there."
        ) from error
    return report


def is_built(path: str | os.PathLike) -> bool:
    """Whether this is a folder that `build` wrote."""
    return os.path.isfile(os.path.join(path, INDEX_FILE)) and not holds_records(path)


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
    path = str(local_path(path) / INDEX_FILE)
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        if (content["format"], content["version"]) != (FORMAT, VERSION):
            raise ValueError(f"it is {content['format']!r}, version {content['version']!r}")
        return _parse(content)
    # What anybody may have written into a JSON file raises any of these.
    except (
        ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, OSError
    ) as error:  # fmt: skip
        raise ValueError(
            f"{path!r} is no good index of built data: {type(error).__name__}: {error}. Build the "
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
    index, images, fields = _open(str(local_path(path)), keypoints)
    report = Report(os.fspath(path), k, counts=dict.fromkeys(index.names, 0), linked=index.linked)
    ends = np.cumsum(index.counts)

    def digest(identity: int) -> bytes:
        start = ends[identity] - index.counts[identity]
        part = slice(start, ends[identity])
        return digest_of(images[part], {name: values[part] for name, values in fields.items()})

    digests = parallel_map(digest, range(len(index.names)))
    for identity, actual in enumerate(
        tqdm(digests, "identities", len(index.names), unit="", disable=not verbose)
    ):
        name = index.names[identity]
        if actual == index.digests[identity]:
            report.counts[name] = int(index.counts[identity])
        else:
            report.broken.append((name, f"its images in {IMAGES_FILE} have changed"))
    report.sizes = {f"{index.image_size}x{index.image_size}": report.images}
    return report


def _write(checked: Iterator[Checked], folder: Path, files: dict[str, str]) -> dict[str, list]:
    """Writes the images, and what else is known of them into files by field; returns the `names`, `counts` and `sha256`
    of the identities.
    """
    columns: dict[str, list] = {"names": [], "counts": [], "sha256": []}
    with contextlib.ExitStack() as stack:
        opened = [
            stack.enter_context(open(folder / file, "wb"))
            for file in (IMAGES_FILE, *files.values())
        ]
        for name, group in itertools.groupby(checked, key=lambda image: image.identity):
            digest, count = hashlib.sha256(), 0
            fields: dict[str, list[bytes]] = {field: [] for field in files}
            for image in group:
                opened[0].write(image.pixels)
                digest.update(image.pixels)
                for field, rows in fields.items():
                    rows.append(image.fields[field].tobytes())
                count += 1
            # In the order in which `IdentityData` goes through them.
            for file, (field, rows) in zip(opened[1:], sorted(fields.items())):
                content = b"".join(rows)
                file.write(content)
                digest.update(field.encode() + content)
            for column, value in zip(columns.values(), (name, count, digest.hexdigest())):
                column.append(value)
    return columns


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
    count = int(index.counts.sum())
    images = _mapped(
        folder, IMAGES_FILE, (count, *[index.image_size] * 2, index.channels), np.uint8
    )
    fields = {}
    # Either all of them were written, or none.
    if any(os.path.exists(os.path.join(folder, file)) for file in FIELD_FILES.values()):
        for name, (shape, dtype) in shapes(index.image_size).items():
            fields[name] = _mapped(folder, FIELD_FILES[name], (count, *shape), dtype)
    elif keypoints:
        raise ValueError(
            f"The data in {folder!r} were built without keypoints. Build them again by "
            "`bin/data build DIR --out=BUILT --keypoints`. Received: keypoints=True"
        )
    return index, images, fields


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
