"""What of a run is up to its user, beside the model and the data."""

from __future__ import annotations

import dataclasses

from sdgan_tf.training.evaluation import Evaluation

ON_COLLAPSE = ("warn", "stop", "rollback")


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long to train and how often to write. Nothing of it but `batch_size` changes what is
    learned, and `on_collapse` what comes after a collapse.

    Attributes:
        steps: training steps of the whole run, earlier parts included.
        minutes: of training, likewise, after which the run ends before that; 0 for never.
        batch_size: tuples in a step, over all replicas.
        log_every: steps between log lines, each of which measures whether the model has collapsed.
        grid_every: steps between grids.
        checkpoint_every: steps between checkpoints.
        evaluate_every: steps between evaluations by a verifier, whose numbers the log line of that
            step carries; 0 for none.
        keep: how many of the newest checkpoints stay.
        best_metric: name of the logged number by which the best checkpoint is kept as well.
        best_mode: `"min"` or `"max"`.
        on_collapse: what to do then: `"warn"`; `"stop"` at the last checkpoint from before; or
            `"rollback"`, which goes on from there with other random numbers, three times at most.
    """

    steps: int = 100_000
    minutes: float = 0.0
    batch_size: int = 16
    log_every: int = 100
    grid_every: int = 500
    checkpoint_every: int = 1000
    evaluate_every: int = 0
    keep: int = 3
    best_metric: str = ""
    best_mode: str = "min"
    on_collapse: str = "warn"

    def __post_init__(self):
        if self.on_collapse not in ON_COLLAPSE:
            raise ValueError(f"on_collapse is one of {ON_COLLAPSE}. Received: {self.on_collapse!r}")
        if self.evaluate_every and (not self.log_every or self.evaluate_every % self.log_every):
            raise ValueError(
                "Evaluations are logged, so evaluate_every is a multiple of log_every. "
                f"Received: evaluate_every={self.evaluate_every}, log_every={self.log_every}"
            )
        if self.best_metric in Evaluation.NUMBERS and (
            not self.evaluate_every or self.checkpoint_every % self.evaluate_every
        ):
            raise ValueError(
                f"To choose the best checkpoint by {self.best_metric}, each one has to be evaluated: checkpoint_every "
                f"is a multiple of evaluate_every. Received: checkpoint_every={self.checkpoint_every}, "
                f"evaluate_every={self.evaluate_every}"
            )
