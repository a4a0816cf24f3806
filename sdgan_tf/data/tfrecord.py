"""TFRecords of images by identity: to and from other programs.

A folder of TFRecords holds files `*.tfrecord` of `tf.train.Example`, each with the features
`identity`, the name of one identity, and `images`, encoded images of it.
"""

from __future__ import annotations

import collections
import dataclasses
import glob
import os
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from sdgan_tf.data.identity_data import IdentityData
from sdgan_tf.data.names import name_bytes
from sdgan_tf.data.sources import Listing, merge
from sdgan_tf.files import atomic_folder, local_path

FILE_BYTES = 128 * 2**20
# A TFRecord is a length (8 bytes), its checksum (4), the contents, and theirs (4).
_HEAD, _TAIL = 12, 4


@dataclasses.dataclass
class RecordListing(Listing):
    """The images in TFRecords.

    Attributes:
        places: the file of each image, where in it the image begins, and its length.
    """

    places: dict[str, tuple[str, int, int]] = dataclasses.field(default_factory=dict)

    def read(self, path: str) -> bytes:
        file_name, start, length = self.places[path]
        with open(file_name, "rb") as file:
            file.seek(start)
            return file.read(length)


def to_tfrecord(data: IdentityData, out: str | os.PathLike, file_bytes: int = FILE_BYTES) -> None:
    """Writes a data set as TFRecords, one record of PNGs for each identity.

    Args:
        data: the images.
        out: the folder to write, which must not exist. It appears whole or not at all.
        file_bytes: the next identity begins a new file when one has this size.

    Raises:
        FileExistsError: `out` exists.
    """
    with atomic_folder(local_path(out)) as folder:
        written, files, writer = file_bytes, 0, None
        for identity, name in enumerate(data.names):
            if written >= file_bytes:
                if writer:
                    writer.close()
                writer = tf.io.TFRecordWriter(str(folder / f"part-{files:05d}.tfrecord"))
                written, files = 0, files + 1
            record = _record(name, data.observations(identity))
            writer.write(record)
            written += len(record)
        if writer:
            writer.close()


def holds_records(path: str | os.PathLike) -> bool:
    """Whether a folder holds TFRecords."""
    return bool(_files(str(local_path(path))))


def find_records(root: str | os.PathLike) -> RecordListing:
    """Lists the images in a folder of TFRecords by identity, without decoding them.

    Args:
        root: the folder.

    Returns:
        The listing. Files that are damaged are among its `broken`.

    Raises:
        ValueError: the folder holds no TFRecords, or fewer than two identities.
    """
    root = os.fspath(root)
    named, places, broken = collections.defaultdict(list), {}, []
    for file in _files(root):
        base = os.path.basename(file)
        try:
            for start, record in _records(file):
                identity, images = _parse(record)
                end = 0
                for image in images:
                    begin = record.index(image, end)
                    end = begin + len(image)
                    path = f"{base}/{identity}/{len(named[identity])}"
                    named[identity].append(path)
                    places[path] = (file, start + begin, len(image))
        except (tf.errors.OpError, DecodeError, ValueError, OSError) as error:
            broken.append((base, getattr(error, "message", None) or str(error)))
    identities, merged = merge(named)
    if len(identities) < 2:
        raise ValueError(
            f"{root!r} should hold TFRecords (*.tfrecord) of at least 2 identities, each record "
            "with the features `identity` and `images`. Received: "
            f"{len(identities)} identities{': ' + broken[0][1] if broken else ''}"
        )
    return RecordListing(root, "records", identities, broken, merged=merged, places=places)


def _files(root: str) -> list[str]:
    files = sorted(glob.glob(os.path.join(glob.escape(root), "*.tfrecord")))
    return [file for file in files if os.path.isfile(file)]


def _records(file_name: str) -> Iterator[tuple[int, bytes]]:
    """Where each record begins, and its contents."""
    # TensorFlow verifies the checksums, but trusts the lengths and allocates what they say.
    starts, start, size = [], 0, os.path.getsize(file_name)
    with open(file_name, "rb") as file:
        while start < size:
            file.seek(start)
            length = int.from_bytes(file.read(8), "little")
            if length > size - start - _HEAD - _TAIL:
                raise ValueError(f"the record at byte {start:,} is longer than the file")
            starts.append(start + _HEAD)
            start += _HEAD + length + _TAIL
    yield from zip(starts, tf.data.TFRecordDataset(file_name).as_numpy_iterator())


def _parse(record: bytes) -> tuple[str, list[bytes]]:
    features = tf.train.Example.FromString(record).features.feature
    # Folders of shards, as this package wrote them once, call images pictures.
    images = features["images" if "images" in features else "pictures"].bytes_list.value
    names = features["identity"].bytes_list.value
    if len(names) != 1 or not images:
        raise ValueError("a record should have the features `identity` and `images`")
    return os.fsdecode(names[0]), list(images)


def _record(name: str, images: np.ndarray) -> bytes:
    with tf.device("CPU:0"):
        pngs = [tf.io.encode_png(image).numpy() for image in images]
    example = tf.train.Example()
    for feature, values in (("identity", [name_bytes(name)]), ("images", pngs)):
        example.features.feature[feature].bytes_list.value.extend(values)
    return example.SerializeToString(deterministic=True)
