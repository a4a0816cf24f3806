"""Compares runs in one table: trains what is missing, then measures all in the same way.

  bin/compare --runs=runs/a,runs/b --verifier=VERIFIER --out=runs/compare
  bin/compare --flagfile=flags/compare/baselines.cfg --data_dir=DIR --verifier=VERIFIER

Each --train="NAME FLAGS" stands for a run of bin/train with these flags in OUT/NAME, on the data and
the budget of this command. The same command again trains on where it stopped, and measures anew.
Data flags that are not given are those of the first of --runs. The report is OUT/report.md.
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
from sdgan_tf.cli import command, data_flags
from sdgan_tf.cli.evaluate import check_judge, define_measures, factor_reader
from sdgan_tf.data import Splits
from sdgan_tf.images import tile

FLAGS = flags.FLAGS


def define(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags of this command."""
    at = {"flag_values": values}
    data_flags.define(values)
    flags.DEFINE_list("runs", [], "Runs that are there, by their directories.", **at)
    flags.DEFINE_multi_string("train", [], "A run to train: NAME and flags of bin/train.", **at)
    flags.DEFINE_integer("steps", None, "Steps of each --train.", 1, **at)
    flags.DEFINE_float("minutes", None, "Minutes of training of each --train.", 0.0, **at)
    flags.DEFINE_string("verifier", None, "The judge, as in bin/evaluate.", **at)
    flags.DEFINE_integer("pairs", evaluation.PAIRS, "Pairs of each source, half matched.", 2, **at)
    flags.DEFINE_integer("seed", 0, "Of pairs, codes and resampling.", 0, **at)
    define_measures(values)
    flags.DEFINE_string("out", "runs/compare", "Folder of the report and of new runs.", **at)


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    command.no_words(arguments)
    orders, out = training_orders(FLAGS.train), Path(FLAGS.out)
    runs = {Path(run).name: Path(run) for run in FLAGS.runs}
    if not FLAGS.runs and not orders or len({*runs, *orders}) < len(FLAGS.runs) + len(orders):
        raise ValueError(
            "Name what to compare by --runs and --train, each by another name. "
            f"Received: --runs={','.join(FLAGS.runs)}, --train={FLAGS.train}"
        )
    if not FLAGS.verifier:
        raise ValueError("Name the judge by --verifier; bin/evaluate train-verifier makes one.")
    for run_dir in runs.values():
        training.RunDirectory(run_dir).config()  # refuses what is no run
    if FLAGS.runs:
        data_flags.adopt(FLAGS.runs[0], FLAGS)
    splits = data_flags.split(data_flags.load(FLAGS, k=2), FLAGS)
    verifier = evaluation.load_verifier(FLAGS.verifier)
    check_judge(verifier, splits, FLAGS.pairs)
    for run_dir in runs.values():
        check_data(run_dir, splits)
    for name, order in orders.items():
        runs[name] = out / name
        train(name, order, runs[name])
        check_data(runs[name], splits)
    evaluator = evaluation.Evaluator(
        splits,
        verifier,
        FLAGS.pairs,
        FLAGS.seed,
        floor=FLAGS.judge_floor,
        factors=factor_reader(splits, FLAGS.factor_steps),
        progress=command.progress,
    )
    rows, pictures = [evaluator.real], {}
    for name, run_dir in runs.items():
        model = training.load_run(run_dir)
        title = f"{name}, step {model.completed_steps:,}"
        print(f"Measuring {title}", flush=True)
        rows.append(evaluator.measure(model, title, evaluation.megabytes(model)))
        pictures[f"samples-{name}"] = title, tile(model.generate(8, 8, FLAGS.seed))
    print(evaluation.write_report(rows, evaluation.facts(evaluator), out, pictures))
    print(f"Report: {out / 'report.md'}")
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


def train(name: str, order: Sequence[str], run_dir: Path) -> None:
    """Runs bin/train in a process of its own, so that no run finds the memory of another."""
    shared = FLAGS.flags_by_module_dict()[data_flags.__name__]
    budget = [FLAGS[key] for key in ("steps", "minutes") if FLAGS[key].present]
    asked = [*order, *(flag.serialize() for flag in (*shared, *budget)), f"--run_dir={run_dir}"]
    print(f"{name}: bin/train {shlex.join(asked)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "sdgan_tf.cli.train", *asked], check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: bin/train ended with status {done.returncode}, see above.")


def check_data(run_dir: Path, splits: Splits) -> None:
    """Refuses a run that was trained on other pictures than those it would be compared on."""
    trained = training.RunDirectory(run_dir).config()["data"]
    if trained["fingerprint"] != splits.train.fingerprint:
        raise ValueError(
            f"{run_dir} was trained on other data, of {trained['identities']:,} identities: name those by "
            f"--data_dir and the flags beside it. Received: {splits.train.summary()}"
        )


def run() -> None:
    """Entry point of `bin/compare`."""
    define()
    command.run(main, __doc__, [sys.modules[__name__], data_flags])


if __name__ == "__main__":
    run()
