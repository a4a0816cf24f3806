"""Numbers to follow a run by."""

from __future__ import annotations

from typing import Any

from sdgan_tf.evaluation import Verifier, check_verifier, generator_metrics
from sdgan_tf.training.periodic import EverySteps


class Evaluation(EverySteps):
    """Measures pairs of the model's own pictures, always of the same codes.

    Adds to the logged numbers, for the callbacks that come later in the list: `auc`,
    `auc_same_observation`, `id_div` and `all_div`, see `sdgan_tf.evaluation.generator_metrics`.

    Args:
        verifier: the judge; None will do for `every=0`.
        every: steps between measurements; 0 for none.
        pairs: how many, half of them matched.
        seed: of their codes.

    Raises:
        ValueError: when training begins, for pictures that cannot be measured.
    """

    # What is added.
    NUMBERS = ("auc", "auc_same_observation", "id_div", "all_div")

    def __init__(
        self, verifier: Verifier | None, every: int = 1000, pairs: int = 500, seed: int = 0
    ):
        super().__init__(every)
        self.verifier = verifier
        self.pairs = pairs
        self.seed = seed

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        if self.every:
            check_verifier(self.verifier, self.model.image_size, self.model.channels)

    def run(self, step: int, logs: dict[str, Any]) -> None:
        average = self.model.networks.get("averaged_generator")
        weights = average.get_weights() if average else None
        self.model.recalibrate()
        logs.update(generator_metrics(self.model, self.verifier, self.pairs, self.seed))
        # Training goes on as if nobody had looked.
        if average:
            average.set_weights(weights)
