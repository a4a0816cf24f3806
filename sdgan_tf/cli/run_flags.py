"""Run: where, how long, how often to write."""

from __future__ import annotations

from absl import flags

from sdgan_tf.evaluation import Verifier, load_verifier
from sdgan_tf.training import Schedule
from sdgan_tf.training.schedule import ON_COLLAPSE

FLAGS = flags.FLAGS
DEFAULTS = Schedule()

flags.DEFINE_string("run_dir", "runs/default", "Where the run is kept, and continued from.")
flags.DEFINE_bool(
    "dry_run", False, "Print the resolved configuration, parameters and data, and stop."
)
flags.DEFINE_enum(
    "strategy", "one", ["one", "mirrored"], "One device, or a replica on each GPU of this machine."
)
flags.DEFINE_integer(
    "steps", DEFAULTS.steps, "Training steps, earlier parts of the run included.", lower_bound=1
)
flags.DEFINE_float(
    "minutes",
    DEFAULTS.minutes,
    "Minutes of training, earlier parts included, after which the run ends before --steps; 0 for never.",
    lower_bound=0.0,
)
flags.DEFINE_integer(
    "batch_size", DEFAULTS.batch_size, "Tuples in a step, over all replicas.", lower_bound=1
)
for _name, _help in (
    ("log_every", "Steps between log lines."),
    ("grid_every", "Steps between grids; 0 for none but the last."),
    ("checkpoint_every", "Steps between checkpoints; 0 for none but the last."),
    ("evaluate_every", "Steps between evaluations by --verifier; 0 for none."),
):
    flags.DEFINE_integer(_name, getattr(DEFAULTS, _name), _help, lower_bound=0)
flags.DEFINE_string("verifier", None, "The judge that bin/evaluate train-verifier wrote.")
flags.DEFINE_integer(
    "keep", DEFAULTS.keep, "How many of the newest checkpoints stay.", lower_bound=1
)
flags.DEFINE_string(
    "best_metric", DEFAULTS.best_metric, "Logged number by which the best checkpoint is kept too."
)
flags.DEFINE_enum("best_mode", DEFAULTS.best_mode, ["min", "max"], "Which of its values is better.")
flags.DEFINE_enum(
    "on_collapse",
    DEFAULTS.on_collapse,
    ON_COLLAPSE,
    "When the model collapses, as every log line measures: say so; stop at the last good checkpoint; "
    "or go on from there with other random numbers, three times at most.",
)


def schedule() -> Schedule:
    """What the flags ask for."""
    return Schedule(**{name: getattr(FLAGS, name) for name in Schedule.__dataclass_fields__})


def judge() -> Verifier | None:
    """The verifier that the flags name, where there are evaluations."""
    wanted = FLAGS.evaluate_every and FLAGS.verifier
    return load_verifier(FLAGS.verifier) if wanted else None
