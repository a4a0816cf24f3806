"""Images by identity in shards: random access to TFRecords."""

from __future__ import annotations

import hashlib
import json
import os
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from sdgan_tf.data import decoding
from sdgan_tf.data.checks import parallel_map
from sdgan_tf.data.identity_data import IdentityData
from sdgan_tf.data.report import Report
from sdgan_tf.data.shards import FORMAT, INDEX_FILE, VERSION


class _Index(NamedTuple):
    """What `index.json` says, as arrays.

    `files` and `sizes` have an entry for each shard; `names`, `counts`, `shards` and `digests`
    one for each identity; `offsets` and `lengths`, where the PNG lies in its file, one for each
    image.
    """

    image_size: int
    channels: int
    fit: str
    files: list[str]
    sizes: list[int]
    names: list[str]
    counts: np.ndarray
    shards: np.ndarray
    digests: list[bytes]
    offsets: np.ndarray
    lengths: np.ndarray


def is_shards(path: str | os.PathLike) -> bool:
    """Whether this is a folder of shards: whether it has an index."""
    return os.path.isfile(os.path.join(os.fspath(path), INDEX_FILE))


def from_tfrecord(path: str | os.PathLike, on_bad_data: str = "fail") -> IdentityRecords:
    """Opens the shards that `build_shards` wrote.

    Args:
        path: Their folder.
        on_bad_data: Whether `tuples` shall `"fail"` on identities with too few images or
            `"skip"` them.

    Returns:
        `IdentityRecords`, with the same tuples as the folder of images they were built of.

    Raises:
        ValueError: If these are no shards, or an index or a shard is missing or damaged.
    """
    index = _read_index(os.fspath(path))
    return IdentityRecords(index, np.arange(len(index.names)), on_bad_data)


class IdentityRecords(IdentityData):
    """Images by identity in shards, read when they are needed.

    Attributes:
        fit: How the images were made square: `"crop"` or `"pad"`.
    """

    def __init__(self, index: _Index, identities: np.ndarray, on_bad_data: str = "fail"):
        """Use `from_tfrecord` to make one."""
        first = np.cumsum(index.counts) - index.counts
        super().__init__(
            [index.names[i] for i in identities],
            index.counts[identities],
            first[identities],
            index.image_size,
            index.channels,
            on_bad_data,
        )
        self.fit = index.fit
        self._index = index
        self._identities = identities
        self._shard_of_image = np.repeat(index.shards, index.counts)

    def _images(self, numbers: np.ndarray) -> np.ndarray:
        shape = (len(numbers), self.image_size, self.image_size, self.channels)
        images = np.empty(shape, np.uint8)
        for image, number in zip(images, numbers):
            with open(self._index.files[self._shard_of_image[number]], "rb") as file:
                file.seek(self._index.offsets[number])
                image[:] = _decode(file.read(self._index.lengths[number]), self._index)
        return images

    def _fetch(self, steps, draw, batch_size: int, k: int) -> tf.data.Dataset:
        with tf.init_scope(), tf.device("CPU:0"):
            files = tf.constant(self._index.files)
            shard_of_image = tf.constant(self._shard_of_image)
            offsets = tf.constant(self._index.offsets)
            lengths = tf.constant(self._index.lengths)
        shape = (self.image_size, self.image_size, self.channels)

        def read_tuple(identity: tf.Tensor, numbers: tf.Tensor) -> dict[str, tf.Tensor]:
            # One identity's images are in one file.
            contents = tf.io.read_file(files[shard_of_image[numbers[0]]])
            pngs = tf.strings.substr(
                contents, tf.gather(offsets, numbers), tf.gather(lengths, numbers)
            )
            images = [tf.io.decode_png(pngs[i], self.channels) for i in range(k)]
            images = tf.ensure_shape(tf.stack(images), [k, *shape])
            return {"images": images, "identity": identity}

        tuples = steps.map(draw).unbatch()
        return tuples.map(read_tuple, tf.data.AUTOTUNE).batch(batch_size, drop_remainder=True)

    def _subset(self, identities: np.ndarray) -> IdentityRecords:
        return IdentityRecords(self._index, self._identities[identities], self.on_bad_data)

    def _digest(self, identity: int) -> bytes:
        return self._index.digests[self._identities[identity]]

    def _place(self) -> str:
        return f"{sum(self._index.sizes) / 1e6:,.0f} MB in {len(self._index.files)} shards"


