"""InfoGAN: codes that a head of the discriminator reads back, learned without any label (arXiv 1606.03657)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import augmentation, objectives
from sdgan_tf.images import to_float
from sdgan_tf.latents import LatentSpace, Part
from sdgan_tf.models import penalties
from sdgan_tf.models.base import AdversarialModel
from sdgan_tf.models.image_model import in_a_row
from sdgan_tf.networks import siamese
from sdgan_tf.registry import register

# Learned variances lie within exp(-6) and exp(6): standard deviations of .05 to 20 where codes lie in [-1, 1].
MOST_LOG_VARIANCE = 6.0


@register("model", "infogan")
class InfoGAN(AdversarialModel):
    """A GAN of single images whose categorical and continuous codes a recogniser reads off its images.

    Both players maximise `L_I = H(c) - E[-log Q(c|x)]`, a lower bound of the information that an image holds of the
    code, beside the adversarial loss. The recogniser Q is a head on the discriminator's trunk and is moved with it. The
    identity block of the code are the categories, so that rows of a grid show one each; the observation block are the
    continuous codes and noise that nobody reads. Without categories the noise is the identity block. The defaults are
    the released code's for digits; what is called a later addition is off in them.

    Args:
        generator: the name of a registered network, or any Keras model, see `SDGAN`.
        discriminator: the name of a registered network, or a Keras model written as a
            `networks.SiameseDiscriminator` for tuples of one image.
        recogniser: the name of a registered network, or any Keras model of the discriminator's features of single
            images to float32 [n, logits + 2 * continuous]: logits of the categories, then means, then logarithms of
            variances.
        categories: of each categorical code.
        categorical: how many categorical codes there are.
        continuous: how many continuous codes there are, uniform on [-1, 1].
        noise: width of the noise.
        law: distribution of the noise: `"uniform"` on [-1, 1] (released code) or `"normal"`.
        variance: of the Gaussian by which continuous codes are read: `"fixed"` at 1 (released code), or `"learned"`
            (paper).
        recognise_i: lambda of the categorical codes: the weight of `L_I` in the losses of both players.
        recognise_o: lambda of the continuous codes. At 0 the head learns to read what the others do without it: the
            control.
        image_size: edge of the images in pixels.
        channels: 1 or 3.
        r1: later addition: weight of the gradient penalty on real images (arXiv 1801.04406), 0 for none.
        augment: later addition: DiffAugment operations, such as `"translation,cutout,color"`.
        ema: later addition: decay of the averaged generator, such as .999, 0 for none.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`; losses and images are float32 always.
        seed: of everything random in training.
        **options: of the named networks, such as `dim=32` or `layout="color"`.

    Example:

    >>> model = InfoGAN(dim=4)
    >>> model.compile()
    >>> model.generate(identities=10, observations=3).shape
    (10, 3, 28, 28, 1)
    """

    LOGS = ("d_loss", "g_loss", "d_real", "d_fake")
    KINDS = ("generator", "discriminator", "recogniser")

    def __init__(
        self,
        generator: str | keras.Model = "infogan",
        discriminator: str | keras.Model = "infogan",
        recogniser: str | keras.Model = "infogan",
        categories: int = 10,
        categorical: int = 1,
        continuous: int = 2,
        noise: int = 62,
        law: Literal["uniform", "normal"] = "uniform",
        variance: Literal["fixed", "learned"] = "fixed",
        recognise_i: float = 1.0,
        recognise_o: float = 1.0,
        image_size: int = 28,
        channels: int = 1,
        r1: float = 0.0,
        augment: str = "",
        ema: float = 0.0,
        precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32",
        seed: int = 0,
        name: str | None = None,
        **options: Any,
    ):
        latents = _latents(categories, categorical, continuous, noise, law)
        super().__init__(latents, image_size, channels, 1, ema, precision, seed, options, name=name)
        if min(recognise_i, recognise_o, r1) < 0 or variance not in ("fixed", "learned"):
            raise ValueError(
                "Weights are 0 or more, and the variance is fixed or learned. Received: "
                f"recognise_i={recognise_i}, recognise_o={recognise_o}, r1={r1}, variance={variance!r}"
            )
        self.categories, self.categorical, self.continuous = categories, categorical, continuous
        self.noise, self.law, self.variance = noise, law, variance
        self.recognise_i, self.recognise_o = recognise_i, recognise_o
        self.recogniser = recogniser
        self.r1 = r1
        self.augment = augment
        self._operations = augmentation.parse(augment)
        self._objective = objectives.get("dcgan")
        self.identities = categories**categorical if categorical else None
        self.traversed = [("continuous", index + 1) for index in range(continuous)]
        self.read_parts = {
            part.name: part
            for block in latents.parts.values()
            for part in block
            if part.name != "noise"
        }
        size = (image_size, image_size, channels)
        known = {"image_size": image_size, "channels": channels, "k": 1}
        self.add(
            "generator", generator, {"codes": [latents.size]}, size, code_size=latents.size, **known
        )
        # No layers that would join the images of a tuple: there is one.
        self.add("discriminator", discriminator, {"tuples": [1, *size]}, [], join_layers=0, **known)
        features = siamese.features_of(self.discriminator, [tf.zeros([1, 1, *size])], False)[0]
        outputs = categories * categorical + 2 * continuous
        shape = {"features": features.shape[2:]}
        self.add("recogniser", recogniser, shape, [outputs], code_size=outputs, **known)
        logs = [f"{what}_{part}" for part in self.read_parts for what in ("information", "entropy")]
        self.play({"d": ["discriminator", "recogniser"], "g": ["generator"]}, logs=logs)

    def default_optimizers(self) -> dict[str, Any]:
        """Adam with beta_1 .5 and the rates 2e-4 for the discriminator and 1e-3 for the generator, as released."""
        rates = {"d": 2e-4, "g": 1e-3}
        return {
            player: keras.optimizers.Adam(rate, beta_1=0.5, epsilon=1e-8)
            for player, rate in rates.items()
        }

    # --- what is read

    def _readings(self, outputs: tf.Tensor) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """Logits or means, and the logarithm of the variance, of each part that is read, by name."""
        logits = self.categories * self.categorical
        means, logs = tf.split(outputs[:, logits:], 2, axis=1)
        # Unbounded, a single reading that is surely wrong costs more than float32 can tell.
        logs = MOST_LOG_VARIANCE * tf.tanh(logs / MOST_LOG_VARIANCE)
        if self.variance == "fixed":
            logs = tf.zeros_like(logs)
        readings = {}
        for index, part in enumerate(self.read_parts.values()):
            if part.law == "categorical":
                start = index * self.categories
                readings[part.name] = outputs[:, start : start + self.categories], tf.zeros([])
            else:
                readings[part.name] = means, logs
        return readings

    def _weight(self, part: Part) -> float:
        return self.recognise_i if part.law == "categorical" else self.recognise_o

    def _recognition(
        self, features: tf.Tensor, codes: tf.Tensor, parts: Sequence[Part]
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """What it costs to read parts of the codes, and what is logged of it.

        Args:
            features: of fake images, [n, 1, ...].
            codes: that they were made of, float32 [n, d_i + d_o].
            parts: some of those that are read.

        Returns:
            Nats of each part, and the logs.
        """
        if not parts:
            return {}, {}
        readings = self._readings(self.recogniser(features[:, 0], training=True))
        costs, logs = {}, {}
        for part in parts:
            told, (read, log_variance) = (
                codes[:, self.latents.slices[part.name]],
                readings[part.name],
            )
            costs[part.name] = objectives.code_length(part.law, told, read, log_variance)
            if part.law != "categorical" and self.variance == "fixed":
                # The bound holds for any Q: here that of the variance that the errors have.
                errors = tf.reduce_mean(tf.square(told - read), 0)
                length = objectives.code_length(part.law, told, read, tf.math.log(errors + 1e-12))
            else:
                length = costs[part.name]
            entropy = objectives.entropy(part.law, part.width)
            logs[f"information_{part.name}"] = entropy - length
            logs[f"entropy_{part.name}"] = tf.constant(entropy)
        return costs, logs

    # --- the step

    def train_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """One update of discriminator and recogniser, then one of the generator with new codes.

        Args:
            batch: `images`, real images as tuples of one, uint8 [b, 1, h, w, c] from 0 to 255 or float in [-1, 1].

        Returns:
            Running means of the losses, of the mean scores of real and fake images, and for each part that is read of
            `information_PART`, its `L_I`, beside `entropy_PART`, its `H(c)`, both in nats; float32 scalars.
        """
        real = self.fields(batch)["images"]
        getattr(self.discriminator, "begin_step", lambda: None)()
        logs = self._update_discriminator(real)
        logs["g_loss"] = self._update_generator(tf.shape(real)[0])
        return self.end_step(logs)

    def _update_discriminator(self, real: tf.Tensor) -> dict[str, tf.Tensor]:
        codes = self.draw(tf.shape(real)[0], "codes of the discriminator")
        fake = self.as_tuples(self.generator(codes, training=True))
        seed = self.random("augmentation of the discriminator")
        batch = augmentation.augment(tf.concat([real, fake], 0), self._operations, seed)
        classes = tf.split(batch, 2)
        parts = self.read_parts.values()
        with tf.GradientTape() as tape:
            features = self._features(*classes)
            scores = siamese.scores_of(self.discriminator, features)
            # A sum in the released code, where the objective is a mean.
            loss = 2 * self._objective.discriminator_loss(*scores)
            costs, logs = self._recognition(
                features[1], codes, [p for p in parts if self._weight(p)]
            )
            loss += sum(self._weight(self.read_parts[name]) * cost for name, cost in costs.items())
            # What is not asked for is read by the head alone.
            unasked = [part for part in parts if not self._weight(part)]
            seen = tf.stop_gradient(features[1])
            costs, more = self._recognition(seen, codes, unasked)
            total = loss + sum(costs.values())
            if self.r1:
                score = functools.partial(siamese.score, self.discriminator, track=False)
                total += self.r1 * penalties.zero_centred(score, classes[0])
        self.move("d", tape, total)
        means = {"d_real": tf.reduce_mean(scores[0]), "d_fake": tf.reduce_mean(scores[1])}
        return {"d_loss": loss, **means, **logs, **more}

    def _features(self, real: tf.Tensor, fake: tf.Tensor) -> list[tf.Tensor]:
        """What the discriminator sees in both, each normalised by itself; the moving statistics, by which real images
        are read later, are of the real ones alone.
        """
        (of_real,) = siamese.features_of(self.discriminator, [real])
        (of_fake,) = siamese.features_of(self.discriminator, [fake], track=False)
        return [of_real, of_fake]

    def _update_generator(self, count: tf.Tensor) -> tf.Tensor:
        codes = self.draw(count, "codes of the generator")
        with tf.GradientTape() as tape:
            fake = self.as_tuples(self.generator(codes, training=True))
            seed = self.random("augmentation of the generator")
            batch = augmentation.augment(fake, self._operations, seed)
            features = siamese.features_of(self.discriminator, [batch], track=False)
            (scores,) = siamese.scores_of(self.discriminator, features, track=False)
            loss = self._objective.generator_loss(scores)
            asked = [part for part in self.read_parts.values() if self._weight(part)]
            costs, _ = self._recognition(features[0], codes, asked)
            loss += sum(self._weight(self.read_parts[name]) * cost for name, cost in costs.items())
        self.move("g", tape, loss)
        return loss

    # --- what comes out

    def identity_codes(self, seeds: tf.Tensor | Sequence[int]) -> tf.Tensor:
        """The categories for each seed: int64 [n] to float32 [n, d_i].

        Seeds in a row show one category of the first code after another, then the next one of the second.
        """
        if not self.categorical:
            return super().identity_codes(seeds)
        number, codes = in_a_row(seeds), []
        for _ in range(self.categorical):
            codes.append(tf.one_hot(number % self.categories, self.categories))
            number //= self.categories
        return tf.concat(codes, -1)

    def read(self, images: np.ndarray, batch_size: int = 256) -> dict[str, np.ndarray]:
        """What the recogniser reads off images, real ones too.

        Args:
            images: uint8 [n, h, w, c], 0 to 255.
            batch_size: images read at a time.

        Returns:
            For each part that is read, float32 [n, width]: probabilities of the categories, or means.

        Raises:
            ValueError: images of another size or other channels than the model's.
        """
        parts = []
        for start in range(0, len(images), batch_size):
            tuples = self.checked_tuples(
                np.asarray(images[start : start + batch_size])[:, np.newaxis]
            )
            parts.append(self._read(to_float(tuples)))
        return {name: np.concatenate([part[name] for part in parts]) for name in self.read_parts}

    def _read(self, tuples: tf.Tensor) -> dict[str, np.ndarray]:
        (features,) = siamese.features_of(self.discriminator, [tuples], training=False)
        readings = self._readings(self.recogniser(features[:, 0]))
        return {
            name: (tf.nn.softmax(read) if part.law == "categorical" else read).numpy()
            for name, part in self.read_parts.items()
            for read in readings[name][:1]
        }

    def score(self, images: tf.Tensor) -> tf.Tensor:
        return siamese.score(self.discriminator, self.checked_tuples(images), training=False)


def _latents(
    categories: int, categorical: int, continuous: int, noise: int, law: str
) -> LatentSpace:
    if min(categorical, continuous, noise) < 0 or categorical + continuous < 1 or categories < 2:
        raise ValueError(
            "InfoGAN has one code that is read or more, categorical ones of two categories or more. Received: "
            f"categories={categories}, categorical={categorical}, continuous={continuous}, noise={noise}"
        )
    names = ["category"] if categorical == 1 else [f"category_{i + 1}" for i in range(categorical)]
    of_noise = [Part("noise", noise, law)] if noise else []
    read = [Part("continuous", continuous, "uniform")] if continuous else []
    if not categorical:
        return LatentSpace(of_noise, read)
    return LatentSpace(
        [Part(name, categories, "categorical") for name in names], [*read, *of_noise]
    )
