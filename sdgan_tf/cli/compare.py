"""Compares runs in one table: trains what is missing, then measures all in the same way.

  bin/compare --runs=runs/a,runs/b --verifier=VERIFIER --out=runs/compare
  bin/compare --flagfile=flags/compare/baselines.cfg --data_dir=DIR --verifier=VERIFIER

Each --train="NAME FLAGS" stands for a run of bin/train with these flags in OUT/NAME, on the data and
the budget of this command. The same command again trains on where it stopped, and measures again.
Data flags that are not given are those of the first of --runs. The report is OUT/report.md.
`bin/evaluate train-verifier` makes a verifier; `bin/evaluate --help` says what else can be one.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from sdgan_tf import evaluation, training
from sdgan_tf.cli import command, data_flags, measure_flags
from sdgan_tf.data import Splits
from sdgan_tf.images import tile


def define(values: flags.FlagValues) -> None:
    """Defines the flags of this command."""
    at = {"flag_values": values}
    data_flags.define(values)
    flags.DEFINE_list(
        "runs", [], "The directories of runs that exist already, separated by commas.", **at
    )
    flags.DEFINE_multi_string(
        "train",
        [],
        "A run to train first: its name, then flags of bin/train. It may be given several times.",
        **at,
    )
    flags.DEFINE_integer("steps", None, "How many steps each --train is trained for.", 1, **at)
    flags.DEFINE_float("minutes", None, "How many minutes each --train is trained for.", 0.0, **at)
    measure_flags.define(values)
    flags.DEFINE_string("out", "runs/compare", "The folder of the report and of new runs.", **at)


def main(words: Sequence[str], values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    command.no_words(words)
    orders = training_orders(values.train)
    runs = {Path(run).name: run for run in values.runs}
    if not values.runs and not orders or len({*runs, *orders}) < len(values.runs) + len(orders):
        raise ValueError(
            "Name what to compare by --runs and --train, each by another name. "
            f"Received: --runs={','.join(values.runs)}, --train={values.train}"
        )
    verifier = measure_flags.load_verifier(values)
    for run_dir in runs.values():
        training.RunDirectory(run_dir).config()  # refuses what is no run
    if values.runs:
        data_flags.adopt(data_flags.of_run(values.runs[0]), values)
    splits = data_flags.split(data_flags.load(values, k=2), values)
    evaluation.check_splits(splits, values.pairs)
    evaluation.check_verifier(verifier, splits.test.image_size, splits.test.channels)
    measure_flags.note_other_data(verifier, splits)
    for run_dir in runs.values():
        check_data(run_dir, splits)
    for name, order in orders.items():
        runs[name] = f"{values.out}/{name}"
        train(values, name, order, runs[name])
        check_data(runs[name], splits)
    evaluator = evaluation.Evaluator(
        splits,
        verifier,
        values.pairs,
        values.seed,
        verifier_floor=values.verifier_floor,
        factors=measure_flags.factor_reader(splits, values.factor_steps),
        verbose=True,
    )
    rows, images = [evaluator.real], {}
    for name, run_dir in runs.items():
        model = training.load_run(run_dir)
        title = f"{name}, step {model.completed_steps:,}"
        print(f"Measuring {title}", flush=True)
        rows.append(evaluator.measure(model, title, evaluation.megabytes(model)))
        images[f"samples-{name}"] = title, tile(model.generate(8, 8, values.seed))
    print(evaluation.write_report(rows, evaluation.facts(evaluator), values.out, images))
    print(f"Report: {values.out}/report.md")
    return 0


def training_orders(asked: Sequence[str]) -> dict[str, list[str]]:
    """`"NAME FLAGS"` of each run to train, as flags by name."""
    orders: dict[str, list[str]] = {}
    for text in asked:
        name, *order = shlex.split(text) or [""]
        if not name or name.startswith("-") or os.sep in name or name in orders:
            raise ValueError(
                "A run to train is a name of its own, then flags: --train='NAME --flagfile=...'. "
                f"Received: {text!r}"
            )
        orders[name] = order
    return orders


def train(values: flags.FlagValues, name: str, order: Sequence[str], run_dir: str) -> None:
    """Runs bin/train in a process of its own, so that no run is left with the memory of another."""
    shared = values.flags_by_module_dict()[data_flags.__name__]
    budget = [values[key] for key in ("steps", "minutes") if values[key].present]
    asked = [*order, *(flag.serialize() for flag in (*shared, *budget)), f"--run_dir={run_dir}"]
    if values.import_module:
        asked.append(values["import_module"].serialize())
    print(f"{name}: bin/train {shlex.join(asked)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "sdgan_tf.cli.train", *asked], check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: bin/train ended with status {done.returncode}, see above.")


def check_data(run_dir: str, splits: Splits) -> None:
    """Refuses a run that was trained on other images than those it would be compared on."""
    trained = training.RunDirectory(run_dir).config()["data"]
    if trained["fingerprint"] != splits.train.fingerprint:
        raise ValueError(
            f"{run_dir} was trained on other data, of {trained['identities']:,} identities: name those by "
            f"--data_dir and the flags beside it. Received: {splits.train.summary()}"
        )


if __name__ == "__main__":
    command.run("sdgan_tf.cli.compare")
