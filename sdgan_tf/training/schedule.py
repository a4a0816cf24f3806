"""The schedule of a run: how long it trains, and how often it writes what."""

from __future__ import annotations

import dataclasses
import math

ON_COLLAPSE = ("warn", "stop", "rollback")


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long a run trains, and how often it writes what.

    All of it may be changed when a run is continued, except `batch_size`. It does not change what is learned, except
    for `batch_size`, and for `on_collapse` after a collapse.

    Attributes:
        steps: training steps of the whole run, earlier parts included.
        minutes: minutes of training, earlier parts included, after which the run ends even if there are steps left;
            0 for no limit.
        batch_size: tuples in a step, over all replicas.
        log_every: steps between log lines, each of which also measures whether the model has collapsed; 0 for none.
        grid_every: steps between grids of images; 0 for none but the last.
        checkpoint_every: steps between checkpoints; 0 for none but the last.
        evaluate_every: steps between evaluations by a verifier, whose numbers stand in the log line of their step;
            0 for none.
        keep: how many of the newest checkpoints are kept.
        best_metric: name of the logged number by which the best checkpoint is kept as well; empty for none.
        best_mode: `"min"` or `"max"`: whether the lowest or the highest value of `best_metric` is the best.
        steps_per_execution: how many steps TensorFlow makes in one call, which hides what Python costs beside small
            steps; fewer where log lines, grids, checkpoints or the end would otherwise not fall on their steps, see
            `execution`.
        on_collapse: what to do when the model has collapsed: `"warn"` prints a message; `"stop"` ends the run at the
            last checkpoint from before; `"rollback"` goes on from that checkpoint with other random numbers, three
            times at most.
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
    steps_per_execution: int = 1
    on_collapse: str = "warn"

    def execution(self, start: int) -> int:
        """How many steps one call makes from step `start` on: the most, up to `steps_per_execution`, that divide all
        intervals and what is left.
        """
        every = (self.log_every, self.grid_every, self.checkpoint_every, self.evaluate_every)
        common = math.gcd(start, self.steps, *every)
        sizes = range(min(self.steps_per_execution, common), 0, -1)
        return next(size for size in sizes if common % size == 0)

    def __post_init__(self):
        if self.on_collapse not in ON_COLLAPSE:
            raise ValueError(
                f"on_collapse is one of {ON_COLLAPSE}. Received: on_collapse={self.on_collapse!r}"
            )
        if self.steps_per_execution < 1:
            raise ValueError(
                f"A call makes one step or more. Received: steps_per_execution={self.steps_per_execution}"
            )
        if self.evaluate_every and (not self.log_every or self.evaluate_every % self.log_every):
            raise ValueError(
                "Evaluations are logged, so evaluate_every is a multiple of log_every. "
                f"Received: evaluate_every={self.evaluate_every}, log_every={self.log_every}"
            )
