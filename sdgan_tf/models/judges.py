"""Who judges the tuples of SD-GAN, by what it sees in their images, and what it pays for its scores."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from sdgan_tf.models import penalties
from sdgan_tf.models.identity_features import strangers, truly_strangers
from sdgan_tf.objectives import Objective


class Judge(NamedTuple):
    """A network that tells real tuples from generated ones.

    Attributes:
        name: of the network.
        sees: what looks at each image for it: `"discriminator"`, the towers of its own, or `"embedder"`.
        weight: of its adversarial loss.
        mixed: weight of real tuples of mixed identities as further fakes, in parts of its loss.
        strangers: whether it compares two identities that share `z_O`, in place of the tuples of one.
    """

    name: str
    sees: str
    weight: float = 1.0
    mixed: float = 0.0
    strangers: bool = False

    def classes(self, seen: list[tf.Tensor], mix: bool) -> list[tf.Tensor]:
        """What it compares: tuples, or pairs of strangers.

        Args:
            seen: what is seen in each image of several classes of tuples, [n, k, ...] of each.
            mix: whether the first class is mixed into one more, where it pays for those.
        """
        if self.strangers:
            return [strangers(features) for features in seen]
        return [*seen, penalties.mix(seen[0])] if self.mixed and mix else seen

    def loss(
        self,
        objective: Objective,
        scores: list[tf.Tensor],
        real: tf.Tensor,
        identity: tf.Tensor | None = None,
        looked_at: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """What it pays, its weight included, as a float32 scalar.

        Args:
            objective: the adversarial loss.
            scores: of real, fake and, where there are any, mixed tuples, float32 [about n] each.
            real: the real tuples, [n, k, ...].
            identity: int64 [n], who is in each; None where that is not known.
            looked_at: weights of the real tuples, float32 [n], where it does not look at all of them.
        """
        weights = truly_strangers(real, identity, looked_at) if self.strangers else looked_at
        loss = objective.discriminator_loss(scores[0], scores[1], weights)
        if self.mixed:
            weights = penalties.truly_mixed(real, identity, looked_at)
            loss += self.mixed * objective.negative_loss(scores[0], scores[2], weights)
        return self.weight * loss

    def chance(self, objective: Objective) -> float:
        """What it pays where it guesses."""
        zero = tf.zeros([1])
        loss = objective.discriminator_loss(zero, zero)
        loss += self.mixed * objective.negative_loss(zero, zero)
        return self.weight * float(loss)
