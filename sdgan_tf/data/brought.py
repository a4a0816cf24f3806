"""What people have already: arrays in memory, `tf.data` and TFDS data sets, Hugging Face's `datasets`."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from sdgan_tf.data import decoding
from sdgan_tf.data.arrays import MAX_BYTES, check_memory
from sdgan_tf.data.checks import parallel_map
from sdgan_tf.data.identity_data import IdentityData
from sdgan_tf.data.listed import identity_name, list_rows
from sdgan_tf.data.reading import read_listing
from sdgan_tf.data.sources import Listing

# Under these names data sets have their images and identities, the first that is there.
IMAGE_FIELDS = ("image", "images", "img", "picture")
IDENTITY_FIELDS = ("identity", "label", "labels", "person", "id")


@dataclasses.dataclass
class Gathered(Listing):
    """Images that are in memory.

    Attributes:
        images_of: each image by its path: decoded, or the reason why it is unusable.
    """

    images_of: dict[str, tuple[decoding.Header, np.ndarray] | decoding.BadImage] = (
        dataclasses.field(default_factory=dict)
    )

    def decode(self, path: str, *_: Any) -> tuple[decoding.Header, np.ndarray]:
        image = self.images_of[path]
        if isinstance(image, decoding.BadImage):
            raise image
        return image


def from_arrays(
    images: np.ndarray | Sequence[np.ndarray],
    identities: Sequence[Any],
    splits: Sequence[str] | None = None,
    image_size: int | None = None,
    channels: int | None = None,
    fit: str = "crop",
    on_bad_data: str = "fail",
    on_duplicates: str = "keep",
    max_bytes: int = MAX_BYTES,
    k: int = 1,
) -> IdentityData:
    """Makes a data set of images that are in memory.

    Args:
        images: uint8 `[n, h, w, 1 or 3]` or `[n, h, w]`, 0 to 255; or a list of such images, which may differ in size.
        identities: who or what each image shows: `[n]` names or numbers.
        splits: the part that each image belongs to, `[n]` of `"train"`, `"validation"` and `"test"`; None to have
            identities split by their names.
        image_size: height and width of the result; None for those of the images, which must be square and alike.
        channels: 1 or 3; None for what the first image has.
        fit: `"crop"` or `"pad"`, see `from_directory`.
        on_bad_data: see `from_directory`.
        on_duplicates: see `from_directory`.
        max_bytes: how much memory the result may take.
        k: how many images each identity should have.

    Returns:
        The data, whose `report` says what the data doctor saw.

    Raises:
        ValueError: the arguments do not fit each other, or images are not uint8.
        BadData: see `from_directory`.

    Example:

    >>> images = np.random.default_rng(0).integers(0, 256, [6, 8, 8, 3], np.uint8)
    >>> from_arrays(images, ["ann", "bob"] * 3).counts.tolist()
    [3, 3]
    """
    lengths = {"images": len(images), "identities": len(identities)}
    lengths.update({} if splits is None else {"splits": len(splits)})
    if len(set(lengths.values())) > 1 or not len(images):
        raise ValueError(
            "There is an identity, and a split if any, for each image, and one image or more. Received: "
            + ", ".join(f"{count} {name}" for name, count in lengths.items())
        )
    first = np.asarray(images[0])
    image_size = image_size or _common_size(images)
    channels = channels or (first.shape[2] if first.ndim == 3 else 1)
    rows = zip(images, identities, splits if splits is not None else [None] * len(images))
    listing = _gather(rows, "arrays", (image_size, channels, fit), max_bytes)
    return read_listing(
        listing, image_size, channels, fit, on_bad_data, on_duplicates, max_bytes=max_bytes, k=k
    )


def from_dataset(
    dataset: Any,
    image: str | None = None,
    identity: str | None = None,
    image_size: int = 64,
    channels: int = 3,
    fit: str = "crop",
    on_bad_data: str = "fail",
    on_duplicates: str = "keep",
    max_bytes: int = MAX_BYTES,
    k: int = 1,
) -> IdentityData:
    """Reads a data set of another library into memory, by identity.

    Args:
        dataset: a `tf.data.Dataset`, such as one of TensorFlow Datasets, or one of Hugging Face's `datasets` (extra
            `huggingface`): its elements are dictionaries, or pairs of an image and an identity. Or a dictionary of such
            data sets by `"train"`, `"validation"` and `"test"`, whose parts are kept. Images are uint8
            `[h, w, 1 or 3]` or the bytes of a file.
        image: name of the field of images; None for one of `image`, `images`, `img` and `picture`.
        identity: name of the field that tells who or what is shown; None for one of `identity`, `label`, `labels`,
            `person` and `id`.
        image_size: height and width to which images are resized.
        channels: 1 for luminance, 3 for red, green and blue.
        fit: `"crop"` or `"pad"`, see `from_directory`.
        on_bad_data: see `from_directory`.
        on_duplicates: see `from_directory`.
        max_bytes: how much memory the decoded images may take.
        k: how many images each identity should have.

    Returns:
        The data, whose `report` says what the data doctor saw.

    Raises:
        ValueError: there are no such fields, an identity is in two parts, or there are too many images for `max_bytes`.
        BadData: see `from_directory`.
    """
    parts = dataset if isinstance(dataset, Mapping) else {None: dataset}
    rows = ((*row, part) for part, data in parts.items() for row in _rows(data, image, identity))
    listing = _gather(rows, "dataset", (image_size, channels, fit), max_bytes)
    return read_listing(
        listing, image_size, channels, fit, on_bad_data, on_duplicates, max_bytes=max_bytes, k=k
    )


def _gather(
    rows: Iterable[tuple[Any, Any, Any]],
    source: str,
    options: tuple[int, int, str],
    max_bytes: int,
) -> Gathered:
    """Lists rows of image, identity and split; brings each image to its size when it comes by."""
    decoding.check_options(*options)
    listed, images_of = [], {}

    def look(numbered: tuple[int, tuple[Any, Any, Any]]):
        number, (image, name, split) = numbered
        path = f"{source}[{number}]"
        try:
            if isinstance(image, (bytes, str)):
                contents = decoding.read_bytes(image) if isinstance(image, str) else image
                made = decoding.decode_with_header(contents, path, *options, decoding.MAX_PIXELS)
            else:
                made = decoding.square(image, path, *options)
        except decoding.BadImage as error:
            made = error
        return path, made, name, split

    for path, made, name, split in parallel_map(look, enumerate(rows)):
        images_of[path] = made
        listed.append((path, identity_name(name), split))
        check_memory(len(listed), options[0], options[1], max_bytes)
    listing = list_rows(source, listed)
    return Gathered(**vars(listing), images_of=images_of)


def _common_size(images: np.ndarray | Sequence[np.ndarray]) -> int:
    sizes = collections.Counter(np.shape(image)[:2] for image in images)
    size = next(iter(sizes))
    if len(sizes) > 1 or len(size) != 2 or size[0] != size[1]:
        raise ValueError(
            "These images are not square and of one size, so say by image_size=64 what size they shall have. Received: "
            + ", ".join(f"{count} of {list(size)}" for size, count in sizes.most_common(3))
        )
    return size[0]


def _rows(dataset: Any, image: str | None, identity: str | None) -> Iterator[tuple[Any, Any]]:
    """The images and identities of one data set, whatever library it is of."""
    if isinstance(dataset, tf.data.Dataset):
        yield from _tensor_rows(dataset, image, identity)
    elif hasattr(dataset, "cast_column") and hasattr(dataset, "features"):
        yield from _table_rows(dataset, image, identity)
    else:
        raise ValueError(
            "A data set is a tf.data.Dataset, one of Hugging Face's datasets, or a dictionary of such by part; arrays "
            f"are taken by from_arrays. Received: {type(dataset).__name__}"
        )


def _tensor_rows(
    dataset: tf.data.Dataset, image: str | None, identity: str | None
) -> Iterator[tuple[Any, Any]]:
    spec = dataset.element_spec
    if isinstance(spec, Mapping):
        keys = _field(spec, image, IMAGE_FIELDS), _field(spec, identity, IDENTITY_FIELDS)
    elif isinstance(spec, tuple) and len(spec) == 2:
        keys = (0, 1)
    else:
        raise ValueError(
            f"Elements are dictionaries, or pairs of an image and an identity. Received: {spec}"
        )
    if spec[keys[1]].shape.rank == 1:
        dataset = dataset.unbatch()
    if tf.data.experimental.cardinality(dataset) == tf.data.INFINITE_CARDINALITY:
        raise ValueError("A data set has an end: leave out repeat(). Received: an endless one")
    for element in dataset.as_numpy_iterator():
        yield element[keys[0]], element[keys[1]]


def _table_rows(dataset: Any, image: str | None, identity: str | None) -> Iterator[tuple[Any, Any]]:
    import datasets

    features = dataset.features or {}
    image = _field(features, image, IMAGE_FIELDS)
    identity = _field(features, identity, IDENTITY_FIELDS)
    names = getattr(features[identity], "names", None)
    if isinstance(features[image], datasets.Image):
        # Files as they are: our own decoder takes fewer formats from strangers.
        dataset = dataset.cast_column(image, datasets.Image(decode=False))
    for row in dataset:
        file, who = row[image], row[identity]
        if isinstance(file, Mapping):
            file = file["path"] if file["bytes"] is None else file["bytes"]
        elif not isinstance(file, (bytes, str)):
            file = np.asarray(file, np.uint8)
        yield file, names[who] if names and isinstance(who, int) and who >= 0 else who


def _field(fields: Mapping[str, Any], asked: str | None, usual: Sequence[str]) -> str:
    found = [name for name in ([asked] if asked else usual) if name in fields]
    if not found:
        raise ValueError(
            f"A field named {asked or ' or '.join(usual)} is needed; name another by image= and identity=. "
            f"Received: {', '.join(fields)}"
        )
    return found[0]
