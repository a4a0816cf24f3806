"""What a million pictures cost: the build, opening, tuples from cold and warm disk, the start of a run.

  python benchmarks/scale.py --folder=EMPTY [--identities=100000] [--observations=10] [--giant=100000] [--minutes=0]
      [--json=FILE]

Builds `--files` JPEGs, 10 an identity, by `data.build`, for the time that a picture takes. Then so many identities of
so many pictures, and one more that has `--giant` of them, by the same build, but with noise in place of what files
would be read and decoded to: that takes the time, and the memory, of all else in a build of millions. Measures on what was
built, with the giant and without. Last, `--minutes` of drawing batches at the pace of a fast train step tell whether anything
grows. Every phase runs in a process of its own. The pictures take three times 3.4 GB of disk.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import itertools
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
from absl import app, flags
from PIL import Image

import sdgan_tf as sd
from sdgan_tf.data import building, parts
from sdgan_tf.data.built import IMAGES_FILE, INDEX_FILE
from sdgan_tf.data.checks import Decoding, Seen
from sdgan_tf.data.sources import Listing

FLAGS = flags.FLAGS
flags.DEFINE_string("folder", None, "An empty folder for everything.", required=True)
flags.DEFINE_integer("identities", 100_000, "Identities of `--observations` pictures.", 2)
flags.DEFINE_integer("observations", 10, "Pictures of each.", 2)
flags.DEFINE_integer("giant", 100_000, "Pictures of the one further identity.", 2)
flags.DEFINE_integer("files", 20_000, "Files that are read and decoded.", 20)
flags.DEFINE_integer("image_size", 32, "Edge of the pictures.", 8)
flags.DEFINE_integer("batches", 20_000, "Batches to draw from warm disk.", 10)
flags.DEFINE_float("minutes", 0, "How long to draw batches for what may grow; 0 for not at all.", 0)
flags.DEFINE_string("json", "", "Where to write the numbers as JSON.")

ROOT = Path(__file__).parents[1]
BATCH_SIZE = 16
# Of a fast train step, for what may grow.
STEPS_PER_SECOND = 50
# Sorts behind all others, so that their pictures lie in one piece in front of its own; and is in the training part.
GIANT = "~the giant"
# The small model of the quick start, for pictures of another size.
QUICKSTART = ("--flagfile=flags/quickstart.cfg", "--precision=float32")


def number_of(name: str) -> int:
    """A number that /proc/self/status tells of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def status(name: str) -> float:
    """One of them in MB. RssAnon is memory of the process alone, without mapped files."""
    return number_of(name) / 1024


