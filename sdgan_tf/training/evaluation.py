"""Measures a model by a verifier while it trains."""

from __future__ import annotations

from typing import Any

from sdgan_tf.evaluation import Verifier, check_verifier, generator_metrics
from sdgan_tf.training.periodic import EverySteps

# Chooses the best checkpoint by other codes than those that `bin/evaluate` then measures it by, whatever small number is its
# seed: the best of many on the very codes of the test would look better than it is.
SEED = 2**30


class Evaluation(EverySteps):
    """Measures pairs of the model's own images, always of the same codes, which are others than those of `bin/evaluate`.

    Adds to the logged numbers, for the callbacks that come later in the list: `auc`,
    `auc_same_observation`, `id_div` and `all_div`, see `sdgan_tf.evaluation.generator_metrics`.

    Args:
        verifier: measures the images; it may be None for `every=0`.
        every: steps between measurements; 0 for none.
        pairs: how many pairs there are; half of them are matched.
        seed: of their codes.

    Raises:
        ValueError: when training begins, if the verifier cannot measure images of this kind.
    """

    # The names of what is added.
    NUMBERS = ("auc", "auc_same_observation", "id_div", "all_div")

    def __init__(
        self, verifier: Verifier | None, every: int = 1000, pairs: int = 500, seed: int = SEED
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
