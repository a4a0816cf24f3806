"""Whether the discriminator sees identity at all, which is what it has to teach the generator."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import tensorflow as tf

from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation import verification
from sdgan_tf.models import AdversarialModel, penalties
from sdgan_tf.training.periodic import EverySteps

# Tuples of each kind; scores are noisy to about .03 with so many.
TUPLES = 128
# Below it, after the grace period, the discriminator is called blind to identity.
LEAST_AUC = 0.6
GRACE = 2000
# The verifier's AUC of pairs that share z_O alone, above which identity is said to be in z_O.
MOST_IN_OBSERVATION = 0.7


def measurable(model: AdversarialModel, data: IdentityData | None) -> bool:
    """Whether there are tuples to mix: of two images or more, of two identities or more, and a model that scores."""
    scores = type(model).score is not AdversarialModel.score
    return scores and model.k > 1 and data is not None and np.sum(data.counts >= model.k) > 1


class MatchWatch(EverySteps):
    """Measures how well the discriminator tells matched real tuples from mixed ones, always the same.

    Adds to the logged numbers, for the callbacks that come later in the list, the areas under the curve of its scores:
    `match_auc` of training identities and `match_auc_unseen` of others. At .5 the discriminator sees no identity, and so
    the generator learns none, unless a matcher on identity features sees to that. Says so, once, after a grace period; and
    likewise when a verifier's number, where there is one, shows that identity lies in `z_O`.

    Args:
        train: training data.
        unseen: other identities, or None.
        every: steps between measurements.
        seed: which tuples.
    """

    def __init__(
        self, train: IdentityData, unseen: IdentityData | None, every: int = 100, seed: int = 0
    ):
        super().__init__(every)
        self.data = {"match_auc": train, "match_auc_unseen": unseen}
        self.seed = seed

    def measured(self, model: AdversarialModel) -> list[str]:
        """The names of the numbers that are added for `model`."""
        return [name for name, data in self.data.items() if measurable(model, data)]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self._told: set[str] = set()
        names = self.measured(self.model) if self.every else []
        self._tuples = {name: self._draw(self.data[name]) for name in names}

    def _draw(self, data: IdentityData) -> tuple[np.ndarray, np.ndarray]:
        """Matched tuples and mixed ones of the same images: uint8 [n, k, h, w, c] each."""
        batch = next(iter(data.tuples(self.model.k, TUPLES, self.seed).take(1)))
        truly = penalties.truly_mixed(batch["images"], batch["identity"]).numpy() > 0
        return batch["images"].numpy(), penalties.mix(batch["images"]).numpy()[truly]

    def run(self, step: int, logs: dict[str, Any]) -> None:
        for name, kinds in self._tuples.items():
            matched, mixed = (self.model.score(tf.constant(tuples)).numpy() for tuples in kinds)
            # The verifier's measure is of distances: small ones match.
            logs[name] = float(verification.auc(-matched, -mixed))
        if step < GRACE:
            return
        if logs.get("match_auc", 1.0) < LEAST_AUC and "matcher" not in self.model.networks:
            self._say(
                f"Step {step:,}: the discriminator does not see who is in an image (match_auc {logs['match_auc']:.2f}, .5 "
                "is chance), so rows will not be one identity each. identity_features=, a greater mixed= or a lower d_rate= help."
            )
        if logs.get("auc_same_observation", 0.0) > MOST_IN_OBSERVATION:
            self._say(
                f"Step {step:,}: identity lies in z_O (AUC {logs['auc_same_observation']:.2f} of pairs that share z_O alone, "
                ".5 is best). A greater strangers= beside identity_features=, or a greater mixed= helps."
            )

    def _say(self, message: str) -> None:
        kind = message.split(": ", 1)[1][:20]
        if kind not in self._told:
            self._told.add(kind)
            print(message, file=sys.stderr, flush=True)
