"""Builds data: decodes the images of a folder into the files that `built` describes."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import numpy as np
from absl import logging
from tqdm.auto import tqdm

from sdgan_tf.data import beam, decoding, parts
from sdgan_tf.data.built import (
    FIELD_FILES,
    FORMAT,
    IMAGES_FILE,
    INDEX_FILE,
    VERSION,
    digests_of,
    map_files,
)
from sdgan_tf.data.checks import Decoding, Tally, find_files
from sdgan_tf.data.report import Report, check_on_bad_data, check_on_duplicates, settle
from sdgan_tf.files import atomic_folder, local_path, remove_folder, remove_fragments


def build(
    data_dir: str | os.PathLike,
    out: str | os.PathLike,
    image_size: int = 64,
    channels: int = 3,
    fit: str = "crop",
    on_bad_data: str = "fail",
    on_duplicates: str = "keep",
    max_pixels: int = decoding.MAX_PIXELS,
    k: int = 1,
    manifest: str | os.PathLike = "",
    verbose: bool = False,
    keypoints: bool = False,
    runner: str = "",
    beam_options: str = "",
) -> Report:
    """Decodes a folder of images into one file, for data larger than memory.

    Images are read, checked and decoded in parts of 128 MiB, which lie in the hidden folder `.NAME.parts` beside `out`
    until the whole is written: a build that was stopped goes on where it was when it is called again. `out` appears
    whole or not at all, with the same bytes wherever and in whatever order the parts were made.

    Args:
        data_dir: a folder of images as `from_directory` takes it, or of TFRecords.
        out: the folder to write, which must not exist.
        image_size: height and width to which images are resized.
        channels: 1 for luminance, 3 for red, green and blue.
        fit: `"crop"` takes the square in the middle, `"pad"` keeps the whole image on white.
        on_bad_data: `"fail"` raises an error that lists all bad data; `"skip"` leaves it out.
        on_duplicates: see `from_directory`.
        max_pixels: an image with more is broken; none is decoded before this is known.
        k: how many images each identity should have.
        manifest: see `from_directory`.
        verbose: whether to show a progress bar.
        keypoints: whether each image has to have keypoints, see `from_directory`.
        runner: the runner of Apache Beam (extra `beam`) that has the parts made: `"direct"`, `"dataflow"`, `"flink"`,
            `"spark"` or another that Beam knows. Its workers have this package, and see `data_dir` and `out` under the
            same paths. Nothing to make them in this process.
        beam_options: options of Beam's, as on a command line, such as `"--direct_num_workers=2"`.

    Returns:
        The `Report` on the images.

    Raises:
        ValueError: an argument or the folder is not as expected.
        BadData: there are bad data and `on_bad_data` is `"fail"`.
        FileExistsError: `out` exists.
        OSError: the files cannot be written.
        ImportError: Apache Beam is asked for and not installed.
        RuntimeError: Beam's runner failed.
    """
    check_on_bad_data(on_bad_data)
    check_on_duplicates(on_duplicates)
    decoding.check_options(image_size, channels, fit)
    beam.check_options(runner, beam_options)
    target = local_path(out)
    folder = Path(os.path.abspath(target.with_name(f".{target.name}.parts")))
    if os.path.lexists(target):
        _remove(folder)
        raise FileExistsError(f"{target} exists already, and nothing is overwritten. Name another.")
    listing = find_files(data_dir, manifest)
    report = Report(listing.root, k, on_duplicates)
    wanted = Decoding(image_size, channels, fit, max_pixels, keypoints)
    tally = Tally(listing, report, keypoints)
    try:
        planned = parts.plan(folder, listing, wanted)
        if runner:
            beam.make_parts(str(folder), len(planned), runner, beam_options)
        else:
            _make_parts(str(folder), planned, verbose)
        used = _tell(folder, planned, tally)
        settle(report, on_bad_data)
        with atomic_folder(target) as fragment:
            _join(folder, used, wanted, fragment)
            index = {"format": FORMAT, "version": VERSION}
            index.update(image_size=image_size, channels=channels, fit=fit)
            index.update(_identities(report, wanted, fragment), linked=report.linked)
            if report.parts:
                index.update(parts={name: report.parts[name] for name in index["names"]})
            (fragment / INDEX_FILE).write_text(json.dumps(index), encoding="utf-8")
    except BaseException as error:
        if folder.exists():
            logging.warning(
                "What was decoded is kept in %s: the same build goes on from there.", folder
            )
        if isinstance(error, OSError) and not isinstance(error, FileExistsError):
            raise OSError(
                f"Cannot write to {str(out)!r}: {error.strerror or error}. Nothing is there yet."
            ) from error
        raise
    _remove(folder)
    return report


def _remove(folder: Path) -> None:
    """Removes the parts of a build that is finished, whose end may have been interrupted here."""
    # Nothing needs them any more, and another process may be faster.
    with contextlib.suppress(OSError):
        remove_fragments(folder.parent, folder.name)
        remove_folder(folder)


def _make_parts(folder: str, planned: list[range], verbose: bool) -> None:
    """Makes all parts in this process, one after another, each on all processors."""
    files = sum(map(len, planned))
    # Closed, a progress bar does not stand on the line of an error.
    with tqdm(total=files, desc="images", unit="", disable=not verbose) as bar:
        for number in range(len(planned)):
            parts.make(folder, number, bar)


def _tell(folder: Path, planned: list[range], tally: Tally) -> list[np.ndarray]:
    """Tells what was seen of all files; returns for each part which of its usable images are used."""
    used = []
    for number in range(len(planned)):
        part = []
        for row in parts.seen(folder, number):
            if len(row) > 1:
                part.append(tally.add(bytes.fromhex(row[0]), *row[1:]))
            else:
                tally.add_broken(row[0])
        used.append(np.array(part, bool))
    tally.close()
    return used


def _join(folder: Path, used: list[np.ndarray], wanted: Decoding, fragment: Path) -> None:
    """Writes the images that are used, one part after another."""
    names = (IMAGES_FILE, *(FIELD_FILES.values() if wanted.keypoints else ()))
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context(open(fragment / name, "wb")) for name in names}
        for number, part in enumerate(used):
            for name, values in parts.arrays(folder, number, len(part), wanted).items():
                files[name].write(values if part.all() else values[part])


def _identities(report: Report, wanted: Decoding, fragment: Path) -> dict[str, list]:
    """The `names`, `counts` and `sha256` of the identities that have images."""
    counts = {name: count for name, count in report.counts.items() if count}
    images, fields = map_files(
        str(fragment), report.images, wanted.image_size, wanted.channels, wanted.keypoints
    )
    digests = digests_of(np.array(list(counts.values())), images, fields)
    return {
        "names": list(counts),
        "counts": list(counts.values()),
        "sha256": [digest.hex() for digest in digests],
    }
