"""SD-GAN: Semantically Decomposing the Latent Spaces of GANs, with DCGAN networks (arXiv
1705.07904, algorithm 1).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import augmentation, keras_compat, objectives
from sdgan_tf.keras_compat import register
from sdgan_tf.models import penalties
from sdgan_tf.models.base import AdversarialModel
from sdgan_tf.networks import DCGANGenerator, SiameseDCGANDiscriminator

# Of the discriminator, below which it has nothing left to teach: its slopes are about as small.
LEAST_LOSS = 0.005


@register
class SDGAN(AdversarialModel):
    """SD-DCGAN: a generator of `[z_I; z_O]` against a Siamese discriminator of k-tuples.

    A step draws real tuples (k different pictures of one identity) and fake ones (k codes that
    share `z_I`), updates the discriminator, draws new codes and updates the generator. The defaults
    are the paper's SD-DCGAN; what stands under "later additions" is off in them.

    Args:
        image_size: edge of the pictures in pixels, a power of two from 8.
        channels: 1 or 3.
        dim: width of the networks (paper: 64).
        d_i: width of the identity code.
        d_o: width of the observation code.
        k: pictures in a tuple (paper: 2, and 4).
        codes: `"uniform"` on [-1, 1] (paper) or `"normal"`.
        objective: the adversarial loss: `"dcgan"` (paper), `"lsgan"`, `"wgan"`, `"wgan-gp"`,
            `"hinge"` or `"relativistic"`, each with its customary optimizers and critic steps.
        norm: of the discriminator: `"batch"` (paper), `"none"`, `"spectral"` or
            `"spectral-addons"`.
        towers: of the discriminator: `"siamese"` (paper) or `"stacked"` (its SC variant).
        join: of the towers: `"conv"` (paper) or `"dense"`.
        join_layers: how many joint layers (paper: 1).
        d_init: first weights of the discriminator: `"dcgan"` (paper); later addition:
            `"he_normal"`, for a discriminator without batch norm.
        critic_steps: updates of the discriminator for one of the generator; 0 for the objective's
            custom.
        mixed: later addition: weight of real tuples of mixed identities as further fakes (0 for
            none). The paper has no such class; with few identities it is what makes the
            discriminator look at identity.
        r1: later addition: weight of the gradient penalty on real tuples (arXiv 1801.04406), 0 for
            none.
        r2: later addition: the same on fake tuples.
        r1_every: apply both at every so many steps only, that many times as strong (arXiv
            1912.04958).
        lecam: later addition: weight of the LeCam regulariser (arXiv 2104.03310), 0 for none.
        augment: later addition: DiffAugment operations, such as `"translation,cutout,color"`.
        ema: later addition: decay of the averaged generator, 0 for none.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`; losses and pictures are
            float32 always.
        seed: of the codes and the augmentation, which are pure functions of it and of the step.

    Example:

    >>> model = SDGAN(image_size=32, dim=16, d_i=8, d_o=8)
    >>> model.compile()
    >>> model.generate(identities=2, observations=3).shape
    (2, 3, 32, 32, 3)
    """

    LOGS = ("d_loss", "g_loss", "d_real", "d_fake")
    ARGUMENTS = (
        *AdversarialModel.ARGUMENTS,
        *("objective", "norm", "towers", "join", "join_layers", "d_init", "critic_steps"),
        *("mixed", "r1", "r2", "r1_every", "lecam", "augment"),
    )

    def __init__(
        self,
        image_size: int = 64,
        channels: int = 3,
        dim: int = 64,
        d_i: int = 50,
        d_o: int = 50,
        k: int = 2,
        codes: str = "uniform",
        objective: str = "dcgan",
        norm: str = "batch",
        towers: str = "siamese",
        join: str = "conv",
        join_layers: int = 1,
        d_init: str = "dcgan",
        critic_steps: int = 0,
        mixed: float = 0.0,
        r1: float = 0.0,
        r2: float = 0.0,
        r1_every: int = 16,
        lecam: float = 0.0,
        augment: str = "",
        ema: float = 0.0,
        precision: str = "float32",
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(
            image_size, channels, dim, d_i, d_o, k, codes, ema, precision, seed, **kwargs
        )
        self.objective = objective
        self.norm = norm
        self.towers = towers
        self.join = join
        self.join_layers = join_layers
        self.d_init = d_init
        self.critic_steps = critic_steps
        self.mixed = mixed
        self.r1 = r1
        self.r2 = r2
        self.r1_every = r1_every
        self.lecam = lecam
        self.augment = augment
        self._objective = objectives.get(objective)
        self._operations = augmentation.parse(augment)
        self._check_options()

        self.generator = self._make_generator()
        self.discriminator = SiameseDCGANDiscriminator(
            k, image_size, channels, dim, norm, towers, join, join_layers, d_init, **self._policy()
        )
        if lecam:
            self.anchors = keras_compat.add_weight(
                self, "anchors", [2], trainable=False, autocast=False
            )
        self._finish()

    def _check_options(self) -> None:
        if self.mixed and self.k < 2:
            raise ValueError(
                f"Mixed tuples need two pictures or more. Received: mixed={self.mixed}, k={self.k}"
            )
        if (
            min(self.mixed, self.r1, self.r2, self.lecam, self.critic_steps) < 0
            or self.r1_every < 1
        ):
            raise ValueError(
                "Weights and critic steps are 0 or more, and a lazy penalty comes at every step or more "
                f"seldom. Received: mixed={self.mixed}, r1={self.r1}, r2={self.r2}, "
                f"lecam={self.lecam}, critic_steps={self.critic_steps}, r1_every={self.r1_every}"
            )
        if self._objective.penalty and self.norm == "batch":
            raise ValueError(
                f"{self.objective} bounds the gradient at each tuple by itself, but batch norm makes a "
                "score depend on the whole batch: take norm='none'. Received: norm='batch'"
            )

    def _make_generator(self) -> keras.Model:
        return DCGANGenerator(
            self.latents.size, self.image_size, self.channels, self.dim, **self._policy()
        )

    def default_optimizers(self) -> tuple[Any, Any]:
        """The objective's customary ones; for `"dcgan"` Adam with rate 2e-4 and beta_1 .5, as in
        the paper.
        """
        return self._objective.make_optimizer(), self._objective.make_optimizer()

    def state(self) -> dict[str, Any]:
        return {**super().state(), **({"anchors": self.anchors} if self.lecam else {})}

    def train_step(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """One update of the discriminator, then one of the generator if its turn has come.

        Args:
            images: uint8 [b, k, h, w, c] from 0 to 255, or float in [-1, 1]: real tuples.

        Returns:
            Running means of the losses and of the mean scores of real and fake tuples, float32
            scalars.
        """
        real = self._prepare(images)
        every = self.critic_steps or self._objective.critic_steps
        if every > 1 and tf.distribute.get_strategy().num_replicas_in_sync > 1:
            raise ValueError(
                "Replicas cannot meet in a generator's update that is left out at some steps: train on "
                f"one device, or with critic_steps=1. Received: {every} critic steps"
            )
        self.discriminator.update_spectral_norms()
        logs = self._update_discriminator(real)
        if every == 1:
            logs["g_loss"] = self._update_generator(real)
        else:
            turn = tf.equal((tf.convert_to_tensor(self.step) + 1) % every, 0)
            logs["g_loss"] = tf.cond(
                turn,
                lambda: self._update_generator(real),
                # Of the mean scores: about what the update would have found, at no cost.
                lambda: self._objective.generator_loss(logs["d_fake"], logs["d_real"]),
            )
        return self._end_step(logs)

    def imbalance(self, logs: Mapping[str, float]) -> list[str]:
        loss = logs["d_loss"]
        if loss >= LEAST_LOSS or not self._objective.bounded:
            return []
        return [f"the discriminator tells all fakes (d_loss {loss:.4f}, below {LEAST_LOSS})"]

    def _update_discriminator(self, real: tf.Tensor) -> dict[str, tf.Tensor]:
        codes = self._draw(tf.shape(real)[0], "codes of the discriminator")
        fake = self._tuples(self.generator(codes, training=True))
        # One pass over all classes, with batch statistics of their own: the numbers of separate
        # passes, but faster.
        batch = self._augmented(tf.concat([real, fake], 0), "augmentation of the discriminator")
        with tf.GradientTape() as tape:
            scores = self.discriminator(batch, training=True, groups=2, mixed=bool(self.mixed))
            parts = tf.split(tf.cast(scores, tf.float32), 3 if self.mixed else 2)
            loss = self._objective.discriminator_loss(parts[0], parts[1])
            if self.mixed:
                loss += self.mixed * self._objective.negative_loss(parts[0], parts[2])
            if self.lecam:
                loss += self.lecam * penalties.lecam(self.anchors, parts[0], parts[1])
        found = self._gradients(self.d_optimizer, tape, loss, self.discriminator)
        found = self._add_penalties(found, *tf.split(batch, 2))
        self._apply(self.d_optimizer, found, self.discriminator)
        if self._objective.clip:
            self._clip_weights()
        return {
            "d_loss": loss,
            "d_real": tf.reduce_mean(parts[0]),
            "d_fake": tf.reduce_mean(parts[1]),
        }

    def _update_generator(self, real: tf.Tensor) -> tf.Tensor:
        codes = self._draw(tf.shape(real)[0], "codes of the generator")
        with tf.GradientTape() as tape:
            fake = self._tuples(self.generator(codes, training=True))
            classes = [fake, real] if self._objective.pairing else [fake]
            batch = self._augmented(tf.concat(classes, 0), "augmentation of the generator")
            scores = self.discriminator(batch, training=True, groups=len(classes))
            loss = self._objective.generator_loss(*tf.split(scores, len(classes)))
        found = self._gradients(self.g_optimizer, tape, loss, self.generator)
        self._apply(self.g_optimizer, found, self.generator)
        return loss

    def _add_penalties(self, found: list[tf.Tensor], real, fake) -> list[tf.Tensor]:
        """Adds the gradients of the penalties on the discriminator's slope, on the steps that have
        one.
        """
        if self._objective.penalty:
            seed = self._random("interpolation of the penalty")
            extra = self._slopes_of(
                self._objective.penalty, penalties.one_centred, real, fake, seed
            )
            found = [old + new for old, new in zip(found, extra)]
        due = tf.equal(tf.convert_to_tensor(self.step) % self.r1_every, 0)
        for weight, tuples in ((self.r1, real), (self.r2, fake)):
            if weight:
                scale = weight * self.r1_every
                extra = tf.cond(
                    due,
                    functools.partial(self._slopes_of, scale, penalties.zero_centred, tuples),
                    lambda found=found: [tf.zeros_like(slope) for slope in found],
                )
                # Added out here: a sum of three in a condition is what TensorFlow rewrites to a
                # temporary variable, which the next such step finds still there.
                found = [old + new for old, new in zip(found, extra)]
        return found

    def _slopes_of(
        self, weight: float, penalty: Callable[..., tf.Tensor], *of: tf.Tensor
    ) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            value = weight * penalty(self.discriminator, *of)
        return self._gradients(self.d_optimizer, tape, value, self.discriminator)

    def _clip_weights(self) -> None:
        bound = self._objective.clip
        for layer in (
            *self.discriminator.tower,
            *self.discriminator.joint,
            self.discriminator.finish,
        ):
            layer = getattr(layer, "layer", layer)  # what a wrapper of TensorFlow Addons holds
            # Not batch norm's scale, as the released code does: clipped, it would shrink every map
            # to .01.
            for variable in (layer.kernel, layer.bias):
                value = tf.convert_to_tensor(variable)
                variable.assign(tf.clip_by_value(value, -bound, bound))

    def _augmented(self, tuples: tf.Tensor, stream: str) -> tf.Tensor:
        if not self._operations:
            return tuples
        return augmentation.augment(tuples, self._operations, self._random(stream))

    def score(self, images: tf.Tensor) -> tf.Tensor:
        """How much each tuple looks like a real matched one: uint8 [n, k, h, w, c] to float32 [n],
        higher = more.

        Uses the discriminator's moving statistics, so that a score does not depend on its
        neighbours in the batch.
        """
        return self.discriminator(self._prepare(tf.convert_to_tensor(images)), training=False)
