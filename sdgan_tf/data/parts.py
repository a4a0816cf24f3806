"""A build in parts: each is decoded by whoever comes to it, once, and kept until the whole is written.

A folder of parts holds `00000.json`, which says what the first part is made of, and the folder `00000`, which appears
when the part is complete: files as built data have them, of all good images, and `seen.json`, which says what was seen
of every file. A part is a function of its number and of the files it is made of, so any number of processes, on
machines that share a disk, may make parts at any time, and make them again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from sdgan_tf.data import keypoints
from sdgan_tf.data.built import FIELD_FILES, IMAGES_FILE, map_files
from sdgan_tf.data.checks import Decoding, Seen, look, parallel_map
from sdgan_tf.data.decoding import BadImage
from sdgan_tf.data.sources import Listing
from sdgan_tf.data.tfrecord import RecordListing
from sdgan_tf.files import atomic_file, atomic_folder, remove_folder

# Of decoded images in a part: large enough for any disk, and soon made again.
PART_BYTES = 128 * 2**20
SEEN_FILE = "seen.json"


def plan(folder: Path, listing: Listing, wanted: Decoding) -> list[range]:
    """Writes down which files each part is made of.

    Args:
        folder: of the parts; it may hold some of an earlier build.
        listing: the files.
        wanted: what is made of each image.

    Returns:
        For each part the numbers of its files, in the order of the listing.
    """
    paths = [path for files in listing.identities.values() for path in files]
    size = max(1, PART_BYTES // (wanted.image_size**2 * wanted.channels))
    parts = [range(start, min(start + size, len(paths))) for start in range(0, len(paths), size)]
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(parts):
        own = [paths[place] for place in part]
        content = {
            "root": os.path.abspath(listing.root),
            "wanted": wanted._asdict(),
            "paths": own,
        }
        if isinstance(listing, RecordListing):
            # The files' places are as they were given, which only means something here.
            content["places"] = [
                (os.path.abspath(file), *place)
                for file, *place in (listing.places[path] for path in own)
            ]
        with atomic_file(_plan_file(folder, number)) as file:
            file.write(json.dumps(content).encode())
    return parts


def make(folder: str, number: int, bar: tqdm | None = None) -> None:
    """Makes a part, unless it is there already and what it was made of has not changed since.

    Args:
        folder: of the parts.
        number: of the part.
        bar: a progress bar to move by each file.
    """
    content = _plan_file(Path(folder), number).read_bytes()
    planned = json.loads(content)
    wanted, paths = Decoding(**planned["wanted"]), planned["paths"]
    if "places" in planned:
        places = dict(zip(paths, planned["places"]))
        listing: Listing = RecordListing(planned["root"], "records", {}, [], places=places)
    else:
        listing = Listing(planned["root"], "list", {}, [])
    source = hashlib.sha256(content + _stamps(listing, wanted, paths).encode()).hexdigest()
    target = _part(Path(folder), number)
    if _is_made(target, source):
        if bar is not None:
            bar.update(len(paths))
        return
    if target.exists():
        remove_folder(target)
    try:
        with atomic_folder(target) as fragment:
            looks = parallel_map(lambda path: look(listing, path, wanted), paths)
            with contextlib.closing(looks):
                rows = _write(looks, fragment, wanted, bar)
            (fragment / SEEN_FILE).write_text(json.dumps({"source": source, "seen": rows}))
    except OSError:
        # Another process may have been faster.
        if not _is_made(target, source):
            raise


def seen(folder: Path, number: int) -> list[list[str]]:
    """What was seen of the files of a part.

    Args:
        folder: of the parts.
        number: of the part.

    Returns:
        For each file, in the order of the plan, the reason why it is unusable, or `digest` in hexadecimal digits, `size`
        and `mode` of `Seen`.

    Raises:
        ValueError: the part is not there.
    """
    file = _part(folder, number) / SEEN_FILE
    if not file.is_file():
        raise ValueError(
            f"Part {number} is not in {str(folder)!r}, though it was made: the workers must see the images and the "
            "output under the same paths as this machine, on a disk that they share."
        )
    return json.loads(file.read_text())["seen"]


def arrays(folder: Path, number: int, count: int, wanted: Decoding) -> dict[str, np.ndarray]:
    """The usable images of a part, and what else is known of them: arrays by the name that their file has in built data.

    Args:
        folder: of the parts.
        number: of the part.
        count: how many usable images it has.
        wanted: what was made of each image.

    Raises:
        ValueError: a file is missing or not of the right size.
    """
    # No file of 0 bytes can be mapped.
    if not count:
        return {}
    images, fields = map_files(
        str(_part(folder, number)), count, wanted.image_size, wanted.channels, wanted.keypoints
    )
    return {IMAGES_FILE: images, **{FIELD_FILES[name]: fields[name] for name in fields}}


def _write(
    looks: Iterable[Seen | BadImage], folder: Path, wanted: Decoding, bar: tqdm | None
) -> list[list[str]]:
    """Writes what is usable; returns the rows as of `seen`."""
    names = FIELD_FILES if wanted.keypoints else {}
    rows = []
    with contextlib.ExitStack() as stack:
        images = stack.enter_context(open(folder / IMAGES_FILE, "wb"))
        files = {name: stack.enter_context(open(folder / names[name], "wb")) for name in names}
        for image in looks:
            if isinstance(image, BadImage):
                rows.append([image.reason])
            else:
                images.write(image.pixels)
                for name, file in files.items():
                    file.write(image.fields[name].tobytes())
                rows.append([image.digest.hex(), image.size, image.mode])
            if bar is not None:
                bar.update()
    return rows


def _is_made(target: Path, source: str) -> bool:
    """Whether there is a whole part that was made of this."""
    try:
        return json.loads((target / SEEN_FILE).read_text())["source"] == source
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _stamps(listing: Listing, wanted: Decoding, paths: list[str]) -> str:
    """Sizes and times of all files that a part is made of, by which a change is noticed."""
    if isinstance(listing, RecordListing):
        files = sorted({file for file, *_ in listing.places.values()})
    else:
        files = [file for path in paths for file in (path, *_beside(path, wanted))]
    stamps: list[tuple[int, int] | None] = []
    for file in files:
        try:
            status = os.stat(os.path.join(listing.root, file))
            stamps.append((status.st_size, status.st_mtime_ns))
        except OSError:
            stamps.append(None)
    return json.dumps(stamps)


def _beside(path: str, wanted: Decoding) -> tuple[str, ...]:
    return keypoints.files_of(path) if wanted.keypoints else ()


def _plan_file(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.json"


def _part(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}"
