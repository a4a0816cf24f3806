"""An exported model under load: does its answer depend on its batch or on other threads, how fast is it.

  python benchmarks/serving.py [--dim=64] [--requests=100] [--json=FILE]

Measures the session that TF Serving runs, in this process: what a server adds is not in it.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import app, flags

import sdgan_tf as sd

FLAGS = flags.FLAGS
flags.DEFINE_integer("dim", 64, "The width of the networks; 64 in the paper.")
flags.DEFINE_integer("image_size", 64, "The edge of the images in pixels.")
flags.DEFINE_integer("requests", 100, "The number of requests in each measurement.", lower_bound=8)
flags.DEFINE_string("json", "", "The file to write the numbers to, as JSON.")

ROWS = (1, 3, 7, 16, 64)
THREADS = (1, 2, 4, 8)


def signatures(path: Path) -> dict[str, Callable]:
    """The signatures of an export by name, in one session for all threads."""
    v1 = tf.compat.v1
    session = v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        meta = v1.saved_model.load(session, ["serve"], str(path))

    def signature(spec) -> Callable:
        outputs = {name: info.name for name, info in spec.outputs.items()}
        names = {name: info.name for name, info in spec.inputs.items()}
        return lambda **inputs: session.run(
            outputs, {names[name]: value for name, value in inputs.items()}
        )

    return {name: signature(spec) for name, spec in meta.signature_def.items()}


def invariance(run: Callable, inputs: dict[str, np.ndarray], output: str) -> dict[int, float]:
    """The greatest difference to the answer in one batch, by the rows of the parts."""
    count = len(next(iter(inputs.values())))
    whole = run(**inputs)[output].astype(np.float64)
    differences = {}
    for rows in ROWS:
        parts = [
            run(**{name: value[start : start + rows] for name, value in inputs.items()})[output]
            for start in range(0, count, rows)
        ]
        differences[rows] = float(np.abs(np.concatenate(parts) - whole).max())
    return differences


def seconds(run: Callable, inputs: dict[str, np.ndarray], rounds: int) -> float:
    """Median time of a request."""
    times = []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        run(**inputs)
        times.append(time.perf_counter() - start)
    return float(np.median(times[2:]))


def load(run: Callable, requests: list[dict], expected: list, threads: int) -> dict[str, float]:
    """Requests of one row by so many threads at once; an answer that is not `expected` counts."""
    times, wrong = [], []

    def ask(index: int) -> None:
        start = time.perf_counter()
        answer = run(**requests[index])["images"]
        times.append(time.perf_counter() - start)
        wrong.append(not np.array_equal(answer, expected[index]))

    begin = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(ask, range(len(requests))))
    spent = time.perf_counter() - begin
    middle, late = np.percentile(times, [50, 95]) * 1000
    return {
        "requests_per_second": len(requests) / spent,
        "median_ms": float(middle),
        "p95_ms": float(late),
        "wrong": int(sum(wrong)),
    }


def main(_) -> None:
    tf.get_logger().setLevel("ERROR")
    model = sd.SDGAN(image_size=FLAGS.image_size, dim=FLAGS.dim)
    rng = np.random.default_rng(0)
    count = max(ROWS)
    codes = {
        name: rng.uniform(-1, 1, (count, width)).astype(np.float32)
        for name, width in (("identity", model.d_i), ("observation", model.d_o))
    }
    shape = (count, model.k, model.image_size, model.image_size, model.channels)
    tuples = {"images": rng.integers(0, 256, shape, np.uint8)}
    with tempfile.TemporaryDirectory() as folder:
        answers = signatures(model.export(Path(folder, "1")))
    generate, score = answers["serving_default"], answers["score"]

    results = {
        "generate_difference": invariance(generate, codes, "images"),
        "score_difference": invariance(score, tuples, "score"),
    }
    rounds = max(FLAGS.requests // 20, 3)
    results["row_ms"] = {
        rows: 1000 * seconds(generate, {k: v[:rows] for k, v in codes.items()}, rounds) / rows
        for rows in ROWS
    }
    requests = [
        {name: value[i % count : i % count + 1] for name, value in codes.items()}
        for i in range(FLAGS.requests)
    ]
    expected = [generate(**request)["images"] for request in requests]
    results["threads"] = {
        threads: load(generate, requests, expected, threads) for threads in THREADS
    }

    print(
        f"{'rows':>6}{'grey levels off':>17}{'score off':>12}{'ms a row':>10}{'times one row':>15}"
    )
    for rows in ROWS:
        cost = results["row_ms"][rows]
        print(
            f"{rows:>6}{results['generate_difference'][rows]:>17.0f}"
            f"{results['score_difference'][rows]:>12.1e}{cost:>10.1f}"
            f"{results['row_ms'][1] / cost:>15.2f}"
        )
    print(f"{'threads':>8}{'requests/s':>12}{'median':>10}{'95 %':>10}{'wrong answers':>15}")
    for threads, row in results["threads"].items():
        print(
            f"{threads:>8}{row['requests_per_second']:>12.1f}{row['median_ms']:>7.1f} ms"
            f"{row['p95_ms']:>7.1f} ms{row['wrong']:>15}"
        )
    if FLAGS.json:
        with open(FLAGS.json, "w") as file:
            json.dump(results, file, indent=2)


if __name__ == "__main__":
    app.run(main)
