"""Runs train steps that lower.py wrote, under JAX's XLA: speed, memory, and whether the numbers are TensorFlow's.

  JAX_ENABLE_X64=1 python run.py FOLDER [--steps=20] [--matrix=8192] [--json=FILE]

Needs JAX and NumPy alone: copy this file and the folder to the machine. The rate is that of the operations in products, as
benchmarks/train_step.py counts them, and its share that of a large matrix product of the same precision, timed in the same run.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxlib import xla_client


def load(path: Path):
    """The compiled step of a .mlirbc file, for the first device."""
    device = jax.devices()[0]
    devices = xla_client.DeviceList((device,))
    return device.client.compile_and_load(path.read_bytes(), devices, xla_client.CompileOptions())


def matrix_rate(size: int, dtype, rounds: int = 10) -> float:
    """Operations a second of a product of two square matrices."""
    left, right = (jax.random.normal(jax.random.key(i), (size, size)).astype(dtype) for i in (0, 1))
    product = jax.jit(jnp.matmul)
    product(left, right).block_until_ready()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        product(left, right).block_until_ready()
        times.append(time.perf_counter() - start)
    return 2 * size**3 / float(np.median(times))


def apart(about: dict, arrays, outputs: list[np.ndarray]) -> dict[str, float]:
    """How far outputs are from TensorFlow's: of the logs the largest difference; of all weights, and of all that optimizers keep
    of gradients, the norm of the difference of what the step changed, as a share of the norm of what it changed.
    """
    logs = len(about["logs"])
    differences = {
        "logs": max(
            abs(float(o) - float(arrays[f"out/{i:04d}"])) for i, o in enumerate(outputs[:logs])
        )
    }
    sums = {"weights": [0.0, 0.0], "moments": [0.0, 0.0]}
    for output, number in about["updates"].items():
        name = about["inputs"][number]
        expected = arrays[f"out/{int(output):04d}"]
        if name.startswith("log/"):
            continue
        if expected.dtype.kind != "f":
            assert np.array_equal(outputs[int(output)], expected), name
            continue
        kind = "moments" if "_optimizer/" in name else "weights"
        before = arrays[f"in/{number:04d}"]
        sums[kind][0] += float(np.sum(np.square(outputs[int(output)] - expected)))
        sums[kind][1] += float(np.sum(np.square(expected - before)))
    return {**differences, **{kind: (a / b) ** 0.5 for kind, (a, b) in sums.items()}}


def measure(path: Path, steps: int, rates: dict[str, float]) -> dict:
    """What one step takes, and how far its numbers are from TensorFlow's."""
    about = json.loads(path.with_suffix(".json").read_text())
    start = time.perf_counter()
    step = load(path.with_suffix(".mlirbc"))
    compiling = time.perf_counter() - start
    with np.load(path.with_suffix(".npz")) as file:
        arrays = dict(file)
    inputs = [jax.device_put(arrays[f"in/{i:04d}"]) for i in range(len(about["inputs"]))]
    times, first = [], None
    for _ in range(steps + 1):
        start = time.perf_counter()
        # It may write over its inputs, which are not used again: the next step goes on from its outputs.
        outputs = step.execute(inputs)
        jax.block_until_ready(outputs)
        times.append(time.perf_counter() - start)
        first = first or [np.asarray(output) for output in outputs]
        for output, number in about["updates"].items():
            inputs[number] = outputs[int(output)]
        inputs[0] = jax.device_put(arrays["in/0000"])
    memory, cost = step.get_compiled_memory_stats(), step.cost_analysis()
    seconds = float(np.median(times[1:]))
    held = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    rate = about["operations"] / seconds
    return {
        "name": path.stem,
        "device": jax.devices()[0].device_kind,
        "seconds_compiling": compiling,
        "seconds_per_step": seconds,
        "tuples_per_second": about["batch_size"] / seconds,
        "gflop_per_step": about["operations"] / 1e9,
        "gflop_per_step_of_xla": cost.get("flops", 0.0) / 1e9,
        "share_of_matrix_product": rate / rates[about["precision"]],
        "megabytes": (held + memory.temp_size_in_bytes) / 1e6,
        "apart": apart(about, arrays, first),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="what lower.py wrote")
    parser.add_argument("--steps", type=int, default=20, help="steps to time; medians are reported")
    parser.add_argument("--matrix", type=int, default=8192, help="edge of the matrices")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    options = parser.parse_args()
    if not jax.config.jax_enable_x64:
        parser.error("the counters of a step have 64 bits: set JAX_ENABLE_X64=1")
    dtypes = {"float32": jnp.float32, "mixed_bfloat16": jnp.bfloat16}
    rates = {name: matrix_rate(options.matrix, dtype) for name, dtype in dtypes.items()}
    print(
        f"JAX {jax.__version__} on {jax.devices()[0].device_kind}; matrix product: "
        + ", ".join(f"{rate / 1e12:.3f} TFLOP/s in {name}" for name, rate in rates.items())
    )
    rows = []
    for path in sorted(options.folder.glob("*.mlirbc")):
        row = measure(path, options.steps, rates)
        rows.append(row)
        print(
            f"{row['name']:<28}{1e3 * row['seconds_per_step']:>10.2f} ms{row['share_of_matrix_product']:>7.0%}"
            f"{row['megabytes']:>9.0f} MB  apart: "
            + ", ".join(f"{name} {value:.1e}" for name, value in row["apart"].items()),
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps({"rates": rates, "steps": rows}, indent=1))


if __name__ == "__main__":
    main()
