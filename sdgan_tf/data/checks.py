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
from sdgan_tf.files import local_path


class Decoding(NamedTuple):
    """What is made of each image.

    Attributes:
        image_size: height and width of the decoded image.
        channels: 1 or 3.
        fit: `"crop"` or `"pad"`, see `decoding.decode`.
        max_pixels: larger images are broken ones.
        keypoints: whether each image has to have a file of keypoints, see `data.keypoints`.
    """

    image_size: int
    channels: int
    fit: str
    max_pixels: int
    keypoints: bool


class Seen(NamedTuple):
    """What was seen of a file that holds an image.

    Attributes:
        digest: SHA-256 of its pixels.
        size: of the original in words, `"WIDTHxHEIGHT"`.
        mode: of the original in words, format and Pillow mode, `"PNG RGB"`.
        pixels: uint8 `[size, size, channels]`.
        fields: what else was asked for, as in `Checked`.
    """

    digest: bytes
    size: str
    mode: str
    pixels: np.ndarray
    fields: dict[str, np.ndarray]


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
    path = local_path(path)
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
    wanted = Decoding(image_size, channels, fit, max_pixels, with_keypoints)
    tally = Tally(listing, report, with_keypoints)
    seen = parallel_map(lambda path: look(listing, path, wanted), (path for _, path in tally.files))
    bar = tqdm(zip(tally.files, seen), "images", len(tally.files), unit="", disable=not verbose)
    for (name, path), image in bar:
        if isinstance(image, decoding.BadImage):
            tally.add_broken(image.reason)
        elif tally.add(image.digest, image.size, image.mode):
            yield Checked(name, path, image.pixels, image.fields)
    tally.close()


def look(listing: Listing, path: str, wanted: Decoding) -> Seen | decoding.BadImage:
    """Reads, checks and decodes one file of a listing; an error tells what is wrong with it."""
    size, channels, fit, max_pixels, with_keypoints = wanted
    try:
        header, pixels = listing.decode(path, size, channels, fit, max_pixels)
        fields = {}
        if with_keypoints:
            read = keypoints.read(listing.root, path, header.upright, size, fit)
            fields = dict(zip(keypoints.FIELDS, read))
    except decoding.BadImage as error:
        return error
    # Of what will be seen, not of the file: copies are often saved anew.
    digest = hashlib.sha256(pixels).digest()
    original = f"{header.width}x{header.height}", f"{header.format} {header.mode}"
    return Seen(digest, *original, pixels, fields)


class Tally:
    """Makes a report of what was seen of all files of a listing, told one after another in its order.

    Attributes:
        files: the identity and the path of each of them.
    """

    def __init__(self, listing: Listing, report: Report, with_keypoints: bool):
        """Begins.

        Args:
            listing: the files.
            report: is filled in. Its `on_duplicates` says what is done about copies of an image.
            with_keypoints: whether files of keypoints and masks are used.

        Raises:
            ValueError: keypoints are asked of TFRecords, which hold none.
        """
        if with_keypoints and listing.layout == "records":
            raise ValueError(
                f"{listing.root!r} holds TFRecords, in which there are no keypoints: use the folder of images they were "
                "made of. Received: keypoints=True"
            )
        self.files = [(name, path) for name, paths in listing.identities.items() for path in paths]
        report.counts = dict.fromkeys(listing.identities, 0)
        report.broken += listing.broken
        report.ignored, report.nested, report.merged = (
            listing.ignored,
            listing.nested,
            listing.merged,
        )
        report.parts = listing.parts
        if with_keypoints:
            used = (keypoints.KEYPOINTS_ENDING, keypoints.MASK_ENDING)
            report.ignored = {kind: n for kind, n in listing.ignored.items() if kind not in used}
        self._report, self._told = report, 0
        self._sizes, self._modes = collections.Counter(), collections.Counter()
        # Of millions of images few are copies: only those have a list.
        self._first: dict[bytes, int] = {}
        self._copies: dict[int, list[int]] = {}

    def add_broken(self, reason: str) -> None:
        """Tells that the next file holds no usable image, and why."""
        self._report.broken.append((self.files[self._told][1], reason))
        self._told += 1

    def add(self, digest: bytes, size: str, mode: str) -> bool:
        """Tells of the next file what `Seen` says; returns whether its image is used."""
        number, name = self._told, self.files[self._told][0]
        self._told += 1
        first = self._first.setdefault(digest, number)
        if first != number:
            self._copies.setdefault(first, [first]).append(number)
            if self._report.on_duplicates == "drop":
                return False
        self._report.counts[name] += 1
        self._sizes[size] += 1
        self._modes[mode] += 1
        return True

    def close(self) -> None:
        """Completes the report."""
        self._report.sizes = dict(self._sizes.most_common())
        self._report.modes = dict(self._modes.most_common())
        groups = [
            [self.files[number] for number in group] for _, group in sorted(self._copies.items())
        ]
        _report_duplicates(self._report, groups)


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
