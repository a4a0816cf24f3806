"""Who is in which file: finds the identities of a folder by the names in it."""

from __future__ import annotations

import collections
import dataclasses
import os

from sdgan_tf.data.decoding import EXTENSIONS

LAYOUT_HELP = (
    "Expected one sub-folder per identity, with images in it, or one flat folder of images "
    "named <IDENTITY>_<OBSERVATION>_<anything>.png"
)


@dataclasses.dataclass
class Listing:
    """The files of a data set, before any was opened.

    Attributes:
        root: The folder.
        layout: `"folders"` for a sub-folder per identity, `"flat"` for names that tell it.
        identities: Each identity's files, relative to `root`; both sorted by name. An identity
            whose folder holds no image has an empty list.
        misnamed: Images of a flat folder whose names tell no identity, with the reason.
        ignored: How many files of which extension were passed over.
        nested: Folders inside an identity's folder that hold images, which are not read.
    """

    root: str
    layout: str
    identities: dict[str, list[str]]
    misnamed: list[tuple[str, str]]
    ignored: dict[str, int]
    nested: list[str]

    @property
    def images(self) -> int:
        """How many images there are."""
        return sum(len(files) for files in self.identities.values())


def find_images(root: str | os.PathLike) -> Listing:
    """Lists the images of a folder by identity, without opening them.

    Either each sub-folder is an identity, or the images lie in one flat folder and are named
    `<IDENTITY>_<OBSERVATION>_<anything>.png`, the identity being all up to the second-last
    underscore. The folder itself tells which. Hidden files and folders do not count.

    Args:
        root: The folder.

    Returns:
        The `Listing`, in the same order on every file system.

    Raises:
        ValueError: If the folder is missing, holds no images, mixes the two layouts, or shows
            fewer than two identities.
    """
    root = os.fspath(root)
    if not os.path.exists(root):
        raise ValueError(f"There is no folder {root!r}. {LAYOUT_HELP}.")
    if not os.path.isdir(root):
        raise ValueError(f"{root!r} is a file, not a folder. {LAYOUT_HELP}.")
    folders, images, others = _scan(root)
    ignored = collections.Counter(others)
    inside = {}
    nested = []
    for name in folders:
        deeper, inside[name], others = _scan(os.path.join(root, name))
        ignored.update(others)
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
        raise ValueError(_nothing_found(root, nested, ignored))
    if images:
        identities, misnamed = _by_name(images)
        ignored.update({"(folders)": len(folders)} if folders else {})
        layout = "flat"
    else:
        identities = {name: [os.path.join(name, file) for file in inside[name]] for name in inside}
        misnamed = []
        layout = "folders"
    if len(identities) < 2:
        raise ValueError(_too_few(root, layout, identities, misnamed))
    return Listing(root, layout, identities, misnamed, dict(sorted(ignored.items())), nested)


def _scan(folder: str) -> tuple[list[str], list[str], list[str]]:
    """The names of sub-folders and images, and the extensions of all else."""
    folders, images, others = [], [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                extension = os.path.splitext(entry.name)[1].lower()
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                elif extension in EXTENSIONS:
                    images.append(entry.name)
                else:
                    others.append(extension or "(no extension)")
    except OSError as error:
        raise ValueError(f"The folder {folder!r} cannot be read: {error.strerror}.") from error
    return sorted(folders), sorted(images), others


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
    return dict(sorted(identities.items())), misnamed


def _nothing_found(root: str, nested: list[str], ignored: collections.Counter) -> str:
    if nested:
        parent = os.path.join(root, os.path.dirname(nested[0]))
        return (
            f"{root!r} and its sub-folders hold no images, but the folders inside those do, "
            f"such as {nested[0]!r}. {LAYOUT_HELP}: did you mean {parent!r}?"
        )
    found = ", ".join(f"{count} {extension}" for extension, count in sorted(ignored.items()))
    return (
        f"{root!r} holds no images ({', '.join(EXTENSIONS)}). Found: {found or 'nothing'}. "
        f"{LAYOUT_HELP}."
    )


def _too_few(root: str, layout: str, identities: dict, misnamed: list[tuple[str, str]]) -> str:
    if not identities:
        return (
            f"{root!r} holds {len(misnamed)} images, but no name tells an identity, such as "
            f"{misnamed[0][0]!r}. {LAYOUT_HELP}."
        )
    where = "sub-folder" if layout == "folders" else "name"
    return (
        f"{root!r} holds one identity only, the {where} {next(iter(identities))!r}; at least 2 "
        f"are needed. {LAYOUT_HELP}."
    )
