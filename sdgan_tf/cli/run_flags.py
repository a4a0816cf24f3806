"""Run: where it is kept, how long it takes, and how often it writes what."""

from __future__ import annotations

from absl import flags

from sdgan_tf.evaluation import Verifier, load_verifier
from sdgan_tf.training import Schedule, strategies
from sdgan_tf.training.schedule import ON_COLLAPSE

DEFAULTS = Schedule()


def define(values: flags.FlagValues) -> None:
    """Defines the flags.

    Args:
        values: where to define them.
    """
    at = {"flag_values": values}
    flags.DEFINE_string(
        "run_dir",
        "runs/default",
        "The folder of the run. It is made anew, or continued if it holds this run already.",
        **at,
    )
    flags.DEFINE_string(
        "start",
        None,
        "The folder of an earlier run whose weights this one begins with, for models that are trained in stages.",
        **at,
    )
    flags.DEFINE_bool(
        "dry_run", False, "Print the data, the parameters and all flags, and stop.", **at
    )
    flags.DEFINE_enum(
        "strategy",
        "one",
        strategies.CHOICES,
        "Train on one device; on a replica for each GPU of this machine (mirrored); on all devices of all workers "
        "that the environment variable TF_CONFIG lists (multiworker); or on all cores of the TPU that TPU_NAME names, by "
        "default this machine's (tpu), which has never been tried on one.",
        **at,
    )
    flags.DEFINE_integer(
        "replicas",
        0,
        "Of --strategy=mirrored: on how many GPUs, or, on a machine without any, on how many parts of the processor; 0 "
        "for all GPUs.",
        lower_bound=0,
        **at,
    )
    flags.DEFINE_integer(
        "steps",
        DEFAULTS.steps,
        "The number of training steps of the whole run, earlier parts included.",
        lower_bound=1,
        **at,
    )
    flags.DEFINE_float(
        "minutes",
        DEFAULTS.minutes,
        "The run ends after so many minutes of training, earlier parts included, even before --steps; 0 for no limit.",
        lower_bound=0.0,
        **at,
    )
    flags.DEFINE_integer(
        "batch_size",
        DEFAULTS.batch_size,
        "The number of tuples in a training step, over all replicas.",
        lower_bound=1,
        **at,
    )
    for name, help in (
        ("log_every", "Write a line of the log every so many steps; 0 for none."),
        ("grid_every", "Write a grid of images every so many steps; 0 for the last one only."),
        ("checkpoint_every", "Save a checkpoint every so many steps; 0 for the last one only."),
        ("evaluate_every", "Evaluate the model by --verifier every so many steps; 0 for never."),
    ):
        flags.DEFINE_integer(name, getattr(DEFAULTS, name), help, lower_bound=0, **at)
    flags.DEFINE_integer(
        "steps_per_execution",
        DEFAULTS.steps_per_execution,
        "How many steps TensorFlow makes in one call, which hides what Python costs beside small steps. Fewer where log "
        "lines, grids, checkpoints or the end would not fall on their steps.",
        lower_bound=1,
        **at,
    )
    flags.DEFINE_string(
        "verifier",
        None,
        "The folder of the verifier that evaluates the model, as `bin/evaluate train-verifier` writes it.",
        **at,
    )
    flags.DEFINE_integer(
        "keep", DEFAULTS.keep, "How many of the newest checkpoints are kept.", lower_bound=1, **at
    )
    flags.DEFINE_string(
        "best_metric",
        DEFAULTS.best_metric,
        "The best checkpoint by this number of the log, such as auc, is kept as well; empty for none.",
        **at,
    )
    flags.DEFINE_enum(
        "best_mode",
        DEFAULTS.best_mode,
        ["min", "max"],
        "Whether the lowest or the highest value of --best_metric is the best.",
        **at,
    )
    flags.DEFINE_enum(
        "on_collapse",
        DEFAULTS.on_collapse,
        ON_COLLAPSE,
        "What to do when the model collapses, which is measured at every log line: warn prints a message, stop ends "
        "the run at the last good checkpoint, and rollback goes on from there with other random numbers, three times "
        "at most.",
        **at,
    )


def schedule(values: flags.FlagValues) -> Schedule:
    """What the flags ask for."""
    return Schedule(**{name: values[name].value for name in Schedule.__dataclass_fields__})


def verifier(values: flags.FlagValues) -> Verifier | None:
    """The verifier that the flags name, where there are evaluations."""
    wanted = values.evaluate_every and values.verifier
    return load_verifier(values.verifier) if wanted else None
