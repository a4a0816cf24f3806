"""Stacked GAN: a GAN for each level of a classifier, trained one after another and then together (arXiv 1612.04357)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat, objectives
from sdgan_tf.latents import LatentSpace, Part
from sdgan_tf.models.base import AdversarialModel
from sdgan_tf.networks import sgan, siamese
from sdgan_tf.networks.recogniser import DenseRecogniser
from sdgan_tf.registry import register

# The networks that each stage moves, by player.
PLAYERS = {
    "encoder": {"e": ["encoder"]},
    "top": {
        "top_d": ["feature_discriminator", "feature_recogniser"],
        "top_g": ["feature_generator"],
    },
    "bottom": {"d": ["discriminator", "recogniser"], "g": ["generator"]},
}
PLAYERS["joint"] = {**PLAYERS["top"], **PLAYERS["bottom"]}
# Weight of the mean square of the features in the classifier's loss. Without it they grow: the generator's noise is lost
# beside them, and a small mistake in them costs much. With it they have the size of the released classifier's.
FEATURE_PENALTY = 0.1
LOGS = {
    "encoder": ("e_loss", "accuracy"),
    "top": ("top_d_loss", "top_g_loss", "top_condition", "top_entropy"),
    "bottom": ("d_loss", "g_loss", "condition", "entropy", "accuracy"),
}
LOGS["joint"] = (*LOGS["top"], *LOGS["bottom"])


@register("model", "stacked")
class StackedGAN(AdversarialModel):
    """Labels to features of a classifier, and features to images: two stacked GANs of single images.

    A run trains one stage, and goes on with the weights of the run of an earlier one (`bin/train --start=RUN`):

    1. `"encoder"`: a classifier of the labels. It stays as it is from then on.
    2. `"top"`: a generator of its features, from a label and noise.
    3. `"bottom"`: a generator of images, from the features of real images and noise.
    4. `"joint"`: both, the lower one on the features that the upper one makes.

    A generator's loss is that of its discriminator, that of the classifier, which shall find the label or the features
    again, and that of a head of the discriminator, which shall find the noise again.

    Args:
        training_identities: how many labels there are: the identities of the training data.
        stage: what this run trains: the classifier, the generator of its features, that of images, or both generators.
        labelled: whether the upper generator is told a label, as in the paper. Without one it imagines the features of new
            identities from noise alone, and rows of images are these.
        noise_top: width of the noise of the upper generator, uniform.
        noise_bottom: width of the noise of the lower one, uniform.
        condition: weight of the classifier's loss.
        entropy: weight of the loss of finding the noise again, in the losses of both players.
        crossing: weight of the lower generator's loss in the upper one's, in joint training. 0 as the released code of
            digits has it, whose joint training sends no gradient from one level to the other; .01 as that of CIFAR-10.
        image_size: edge of the images in pixels, a multiple of 4 from 16 on.
        channels: 1 or 3.
        ema: later addition: decay of the averaged generators, such as .999, 0 for none.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`; losses and images are float32 always.
        seed: of everything random in training.
        **options: of the networks: `dim=16` for half the width.

    Example:

    >>> model = StackedGAN(10, dim=2)
    >>> model.compile()
    >>> model.generate(identities=10, observations=2).shape
    (10, 2, 28, 28, 1)
    """

    FIELDS = ("images", "identity")
    KINDS = ("generator", "discriminator")

    def __init__(
        self,
        training_identities: int,
        stage: Literal["encoder", "top", "bottom", "joint"] = "joint",
        labelled: bool = True,
        noise_top: int = 50,
        noise_bottom: int = 50,
        condition: float = 1.0,
        entropy: float = 10.0,
        crossing: float = 0.01,
        image_size: int = 28,
        channels: int = 1,
        ema: float = 0.0,
        precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32",
        seed: int = 0,
        name: str | None = None,
        **options: Any,
    ):
        label = [Part("label", max(training_identities, 2), "categorical")] if labelled else []
        latents = LatentSpace([*label, Part("top", noise_top)], [Part("bottom", noise_bottom)])
        super().__init__(latents, image_size, channels, 1, ema, precision, seed, options, name=name)
        weights = (condition, entropy, crossing)
        if training_identities < 2 or stage not in PLAYERS or min(weights) < 0:
            raise ValueError(
                f"There are two labels or more, the stage is one of {tuple(PLAYERS)}, and no weight is below 0. "
                f"Received: training_identities={training_identities}, stage={stage!r}, condition={condition}, "
                f"entropy={entropy}, crossing={crossing}"
            )
        self.training_identities = training_identities
        self.stage = stage
        self.labelled = labelled
        self.noise_top, self.noise_bottom = noise_top, noise_bottom
        self.condition, self.entropy, self.crossing = weights
        self.needs_start = stage != "encoder"
        self.shows_images = stage in ("bottom", "joint")
        self.labels = training_identities if labelled and self.shows_images else None
        self._objective = objectives.get("dcgan")
        self._add_networks()
        self.LOGS = _logs(stage, labelled)
        self.play(PLAYERS[stage], averaged=("generator", "feature_generator"))

    def _add_networks(self) -> None:
        size = (self.image_size, self.image_size, self.channels)
        policy = {"dtype": keras_compat.policy(self.precision)}
        images, dim = (
            {"image_size": self.image_size, "channels": self.channels},
            self.options.get("dim", 32),
        )
        width, labels = sgan.features_of(dim), self.training_identities
        encoder = sgan.SGANEncoder(labels, **images, dim=dim, **policy)
        self.add("encoder", encoder, {"images": size}, [labels])
        codes = self.latents.d_i
        network = sgan.SGANFeatureGenerator(codes, dim, **policy)
        self.add("feature_generator", network, {"codes": [codes]}, [width])
        codes = width + self.noise_bottom
        self.add("generator", "sgan", {"codes": [codes]}, size, code_size=codes, **images)
        network = sgan.SGANFeatureDiscriminator(dim, **policy)
        self.add("feature_discriminator", network, {"features": [width]}, [1])
        self.add("discriminator", "sgan", {"tuples": [1, *size]}, [], **images)
        noises = {"feature_recogniser": self.noise_top, "recogniser": self.noise_bottom}
        for name, noise in noises.items():
            self.add(name, DenseRecogniser(noise, **policy), {"features": [width]}, [noise])

    def default_optimizers(self) -> dict[str, Any]:
        """Adam with rate 1e-4 and beta_1 .5, as in the released code, but with epsilon outside the root; for the
        encoder, whose training was not released, Keras' own with rate 1e-3.
        """
        return {
            player: keras.optimizers.Adam(1e-3)
            if player == "e"
            else keras.optimizers.Adam(1e-4, beta_1=0.5, epsilon=1e-8)
            for player in self.players
        }

    # --- the levels

    def _split(self, codes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Codes of the upper and of the lower generator: labels as they are, noise from 0 to 1 as released."""
        label, noise = self._parted(codes)
        noise = (noise + 1) / 2
        top, bottom = tf.split(noise, [self.noise_top, self.noise_bottom], axis=1)
        return tf.concat([label, top], 1), bottom

    def _parted(self, codes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The label, which is no number wide where there is none, and all that comes after it."""
        width = self.training_identities if self.labelled else 0
        return codes[:, :width], codes[:, width:]

    def call(self, codes: tf.Tensor, training: bool = False) -> tf.Tensor:
        top, bottom = self._split(codes)
        features = self.best("feature_generator")(top, training=training)
        return self.best("generator")(tf.concat([features, bottom], 1), training=training)

    def _codes(self, labels: tf.Tensor, stream: str) -> tuple[tf.Tensor, tf.Tensor]:
        codes = self.draw(tf.shape(labels)[0], stream)
        if self.labelled:
            label = tf.one_hot(labels, self.training_identities)
            codes = tf.concat([label, self._parted(codes)[1]], 1)
        return self._split(codes)

    def _rebuilt(self, recogniser: keras.Model, seen: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """The mean squared error of the noise that a head reads: what a lack of entropy costs."""
        return tf.reduce_mean(tf.square(tf.sigmoid(recogniser(seen, training=True)) - noise))

    def _judge_features(self, features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        seen = self.feature_discriminator.look(features)
        return seen, self.feature_discriminator.judge(seen)[:, 0]

    def _judge_images(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        (seen,) = siamese.features_of(self.discriminator, [images[:, tf.newaxis]])
        return seen[:, 0], siamese.scores_of(self.discriminator, [seen])[0]

    def _judged(self, judge, recogniser, player: str, real, fake, noise) -> tf.Tensor:
        """One update of a discriminator with its head; returns its loss."""
        with tf.GradientTape() as tape:
            _, of_real = judge(real)
            seen, of_fake = judge(fake)
            loss = self._objective.discriminator_loss(of_real, of_fake)
            loss += self.entropy * self._rebuilt(recogniser, seen, noise)
        self.move(player, tape, loss)
        return loss

    # --- the step

    def train_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """One update of what the stage trains, discriminators first.

        Args:
            batch: `images`, real images as tuples of one, uint8 [b, 1, h, w, c] from 0 to 255 or float in [-1, 1]; and
                `identity`, int64 [b], their labels.

        Returns:
            Running means of the stage's numbers: losses; `condition`, what it costs to find label or features again, and
            `entropy`, the noise; `accuracy`, how many images show their label to the encoder; float32 scalars.
        """
        fields = self.fields(batch)
        images, labels = fields["images"][:, 0], fields["identity"]
        if self.stage == "encoder":
            return self.end_step(self._update_encoder(images, labels))
        features = tf.stop_gradient(self.encoder.features(images))
        logs = self._update_discriminators(images, features, labels)
        return self.end_step({**logs, **self._update_generators(features, labels)})

    def _update_encoder(self, images: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            features = self.encoder.features(images)
            logits = self.encoder.classify(features)
            costs = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(costs) + FEATURE_PENALTY * tf.reduce_mean(tf.square(features))
        self.move("e", tape, loss)
        return {"e_loss": loss, "accuracy": _accuracy(labels, logits)}

    def _update_discriminators(
        self, images: tf.Tensor, features: tf.Tensor, labels: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        top, bottom = self._codes(labels, "codes of the discriminators")
        (_, noise), logs, given = self._parted(top), {}, features
        if self.stage != "bottom":
            made = self.feature_generator(top, training=True)
            judge, reader = self._judge_features, self.feature_recogniser
            logs["top_d_loss"] = self._judged(judge, reader, "top_d", features, made, noise)
            given = made
        if self.stage != "top":
            fake = self.generator(tf.concat([given, bottom], 1), training=True)
            judge, reader = self._judge_images, self.recogniser
            logs["d_loss"] = self._judged(judge, reader, "d", images, fake, bottom)
        return logs

    def _update_generators(self, features: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        top, bottom = self._codes(labels, "codes of the generators")
        logs, given = {}, features
        with tf.GradientTape(persistent=True) as tape:
            if self.stage != "bottom":
                given = self.feature_generator(top, training=True)
                upper, costs = self._loss_of_features(given, top, labels)
                logs.update(costs)
            if self.stage != "top":
                known = labels if self.labelled or self.stage == "bottom" else None
                lower, costs = self._loss_of_images(given, bottom, known)
                logs.update(costs)
            if self.stage == "joint":
                upper += self.crossing * lower
        if self.stage != "bottom":
            gradients = self.gradients("top_g", tape, upper)
        if self.stage != "top":
            self.move("g", tape, lower)
        if self.stage != "bottom":
            self.apply_gradients("top_g", gradients)
        return logs

    def _loss_of_features(self, made, top, labels) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        seen, score = self._judge_features(made)
        entropy = self._rebuilt(self.feature_recogniser, seen, self._parted(top)[1])
        loss = self._objective.generator_loss(score) + self.entropy * entropy
        logs = {"top_entropy": entropy}
        if self.labelled:
            logits = self.encoder.classify(made)
            costs = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            logs["top_condition"] = tf.reduce_mean(costs)
            loss += self.condition * logs["top_condition"]
        return loss, {**logs, "top_g_loss": loss}

    def _loss_of_images(self, given, bottom, labels) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The lower generator's loss; `labels` is None where nobody knows whom `given` shows."""
        images = self.generator(tf.concat([given, bottom], 1), training=True)
        seen, score = self._judge_images(images)
        found = self.encoder.features(images)
        condition = tf.reduce_mean(tf.square(found - given))
        entropy = self._rebuilt(self.recogniser, seen, bottom)
        loss = self._objective.generator_loss(score)
        loss += self.condition * condition + self.entropy * entropy
        logs = {"g_loss": loss, "condition": condition, "entropy": entropy}
        if labels is not None:
            logs["accuracy"] = _accuracy(labels, self.encoder.classify(found))
        return loss, logs

    # --- what comes out

    def calibration_codes(self, seeds: Sequence[int]) -> tf.Tensor:
        """What the lower generator takes: features, and noise from 0 to 1."""
        top, bottom = self._split(super().calibration_codes(seeds))
        return tf.concat([self.best("feature_generator")(top), bottom], 1)

    def identity_codes(self, seeds: tf.Tensor | Sequence[int]) -> tf.Tensor:
        """A label and the noise of the features for each seed: seeds in a row show one label after another, those that
        `generate` counts from the first label on.
        """
        codes = super().identity_codes(seeds)
        if not self.labelled:
            return codes
        seeds = tf.convert_to_tensor(seeds, tf.int64)
        labels = tf.one_hot(seeds % 2**32 % self.training_identities, self.training_identities)
        return tf.concat([labels, self._parted(codes)[1]], 1)

    def read(self, images: np.ndarray, batch_size: int = 256) -> dict[str, np.ndarray]:
        """What the encoder takes images for: uint8 [n, h, w, c] to `category`, probabilities float32 [n, labels]."""
        parts = []
        for start in range(0, len(images), batch_size):
            tuples = np.asarray(images[start : start + batch_size])[:, np.newaxis]
            parts.append(tf.nn.softmax(self.encoder(self.checked_tuples(tuples)[:, 0])).numpy())
        return {"category": np.concatenate(parts)}

    def score(self, images: tf.Tensor) -> tf.Tensor:
        return siamese.score(self.discriminator, self.checked_tuples(images), training=False)


def _logs(stage: str, labelled: bool) -> tuple[str, ...]:
    """The numbers of a stage; nobody says whom imagined features show where there is no label."""
    unknown = ("top_condition", "accuracy") if stage == "joint" else ("top_condition",)
    return tuple(name for name in LOGS[stage] if labelled or name not in unknown)


def _accuracy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    right = tf.equal(tf.argmax(logits, 1, tf.int64), labels)
    return tf.reduce_mean(tf.cast(right, tf.float32))