def check_shards(path: str | os.PathLike, k: int = 1) -> Report:
    """Reads shards from end to end: checksums, names, images and order.

    Args:
        path: Their folder.
        k: How many images each identity should have.

    Returns:
        The `Report`, with damaged shards and images under `broken`.

    Raises:
        ValueError: If these are no shards, or an index or a shard is missing or cut short.
    """
    index = _read_index(os.fspath(path))
    report = Report(source=os.fspath(path), k=k, counts=dict.fromkeys(index.names, 0))
    shards = range(len(index.files))
    for shard, (good, problem) in zip(
        shards, parallel_map(lambda shard: _check_shard(index, shard), shards)
    ):
        for identity in good:
            report.counts[index.names[identity]] = int(index.counts[identity])
        if problem:
            report.broken.append((os.path.basename(index.files[shard]), problem))
    size = f"{index.image_size}x{index.image_size}"
    report.sizes = {size: report.images}
    report.modes = {f"PNG {'L' if index.channels == 1 else 'RGB'}": report.images}
    return report


def _check_shard(index: _Index, shard: int) -> tuple[list[int], str | None]:
    """The identities of a shard that are good, and why the next one is not."""
    good: list[int] = []
    first = np.cumsum(index.counts) - index.counts
    # TensorFlow verifies the checksums of records as it reads them.
    records = tf.data.TFRecordDataset(index.files[shard]).as_numpy_iterator()
    try:
        with open(index.files[shard], "rb") as file:
            for identity in np.flatnonzero(index.shards == shard):
                features = tf.train.Example.FromString(next(records, b"")).features.feature
                pngs = []
                for number in first[identity] + np.arange(index.counts[identity]):
                    file.seek(index.offsets[number])
                    pngs.append(file.read(index.lengths[number]))
                if pngs != list(features["images"].bytes_list.value):
                    return good, f"{index.names[identity]!r} is not where the index says"
                digest = hashlib.sha256()
                for png in pngs:
                    digest.update(_decode(png, index))
                if digest.digest() != index.digests[identity]:
                    return good, f"the images of {index.names[identity]!r} have changed"
                good.append(int(identity))
    except (tf.errors.OpError, ValueError, OSError) as error:
        return good, getattr(error, "message", str(error))
    return good, None


def _decode(png: bytes, index: _Index) -> np.ndarray:
    return decoding.decode(png, index.image_size, index.channels)


def _read_index(folder: str) -> _Index:
    if not is_shards(folder):
        raise ValueError(
            f"{folder!r} holds no shards: it has no {INDEX_FILE}. Build some with "
            "`bin/data build DIR --out=SHARDS`."
        )
    path = os.path.join(folder, INDEX_FILE)
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        if content["version"] != VERSION:
            raise ValueError(f"its version is {content['version']!r}, this code reads {VERSION}")
        index = _parse_index(folder, content)
    # What anybody may have written into a JSON file raises any of these.
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"{path!r} is no good index of shards: {type(error).__name__}: {error}. Build the "
            "shards again with `bin/data build`."
        ) from error
    for file, size in zip(index.files, index.sizes):
        found = os.path.getsize(file) if os.path.isfile(file) else None
        if found != size:
            state = "is missing" if found is None else f"has {found:,} bytes"
            raise ValueError(
                f"The shard {file!r} {state}; {size:,} bytes were expected. Copy it again, or "
                "build the shards again with `bin/data build`."
            )
    return index


def _parse_index(folder: str, content: dict) -> _Index:
    """Turns the index into arrays. It may be hostile: no record may lie outside its file."""
    decoding.check_options(content["image_size"], content["channels"], content["fit"])
    files, sizes = [], []
    for shard in content["shards"]:
        if os.path.basename(shard["file"]) != shard["file"] or shard["file"] in ("", ".", ".."):
            raise ValueError(f"the shard {shard['file']!r} is not in this folder")
        files.append(os.path.join(folder, shard["file"]))
        sizes.append(int(shard["bytes"]))
    names, counts, shards, digests, offsets, lengths = [], [], [], [], [], []
    for entry in content["identities"]:
        starts = np.asarray(entry["offsets"], np.int64)
        sizes_here = np.asarray(entry["lengths"], np.int64)
        if not len(starts) or starts.shape != sizes_here.shape or starts.ndim != 1:
            raise ValueError(f"the identity {entry['name']!r} has no images")
        if not 0 <= entry["shard"] < len(files):
            raise ValueError(f"the identity {entry['name']!r} is in no shard")
        room = sizes[entry["shard"]] - starts
        if starts.min() < 0 or sizes_here.min() < 1 or np.any(sizes_here > room):
            raise ValueError(f"the identity {entry['name']!r} lies outside its shard")
        names.append(str(entry["name"]))
        counts.append(len(starts))
        shards.append(entry["shard"])
        digests.append(bytes.fromhex(entry["sha256"]))
        offsets.append(starts)
        lengths.append(sizes_here)
    if len(names) < 2 or len(set(names)) != len(names):
        raise ValueError("it should name two or more different identities")
    return _Index(
        content["image_size"], content["channels"], content["fit"], files, sizes, names,
        np.array(counts, np.int64), np.array(shards, np.int64), digests,
        np.concatenate(offsets), np.concatenate(lengths),
    )  # fmt: skip
