"""The paper's baselines that need to be told who is in an image (arXiv 1705.07904, section 4.1)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import augmentation, objectives
from sdgan_tf.latents import LatentSpace
from sdgan_tf.models import penalties
from sdgan_tf.models.base import AdversarialModel
from sdgan_tf.models.image_model import in_a_row
from sdgan_tf.models.recognition import Recognition, features_shape
from sdgan_tf.networks import siamese
from sdgan_tf.registry import register


@register("model", "conditional")
class ConditionalGAN(AdversarialModel):
    """A conditional generator whose identities are those of the training data.

    A step goes through real tuples and says who is in them. The generator makes one image of each of these identities
    under a new `z_O`. The losses are the paper's cross-entropies. Four of the paper's baselines are its settings:

    | | `identifier="table"` | `identifier="encoder"` |
    |---|---|---|
    | `told="pairs"` | `TablePairGAN` | `EncoderPairGAN` |
    | `told="names"` | `ACDCGAN` (arXiv 1610.09585) | `DRGAN` (Tran et al., CVPR 2017) |

    Only training identities can be shown. A table, and a discriminator of names, grow with their number.

    Args:
        training_identities: how many there are in the training data.
        identifier: where the identity code comes from: `"table"`, a trained code for each identity; `"encoder"`, a
            code of a real image; or any Keras model that takes images float32 [n, h, w, c] and labels int64 [n] to
            codes float32 [n, d_i] and has `shown` and `known` as `networks.IdentityTable` has.
        told: what the discriminator looks at: `"pairs"`, a generated image beside a real one of the same identity,
            against two real ones; or `"names"`, single images, whose last layer gives a score and a logit for each
            identity.
        generator: the name of a registered network, or any Keras model, see `SDGAN`.
        discriminator: the name of a registered network, or any Keras model of tuples float [n, k, h, w, c], k = 2 for
            pairs and 1 for names, to scores [n], or to [n, 1 + training_identities].
        recogniser: the name of a registered network, or any Keras model of the discriminator's features of single
            images to float [n, d_i + d_o]; made only where `recognise_i` or `recognise_o` is above 0.
        image_size: edge of the images in pixels; a power of two from 8 for the networks that come along.
        channels: 1 or 3.
        d_i: width of the identity code z_I.
        d_o: width of the observation code z_O.
        law: distribution of the codes: `"uniform"` on [-1, 1] (paper) or `"normal"`.
        r1: later addition: weight of the gradient penalty on real tuples (arXiv 1801.04406), 0 for none.
        recognise_i: later addition: weight of the error of a recogniser that reads `z_I` back from each generated
            image, in the losses of both players, 0 for none.
        recognise_o: later addition: the same for `z_O`, which these models otherwise forget.
        augment: later addition: DiffAugment operations, such as `"translation,cutout,color"`.
        ema: later addition: decay of the averaged generator, such as .999, 0 for none.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`; losses and images are float32 always.
        seed: of everything random in training.
        **options: of the named networks, such as `dim=32` or `norm="none"`.

    Example:

    >>> model = ConditionalGAN(10, image_size=32, dim=16, d_i=8, d_o=8)
    >>> model.compile()
    >>> model.generate(identities=2, observations=3).shape
    (2, 3, 32, 32, 3)
    """

    LOGS = ("d_loss", "g_loss", "d_real", "d_fake")
    FIELDS = ("images", "identity")
    KINDS = ("generator", "discriminator", "identifier", "recogniser")

    def __init__(
        self,
        training_identities: int,
        identifier: str | keras.Model = "table",
        told: Literal["pairs", "names"] = "pairs",
        generator: str | keras.Model = "dcgan",
        discriminator: str | keras.Model = "dcgan",
        recogniser: str | keras.Model = "dense",
        image_size: int = 64,
        channels: int = 3,
        d_i: int = 50,
        d_o: int = 50,
        law: Literal["uniform", "normal"] = "uniform",
        r1: float = 0.0,
        recognise_i: float = 0.0,
        recognise_o: float = 0.0,
        augment: str = "",
        ema: float = 0.0,
        precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32",
        seed: int = 0,
        name: str | None = None,
        **options: Any,
    ):
        k = self.tuple_size(told=told)
        latents = LatentSpace.split(d_i, d_o, law)
        super().__init__(latents, image_size, channels, k, ema, precision, seed, options, name=name)
        weights = (r1, recognise_i, recognise_o)
        least = min(d_i, d_o) < 1 or min(weights) < 0
        if training_identities < 2 or least or told not in ("pairs", "names"):
            raise ValueError(
                "This model knows two identities or more, by identity and observation codes of a dimension or more, "
                "is told pairs or names, and no weight is below 0. Received: "
                f"training_identities={training_identities}, d_i={d_i}, d_o={d_o}, told={told!r}, r1={r1}, "
                f"recognise_i={recognise_i}, recognise_o={recognise_o}"
            )
        self.training_identities = training_identities
        self.told = told
        self.d_i, self.d_o, self.law = d_i, d_o, law
        self.r1, self.recognise_i, self.recognise_o = weights
        self.recogniser = recogniser
        self.augment = augment
        self._operations = augmentation.parse(augment)
        self._objective = objectives.get("dcgan")
        size = (image_size, image_size, channels)
        known = {"image_size": image_size, "channels": channels, "code_size": latents.size}
        known |= {"training_identities": training_identities, "d_i": d_i, "law": law, "k": k}
        outputs = 1 + training_identities if told == "names" else 1
        judged = [outputs] if outputs > 1 else []
        labelled = {"images": size, "labels": []}
        self.add("generator", generator, {"codes": [latents.size]}, size, **known)
        self.add("identifier", identifier, labelled, [d_i], {"labels": "int64"}, **known)
        self.add(
            "discriminator", discriminator, {"tuples": [k, *size]}, judged, outputs=outputs, **known
        )
        self.identities = self.identifier.shown
        self._recognition = Recognition(latents, recognise_i, recognise_o)
        players = {"d": ["discriminator"], "g": ["generator", "identifier"]}
        if self._recognition.asked:
            inputs = {"features": features_shape(self.discriminator, k, size)}
            self.add("recogniser", recogniser, inputs, [latents.size], **known)
            players["d"].append("recogniser")
        averaged = ("generator", "identifier")
        self.play(players, averaged=averaged, logs=list(self._recognition.asked))

    @classmethod
    def tuple_size(cls, **arguments: Any) -> int:
        return 1 if arguments.get("told") == "names" else 2

    def default_optimizers(self) -> dict[str, Any]:
        """Adam with rate 2e-4 and beta_1 .5 for both, as in the paper."""
        return {player: self._objective.make_optimizer() for player in self.players}

    # --- how the discriminator sees a generated image

    def _scores(self, outputs: tf.Tensor) -> tf.Tensor:
        return outputs[:, 0] if self.told == "names" else outputs

    def _naming_loss(self, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """What wrong names of the identities cost: nothing where none are given."""
        if self.told == "pairs":
            return tf.zeros([])
        costs = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs[:, 1:])
        return tf.reduce_mean(costs)

    def _read(
        self, features: tf.Tensor, codes: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """What it costs to read codes back from features [n, k, ...] of fake tuples, whose first image is generated."""
        if not self._recognition.asked:
            return tf.zeros([]), {}
        # Codes of identities are learned themselves: they shall not come to meet the reader.
        return self._recognition.cost(self.recogniser, features[:, 0], tf.stop_gradient(codes))

    def _imagine(
        self, real: tf.Tensor, labels: tf.Tensor, stream: str
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """A fake tuple for each real one, of the same identity under a new `z_O`; and the codes, [n, d_i + d_o]."""
        drawn = self.latents.tuples(tf.shape(real)[0], 1, self.random(stream))
        identity = self.identifier(real[:, 0], labels, training=True)
        codes = self.latents.join(identity, drawn[:, 0, self.latents.d_i :])
        images = self.generator(codes, training=True)
        if self.told == "names":
            return images[:, tf.newaxis], codes
        return tf.stack([images, real[:, 0]], axis=1), codes

    # --- the step

    def train_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """One update of the discriminator, then one of the generator with all that makes `z_I`.

        Args:
            batch: `images`, real tuples, uint8 [b, k, h, w, c] from 0 to 255 or float in [-1, 1]; and `identity`,
                int64 [b], who is in them.

        Returns:
            Running means of the losses and of the mean scores of real and fake tuples, float32
            scalars.
        """
        fields = self.fields(batch)
        real, labels = fields["images"], fields["identity"]
        getattr(self.discriminator, "begin_step", lambda: None)()
        logs = self._update_discriminator(real, labels)
        logs["g_loss"] = self._update_generator(real, labels)
        return self.end_step(logs)

    def _update_discriminator(self, real: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        fake, codes = self._imagine(real, labels, "codes of the discriminator")
        # One pass over both, with batch statistics of their own, as in SD-GAN.
        seed = self.random("augmentation of the discriminator")
        batch = augmentation.augment(tf.concat([real, fake], 0), self._operations, seed)
        classes = tf.split(batch, 2)
        with tf.GradientTape() as tape:
            features = siamese.features_of(self.discriminator, classes)
            of_real, of_fake = siamese.scores_of(self.discriminator, features)
            scores = self._scores(of_real), self._scores(of_fake)
            loss = self._objective.discriminator_loss(*scores)
            naming = self._naming_loss(of_real, labels) + self._naming_loss(of_fake, labels)
            recognition, costs = self._read(features[1], codes)
            loss += 0.5 * naming + recognition
            if self.r1:
                loss += self.r1 * penalties.zero_centred(self._score, classes[0])
        self.move("d", tape, loss)
        return {
            "d_loss": loss,
            "d_real": tf.reduce_mean(scores[0]),
            "d_fake": tf.reduce_mean(scores[1]),
            **costs,
        }

    def _update_generator(self, real: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            fake, codes = self._imagine(real, labels, "codes of the generator")
            seed = self.random("augmentation of the generator")
            batch = augmentation.augment(fake, self._operations, seed)
            features = siamese.features_of(self.discriminator, [batch])
            (outputs,) = siamese.scores_of(self.discriminator, features)
            loss = self._objective.generator_loss(self._scores(outputs))
            loss += self._naming_loss(outputs, labels) + self._read(features[0], codes)[0]
        self.move("g", tape, loss)
        return loss

    def _score(self, tuples: tf.Tensor, training: bool = True, track: bool = False) -> tf.Tensor:
        return self._scores(siamese.score(self.discriminator, tuples, training, track))

    # --- what comes out

    def identity_codes(self, seeds: tf.Tensor | Sequence[int]) -> tf.Tensor:
        """The `z_I` of a training identity for each seed: int64 [n] to float32 [n, d_i].

        `identities` seeds in a row show as many identities, and those beyond show them again.
        """
        return self.best("identifier").known(in_a_row(seeds))

    def score(self, images: tf.Tensor) -> tf.Tensor:
        return self._score(self.checked_tuples(images), training=False)


ACDCGAN = functools.partial(ConditionalGAN, identifier="table", told="names")
DRGAN = functools.partial(ConditionalGAN, identifier="encoder", told="names")
TablePairGAN = functools.partial(ConditionalGAN, identifier="table", told="pairs")
EncoderPairGAN = functools.partial(ConditionalGAN, identifier="encoder", told="pairs")
