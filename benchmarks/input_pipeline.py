"""How fast tuples come, against how fast the paper's train step eats them.

  python benchmarks/input_pipeline.py [--batches=10000] [--json=FILE]

Measures batches a second from memory and from built data (drawn people, 64x64, 16 tuples of
2), the train step in the same run, and how much the process grows over all batches.
"""

from __future__ import annotations

import itertools
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import app, flags

import sdgan_tf as sd

FLAGS = flags.FLAGS
flags.DEFINE_integer("batches", 10_000, "Batches to draw from memory; as many from built data.")
flags.DEFINE_integer("identities", 200, "Drawn people.")
flags.DEFINE_integer("observations", 16, "Images of each.")
flags.DEFINE_integer("batch_size", 16, "Tuples in a batch.")
flags.DEFINE_string("json", "", "Where to write the numbers as JSON.")


def memory() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def draw(data: sd.data.IdentityData, batches: int) -> dict[str, float]:
    """Batches a second, and growth after a tenth of them, by which all buffers are filled."""
    iterator = iter(data.tuples(k=2, batch_size=FLAGS.batch_size))
    warm = max(batches // 10, 1)
    for batch in itertools.islice(iterator, warm):
        del batch
    before, start = memory(), time.perf_counter()
    for batch in itertools.islice(iterator, batches):
        del batch
    spent = time.perf_counter() - start
    return {"batches_per_second": batches / spent, "growth_mb": memory() - before}


def step_rate(data: sd.data.IdentityData, rounds: int = 5) -> float:
    """Train steps a second of the paper's SD-DCGAN, from the median."""
    model = sd.SDGAN()
    model.compile()
    step = tf.function(model.train_step)
    batch = next(iter(data.tuples(k=2, batch_size=FLAGS.batch_size)))
    times = []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        step(batch)["d_loss"].numpy()
        times.append(time.perf_counter() - start)
    return 1 / float(np.median(times[2:]))


def built(data: sd.data.IdentityData, folder: Path) -> sd.data.IdentityData:
    """The same images in a file."""
    sd.data.to_tfrecord(data, folder / "records")
    sd.data.build(folder / "records", folder / "built")
    return sd.data.from_built(folder / "built")


def main(_) -> None:
    people = sd.data.drawn(FLAGS.identities, FLAGS.observations)
    eaten = step_rate(people)
    with tempfile.TemporaryDirectory() as folder:
        results = {
            "memory": draw(people, FLAGS.batches),
            "built": draw(built(people, Path(folder)), FLAGS.batches),
        }
    print(f"The train step eats {eaten:.2f} batches/s.")
    print(f"{'from':<10}{'batches/s':>11}{'times the step':>16}{'growth':>11}")
    for source, row in results.items():
        row["times_the_step"] = row["batches_per_second"] / eaten
        print(
            f"{source:<10}{row['batches_per_second']:>11.0f}{row['times_the_step']:>16.0f}"
            f"{row['growth_mb']:>8.1f} MB"
        )
    if FLAGS.json:
        with open(FLAGS.json, "w") as file:
            json.dump({"steps_per_second": eaten, **results}, file, indent=2)


if __name__ == "__main__":
    app.run(main)
