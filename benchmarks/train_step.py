"""How much of the machine the paper's train step uses.

  python benchmarks/train_step.py [--precision=float32,mixed_bfloat16] [--json=FILE]

Times the step of the paper's SD-DCGAN (dim 64, 64x64, 16 tuples, k = 2) against a large matrix
product in the same precision, in turns within one run, since machines are shared and noisy.
Operations are counted from the layers' shapes.
"""

from __future__ import annotations

import json
import time

import numpy as np
import tensorflow as tf
from absl import app, flags
from tensorflow import keras

import sdgan_tf as sd
from sdgan_tf import keras_compat
from sdgan_tf.networks.convolution import suits
from sdgan_tf.networks.layers import Conv, ConvTranspose

FLAGS = flags.FLAGS
flags.DEFINE_list("precision", ["float32", "mixed_bfloat16"], "Policies to measure.")
flags.DEFINE_integer("rounds", 15, "Turns of step and matrix product; medians are reported.")
flags.DEFINE_integer("dim", 64, "Width of the networks.")
flags.DEFINE_integer("batch_size", 16, "Tuples in a step.")
flags.DEFINE_string("json", "", "Where to write the numbers as JSON.")

MATRIX = 2048


def layer_operations(network: keras.Model, size: int) -> list[float]:
    """Floating-point operations of one picture (or tuple, behind the towers) through each layer,
    forward.
    """
    counts = []
    for layer in network.layers:
        if not hasattr(layer, "kernel"):
            continue
        positions = 1
        if isinstance(layer, Conv):
            size //= layer.stride
            positions = size**2
        elif isinstance(layer, ConvTranspose):
            # Each input position paints one window.
            positions = size**2
            size *= layer.stride
        counts.append(2.0 * positions * float(np.prod(layer.kernel.shape)))
    return counts


def step_operations(model: sd.SDGAN, tuples: int) -> float:
    """Floating-point operations of one train step: products only, which are all that counts here.

    The discriminator's update runs G forward, and D forward and backward on real and fake tuples;
    the generator's runs G and D forward, D backward to the pictures only, G backward.
    """
    generator = np.array(layer_operations(model.generator, 4)) * tuples * model.k
    towers = len(model.discriminator.tower)
    discriminator = np.array(layer_operations(model.discriminator, model.image_size)) * tuples
    discriminator[:towers] *= model.k
    # Backward costs one forward for the weights and one for the inputs, which the first layer
    # spares.
    d_update = generator.sum() + 2 * (3 * discriminator.sum() - discriminator[0])
    g_update = 3 * generator.sum() - generator[0] + 2 * discriminator.sum()
    return float(d_update + g_update)


def seconds(function, *arguments) -> float:
    start = time.perf_counter()
    result = function(*arguments)
    tf.nest.flatten(result)[0].numpy()
    return time.perf_counter() - start


def measure(precision: str, rounds: int) -> dict[str, float]:
    """Medians of step time and matrix-product rate, taken in turns."""
    model = sd.SDGAN(dim=FLAGS.dim, precision=precision)
    model.compile()
    shape = (FLAGS.batch_size, model.k, model.image_size, model.image_size, 3)
    batch = tf.constant(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    step = tf.function(model.train_step)
    dtype = tf.bfloat16 if precision == "mixed_bfloat16" else tf.float32
    left, right = (tf.cast(tf.random.normal([MATRIX, MATRIX]), dtype) for _ in range(2))
    product = tf.function(lambda: tf.cast(tf.matmul(left, right)[0, 0], tf.float32))

    weights = model.discriminator.trainable_variables + model.generator.trainable_variables
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
    operations = step_operations(model, FLAGS.batch_size)
    rates = operations / times[:, 0] / (2 * MATRIX**3 / times[:, 1])
    return {
        "seconds_per_step": step_time,
        "gflop_per_step": operations / 1e9,
        "gflop_per_second": operations / step_time / 1e9,
        "matrix_product_gflop_per_second": 2 * MATRIX**3 / product_time / 1e9,
        "fraction": float(np.median(rates)),
        "fraction_quartiles": [float(value) for value in np.quantile(rates, [0.25, 0.75])],
        "adam_share": adam_time / step_time,
    }


def main(_) -> None:
    results = {precision: measure(precision, FLAGS.rounds) for precision in FLAGS.precision}
    print(
        f"TensorFlow {tf.__version__}, Keras {keras_compat.KERAS_VERSION}, {'small maps as matrix products' if suits(4, 2) else 'stock convolutions'}"
    )
    print(
        f"{'precision':<16}{'s/step':>8}{'GFLOP':>8}{'GFLOP/s':>9}{'matmul':>8}{'fraction':>10}{'quartiles':>14}{'Adam':>7}"
    )
    for precision, row in results.items():
        low, high = row["fraction_quartiles"]
        print(
            f"{precision:<16}{row['seconds_per_step']:>8.3f}{row['gflop_per_step']:>8.1f}{row['gflop_per_second']:>9.0f}"
            f"{row['matrix_product_gflop_per_second']:>8.0f}{row['fraction']:>10.0%}{f'{low:.0%} - {high:.0%}':>14}{row['adam_share']:>7.1%}"
        )
    if FLAGS.json:
        with open(FLAGS.json, "w") as file:
            json.dump(results, file, indent=2)


if __name__ == "__main__":
    app.run(main)
