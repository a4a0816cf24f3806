"""Training in a run directory: checkpoints, log, grids, exact resume."""

from sdgan_tf.training.callbacks import BadLoss, IdentityGrid, Interrupted
from sdgan_tf.training.checkpoints import CheckpointError, Checkpoints
from sdgan_tf.training.collapse import Collapsed
from sdgan_tf.training.run_directory import RunDirectory, RunError
from sdgan_tf.training.runner import describe, load_run, train
from sdgan_tf.training.schedule import Schedule

__all__ = [
    "BadLoss",
    "CheckpointError",
    "Checkpoints",
    "Collapsed",
    "IdentityGrid",
    "Interrupted",
    "RunDirectory",
    "RunError",
    "Schedule",
    "describe",
    "load_run",
    "train",
]
