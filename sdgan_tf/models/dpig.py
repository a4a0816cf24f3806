"""Disentangled Person Image Generation, stage I: a person, a background and a pose, taken apart and put together again
(arXiv 1712.02621).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import objectives
from sdgan_tf.learning_rates import HalvingRate
from sdgan_tf.models.image_model import in_a_row
from sdgan_tf.models.person_model import PersonModel
from sdgan_tf.networks import siamese
from sdgan_tf.networks.pose import POSE
from sdgan_tf.registry import register


@register("model", "dpig")
class DPIG(PersonModel):
    """Learns to rebuild images of people from what they look like, what is behind them, and how they stand.

    An encoder makes a code of the regions around a person's keypoints and one of the background; a generator paints
    both in the pose that the keypoints tell. Each image is rebuilt, so no two images of a person are needed; the
    discriminator looks at single images. What a person looks like is the identity code, background and pose together
    are the observation code, so that a grid's columns put all its rows into one pose before one background.

    Codes have no law of their own here: seeds stand for codes of the training images that the encoder remembers, and
    where a row's and a column's seed are the same, for one image.

    Args:
        training_identities: how many identities the model is trained on.
        generator: the name of a registered network, or any Keras model of codes float [n, 32 * regions + background +
            54] to images.
        discriminator: the name of a registered network, or any Keras model of tuples float [n, 1, h, w, c] to scores.
        encoder: the name of a registered network, or any Keras model that takes and gives what `PersonEncoder` does,
            with its `known` and `shown`.
        image_size: edge of the images in pixels.
        channels: 1 or 3.
        regions: how many regions of a person are encoded, by 32 numbers each; see `PersonEncoder`.
        background: width of the code of the background, 0 for none.
        discriminator_dim: channels of the discriminator's first map; `dim` is that of the other networks.
        l1: weight of the mean absolute difference between an image and the one that is rebuilt of it (released code:
            20).
        l1_person: later addition: how much more of it the pixels of the person count, those of the mask (arXiv 1705.09368
            has 1). A person is a small part of an image.
        ema: later addition: decay of the averages of generator and encoder, such as .999, 0 for none.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`; losses and images are float32 always.
        seed: of the first weights.
        **options: of the named networks, such as `dim=16` or `levels=4`.

    Example:

    >>> model = DPIG(4, image_size=32, dim=4, levels=3, tower_levels=3, crop_size=16, regions=4, background=16)
    >>> model.compile()
    >>> model.generate(identities=2, observations=3).shape
    (2, 3, 32, 32, 3)
    """

    LOGS = ("d_loss", "g_loss", "l1_loss", "d_real", "d_fake")

    def __init__(
        self,
        training_identities: int,
        generator: str | keras.Model = "person",
        discriminator: str | keras.Model = "dcgan",
        encoder: str | keras.Model = "person",
        image_size: int = 64,
        channels: int = 3,
        regions: int = 7,
        background: int = 128,
        discriminator_dim: int = 64,
        l1: float = 20.0,
        l1_person: float = 0.0,
        ema: float = 0.0,
        precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32",
        seed: int = 0,
        name: str | None = None,
        **options: Any,
    ):
        super().__init__(
            POSE,
            {"generator": generator, "encoder": encoder, "discriminator": discriminator},
            training_identities,
            regions,
            background,
            discriminator_dim,
            image_size,
            channels,
            options,
            ema=ema,
            precision=precision,
            seed=seed,
            name=name,
        )
        if min(l1, l1_person) < 0:
            raise ValueError(
                f"The weight of a difference is not below 0. Received: l1={l1}, l1_person={l1_person}"
            )
        self.l1, self.l1_person = l1, l1_person
        self._objective = objectives.get("dcgan")
        self.identities = self.observations = self.encoder.shown
        players = {"d": ["discriminator"], "g": ["encoder", "generator"]}
        self.play(players, averaged=("generator", "encoder"))

    def default_optimizers(self) -> dict[str, Any]:
        """Adam with beta_1 .5 for both, at a rate of 2e-5 that halves at every 50,000 steps, as in the released code."""
        return {
            player: keras.optimizers.Adam(HalvingRate(2e-5, 50_000, 0.0), beta_1=0.5, epsilon=1e-8)
            for player in self.players
        }

    # --- the step

    def train_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """One update of the encoder and the generator, then one of the discriminator.

        Args:
            batch: `images`, uint8 [b, 1, h, w, c] from 0 to 255 or float in [-1, 1]; `identity`, int64 [b]; `keypoints`,
                float32 [b, 1, 18, 3], row, column and visible in pixels; and `mask`, uint8 [b, 1, h, w, 1], 1 where the
                person is.

        Returns:
            Running means of the losses, of the mean absolute difference and of the mean scores of real and rebuilt
            images, float32 scalars.
        """
        fields = self.fields(batch)
        real = fields["images"]
        poses = self.poses(fields["keypoints"][:, 0])
        masks = tf.cast(fields["mask"][:, 0], tf.float32)
        with tf.GradientTape() as tape:
            codes = self.encoder(real[:, 0], masks, poses, fields["identity"], training=True)
            rebuilt = self.generator(tf.concat([codes, poses], -1), training=True)[:, tf.newaxis]
            differences = tf.abs(rebuilt - real)
            weighted = differences * (1.0 + self.l1_person * masks[:, tf.newaxis])
            score = siamese.score(self.discriminator, rebuilt, track=False)
            g_loss = self._objective.generator_loss(score) + self.l1 * tf.reduce_mean(weighted)
        self.move("g", tape, g_loss)
        getattr(self.discriminator, "begin_step", lambda: None)()
        with tf.GradientTape() as tape:
            features = siamese.features_of(self.discriminator, [real, tf.stop_gradient(rebuilt)])
            scores = siamese.scores_of(self.discriminator, features)
            d_loss = self._objective.discriminator_loss(*scores)
        self.move("d", tape, d_loss)
        logs = {"d_loss": d_loss, "g_loss": g_loss, "l1_loss": tf.reduce_mean(differences)}
        return self.end_step(
            {**logs, "d_real": tf.reduce_mean(scores[0]), "d_fake": tf.reduce_mean(scores[1])}
        )

    # --- what goes in and comes out

    def encode(
        self, images: np.ndarray, keypoints: np.ndarray, masks: np.ndarray, batch_size: int = 64
    ) -> tuple[np.ndarray, np.ndarray]:
        codes = self.codes_of(images, keypoints, masks, batch_size)
        codes = np.concatenate([codes, self.pose_codes(keypoints)], axis=-1)
        return codes[:, : self.latents.d_i], codes[:, self.latents.d_i :]

    def pose_codes(self, keypoints: np.ndarray) -> np.ndarray:
        return self.poses(keypoints).numpy()

    def poses_of(self, codes: tf.Tensor) -> tf.Tensor:
        return codes

    def identity_codes(self, seeds: tf.Tensor | Sequence[int]) -> tf.Tensor:
        """What a training person looks like, for each seed: int64 [n] to float32 [n, d_i]."""
        return self._known(seeds)[:, : self.latents.d_i]

    def observation_codes(self, seeds: tf.Tensor | Sequence[int]) -> tf.Tensor:
        """Background and pose of a training image for each seed: int64 [n] to float32 [n, d_o]."""
        return self._known(seeds)[:, self.latents.d_i :]

    def _known(self, seeds: tf.Tensor | Sequence[int]) -> tf.Tensor:
        return self.best("encoder").known(in_a_row(seeds))
