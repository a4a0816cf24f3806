"""What the optimizers, R1 and the layers at the images' own channels take of a train step.

  python benchmarks/step_parts.py [--configuration=quickstart,sddcgan] [--rounds=40] [--json=FILE]

Times the steps of `flags/quickstart.cfg` and `flags/sddcgan.cfg` as they are and with one thing changed, in turns within one run,
in processor seconds, since machines are shared: without Adam; with Adam as TensorFlow's own kernel for each variable
(`ResourceApplyAdam`) in place of Keras' many small operations; with R1, which is due at some steps only. And, by themselves, the
layers that touch images: the discriminator's first and the generator's last.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import numpy as np
import tensorflow as tf
from absl import app, flags

import sdgan_tf as sd
from sdgan_tf import keras_compat
from sdgan_tf.cli import model_flags, train

FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 40, "Turns; medians are reported.", 1)
flags.DEFINE_list("configuration", ["quickstart", "sddcgan"], "Files of flags/.")
flags.DEFINE_string("json", "", "Where to write the numbers as JSON.")


def kernel_adam(optimizer: Any, gradients: Sequence[tf.Tensor], variables: Sequence[Any]) -> None:
    """Adam as one operation of TensorFlow for each variable."""
    step = tf.cast(tf.convert_to_tensor(optimizer.iterations) + 1, tf.float32)
    betas = tf.constant(optimizer.beta_1), tf.constant(optimizer.beta_2)
    rate = tf.convert_to_tensor(optimizer.learning_rate)
    for variable, gradient, first, second in zip(
        variables, gradients, optimizer._momentums, optimizer._velocities
    ):
        tf.raw_ops.ResourceApplyAdam(
            var=keras_compat.tensor_of(variable).handle,
            m=keras_compat.tensor_of(first).handle,
            v=keras_compat.tensor_of(second).handle,
            beta1_power=betas[0] ** step,
            beta2_power=betas[1] ** step,
            lr=rate,
            beta1=betas[0],
            beta2=betas[1],
            epsilon=tf.constant(optimizer.epsilon),
            grad=gradient,
        )
    optimizer.iterations.assign_add(1)


def no_adam(sink: tf.Variable) -> Callable[..., None]:
    """What takes gradients, so that they are worked out, and moves nothing."""

    def apply(_: Any, gradients: Sequence[tf.Tensor], __: Sequence[Any]) -> None:
        sink.assign_add(tf.add_n([tf.reshape(gradient, [-1])[0] for gradient in gradients]))

    return apply


def image_layers(model: sd.SDGAN, images: tf.Tensor) -> Callable[[], Any]:
    """The work of a step in the discriminator's first layer and the generator's last."""
    first, last = model.discriminator.tower[0], model.generator.finish
    real = tf.cast(tf.reshape(images, [-1, *images.shape[2:]]), tf.float32)
    count, size = real.shape[0], model.image_size // 2
    maps = tf.random.normal([count, size, size, last.kernel.shape[3]])

    @tf.function
    def work():
        fake = last(maps)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(first(tf.concat([real, fake], 0)))
        moved = tape.gradient(loss, [keras_compat.tensor_of(first.kernel)])
        with tf.GradientTape() as tape:
            tape.watch(maps)
            loss = tf.reduce_sum(first(last(maps)))
        return moved + tape.gradient(loss, [maps, keras_compat.tensor_of(last.kernel)])

    return work


def seconds(function: Callable, *arguments: Any) -> float:
    start = time.process_time()
    tf.nest.flatten(function(*arguments))[0].numpy()
    return time.process_time() - start


def measure(name: str, rounds: int) -> dict[str, float]:
    """Shares of the step, from the medians."""
    values = flags.FlagValues()
    train.define(values)
    values(["", f"--flagfile=flags/{name}.cfg", "--precision=float32"])
    model = model_flags.build(values, 100)
    shape = (values.batch_size, model.k, model.image_size, model.image_size, 3)
    batch = {"images": tf.constant(np.random.default_rng(0).integers(0, 256, shape, np.uint8))}

    def step(apply: Callable[..., None], with_r1: bool = False) -> Callable[[], Any]:
        with mock.patch.object(keras_compat, "apply_gradients", apply):
            traced = tf.function(model.train_step).get_concrete_function(batch)

        def run() -> Any:
            # Due at 0.
            model.step.assign(0 if with_r1 else 1)
            return traced(batch)

        return run

    keras_adam = keras_compat.apply_gradients
    runs = {
        "whole": step(keras_adam),
        "without Adam": step(no_adam(tf.Variable(0.0))),
        "kernel Adam": step(kernel_adam),
        "with R1": step(keras_adam, True),
        "image layers": image_layers(model, batch["images"]),
    }
    times = {key: [] for key in runs}
    for _ in range(rounds + 2):
        for key, run in runs.items():
            times[key].append(seconds(run))
    each = {key: float(np.median(values[2:])) for key, values in times.items()}
    every = model.regularizers.r1_every if model.regularizers.r1 else float("inf")
    mean = each["whole"] + (each["with R1"] - each["whole"]) / every
    return {
        "seconds": mean,
        "Adam": (each["whole"] - each["without Adam"]) / mean,
        "saved by kernel Adam": (each["whole"] - each["kernel Adam"]) / mean,
        "R1": (mean - each["whole"]) / mean,
        "image layers": each["image layers"] / mean,
    }


def main(_) -> None:
    results = {name: measure(name, FLAGS.rounds) for name in FLAGS.configuration}
    for name, row in results.items():
        print(f"{name}: {row.pop('seconds'):.3f} processor seconds a step")
        for part, share in row.items():
            print(f"  {part:<22}{share:6.1%}")
    if FLAGS.json:
        with open(FLAGS.json, "w") as file:
            json.dump(results, file, indent=2)


if __name__ == "__main__":
    app.run(main)
