"""Who is in which file by a list: rows of a path, an identity and, where known, a part of the split."""

from __future__ import annotations

import collections
import csv
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from sdgan_tf.data.names import PARTS, same_name
from sdgan_tf.data.report import listed as shown
from sdgan_tf.data.sources import Listing, merge
from sdgan_tf.files import local_path

# What data sets call them, too.
_OTHER_NAMES = {"val": "validation", "valid": "validation", "dev": "validation"}
_MANIFEST_HELP = (
    "A manifest is a CSV file with the columns path, identity and, if wanted, split, or a file .jsonl with a JSON object "
    "of these on each line"
)


def read_manifest(file: str | os.PathLike, root: str | os.PathLike) -> Listing:
    """Lists the images that a manifest names.

    Args:
        file: a `.csv` or `.jsonl` file with `path`, relative to `root`, `identity` and, for all images or for none,
            `split`: `train`, `validation` or `test`. Whatever else it holds is passed over.
        root: the folder of the images.

    Returns:
        The `Listing`, sorted by identity. Files in `root` that the manifest does not name are not looked at.

    Raises:
        ValueError: the file cannot be read as a manifest, or `root` is no folder; see `list_rows` for the rest.
    """
    path, folder = local_path(file), local_path(root)
    if not folder.is_dir():
        raise ValueError(
            f"{str(file)!r} lists files of {str(root)!r}, which is no folder: name the folder that its paths begin at."
        )
    readers = {".csv": _csv, ".jsonl": _json_lines}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{_MANIFEST_HELP}. Received: manifest={str(file)!r}")
    rows, broken, others = [], [], collections.Counter()
    known: set[str] = set()
    try:
        for number, row in readers[path.suffix.lower()](path):
            where = f"{path.name}, line {number}"
            others.update(
                f"(column {name})" for name in row if name not in ("path", "identity", "split")
            )
            name, who = str(row.get("path") or ""), identity_name(row.get("identity"))
            if not name or not who:
                broken.append((where, "it has no path" if not name else "it has no identity"))
            elif os.path.normpath(name) in known:
                broken.append((where, f"{name} was listed before"))
            else:
                known.add(os.path.normpath(name))
                rows.append((name, who, row.get("split")))
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise ValueError(f"{_MANIFEST_HELP}. {str(file)!r} cannot be read: {error}") from error
    listing = list_rows(str(folder), rows)
    listing.broken += broken
    listing.ignored = dict(sorted(others.items()))
    return listing


def list_rows(root: str, rows: Iterable[tuple[str, str, Any]]) -> Listing:
    """Lists images by identity.

    Args:
        root: where they come from.
        rows: of a path, an identity's name, empty where it has none, and a part of the split, None where there is none.

    Raises:
        ValueError: fewer than two identities, a part of an unknown name, images without a part beside others, or an
            identity in two parts.
    """
    named, broken = collections.defaultdict(list), []
    places: dict[str, set[str]] = collections.defaultdict(set)
    without = 0
    for path, name, split in rows:
        if not name:
            broken.append((path, "it has no identity"))
            continue
        named[name].append(path)
        if split in (None, ""):
            without += 1
        else:
            places[same_name(name)].add(_part(split))
    if places and without:
        raise ValueError(
            f"Where a split is given, every image has a part of it: {' or '.join(PARTS)}. "
            f"Received: {without} images without one"
        )
    several = sorted(name for name in named if len(places[same_name(name)]) > 1)
    if several:
        raise ValueError(
            "An identity belongs to one part of the split, or the numbers of validation and test would be of known ones: "
            f"give these images one part, or no split at all. Received: {shown(several)} in several parts"
        )
    identities, merged = merge(named)
    if len(identities) < 2:
        raise ValueError(
            f"At least 2 identities are needed. Received: {len(identities)} in {root!r}"
        )
    parts = {
        name: next(iter(places[same_name(name)])) for name in identities if places[same_name(name)]
    }
    return Listing(root, "list", identities, broken, merged=merged, parts=parts)


def identity_name(value: Any) -> str:
    """The name of an identity that may be text, bytes or a number; empty where there is none."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if value is None or isinstance(value, (float, np.floating)):
        # A table's empty cell is NaN.
        return "" if value is None or value != value or value % 1 else str(int(value))
    return os.fsdecode(value) if isinstance(value, bytes) else str(value)


def _part(split: Any) -> str:
    name = identity_name(split).strip().lower()
    name = _OTHER_NAMES.get(name, name)
    if name not in PARTS:
        raise ValueError(f"A split has the parts {', '.join(PARTS)}. Received: split={split!r}")
    return name


def _csv(path) -> Iterator[tuple[int, dict[str, Any]]]:
    # Spreadsheets put a mark in front of UTF-8.
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = {"path", "identity"} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"its first line has no {' and no '.join(sorted(missing))}")
        for row in reader:
            # Under None stands what a line has beyond the columns.
            yield reader.line_num, {name: value for name, value in row.items() if name is not None}


def _json_lines(path) -> Iterator[tuple[int, dict[str, Any]]]:
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"line {number} holds no JSON object")
            yield number, row
