"""What more identities cost: parameters and step time of SD-DCGAN and of AC-DCGAN.

  pip install -e '.[plots]'
  python benchmarks/identities.py [--identities=10,1000,100000] [--json=FILE] [--plot=FILE.png]

SD-GAN never sees who is who, only that two pictures match; AC-DCGAN holds a code and a logit for
each identity. Both at the paper's size, fed from memory by pictures of noise; steps in turns.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from time import perf_counter

import numpy as np
import tensorflow as tf
from absl import app, flags
from tensorflow import keras

import sdgan_tf as sd
from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation import megabytes

FLAGS = flags.FLAGS
flags.DEFINE_list("identities", ["10", "100", "1000", "10000", "100000"], "How many, in turn.")
flags.DEFINE_integer("rounds", 5, "Steps of each model, taken in turns; medians are reported.")
flags.DEFINE_integer("dim", 64, "Width of the networks (paper: 64).")
flags.DEFINE_integer("image_size", 64, "Edge of the pictures.")
flags.DEFINE_integer("batch_size", 16, "Tuples of two in a step, or twice as many single pictures.")
flags.DEFINE_string("json", "", "Where to write the numbers as JSON.")
flags.DEFINE_string("plot", "", "Where to draw them.")


def noise(identities: int) -> IdentityData:
    """Two pictures of each of so many identities."""
    shape = (2 * identities, FLAGS.image_size, FLAGS.image_size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    names = [f"{number:06}" for number in range(identities)]
    return IdentityData(names, [2] * identities, images)


def stepper(model: sd.SDGAN | sd.ACDCGAN, data: IdentityData) -> Callable[[], float]:
    """A function that runs one step on its own tuples, and says how many seconds it took."""
    batch_size = FLAGS.batch_size * (2 // model.k)
    batches = iter(data.tuples(model.k, batch_size))
    step = tf.function(model.train_step)

    def run() -> float:
        start = perf_counter()
        logs = step(next(batches))
        next(iter(logs.values())).numpy()
        return perf_counter() - start

    return run


def measure(identities: int) -> dict[str, dict[str, float]]:
    """Parameters and seconds a step, by model."""
    options = {"image_size": FLAGS.image_size, "dim": FLAGS.dim}
    models = {
        "SD-DCGAN": sd.SDGAN(**options),
        "AC-DCGAN": sd.ACDCGAN(identities, **options),
    }
    data = noise(identities)
    for model in models.values():
        model.compile()
    steps = {name: stepper(model, data) for name, model in models.items()}
    # The first two trace and warm up.
    rounds = [[run() for run in steps.values()] for _ in range(2 + FLAGS.rounds)]
    return {
        name: {"megabytes": megabytes(model), "seconds_per_step": float(seconds)}
        for (name, model), seconds in zip(models.items(), np.median(rounds[2:], axis=0))
    }


def draw(results: dict[int, dict[str, dict[str, float]]], path: str) -> None:
    """Both numbers against the number of identities, as a picture."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    panels = {"megabytes": "parameters, MB", "seconds_per_step": "seconds a step"}
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    for axis, (number, label) in zip(axes, panels.items()):
        for name, colour in (("SD-DCGAN", "#0072B2"), ("AC-DCGAN", "#D55E00")):
            values = [row[name][number] for row in results.values()]
            axis.plot(list(results), values, marker="o", color=colour, label=name)
        axis.set(xscale="log", yscale="log", xlabel="identities", ylabel=label)
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=100)


def main(_) -> None:
    results = {}
    print(f"{'identities':>10}" + "".join(f"{f'{n} MB':>14}{'s/step':>8}" for n in ("SD", "AC")))
    for identities in map(int, FLAGS.identities):
        results[identities] = row = measure(identities)
        cells = (f"{r['megabytes']:>14.1f}{r['seconds_per_step']:>8.2f}" for r in row.values())
        print(f"{identities:>10,}" + "".join(cells), flush=True)
        keras.backend.clear_session()
    if FLAGS.json:
        with open(FLAGS.json, "w") as file:
            json.dump(results, file, indent=2)
    if FLAGS.plot:
        draw(results, FLAGS.plot)


if __name__ == "__main__":
    app.run(main)
