"""How much of the machine the paper's train steps use.

  python benchmarks/train_step.py [--model=sdgan,sdbegan,modern] [--precision=float32,mixed_bfloat16]
      [--json=FILE]

Times the steps of the paper's SD-DCGAN (dim 64) and SD-BEGAN (dim 128; 64x64, 16 tuples, k = 2), and
of the networks of flags/modern.cfg by themselves (dim 32), against a large matrix product in the same precision, in turns within one run, since machines are
shared and noisy. Operations are counted from the layers' shapes.
"""

from __future__ import annotations

import functools
import itertools
import json
import time
from unittest import mock

import numpy as np
import tensorflow as tf
from absl import app, flags
from tensorflow import keras

import sdgan_tf as sd
from sdgan_tf import keras_compat
from sdgan_tf.networks.convolution import suits
from sdgan_tf.networks.layers import ConvTranspose

FLAGS = flags.FLAGS
MATRIX = 2048
# As the flag files of these names have them; modern without its penalties, mixed tuples and identity features.
MODELS = {
    "sdgan": sd.SDGAN,
    "sdbegan": sd.SDBEGAN,
    "modern": functools.partial(
        sd.SDGAN, **{"dim": 32, "d_i": 32, "d_o": 32, "norm": "none", "initializer": "he_normal"}
    ),
}


def define_flags() -> None:
    """Defines the flags of this command, which other ones count operations by, too."""
    flags.DEFINE_list("model", ["sdgan", "sdbegan"], f"Models to measure, of {', '.join(MODELS)}.")
    flags.DEFINE_list("precision", ["float32", "mixed_bfloat16"], "Policies to measure.")
    flags.DEFINE_integer("rounds", 15, "Turns of step and matrix product; medians are reported.")
    flags.DEFINE_integer("dim", None, "Width of the networks; that of their flag file by default.")
    flags.DEFINE_integer("batch_size", 16, "Tuples in a step.")
    flags.DEFINE_string("json", "", "Where to write the numbers as JSON.")


def forward_operations(network: keras.Model, inputs: tf.Tensor) -> np.ndarray:
    """Floating-point operations of each layer's product in one forward pass, in order: products
    only, which are all that counts here.
    """
    counts = []
    call = keras.layers.Layer.__call__

    def counted(layer, inputs, *arguments, **options):
        outputs = call(layer, inputs, *arguments, **options)
        if hasattr(layer, "kernel"):
            # Each output position takes one window; of a transposed layer, each input position
            # paints one.
            positions = inputs if isinstance(layer, ConvTranspose) else outputs
            counts.append(2.0 * np.prod(positions.shape[:-1]) * np.prod(layer.kernel.shape))
        return outputs

    with mock.patch.object(keras.layers.Layer, "__call__", counted):
        network(inputs)
    return np.array(counts)


def step_operations(model: sd.SDGAN | sd.SDBEGAN, tuples: int) -> float:
    """Floating-point operations of one train step.

    Backward costs one forward for the weights and one for the inputs; the first layer's input needs
    none, where it is data or codes.
    """
    codes = tf.zeros([model.k, model.latents.size])
    pictures = tf.zeros([1, model.k, model.image_size, model.image_size, model.channels])
    generator = tuples * forward_operations(model.generator, codes)
    discriminator = tuples * forward_operations(model.discriminator, pictures)
    g_both_ways = 3 * generator.sum() - generator[0]
    d_both_ways = 3 * discriminator.sum() - discriminator[0]
    if isinstance(model, sd.SDBEGAN):
        # One pass over real and fake tuples, which goes on from the fake ones into G.
        return float(2 * d_both_ways + discriminator[0] + g_both_ways)
    # D's update runs G forward, and D both ways on real and fake tuples; G's runs G both ways, and
    # D forward and backward to the pictures only.
    return float(generator.sum() + 2 * d_both_ways + g_both_ways + 2 * discriminator.sum())


def seconds(function, *arguments) -> float:
    start = time.perf_counter()
    result = function(*arguments)
    tf.nest.flatten(result)[0].numpy()
    return time.perf_counter() - start


def measure(name: str, precision: str, rounds: int) -> dict[str, float]:
    """Medians of step time and matrix-product rate, taken in turns."""
    width = {"dim": FLAGS.dim} if FLAGS.dim else {}
    model = MODELS[name](precision=precision, **width)
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
    results = {
        f"{name} {precision}": measure(name, precision, FLAGS.rounds)
        for name, precision in itertools.product(FLAGS.model, FLAGS.precision)
    }
    print(
        f"TensorFlow {tf.__version__}, Keras {keras_compat.KERAS_VERSION}, {'small maps as matrix products' if suits(4, 2) else 'stock convolutions'}"
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
