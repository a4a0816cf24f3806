"""Shards: images by identity as TFRecords with an index, for data larger than memory.

A folder of shards holds `index.json` and files `shard-00000.tfrecord`, ...: ordinary TFRecords of
`tf.train.Example`, one for each identity, with the features `identity`, `images` (PNGs that
already have their final size) and `sources` (the names of the original files). The index says at
which byte each PNG begins.

TensorFlow cannot read from the middle of a file: `tf.data.FixedLengthRecordDataset` reads all that
comes before, and starts an iterator each time. Whole files it reads fast. So shards are small, and
a tuple takes the file of its identity and cuts `k` PNGs out.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from sdgan_tf.data import decoding, sources
from sdgan_tf.data.checks import Checked, check_images
from sdgan_tf.data.report import Report, check_on_bad_data, settle
from sdgan_tf.files import atomic_folder

INDEX_FILE = "index.json"
FORMAT = "sdgan_tf identity shards"
VERSION = 1
SHARD_BYTES = 256 * 2**10
# A TFRecord is a length (8 bytes), its checksum (4), the contents, and theirs (4).
RECORD_HEAD, RECORD_TAIL = 12, 4


def build_shards(
    data_dir: str | os.PathLike,
    out: str | os.PathLike,
    image_size: int = 64,
    channels: int = 3,
    fit: str = "crop",
    on_bad_data: str = "fail",
    max_pixels: int = decoding.MAX_PIXELS,
    k: int = 1,
    shard_bytes: int = SHARD_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Builds shards of a folder of images.

    Identities are read, checked and written one by one, so memory does not limit their number.
    The shards appear whole or not at all.

    Args:
        data_dir: A folder as `from_directory` takes it.
        out: The folder to write, which must not exist.
        image_size: Height and width to which images are resized.
        channels: 1 for luminance, 3 for red, green and blue.
        fit: `"crop"` takes the square in the middle, `"pad"` keeps the whole image on white.
        on_bad_data: `"fail"` raises an error that lists all bad data; `"skip"` leaves it out.
        max_pixels: An image with more is broken; none is decoded before this is known.
        k: How many images each identity should have.
        shard_bytes: The next identity begins a new file when one has this size.
        progress: Is called with the number of images done and of all.

    Returns:
        The `Report` on the images.

    Raises:
        ValueError: If an argument or the folder is not as expected.
        BadData: If there are bad data and `on_bad_data` is `"fail"`.
        FileExistsError: If `out` exists.
        OSError: If the shards cannot be written.
    """
    check_on_bad_data(on_bad_data)
    decoding.check_options(image_size, channels, fit)
    if shard_bytes < 1:
        raise ValueError(f"`shard_bytes` must be 1 or more. Received: shard_bytes={shard_bytes}")
    listing = sources.find_images(data_dir)
    report = Report(source=listing.root, k=k)
    checked = check_images(listing, report, image_size, channels, fit, max_pixels)
    if progress:
        checked = _counted(checked, listing.images, progress)
    try:
        with atomic_folder(Path(out)) as folder:
            index = {"format": FORMAT, "version": VERSION}
            index.update(image_size=image_size, channels=channels, fit=fit)
            index.update(_write_shards(checked, folder, shard_bytes))
            settle(report, on_bad_data)
            (folder / INDEX_FILE).write_text(json.dumps(index), encoding="utf-8")
    except FileExistsError:
        raise
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "message", error)
        raise OSError(
            f"Cannot write shards to {str(out)!r}: {reason}. Nothing is left there."
        ) from error
    return report


def _counted(checked, total: int, progress: Callable[[int, int], None]) -> Iterator[Checked]:
    for done, image in enumerate(checked, 1):
        yield image
        progress(done, total)


def _write_shards(checked: Iterator[Checked], folder: Path, shard_bytes: int) -> dict:
    """Writes the records; returns the index's `shards` and `identities`."""
    shards: list[dict] = []
    identities = []
    writer = None
    try:
        for name, group in itertools.groupby(checked, key=lambda image: image.identity):
            if writer is None or shards[-1]["bytes"] >= shard_bytes:
                if writer:
                    writer.close()
                shards.append({"file": f"shard-{len(shards):05d}.tfrecord", "bytes": 0})
                writer = tf.io.TFRecordWriter(str(folder / shards[-1]["file"]))
            sources, pngs, digest = [], [], hashlib.sha256()
            for image in group:
                sources.append(os.fsencode(os.path.basename(image.path)))
                pngs.append(_png(image.pixels))
                digest.update(image.pixels)
            record = _record(os.fsencode(name), pngs, sources)
            writer.write(record)
            start = shards[-1]["bytes"] + RECORD_HEAD
            shards[-1]["bytes"] = start + len(record) + RECORD_TAIL
            identities.append(
                {
                    "name": name,
                    "shard": len(shards) - 1,
                    "offsets": [start + offset for offset in _offsets(record, pngs)],
                    "lengths": [len(png) for png in pngs],
                    "sha256": digest.hexdigest(),
                }
            )
    finally:
        if writer:
            writer.close()
    return {"shards": shards, "identities": identities}


def _png(pixels: np.ndarray) -> bytes:
    with tf.device("CPU:0"):
        return tf.io.encode_png(pixels).numpy()


def _record(identity: bytes, pngs: list[bytes], sources: list[bytes]) -> bytes:
    features = {"identity": [identity], "images": pngs, "sources": sources}
    example = tf.train.Example()
    for name, values in features.items():
        example.features.feature[name].bytes_list.value.extend(values)
    return example.SerializeToString(deterministic=True)


def _offsets(record: bytes, pngs: list[bytes]) -> Iterator[int]:
    """Where in the record each image begins."""
    end = 0
    for png in pngs:
        start = record.index(png, end)
        end = start + len(png)
        yield start
