"""Run: where, how long, how often to write."""

from __future__ import annotations

from absl import flags

from sdgan_tf.evaluation import Verifier, load_verifier
from sdgan_tf.training import Schedule
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
        "The folder of the run: made anew, or continued where it holds this run.",
        **at,
    )
    flags.DEFINE_bool(
        "dry_run", False, "Print the resolved configuration, parameters and data, and stop.", **at
    )
    flags.DEFINE_enum(
        "strategy",
        "one",
        ["one", "mirrored"],
        "One device, or a replica on each GPU of this machine.",
        **at,
    )
    flags.DEFINE_integer(
        "steps",
        DEFAULTS.steps,
        "Training steps, earlier parts of the run included.",
        lower_bound=1,
        **at,
    )
    flags.DEFINE_float(
        "minutes",
        DEFAULTS.minutes,
        "Minutes of training, earlier parts included, after which the run ends before --steps; 0 for never.",
        lower_bound=0.0,
        **at,
    )
    flags.DEFINE_integer(
        "batch_size",
        DEFAULTS.batch_size,
        "Tuples in a step, over all replicas.",
        lower_bound=1,
        **at,
    )
    for name, help in (
        ("log_every", "Steps between log lines."),
        ("grid_every", "Steps between grids; 0 for none but the last."),
        ("checkpoint_every", "Steps between checkpoints; 0 for none but the last."),
        ("evaluate_every", "Steps between evaluations by --verifier; 0 for none."),
    ):
        flags.DEFINE_integer(name, getattr(DEFAULTS, name), help, lower_bound=0, **at)
    flags.DEFINE_string(
        "verifier",
        None,
        "The verifier that measures, such as `bin/evaluate train-verifier` writes.",
        **at,
    )
    flags.DEFINE_integer(
        "keep", DEFAULTS.keep, "How many of the newest checkpoints stay.", lower_bound=1, **at
    )
    flags.DEFINE_string(
        "best_metric",
        DEFAULTS.best_metric,
        "Logged number by which the best checkpoint is kept too.",
        **at,
    )
    flags.DEFINE_enum(
        "best_mode", DEFAULTS.best_mode, ["min", "max"], "Which of its values is better.", **at
    )
    flags.DEFINE_enum(
        "on_collapse",
        DEFAULTS.on_collapse,
        ON_COLLAPSE,
        "When the model collapses, as every log line measures: say so; stop at the last good checkpoint; "
        "or go on from there with other random numbers, three times at most.",
        **at,
    )


def schedule(values: flags.FlagValues) -> Schedule:
    """What the flags ask for."""
    return Schedule(**{name: values[name].value for name in Schedule.__dataclass_fields__})


def verifier(values: flags.FlagValues) -> Verifier | None:
    """The verifier that the flags name, where there are evaluations."""
    wanted = values.evaluate_every and values.verifier
    return load_verifier(values.verifier) if wanted else None
