"""What the callbacks of a run cost beside a step that writes nothing.

  python benchmarks/callbacks.py [--steps=300]

Trains the smallest SD-GAN as bin/train does, and times Keras' calls of all callbacks before and after each step. The wait for
the step itself, which the first one to read a number has, is taken off: the step is waited for before.
"""

from __future__ import annotations

import tempfile
import time
from unittest import mock

import numpy as np
import tensorflow as tf
from absl import app, flags
from tensorflow import keras

import sdgan_tf as sd
from sdgan_tf import training

FLAGS = flags.FLAGS
flags.DEFINE_integer("steps", 300, "Steps to train.")


def main(_) -> None:
    people = sd.data.drawn(8, 4, 16)
    model = sd.SDGAN(image_size=16, dim=1, d_i=2, d_o=2, ema=0.9)
    model.compile()
    seconds: list[float] = []
    calls = keras.callbacks.CallbackList

    def timed(method):
        def call(callbacks, batch, logs=None):
            for number in tf.nest.flatten(logs or {}):
                np.asarray(number)
            start = time.perf_counter()
            method(callbacks, batch, logs)
            seconds.append(time.perf_counter() - start)

        return call

    never = {"log_every": 0, "grid_every": 0, "checkpoint_every": 0}
    names = ("on_train_batch_begin", "on_train_batch_end")
    patches = [mock.patch.object(calls, name, timed(getattr(calls, name))) for name in names]
    with tempfile.TemporaryDirectory() as run, patches[0], patches[1]:
        training.train(model, people, run, training.Schedule(FLAGS.steps, batch_size=2, **never))
    # Of the first steps some are still tracing.
    pairs = 1e3 * np.reshape(seconds, [-1, 2]).sum(1)[10:]
    low, median, high = np.quantile(pairs, [0.25, 0.5, 0.75])
    print(f"Callbacks: {median:.3f} ms a step (quartiles {low:.3f} - {high:.3f})")


if __name__ == "__main__":
    app.run(main)
