"""The train steps of this package against the graph of the authors' released code.

  make setup STACK=addons
  .venv-addons/bin/python benchmarks/released_graph.py [--model=sdgan,sdbegan] [--dim=N] [--batch_size=16] [--json=FILE]

Times the paper's SD-DCGAN and SD-BEGAN (64x64, k = 2), ours and the released graph as `tests/parity` writes it anew in the
layers of TensorFlow 1, in turns within one run, since machines are shared and noisy; by the clock and in processor seconds. The
two compute the same: `tests/parity` compares their numbers. The released graph draws no codes: it gets them, at no cost.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from absl import app, flags

sys.path.insert(0, str(Path(__file__).parents[1]))

import sdgan_tf as sd
from tests.parity.released import ReleasedSDBEGAN, ReleasedSDDCGAN

FLAGS = flags.FLAGS
flags.DEFINE_list("model", ["sdgan", "sdbegan"], "Models to measure.")
flags.DEFINE_integer("dim", None, "Width of the networks; the paper's by default.")
flags.DEFINE_integer("batch_size", 16, "Tuples in a step.", 1)
flags.DEFINE_integer("rounds", 10, "Turns; medians are reported.", 1)
flags.DEFINE_string("json", "", "Where to write the numbers as JSON.")


def seconds(function: Callable, *arguments: Any) -> tuple[float, float]:
    """By the clock and of the processor."""
    start = time.perf_counter(), time.process_time()
    function(*arguments)
    return time.perf_counter() - start[0], time.process_time() - start[1]


def measure(name: str) -> dict[str, float]:
    """Medians of both steps, and of how many times as long the released one takes."""
    maker, released = {
        "sdgan": (sd.SDGAN, ReleasedSDDCGAN),
        "sdbegan": (sd.SDBEGAN, ReleasedSDBEGAN),
    }[name]
    model = maker(**({"dim": FLAGS.dim} if FLAGS.dim else {}))
    model.compile()
    size = {"k": model.k, "image_size": model.image_size, "channels": 3, "dim": model.generator.dim}
    split = {"d_i": model.d_i, "d_o": model.d_o} if name == "sdbegan" else {}
    graph = released(code_size=model.d_i + model.d_o, **size, **split)
    random = np.random.default_rng(0)
    shape = (FLAGS.batch_size, model.k, model.image_size, model.image_size, 3)
    images = random.integers(0, 256, shape, np.uint8)
    floats = images.astype(np.float32) / 127.5 - 1.0
    codes = random.uniform(-1, 1, (2, FLAGS.batch_size * model.k, model.d_i + model.d_o))
    step, batch = tf.function(model.train_step), tf.constant(images)

    def ours() -> None:
        step({"images": batch})["convergence" if split else "g_loss"].numpy()

    def theirs() -> None:
        graph.step(floats, *codes[: 1 if split else 2])

    times = np.array([(seconds(ours), seconds(theirs)) for _ in range(FLAGS.rounds + 2)])[2:]
    clock, processor = (np.median(times[:, 1, i] / times[:, 0, i]) for i in range(2))
    own, other = np.median(times[..., 0], axis=0)
    return {
        "seconds": own,
        "released_seconds": other,
        "ratio": clock,
        "processor_ratio": processor,
        "quartiles": [float(v) for v in np.quantile(times[:, 1, 0] / times[:, 0, 0], [0.25, 0.75])],
    }


def main(_) -> None:
    results = {name: measure(name) for name in FLAGS.model}
    print(
        f"{'step':<10}{'ours':>9}{'released':>10}{'ratio':>7}{'quartiles':>14}{'of processor':>14}"
    )
    for name, row in results.items():
        low, high = row["quartiles"]
        print(
            f"{name:<10}{row['seconds']:>7.2f} s{row['released_seconds']:>8.2f} s{row['ratio']:>7.2f}"
            f"{f'{low:.2f} - {high:.2f}':>14}{row['processor_ratio']:>14.2f}"
        )
    if FLAGS.json:
        Path(FLAGS.json).write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    app.run(main)
