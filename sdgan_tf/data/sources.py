"""Who is in which file: finds the identities of a folder by the names in it."""

from __future__ import annotations

import collections
import dataclasses
import os
import unicodedata

import numpy as np

from sdgan_tf.data.decoding import EXTENSIONS, Header, decode_with_header, read_bytes
from sdgan_tf.data.keypoints import MASK_ENDING
from sdgan_tf.data.names import same_name
from sdgan_tf.files import local_path

LAYOUT_HELP = (
    "Expected one sub-folder per identity, with images in it, or one flat folder of images "
    "named <IDENTITY>_<OBSERVATION>_<anything>.png"
)


@dataclasses.dataclass
class Listing:
    """The files of a data set, before any was opened.

    Attributes:
        root: the folder.
        layout: `"folders"` for a sub-folder per identity, `"flat"` for names that tell it,
            `"records"` for TFRecords, `"list"` for a manifest or what is in memory.
        identities: each identity's files, relative to `root`; both sorted by name. An identity
            whose folder holds no image has an empty list.
        broken: files that are known to be unusable already, with the reason.
        ignored: how many files of which extension were passed over.
        nested: folders inside an identity's folder that hold images, which are not read.
        merged: groups of names that were taken for one identity, see `names.same_name`.
        parts: the part of the split that each identity belongs to, where the data say so: `"train"`, `"validation"` or
            `"test"`.
    """

    root: str
    layout: str
    identities: dict[str, list[str]]
    broken: list[tuple[str, str]]
    ignored: dict[str, int] = dataclasses.field(default_factory=dict)
    nested: list[str] = dataclasses.field(default_factory=list)
    merged: list[list[str]] = dataclasses.field(default_factory=list)
    parts: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def images(self) -> int:
        """How many images there are."""
        return sum(len(files) for files in self.identities.values())

    def read(self, path: str) -> bytes:
        """Reads one of the files; raises `BadImage` if it cannot be read."""
        return read_bytes(os.path.join(self.root, path))

    def decode(
        self, path: str, image_size: int, channels: int, fit: str, max_pixels: int
    ) -> tuple[Header, np.ndarray]:
        """The header of one of the images and the image as by `decoding.decode`; raises `BadImage`."""
        contents = self.read(path)
        return decode_with_header(contents, path, image_size, channels, fit, max_pixels)


def find_images(root: str | os.PathLike) -> Listing:
    """Lists the images of a folder by identity, without opening them.

    Either each sub-folder is an identity, or the images lie in one flat folder and are named
    `<IDENTITY>_<OBSERVATION>_<anything>.png`, the identity being all up to the second-last
    underscore. The folder itself tells which. Hidden files and folders do not count.

    Args:
        root: the folder.

    Returns:
        The `Listing`, in the same order on every file system.

    Raises:
        ValueError: the folder is missing, holds no images, mixes the two layouts, or shows
            fewer than two identities.
    """
    root = str(local_path(root))
    if not os.path.exists(root):
        raise ValueError(f"There is no folder {root!r}. {LAYOUT_HELP}.")
    if not os.path.isdir(root):
        raise ValueError(f"{root!r} is a file, not a folder. {LAYOUT_HELP}.")
    folders, images, others, broken = _scan(root)
    ignored = collections.Counter(others)
    inside = {}
    nested = []
    for name in folders:
        deeper, inside[name], others, unread = _scan(os.path.join(root, name))
        ignored.update(others)
        broken += [(os.path.join(name, path), reason) for path, reason in unread]
        paths = [os.path.join(name, folder) for folder in deeper]
        nested += [path for path in paths if _holds_images(os.path.join(root, path))]
    filled = [name for name in folders if inside[name]]
    if images and filled:
        raise ValueError(
            f"{root!r} holds {len(images)} images (such as {images[0]!r}) beside "
            f"{len(filled)} sub-folders of images (such as {filled[0]!r}), so it does not tell "
            f"what the identities are. {LAYOUT_HELP}, not both: move one of the two elsewhere."
        )
    if not images and not filled:
        raise ValueError(_no_images(root, nested, ignored))
    if images:
        layout = "flat"
        named, misnamed = _by_name(images)
        broken += misnamed
        ignored.update({"(folders)": len(folders)} if folders else {})
    else:
        layout = "folders"
        named = {name: [os.path.join(name, file) for file in inside[name]] for name in inside}
    identities, merged = merge(named)
    if len(identities) < 2:
        raise ValueError(_too_few(root, layout, identities, broken))
    return Listing(root, layout, identities, broken, dict(sorted(ignored.items())), nested, merged)


