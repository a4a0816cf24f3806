"""The data doctor: looks at every image once and hands the good ones on."""

from __future__ import annotations

import collections
import concurrent.futures
import hashlib
import itertools
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from sdgan_tf.data import decoding, keypoints
from sdgan_tf.data.listed import read_manifest
from sdgan_tf.data.names import joined
from sdgan_tf.data.report import Report
from sdgan_tf.data.sources import Listing, find_images
from sdgan_tf.data.tfrecord import find_records, holds_records


class Checked(NamedTuple):
    """An image that passed.

    Attributes:
        identity: who is in it.
        path: its file.
        pixels: uint8 `[size, size, channels]`.
        fields: what else was asked for, by name: `"keypoints"`, float32 `[18, 3]`, and `"mask"`, uint8 `[size, size,
            1]`.
    """

    identity: str
    path: str
    pixels: np.ndarray
    fields: dict[str, np.ndarray]


def find_files(path: str | os.PathLike, manifest: str | os.PathLike = "") -> Listing:
    """Lists a folder of images or of TFRecords by identity, as its names or a manifest tell; see `find_images`."""
    if os.fspath(manifest):
        return read_manifest(manifest, path)
    return find_records(path) if holds_records(path) else find_images(path)


def check_images(
    listing: Listing,
    report: Report,
    image_size: int,
    channels: int,
    fit: str,
    max_pixels: int = decoding.MAX_PIXELS,
    verbose: bool = False,
    with_keypoints: bool = False,
) -> Iterator[Checked]:
    """Reads, checks and decodes every image once, on all processors.

    Args:
        listing: the files.
        report: is filled in; it is complete when the iterator has ended. Its `on_duplicates` says
            whether copies of an image are handed on.
        image_size: height and width of the decoded images.
        channels: 1 or 3.
        fit: `"crop"` or `"pad"`, see `decoding.decode`.
        max_pixels: larger images are broken ones.
        verbose: whether to show a progress bar.
        with_keypoints: whether each image has to have a file of keypoints, see `data.keypoints`.

    Yields:
        Each good image as `Checked`, in the order of `listing`.

    Raises:
        ValueError: keypoints are asked of TFRecords, which hold none.
    """
    decoding.check_options(image_size, channels, fit)
    if with_keypoints and listing.layout == "records":
        raise ValueError(
            f"{listing.root!r} holds TFRecords, in which there are no keypoints: use the folder of images they were "
            "made of. Received: keypoints=True"
        )
    report.counts = dict.fromkeys(listing.identities, 0)
    report.broken += listing.broken
    report.ignored, report.nested, report.merged = listing.ignored, listing.nested, listing.merged
    report.parts = listing.parts
    if with_keypoints:
        used = (keypoints.KEYPOINTS_ENDING, keypoints.MASK_ENDING)
        report.ignored = {kind: n for kind, n in listing.ignored.items() if kind not in used}
    sizes, modes = collections.Counter(), collections.Counter()
    files_of_hash = collections.defaultdict(list)

    def look(path: str):
        try:
            header, pixels = listing.decode(path, image_size, channels, fit, max_pixels)
            fields = {}
            if with_keypoints:
                read = keypoints.read(listing.root, path, header.upright, image_size, fit)
                fields = dict(zip(keypoints.FIELDS, read))
            # Of what will be seen, not of the file: copies are often saved anew.
            return hashlib.sha256(pixels).digest(), header, pixels, fields
        except decoding.BadImage as error:
            return error

    files = [(name, path) for name, paths in listing.identities.items() for path in paths]
    seen = parallel_map(look, (path for _, path in files))
    bar = tqdm(zip(files, seen), "images", len(files), unit="", disable=not verbose)
    for (name, path), result in bar:
        if isinstance(result, decoding.BadImage):
            report.broken.append((path, result.reason))
            continue
        digest, header, pixels, fields = result
        files_of_hash[digest].append((name, path))
        if report.on_duplicates == "drop" and len(files_of_hash[digest]) > 1:
            continue
        report.counts[name] += 1
        sizes[f"{header.width}x{header.height}"] += 1
        modes[f"{header.format} {header.mode}"] += 1
        yield Checked(name, path, pixels, fields)
    report.sizes, report.modes = dict(sizes.most_common()), dict(modes.most_common())
    _report_duplicates(report, [group for group in files_of_hash.values() if len(group) > 1])


def _report_duplicates(report: Report, groups: list[list[tuple[str, str]]]) -> None:
    """Takes groups of (identity, file) that show the same."""
    shared = []
    for group in groups:
        names = {name for name, _ in group}
        kind = report.duplicates_across if len(names) > 1 else report.duplicates_within
        kind.append([path for _, path in group])
        if len(names) > 1:
            shared.append(names)
    if report.on_duplicates != "drop":
        report.linked = joined(shared)


def parallel_map(function: Callable, items, window: int = 64) -> Iterator:
    """`map` on a pool of threads: results in order, few at a time, nothing left when stopped."""
    items = iter(items)
    # A few more threads than processors: some of them wait for the disk.
    with concurrent.futures.ThreadPoolExecutor((os.cpu_count() or 1) + 2) as pool:
        waiting = collections.deque()
        try:
            for item in itertools.islice(items, window):
                waiting.append(pool.submit(function, item))
            while waiting:
                result = waiting.popleft().result()
                for item in itertools.islice(items, 1):
                    waiting.append(pool.submit(function, item))
                yield result
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
