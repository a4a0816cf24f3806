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

from sdgan_tf.data import decoding, sources
from sdgan_tf.data.report import Report


class Checked(NamedTuple):
    """An image that passed: its identity, its file and uint8 `[size, size, channels]`."""

    identity: str
    path: str
    pixels: np.ndarray


def check_images(
    listing: sources.Listing,
    report: Report,
    image_size: int,
    channels: int,
    fit: str,
    max_pixels: int = decoding.MAX_PIXELS,
) -> Iterator[Checked]:
    """Reads, checks and decodes every image once, on all processors.

    Args:
        listing: The files.
        report: Is filled in; it is complete when the iterator has ended.
        image_size: Height and width of the decoded images.
        channels: 1 or 3.
        fit: `"crop"` or `"pad"`, see `decoding.decode`.
        max_pixels: Larger images are broken ones.

    Yields:
        Each good image as `Checked`, in the order of `listing`.
    """
    decoding.check_options(image_size, channels, fit)
    report.counts = dict.fromkeys(listing.identities, 0)
    report.broken += listing.misnamed
    report.ignored = listing.ignored
    report.nested = listing.nested
    sizes, modes = collections.Counter(), collections.Counter()
    files_of_hash = collections.defaultdict(list)

    def look(path: str):
        try:
            contents = decoding.read_bytes(os.path.join(listing.root, path))
            header, pixels = decoding.decode_with_header(
                contents, path, image_size, channels, fit, max_pixels
            )
            return hashlib.sha256(contents).digest(), header, pixels
        except decoding.BadImage as error:
            return error

    files = [(name, path) for name, paths in listing.identities.items() for path in paths]
    seen = parallel_map(look, (path for _, path in files))
    for (name, path), result in zip(files, seen):
        if isinstance(result, decoding.BadImage):
            report.broken.append((path, result.reason))
            continue
        digest, header, pixels = result
        report.counts[name] += 1
        sizes[f"{header.width}x{header.height}"] += 1
        modes[f"{header.format} {header.mode}"] += 1
        files_of_hash[digest].append((name, path))
        yield Checked(name, path, pixels)
    report.sizes, report.modes = dict(sizes.most_common()), dict(modes.most_common())
    for group in files_of_hash.values():
        if len(group) > 1:
            across = len({name for name, _ in group}) > 1
            groups = report.duplicates_across if across else report.duplicates_within
            groups.append([path for _, path in group])


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