def merge(named: dict[str, list[str]]) -> tuple[dict[str, list[str]], list[list[str]]]:
    """Makes one identity of names that mean the same.

    Args:
        named: the files of each name.

    Returns:
        The files of each identity, named as the first of its names with composed accents; and the
        groups of names that were made one.
    """
    groups = collections.defaultdict(list)
    for name in sorted(named):
        groups[same_name(name)].append(name)
    identities = {
        unicodedata.normalize("NFC", names[0]): [path for name in names for path in named[name]]
        for names in groups.values()
    }
    return dict(sorted(identities.items())), [names for names in groups.values() if names[1:]]


def _scan(folder: str) -> tuple[list[str], list[str], list[str], list[tuple[str, str]]]:
    """The names of sub-folders and images, the extensions of all else, and what is broken."""
    folders, images, others, broken = [], [], [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                extension = os.path.splitext(entry.name)[1].lower()
                if entry.name.startswith("."):
                    continue
                try:
                    is_folder = entry.is_dir()
                except OSError as error:
                    broken.append((entry.name, f"cannot be read: {error.strerror}"))
                    continue
                if is_folder:
                    folders.append(entry.name)
                elif entry.name.lower().endswith(MASK_ENDING):
                    # It belongs to an image; whoever asks for masks looks for it there.
                    others.append(MASK_ENDING)
                elif extension in EXTENSIONS:
                    images.append(entry.name)
                else:
                    others.append(extension or "(no extension)")
    except OSError as error:
        raise ValueError(f"The folder {folder!r} cannot be read: {error.strerror}.") from error
    return sorted(folders), sorted(images), others, sorted(broken)


def _holds_images(folder: str) -> bool:
    return any(
        name.lower().endswith(EXTENSIONS) and not name.startswith(".")
        for _, _, names in os.walk(folder)
        for name in names
    )


def _by_name(images: list[str]) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    identities = collections.defaultdict(list)
    misnamed = []
    for file in images:
        identity, *rest = os.path.splitext(file)[0].rsplit("_", 2)
        if identity and len(rest) == 2:
            identities[identity].append(file)
        else:
            reason = "its name tells no identity: it should be <IDENTITY>_<OBSERVATION>_<anything>"
            misnamed.append((file, reason))
    return identities, misnamed


def _no_images(root: str, nested: list[str], ignored: collections.Counter) -> str:
    if nested:
        parent = os.path.join(root, os.path.dirname(nested[0]))
        return (
            f"{root!r} and its sub-folders hold no images, but the folders inside those do, "
            f"such as {nested[0]!r}. {LAYOUT_HELP}: did you mean {parent!r}?"
        )
    others = ", ".join(f"{count} {extension}" for extension, count in sorted(ignored.items()))
    return (
        f"{root!r} holds no images ({', '.join(EXTENSIONS)}). Found: {others or 'nothing'}. "
        f"{LAYOUT_HELP}."
    )


def _too_few(root: str, layout: str, identities: dict, broken: list[tuple[str, str]]) -> str:
    if not identities:
        return (
            f"{root!r} holds {len(broken)} images, but no name tells an identity, such as "
            f"{broken[0][0]!r}. {LAYOUT_HELP}."
        )
    where = "sub-folder" if layout == "folders" else "name"
    return (
        f"{root!r} holds one identity only, the {where} {next(iter(identities))!r}; at least 2 "
        f"are needed. {LAYOUT_HELP}."
    )
