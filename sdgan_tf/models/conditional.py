"""What the paper's baselines share that need to be told who is in a picture: the train step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from sdgan_tf import augmentation, objectives
from sdgan_tf.models import penalties
from sdgan_tf.models.base import AdversarialModel
from sdgan_tf.networks import SiameseDCGANDiscriminator


class ConditionalGAN(AdversarialModel):
    """Base of the models whose identities are those of the training data.

    A step goes through real tuples and says who is in them. The generator makes one picture of each
    of these identities under a new `z_O`. In this base the discriminator sees it as a pair with the
    first real picture of the same identity, against pairs of two real ones; `acgan` has another
    way. The losses are the paper's cross-entropies.

    A subclass names the class of its generator, which says where `z_I` comes from.

    Args:
        training_identities: how many there are in the training data.
        image_size: edge of the pictures in pixels, a power of two from 8.
        channels: 1 or 3.
        dim: width of the networks (paper: 64).
        d_i: width of the identity code.
        d_o: width of the observation code.
        codes: `"uniform"` on [-1, 1] (paper) or `"normal"`.
        norm: of the discriminator: `"batch"` (paper), `"none"` or `"spectral"`.
        r1: later addition: weight of the gradient penalty on real tuples (arXiv 1801.04406), 0 for
            none.
        augment: later addition: DiffAugment operations, such as `"translation,cutout,color"`.
        ema: later addition: decay of the averaged generator, 0 for none.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`; losses and pictures are
            float32 always.
        seed: of the codes and the augmentation, which are pure functions of it and of the step.
    """

    labelled = True
    k = 2
    LOGS = ("d_loss", "g_loss", "d_real", "d_fake")
    ARGUMENTS = (
        "training_identities",
        *(name for name in AdversarialModel.ARGUMENTS if name != "k"),
        *("norm", "r1", "augment"),
    )

    def __init__(
        self,
        training_identities: int,
        image_size: int = 64,
        channels: int = 3,
        dim: int = 64,
        d_i: int = 50,
        d_o: int = 50,
        codes: str = "uniform",
        norm: str = "batch",
        r1: float = 0.0,
        augment: str = "",
        ema: float = 0.0,
        precision: str = "float32",
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(
            image_size, channels, dim, d_i, d_o, self.k, codes, ema, precision, seed, **kwargs
        )
        if training_identities < 2 or min(d_i, d_o) < 1 or r1 < 0:
            raise ValueError(
                "This model knows two identities or more, by identity and observation codes of a dimension or "
                f"more, and the weight of a penalty is not below 0. Received: "
                f"training_identities={training_identities}, d_i={d_i}, d_o={d_o}, r1={r1}"
            )
        self.training_identities = training_identities
        self.norm = norm
        self.r1 = r1
        self.augment = augment
        self._operations = augmentation.parse(augment)
        self._objective = objectives.get("dcgan")
        self.generator = self._make_generator()
        self.identities = self.generator.shown
        self.discriminator = SiameseDCGANDiscriminator(
            self.k, image_size, channels, dim, norm, outputs=self._outputs(), **self._policy()
        )
        self._finish()

    def _generator_options(self) -> dict[str, Any]:
        return {
            "identities": self.training_identities,
            "d_i": self.d_i,
            "code_size": self.latents.size,
            "image_size": self.image_size,
            "channels": self.channels,
            "dim": self.dim,
            **self._policy(),
        }

    def default_optimizers(self) -> tuple[Any, Any]:
        """Adam with rate 2e-4 and beta_1 .5 for both, as in the paper."""
        return self._objective.make_optimizer(), self._objective.make_optimizer()

    # --- how the discriminator sees a generated picture

    def _outputs(self) -> int:
        return 1

    def _fake_tuples(self, pictures: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
        return tf.stack([pictures, real[:, 0]], axis=1)

    def _scores(self, outputs: tf.Tensor) -> tf.Tensor:
        return outputs

    def _naming_loss(self, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """What wrong names of the identities cost: nothing where none are given."""
        return tf.zeros([])

    # --- the step

    def train_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One update of the discriminator, then one of the generator with all that makes `z_I`.

        Args:
            batch: real tuples, uint8 [b, k, h, w, c] from 0 to 255 or float in [-1, 1], and who is in
                them, int64 [b].

        Returns:
            Running means of the losses and of the mean scores of real and fake tuples, float32
            scalars.
        """
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            raise ValueError(
                "This model trains on pairs of tuples and labels, which `data.tuples(labels=True)` gives. "
                f"Received: {type(batch).__name__}"
            )
        real, labels = self._prepare(batch[0]), batch[1]
        self.discriminator.update_spectral_norms()
        logs = self._update_discriminator(real, labels)
        logs["g_loss"] = self._update_generator(real, labels)
        return self._end_step(logs)

    def _imagine(self, real: tf.Tensor, labels: tf.Tensor, stream: str) -> tf.Tensor:
        """A fake tuple for each real one, of the same identity under a new `z_O`."""
        drawn = self.latents.tuples(tf.shape(real)[0], 1, self._random(stream))
        identity = self.generator.identify(real[:, 0], labels, training=True)
        codes = self.latents.join(identity, drawn[:, 0, self.d_i :])
        return self._fake_tuples(self.generator(codes, training=True), real)

    def _update_discriminator(self, real: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        fake = self._imagine(real, labels, "codes of the discriminator")
        # One pass over both, with batch statistics of their own, as in SD-GAN.
        batch = self._augmented(tf.concat([real, fake], 0), "augmentation of the discriminator")
        with tf.GradientTape() as tape:
            outputs = self.discriminator(batch, training=True, groups=2)
            of_real, of_fake = tf.split(tf.cast(outputs, tf.float32), 2)
            scores = self._scores(of_real), self._scores(of_fake)
            loss = self._objective.discriminator_loss(*scores)
            naming = self._naming_loss(of_real, labels) + self._naming_loss(of_fake, labels)
            loss += 0.5 * naming
            if self.r1:
                loss += self.r1 * penalties.zero_centred(self._judge, tf.split(batch, 2)[0])
        found = self._gradients(self.d_optimizer, tape, loss, self.discriminator)
        self._apply(self.d_optimizer, found, self.discriminator)
        return {
            "d_loss": loss,
            "d_real": tf.reduce_mean(scores[0]),
            "d_fake": tf.reduce_mean(scores[1]),
        }

    def _update_generator(self, real: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            fake = self._imagine(real, labels, "codes of the generator")
            batch = self._augmented(fake, "augmentation of the generator")
            outputs = tf.cast(self.discriminator(batch, training=True), tf.float32)
            loss = self._objective.generator_loss(self._scores(outputs))
            loss += self._naming_loss(outputs, labels)
        found = self._gradients(self.g_optimizer, tape, loss, self.generator)
        self._apply(self.g_optimizer, found, self.generator)
        return loss

    def _augmented(self, tuples: tf.Tensor, stream: str) -> tf.Tensor:
        if not self._operations:
            return tuples
        return augmentation.augment(tuples, self._operations, self._random(stream))

    def _judge(self, tuples: tf.Tensor, **options: Any) -> tf.Tensor:
        return self._scores(self.discriminator(tuples, **options))

    # --- what comes out

    def identity_codes(self, seeds: tf.Tensor | Sequence[int]) -> tf.Tensor:
        """The `z_I` of a training identity for each seed: int64 [n] to float32 [n, d_i].

        `identities` seeds in a row show as many identities, and those beyond show them again.
        """
        seeds = tf.convert_to_tensor(seeds, tf.int64)
        # `generate` counts from a multiple of 2**32 on. A multiple of a prime, 2**32 + 15, begins at
        # another identity whatever their number.
        return self.best_generator.known(seeds + 15 * (seeds // 2**32))

    def score(self, images: tf.Tensor) -> tf.Tensor:
        """How much each tuple looks like a real one: uint8 [n, k, h, w, c] to float32 [n], higher =
        more.

        Uses the discriminator's moving statistics, so that a score does not depend on its
        neighbours in the batch.
        """
        return self._judge(self._prepare(tf.convert_to_tensor(images)), training=False)
