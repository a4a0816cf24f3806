"""Reads all images of a listing into memory, with the data doctor in front."""

from __future__ import annotations

import numpy as np

from sdgan_tf.data import decoding
from sdgan_tf.data.arrays import MAX_BYTES, aligned_empty, check_memory
from sdgan_tf.data.checks import check_images
from sdgan_tf.data.identity_data import IdentityData
from sdgan_tf.data.keypoints import shapes
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
    keypoints: bool = False,
) -> IdentityData:
    """The images of a listing; arguments, result and errors are those of `from_directory`."""
    check_on_bad_data(on_bad_data)
    check_on_duplicates(on_duplicates)
    decoding.check_options(image_size, channels, fit)
    check_memory(listing.images, image_size, channels + keypoints, max_bytes)
    images = aligned_empty((listing.images, image_size, image_size, channels))
    known = shapes(image_size) if keypoints else {}
    fields = {name: np.empty((listing.images, *s), dtype) for name, (s, dtype) in known.items()}
    report = Report(listing.root, k, on_duplicates)
    filled = 0
    for image in check_images(
        listing, report, image_size, channels, fit, max_pixels, verbose, keypoints
    ):
        images[filled] = image.pixels
        for name, values in fields.items():
            values[filled] = image.fields[name]
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
        fields={name: values[:filled] for name, values in fields.items()},
        linked=report.linked,
        parts=report.parts,
    )
