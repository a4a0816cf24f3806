"""Trains a model on images grouped by identity.

  bin/train --flagfile=flags/quickstart.cfg
  bin/train --flagfile=flags/sddcgan.cfg --data_dir=DIR --run_dir=RUN

The same command again continues the run. Ctrl-C saves and leaves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags

from sdgan_tf import training
from sdgan_tf.cli import command, data_flags, model_flags, run_flags
from sdgan_tf.data import Splits
from sdgan_tf.evaluation import Verifier
from sdgan_tf.models import AdversarialModel
from sdgan_tf.stores import shown
from sdgan_tf.training import strategies
from sdgan_tf.training.cluster import Cluster, same_code

GROUPS = (run_flags, data_flags, model_flags)


def define(values: flags.FlagValues) -> None:
    """Defines the flags of this command."""
    for group in GROUPS:
        group.define(values)


def main(words: Sequence[str], values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    command.no_words(words)
    # Before any work: a store may not answer.
    run = training.RunDirectory(values.run_dir)
    strategy = strategies.make(values.strategy, values.replicas)
    strategies.check_batch(strategy, values.batch_size)
    cluster = Cluster(strategy)
    with cluster.together():
        # Before the model is made: where that differs, the workers wait for each other in vain.
        cluster.agree(same_code(), "code")
        cluster.agree(_flags(values), "flags")
    schedule, verifier = run_flags.schedule(values), run_flags.verifier(values)
    print(f"Data: {values.data_dir or 'the built-in drawn people'}")
    parts = data_flags.split(data_flags.load(values, k=model_flags.tuple_size(values)), values)
    for name, part in zip(parts._fields, parts):
        print(f"{name.capitalize()}: {part.summary()}")
    few = [name for name in ("validation", "test") if len(getattr(parts, name)) < 2]
    if few:
        print(
            f"Note: bin/evaluate needs two {' and two '.join(few)} identities or more. To keep more, raise "
            "--validation_fraction and --test_fraction now: they are chosen before training."
        )
    with cluster.together(), strategy.scope():
        model = model_flags.build(values, len(parts.train))
    print(", ".join(f"{name}: {size:,} parameters" for name, size in model.parameters().items()))
    resolved = resolved_flags(values, model)
    if values.dry_run:
        print(resolved, end="")
        return 0
    return _train(run, model, parts, values, schedule, resolved, verifier)


def _train(
    run: training.RunDirectory,
    model: AdversarialModel,
    parts: Splits,
    values: flags.FlagValues,
    schedule: training.Schedule,
    resolved: str,
    verifier: Verifier | None,
) -> int:
    try:
        image = training.train(
            model,
            parts.train,
            values.run_dir,
            schedule,
            {"flags.cfg": resolved},
            verifier,
            parts.validation,
            values.start,
        )
    except training.Interrupted as interruption:
        print(
            f"Stopped by {interruption} at step {model.completed_steps:,}, and saved. "
            "The same command again goes on from there."
        )
        return 128 + interruption.number
    if image:
        print(f"Image: {shown(image)}")
    print(f"TensorBoard: {_tool('tensorboard')} --logdir {run.tensorboard}")
    if image:
        print(f"Export: bin/export --run_dir={shown(run.path)} --out=saved_models/{run.path.name}")
    else:
        print(
            f"This stage makes no images. The next one goes on from here by --start={shown(run.path)}"
        )
    return 0


def _flags(values: flags.FlagValues) -> dict[str, Any]:
    """All flags of the command with their values."""
    names = [flag.name for group in GROUPS for flag in values.get_flags_for_module(group.__name__)]
    return {name: values[name].value for name in sorted(names)}


def _tool(name: str) -> str:
    """How to call a program of this environment, which need not be active."""
    path = os.path.join(os.path.dirname(sys.executable), name)
    return os.path.relpath(path) if os.path.exists(path) and sys.prefix != sys.base_prefix else name


def resolved_flags(values: flags.FlagValues, model: AdversarialModel) -> str:
    """All flags of the command with their values, as a flag file that gives the same run."""
    lines, settings = [], model.get_config()
    for group in GROUPS:
        lines.append(f"# {group.__doc__.strip().splitlines()[0]}")
        for flag in values.flags_by_module_dict().get(group.__name__, []):
            value = settings.get(flag.name) if flag.value is None else flag.value
            if value is not None and flag.name != "dry_run":
                lines.append(f"--{flag.name}={value}")
    if "import_module" in values and values.import_module:
        lines.append(f"--import_module={','.join(values.import_module)}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    command.run("sdgan_tf.cli.train")
