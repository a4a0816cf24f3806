"""Lowers whole train steps to StableHLO, for a machine with JAX and without TensorFlow.

  python benchmarks/gpu/lower.py --out=FOLDER [--model=sdgan,sdbegan,modern] [--precision=float32,mixed_bfloat16]
      [--batch_size=16,64,256]

Writes for each of them NAME.mlirbc, the step as XLA gets it; NAME.npz, what goes into it (a batch, weights, moments, counters) and
what TensorFlow makes of that on this machine, without XLA; and NAME.json, which says what is what. Then, on the other machine:
python run.py FOLDER. The convolutions are those that a GPU gets.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import tensorflow as tf
from absl import app, flags

import sdgan_tf as sd
from sdgan_tf import keras_compat
from sdgan_tf.networks import convolution

sys.path.insert(0, str(Path(__file__).parents[1]))
from train_step import step_operations

FLAGS = flags.FLAGS
MODERN = {
    "dim": 32,
    "d_i": 32,
    "d_o": 32,
    "law": "normal",
    "norm": "none",
    "initializer": "he_normal",
}
MODERN |= {"mixed": 0.3, "r1": 0.3, "r1_every": 8, "augment": "translation", "ema": 0.995}
# As in flags/.
MODELS = {"sdgan": (sd.SDGAN, {}), "sdbegan": (sd.SDBEGAN, {}), "modern": (sd.SDGAN, MODERN)}


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string("out", None, "The folder to write to.", required=True)
    flags.DEFINE_list("model", list(MODELS), "Which models.")
    flags.DEFINE_list("precision", ["float32", "mixed_bfloat16"], "Which policies.")
    flags.DEFINE_list("batch_size", ["16", "64", "256"], "How many tuples are in a step.")
    flags.DEFINE_integer("dim", None, "The width of the networks; the preset's by default.")
    flags.DEFINE_integer("image_size", 64, "The edge of the images in pixels.")


def inputs_of(function: Any, model: sd.models.AdversarialModel) -> tuple[list[str], list[Any]]:
    """What a traced step reads beside its batch: names and variables, in the order of the lowered function."""
    known = {id(keras_compat.tensor_of(v).handle): (n, v) for n, v in model.state().items()}
    names, variables = zip(*(known[id(tensor)] for tensor in function.captured_inputs))
    return list(names), list(variables)


def aliases(header: str) -> dict[int, int]:
    """Which output of the lowered function is the new value of which input, of the first line of its HLO text."""
    pairs = re.findall(r"\{(\d+)\}: \((\d+), ", header.split("entry_computation_layout")[0])
    return {int(output): int(number) for output, number in pairs}


def lower(model: sd.models.AdversarialModel, batch_size: int, folder: Path, name: str) -> None:
    """Writes the files of one step.

    Args:
        model: compiled, and not trained yet.
        batch_size: tuples in the step.
        folder: to write to.
        name: of the files.
    """
    shape = (batch_size, model.k, model.image_size, model.image_size, model.channels)
    batch = tf.constant(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    step = tf.function(model.train_step, jit_compile=True)
    names, variables = inputs_of(step.get_concrete_function(batch), model)
    ir = step.experimental_get_compiler_ir(batch)
    header = ir(stage="hlo").split("\n", 1)[0]
    updates = aliases(header)
    (folder / f"{name}.mlirbc").write_bytes(ir(stage="stablehlo_serialized"))
    before = [batch.numpy(), *(keras_compat.value_of(variable) for variable in variables)]
    plain = tf.function(model.train_step)
    logs = tf.nest.flatten(plain(batch))
    after = [batch.numpy(), *(keras_compat.value_of(variable) for variable in variables)]
    # Outputs are the logs and then the new values.
    expected = [log.numpy() for log in logs] + [
        after[updates[output]] for output in sorted(updates)
    ]
    arrays = {f"in/{i:04d}": value for i, value in enumerate(before)}
    arrays |= {f"out/{i:04d}": value for i, value in enumerate(expected)}
    np.savez(folder / f"{name}.npz", **arrays)
    about = {
        "inputs": ["batch", *names],
        "logs": sorted(plain.get_concrete_function(batch).structured_outputs),
        "updates": updates,
        "operations": step_operations(model, batch),
        "precision": model.precision,
        "batch_size": batch_size,
        "tensorflow": tf.__version__,
    }
    (folder / f"{name}.json").write_text(json.dumps(about, indent=1))


def main(_) -> None:
    folder = Path(FLAGS.out)
    folder.mkdir(parents=True, exist_ok=True)
    for kind, policy, count in itertools.product(FLAGS.model, FLAGS.precision, FLAGS.batch_size):
        maker, options = MODELS[kind]
        options = {**options, **({"dim": FLAGS.dim} if FLAGS.dim else {})}
        model = maker(image_size=FLAGS.image_size, precision=policy, **options)
        model.compile()
        name = f"{kind}-{policy}-{count}"
        with mock.patch.object(convolution, "suits", lambda *_: False):
            lower(model, int(count), folder, name)
        print(f"{folder / name}.mlirbc", flush=True)


if __name__ == "__main__":
    define_flags()
    app.run(main)
