"""Who judges the tuples of SD-GAN, by what it sees in their images, and what it pays for its scores."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from sdgan_tf.models import penalties
from sdgan_tf.models.identity_features import IdentityFeatures
from sdgan_tf.models.penalties import Regularizers
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


def chosen(regularizers: Regularizers, asked: IdentityFeatures) -> list[Judge]:
    """The judges that are asked for: the discriminator, and those that compare what the embedder sees."""
    mixed = regularizers.mixed
    judges = [Judge("discriminator", "discriminator", mixed=mixed)]
    if asked.identity_features:
        judges.append(Judge("matcher", "embedder", asked.identity_features, mixed))
    if asked.strangers:
        judges.append(Judge("stranger_matcher", "embedder", asked.strangers, strangers=True))
    return judges


def strangers(tuples: tf.Tensor) -> tf.Tensor:
    """Pairs of two identities, each image of the first half of the tuples beside its fellow of the second half, which
    has its observation code after `share_observations`: [n, k, ...] to [about n * k / 2, 2, ...].

    Raises:
        ValueError: a batch that is known to hold a single tuple.
    """
    if tuples.shape[0] == 1:
        raise ValueError(
            "Strangers are two tuples, so a replica needs two or more in its batch: raise batch_size. Received: 1 tuple"
        )
    half = tf.shape(tuples)[0] // 2
    pairs = tf.stack([tuples[:half], tuples[half : 2 * half]], 2)
    return tf.reshape(pairs, [-1, 2, *tuples.shape[2:]])


def truly_strangers(
    tuples: tf.Tensor, identity: tf.Tensor | None, weights: tf.Tensor | None = None
) -> tf.Tensor | None:
    """Weights of what `strangers` makes of real tuples [n, k, ...]: 0 where both are one identity after all, otherwise
    the product of the tuples' own `weights`, float32 [n], if there are any: float32 [about n * k / 2]; None where
    `identity`, int64 [n], is not known.
    """
    if identity is None:
        return None
    half = tf.shape(identity)[0] // 2
    pairs = tf.cast(tf.not_equal(identity[:half], identity[half : 2 * half]), tf.float32)
    if weights is not None:
        pairs *= weights[:half] * weights[half : 2 * half]
    return tf.repeat(pairs, tuples.shape[1])
