"""How much of the machine the train steps of the paper and of its relatives use.

  python benchmarks/train_step.py [--model=sdgan,sdbegan,modern,infogan,stacked,dpig_small]
      [--precision=float32,mixed_bfloat16] [--cpu_time] [--json=FILE]

Times the steps of the paper's SD-DCGAN (dim 64) and SD-BEGAN (dim 128; 64x64, 16 tuples, k = 2), of
the networks of flags/modern.cfg by themselves (dim 32), of InfoGAN and of Stacked GAN's joint stage on
digits as released, and of flags/dpig_small.cfg, against a large matrix product in the same precision, in
turns within one run, since machines are shared and noisy. Operations are those of the products in the step's graph.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
import time
from typing import Any
from unittest import mock

import numpy as np
import tensorflow as tf
from absl import app, flags
from tensorflow import keras

import sdgan_tf as sd
from sdgan_tf import keras_compat
from sdgan_tf.models import DPIG, InfoGAN, StackedGAN
from sdgan_tf.networks import convolution
from sdgan_tf.networks.pose import KEYPOINTS

FLAGS = flags.FLAGS
MATRIX = 2048
PRODUCTS = {"MatMul", "BatchMatMulV2", "Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"}
PRODUCTS |= {"Einsum"}
MODERN = {"dim": 32, "d_i": 32, "d_o": 32, "norm": "none", "initializer": "he_normal"}
PEOPLE = {"dim": 16, "levels": 4, "tower_levels": 4, "crop_size": 32, "regions": 4, "limbs": True}
PEOPLE |= {"background": 64, "slope": 0.2, "discriminator_dim": 16}
# As the flag files of these names have them; modern without its penalties, mixed tuples and identity features.
MODELS = {
    "sdgan": sd.SDGAN,
    "sdbegan": sd.SDBEGAN,
    "modern": functools.partial(sd.SDGAN, **MODERN),
    "infogan": functools.partial(InfoGAN, dim=64),
    "stacked": functools.partial(StackedGAN, 10, dim=32),
    "dpig_small": functools.partial(DPIG, 100, **PEOPLE),
}
# Tuples in a step, where they are not 16.
BATCHES = {"infogan": 128, "stacked": 100}


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_list("model", ["sdgan", "sdbegan"], f"Models to measure, of {', '.join(MODELS)}.")
    flags.DEFINE_list("precision", ["float32", "mixed_bfloat16"], "Policies to measure.")
    flags.DEFINE_integer("rounds", 15, "Turns of step and matrix product; medians are reported.")
    flags.DEFINE_integer("dim", None, "Width of the networks; that of their flag file by default.")
    flags.DEFINE_integer(
        "batch_size", None, "Tuples in a step; those of the model's flag file by default."
    )
    flags.DEFINE_bool(
        "cpu_time",
        False,
        "Whether the processor's seconds are measured in place of the clock's, of all cores together: on a machine that others "
        "use.",
    )
    flags.DEFINE_string("json", "", "Where to write the numbers as JSON.")


def batch_of(model: sd.models.AdversarialModel, tuples: int) -> dict[str, tf.Tensor]:
    """A batch of noise, with what the model needs beside images: names, and people who stand somewhere."""
    rng = np.random.default_rng(0)
    size = (tuples, model.k, model.image_size, model.image_size)
    points = rng.uniform(0, model.image_size - 1, (*size[:2], KEYPOINTS, 3))
    points[..., 2] = 1
    fields = {
        "images": rng.integers(0, 256, (*size, model.channels), np.uint8),
        "identity": np.arange(tuples) % getattr(model, "training_identities", tuples),
        "keypoints": points.astype(np.float32),
        "mask": rng.integers(0, 2, (*size, 1), np.uint8),
    }
    return {name: tf.constant(fields[name]) for name in ("images", *model.FIELDS)}


def step_operations(model: sd.models.AdversarialModel, batch: Any) -> float:
    """Floating-point operations of all products in one train step: forward, backward and of penalties, as they stand in
    its graph, which is that of stock convolutions. What a condition keeps for some steps is not among them.
    """
    with mock.patch.object(convolution, "suits", lambda *_: False):
        graph = tf.function(model.train_step).get_concrete_function(batch).graph
    # Gradients that nobody asks for stand in the graph, too, but are not worked out.
    asked, waiting = set(), [value.op for value in graph.outputs] + [*graph.control_outputs]
    while waiting:
        op = waiting.pop()
        if op not in asked:
            asked.add(op)
            waiting += [value.op for value in op.inputs] + [*op.control_inputs]
    return float(sum(operations(op) for op in asked))


def operations(op: tf.Operation) -> int:
    """Of one product: two for each pair of numbers that are multiplied. Nothing else counts here."""
    if op.type not in PRODUCTS:
        return 0
    shapes = [value.shape for value in (*op.inputs, *op.outputs)]
    if op.type == "Einsum":
        spelled = op.get_attr("equation").decode().split("->")[0].split(",")
        sizes = {
            letter: size
            for term, shape in zip(spelled, shapes)
            for letter, size in zip(term, shape)
        }
        # Of one factor it is a sum, or turns it around.
        return 2 * math.prod(sizes.values()) if len(spelled) > 1 else 0
    out = shapes[-1]
    if op.type == "Conv2D":
        return 2 * math.prod(out[:-1]) * math.prod(shapes[1])
    # Backward each place of a map meets the window that it was made of, whichever of the two is sought.
    if op.type == "Conv2DBackpropInput":
        return 2 * math.prod(shapes[2][:-1]) * math.prod(shapes[1])
    if op.type == "Conv2DBackpropFilter":
        return 2 * math.prod(shapes[2][:-1]) * math.prod(out)
    turned = op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x")
    return 2 * math.prod(out) * shapes[0][-2 if turned else -1]


def seconds(function, *arguments) -> float:
    clock = time.process_time if FLAGS.cpu_time else time.perf_counter
    start = clock()
    result = function(*arguments)
    tf.nest.flatten(result)[0].numpy()
    return clock() - start


def measure(name: str, precision: str, rounds: int) -> dict[str, float]:
    """Medians of step time and matrix-product rate, taken in turns."""
    width = {"dim": FLAGS.dim} if FLAGS.dim else {}
    model = MODELS[name](precision=precision, **width)
    model.compile()
    batch = batch_of(model, FLAGS.batch_size or BATCHES.get(name, 16))
    step = tf.function(model.train_step)
    dtype = tf.bfloat16 if precision == "mixed_bfloat16" else tf.float32
    left, right = (tf.cast(tf.random.normal([MATRIX, MATRIX]), dtype) for _ in range(2))
    product = tf.function(lambda: tf.cast(tf.matmul(left, right)[0, 0], tf.float32))

    weights = [variable for player in model.players for variable in model.moved_by(player)]
    optimizer = keras.optimizers.Adam()
    optimizer.build(weights)
    zeros = [tf.zeros(weight.shape) for weight in weights]

    @tf.function
    def adam():
        keras_compat.apply_gradients(optimizer, zeros, weights)
        return tf.convert_to_tensor(optimizer.iterations)

    for _ in range(2):
        seconds(step, batch), seconds(product), seconds(adam)
    times = np.array(
        [(seconds(step, batch), seconds(product), seconds(adam)) for _ in range(rounds)]
    )
    step_time, product_time, adam_time = np.median(times, axis=0)
    counted = step_operations(model, batch)
    rates = counted / times[:, 0] / (2 * MATRIX**3 / times[:, 1])
    return {
        "seconds_per_step": step_time,
        "gflop_per_step": counted / 1e9,
        "gflop_per_second": counted / step_time / 1e9,
        "matrix_product_gflop_per_second": 2 * MATRIX**3 / product_time / 1e9,
        "fraction": float(np.median(rates)),
        "fraction_quartiles": [float(value) for value in np.quantile(rates, [0.25, 0.75])],
        "adam_share": adam_time / step_time,
    }


def main(_) -> None:
    results = {
        f"{name} {precision}": measure(name, precision, FLAGS.rounds)
        for name, precision in itertools.product(FLAGS.model, FLAGS.precision)
    }
    print(
        f"TensorFlow {tf.__version__}, Keras {keras_compat.KERAS_VERSION}, {'small maps as matrix products' if convolution.suits(4, 2) else 'stock convolutions'}"
    )
    print(
        f"{'step':<24}{'s/step':>8}{'GFLOP':>8}{'GFLOP/s':>9}{'matmul':>8}{'fraction':>10}{'quartiles':>14}{'Adam':>7}"
    )
    for name, row in results.items():
        low, high = row["fraction_quartiles"]
        print(
            f"{name:<24}{row['seconds_per_step']:>8.3f}{row['gflop_per_step']:>8.1f}{row['gflop_per_second']:>9.0f}"
            f"{row['matrix_product_gflop_per_second']:>8.0f}{row['fraction']:>10.0%}{f'{low:.0%} - {high:.0%}':>14}{row['adam_share']:>7.1%}"
        )
    if FLAGS.json:
        with open(FLAGS.json, "w") as file:
            json.dump(results, file, indent=2)


if __name__ == "__main__":
    define_flags()
    app.run(main)
