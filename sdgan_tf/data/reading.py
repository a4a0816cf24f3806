"""Reads all images of a listing into memory, with the data doctor in front."""

from __future__ import annotations

import numpy as np

from sdgan_tf.data import decoding
from sdgan_tf.data.arrays import MAX_BYTES, aligned_empty, check_memory
from sdgan_tf.data.checks import check_images
from sdgan_tf.data.identity_data import IdentityData
from sdgan_tf.data.report import Report, check_on_bad_data, check_on_duplicates, settle
from sdgan_tf.data.sources import Listing


def read_listing(
    listing: Listing,
    image_size: int,
    channels: int,
    fit: str,
    on_bad_data: str,
    on_duplicates: str,
    max_pixels: int = decoding.MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    k: int = 1,
    verbose: bool = False,
) -> IdentityData:
    """The images of a listing; arguments, result and errors are those of `from_directory`."""
    check_on_bad_data(on_bad_data)
    check_on_duplicates(on_duplicates)
    decoding.check_options(image_size, channels, fit)
    check_memory(listing.images, image_size, channels, max_bytes)
    images = aligned_empty((listing.images, image_size, image_size, channels))
    report = Report(listing.root, k, on_duplicates)
    filled = 0
    for image in check_images(listing, report, image_size, channels, fit, max_pixels, verbose):
        images[filled] = image.pixels
        filled += 1
    settle(report, on_bad_data)
    kept = {name: count for name, count in report.counts.items() if count}
    counts = np.array(list(kept.values()))
    return IdentityData(
        list(kept),
        counts,
        images[:filled],
        on_bad_data,
        report,
        linked=report.linked,
        parts=report.parts,
    )
