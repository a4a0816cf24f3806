"""SD-GAN: Semantically Decomposing the Latent Spaces of GANs, with DCGAN networks (arXiv 1705.07904, algorithm 1)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import augmentation, objectives
from sdgan_tf.keras_compat import register
from sdgan_tf.models.base import AdversarialModel
from sdgan_tf.networks import DCGANGenerator, SiameseDCGANDiscriminator


@register
class SDGAN(AdversarialModel):
    """SD-DCGAN: a generator of `[z_I; z_O]` against a Siamese discriminator of k-tuples.

    A step draws real tuples (k different pictures of one identity) and fake ones (k codes that share `z_I`), updates the
    discriminator, draws new codes and updates the generator. The defaults are the paper's SD-DCGAN; what
    stands under "later additions" is off in them.

    Args:
        image_size: edge of the pictures in pixels, a power of two from 8.
        channels: 1 or 3.
        dim: width of the networks (paper: 64).
        d_i: width of the identity code.
        d_o: width of the observation code.
        k: pictures in a tuple (paper: 2, and 4).
        codes: `"uniform"` on [-1, 1] (paper) or `"normal"`.
        objective: the adversarial loss: `"dcgan"`.
        norm: of the discriminator: `"batch"` (paper) or `"none"`.
        mixed: later addition: weight of real tuples of mixed identities as further fakes (0 for none). The paper has no
            such class; with few identities it is what makes the discriminator look at identity.
        r1: later addition: weight of the gradient penalty on real tuples (arXiv 1801.04406), 0 for none.
        r1_every: apply it at every so many steps only, that many times as strong (arXiv 1912.04958).
        augment: later addition: DiffAugment operations, such as `"translation,cutout,color"`.
        ema: later addition: decay of the averaged generator, 0 for none.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`; losses and pictures are float32 always.
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
        *("objective", "norm", "mixed", "r1", "r1_every", "augment"),
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
        mixed: float = 0.0,
        r1: float = 0.0,
        r1_every: int = 16,
        augment: str = "",
        ema: float = 0.0,
        precision: str = "float32",
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(
            image_size, channels, dim, d_i, d_o, k, codes, ema, precision, seed, **kwargs
        )
        if mixed and k < 2:
            raise ValueError(f"Mixed tuples need two pictures or more. Received: mixed={mixed}, k={k}")
        if mixed < 0 or r1 < 0 or r1_every < 1:
            raise ValueError(
                "Weights are 0 or more, and a lazy penalty comes at every step or more seldom. "
                f"Received: mixed={mixed}, r1={r1}, r1_every={r1_every}"
            )
        self.objective = objective
        self.norm = norm
        self.mixed = mixed
        self.r1 = r1
        self.r1_every = r1_every
        self.augment = augment
        self._objective = objectives.get(objective)
        self._operations = augmentation.parse(augment)

        self.generator = self._make_generator()
        self.discriminator = SiameseDCGANDiscriminator(
            k, image_size, channels, dim, norm, **self._policy()
        )
        self._finish()

    def _make_generator(self) -> keras.Model:
        return DCGANGenerator(
            self.latents.size, self.image_size, self.channels, self.dim, **self._policy()
        )

    def default_optimizers(self) -> tuple[Any, Any]:
        """Adam with rate 2e-4 and beta_1 .5 for both, as in the paper."""
        return keras.optimizers.Adam(2e-4, beta_1=0.5), keras.optimizers.Adam(2e-4, beta_1=0.5)

    def train_step(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """One update of the discriminator, then one of the generator.

        Args:
            images: uint8 [b, k, h, w, c] from 0 to 255, or float in [-1, 1]: real tuples.

        Returns:
            Running means of the losses and of the mean scores of real and fake tuples, float32 scalars.
        """
        real = self._prepare(images)
        d_loss, d_real, d_fake = self._update_discriminator(real)
        g_loss = self._update_generator(tf.shape(real)[0])
        return self._end_step(
            {"d_loss": d_loss, "g_loss": g_loss, "d_real": d_real, "d_fake": d_fake}
        )

    def _update_discriminator(self, real: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        codes = self._draw(tf.shape(real)[0], "codes of the discriminator")
        fake = self._tuples(self.generator(codes, training=True))
        classes = [real, fake]
        if self.mixed:
            classes.append(mix_identities(real))
        # One pass over all classes, with batch statistics of their own: the numbers of separate passes, but faster.
        batch = self._augmented(tf.concat(classes, 0), "augmentation of the discriminator")
        with tf.GradientTape() as tape:
            scores = self.discriminator(batch, training=True, groups=len(classes))
            parts = tf.split(tf.cast(scores, tf.float32), len(classes))
            loss = self._objective.discriminator_loss(parts[0], parts[1])
            if self.mixed:
                loss += self.mixed * tf.reduce_mean(self._objective.fake(parts[2]))
        found = self._gradients(self.d_optimizer, tape, loss, self.discriminator)
        if self.r1:
            found = self._add_penalty(found, tf.split(batch, len(classes))[0])
        self._apply(self.d_optimizer, found, self.discriminator)
        return loss, tf.reduce_mean(parts[0]), tf.reduce_mean(parts[1])

    def _add_penalty(self, found: list[tf.Tensor], real: tf.Tensor) -> list[tf.Tensor]:
        """Adds the gradients of the lazy R1 penalty on the steps that have one."""

        def penalised():
            with tf.GradientTape() as outer:
                with tf.GradientTape() as inner:
                    inner.watch(real)
                    # Replicas cannot meet inside a condition, as moving statistics would have them do.
                    scores = self.discriminator(real, training=True, track=False)
                slopes = tf.cast(inner.gradient(scores, real), tf.float32)
                norms = tf.reduce_sum(tf.square(slopes), axis=[1, 2, 3, 4])
                penalty = 0.5 * self.r1 * self.r1_every * tf.reduce_mean(norms)
            extra = self._gradients(self.d_optimizer, outer, penalty, self.discriminator)
            return [a + b for a, b in zip(found, extra)]

        due = tf.equal(tf.convert_to_tensor(self.step) % self.r1_every, 0)
        return tf.cond(due, penalised, lambda: found)

    def _update_generator(self, count: tf.Tensor) -> tf.Tensor:
        codes = self._draw(count, "codes of the generator")
        with tf.GradientTape() as tape:
            fake = self._tuples(self.generator(codes, training=True))
            fake = self._augmented(fake, "augmentation of the generator")
            loss = self._objective.generator_loss(self.discriminator(fake, training=True))
        self._apply(
            self.g_optimizer,
            self._gradients(self.g_optimizer, tape, loss, self.generator),
            self.generator,
        )
        return loss

    def _augmented(self, tuples: tf.Tensor, stream: str) -> tf.Tensor:
        if not self._operations:
            return tuples
        return augmentation.augment(tuples, self._operations, self._random(stream))

    def score(self, images: tf.Tensor) -> tf.Tensor:
        """How much each tuple looks like a real matched one: uint8 [n, k, h, w, c] to float32 [n], higher = more.

        Uses the discriminator's moving statistics, so that a score does not depend on its neighbours in the batch.
        """
        return self.discriminator(self._prepare(tf.convert_to_tensor(images)), training=False)


def mix_identities(tuples: tf.Tensor) -> tf.Tensor:
    """Real pictures in tuples of two identities: the second half of each tuple comes from the next one in the batch.

    Args:
        tuples: float [n, k, h, w, c], k at least 2.

    Returns:
        The same shape.
    """
    keep = tuples.shape[1] // 2
    return tf.concat([tuples[:, :keep], tf.roll(tuples[:, keep:], 1, axis=0)], axis=1)