@contextlib.contextmanager
def most_memory() -> Iterator[Callable[[], float]]:
    """How many MB the process has grown by at most, looked at ten times a second."""
    begin, seen, ended = status("RssAnon"), [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            seen.append(status("RssAnon") - begin)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: max(seen)
    finally:
        ended.set()
        watcher.join()


def write_files(folder: str, files: int, size: int) -> None:
    """JPEGs of noise."""
    rng = np.random.default_rng(0)
    for number in range(files):
        place = Path(folder, f"{number // 10:06}")
        place.mkdir(parents=True, exist_ok=True)
        picture = rng.integers(0, 256, (size, size, 3), np.uint8)
        Image.fromarray(picture).save(place / f"{number:05}.jpg", quality=90)


def build(folder: str, out: str, size: int) -> dict:
    """A build, and its most memory beyond what Python and TensorFlow take."""
    cpu, start = time.process_time(), time.perf_counter()
    with most_memory() as most:
        report = sd.data.build(folder, out, image_size=size)
        return {
            "images": report.images,
            "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - cpu,
            "peak_mb": most(),
        }


def build_noise(out: str, identities: int, observations: int, giant: int, size: int) -> dict:
    """A build of noise in place of decoded files."""

    def find_files(*_) -> Listing:
        counts = {**{f"{number:06}": observations for number in range(identities)}, GIANT: giant}
        paths = {
            name: [f"{name}/{number:05}.jpg" for number in range(count)]
            for name, count in counts.items()
        }
        return Listing("noise", "folders", paths, [])

    noise = np.random.default_rng(0).integers(0, 256, 2**26, np.uint8)

    def look(listing: Listing, path: str, wanted: Decoding) -> Seen:
        seed = zlib.crc32(path.encode()) % (len(noise) - size**2 * 3)
        pixels = noise[seed : seed + size**2 * 3].reshape(size, size, 3)
        digest = hashlib.sha256(path.encode()).digest()
        return Seen(digest, f"{size}x{size}", "JPEG RGB", pixels, {})

    with (
        mock.patch.object(building, "find_files", find_files),
        mock.patch.object(parts, "look", look),
    ):
        return build("noise", out, size)


def without_giant(built: str, out: str) -> dict:
    """The same built data without the giant: a prefix of it."""
    index = json.loads(Path(built, INDEX_FILE).read_text())
    for column in ("names", "counts", "sha256"):
        giant = index[column].pop()
        if column == "counts":
            count = giant
    Path(out).mkdir()
    Path(out, INDEX_FILE).write_text(json.dumps(index))
    shutil.copyfile(Path(built, IMAGES_FILE), Path(out, IMAGES_FILE))
    size = index["image_size"] ** 2 * index["channels"]
    os.truncate(Path(out, IMAGES_FILE), sum(index["counts"]) * size)
    return {"images": sum(index["counts"]), "left_out": count}


def forget(folder: str) -> None:
    """Has the system forget what it has read of the files in a folder."""
    for file in Path(folder).iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def draw(folder: str, batches: int, cold: bool) -> dict:
    """Opens built data and draws tuples of two from the training part."""
    if cold:
        forget(folder)
    else:
        with open(Path(folder, IMAGES_FILE), "rb") as file:
            while file.read(2**24):
                pass
    before, cpu, start = status("RssAnon"), time.process_time(), time.perf_counter()
    train = sd.data.from_built(folder).split().train
    results = {
        "open_seconds": time.perf_counter() - start,
        "open_cpu_seconds": time.process_time() - cpu,
        "open_mb": status("RssAnon") - before,
    }
    start = time.perf_counter()
    iterator = iter(train.tuples(k=2, batch_size=BATCH_SIZE))
    next(iterator)
    results["first_batch_seconds"] = time.perf_counter() - start
    # The first tenth fills all buffers.
    start = time.perf_counter()
    for batch in itertools.islice(iterator, batches // 10):
        del batch
    results["first_tuples_per_second"] = (
        BATCH_SIZE * (batches // 10) / (time.perf_counter() - start)
    )
    filled, start = status("RssAnon"), time.perf_counter()
    for batch in itertools.islice(iterator, batches):
        del batch
    results["tuples_per_second"] = BATCH_SIZE * batches / (time.perf_counter() - start)
    results["growth_mb"] = status("RssAnon") - filled
    return results


def endure(folder: str, minutes: float) -> dict:
    """What the process has a minute after the start and at the end of so many minutes."""
    iterator = iter(sd.data.from_built(folder).split().train.tuples(k=2, batch_size=BATCH_SIZE))
    start, drawn, told = time.monotonic(), 0, []
    for seconds in (min(60, 6 * minutes), 60 * minutes):
        while time.monotonic() < start + seconds:
            next(iterator)
            drawn += 1
            time.sleep(max(0.0, start + drawn / STEPS_PER_SECOND - time.monotonic()))
        handles = len(list(Path("/proc/self/fd").iterdir()))
        told.append(
            {
                "batches": drawn,
                "mb": status("RssAnon"),
                "handles": handles,
                "threads": number_of("Threads"),
            }
        )
    return {"minutes": (time.monotonic() - start) / 60, "first": told[0], "last": told[1]}


def train_step(size: int) -> dict:
    """The small train step of the quick start at this size."""
    import tensorflow as tf

    model = sd.SDGAN(
        image_size=size, d_i=32, d_o=32, dim=16, norm="none", law="normal", mixed=0.3, ema=0.995
    )
    model.compile()
    step = tf.function(model.train_step)
    images = np.random.default_rng(0).integers(0, 256, (BATCH_SIZE, 2, size, size, 3), np.uint8)
    times = []
    for _ in range(22):
        start = time.perf_counter()
        step({"images": images})["d_loss"].numpy()
        times.append(time.perf_counter() - start)
    return {"tuples_per_second": BATCH_SIZE / float(np.median(times[2:]))}


def start_of_a_run(size: int, run_dir: str, *data: str) -> dict:
    """A run of one step from the command line to its end."""
    command = [
        *(sys.executable, "-m", "sdgan_tf.cli.train", *QUICKSTART, *data),
        *(f"--image_size={size}", "--steps=1", f"--run_dir={run_dir}"),
    ]
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }


def alone(function: Callable[..., dict], *arguments) -> dict:
    """Runs a phase in a fresh process."""
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, spawn) as pool:
        result = pool.submit(function, *arguments).result()
    print(f"{function.__name__}{arguments}: {json.dumps(result)}", flush=True)
    return result


def main(_) -> None:
    folder, size = Path(FLAGS.folder), FLAGS.image_size
    files, built, others = (str(folder / name) for name in ("files", "built", "others"))
    write_files(files, FLAGS.files, size)
    results = {
        "build": alone(build, files, str(folder / "of_files"), size),
        "build, noise": alone(
            build_noise, built, FLAGS.identities, FLAGS.observations, FLAGS.giant, size
        ),
        "cut": alone(without_giant, built, others),
    }
    for name, place in (("without giant", others), ("with giant", built)):
        results[f"cold, {name}"] = alone(draw, place, FLAGS.batches // 20, True)
        results[f"warm, {name}"] = alone(draw, place, FLAGS.batches, False)
    results["train step"] = alone(train_step, size)
    for name, data in (("few", "--drawn_identities=40"), ("many", f"--data_dir={built}")):
        results[f"start, {name}"] = alone(start_of_a_run, size, str(folder / name), data)
    if FLAGS.minutes:
        results["growth"] = alone(endure, built, FLAGS.minutes)
    if FLAGS.json:
        Path(FLAGS.json).write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    app.run(main)
