"""SD-GAN: Semantically Decomposing the Latent Spaces of GANs, with DCGAN networks (arXiv
1705.07904, algorithm 1).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import augmentation, keras_compat, objectives
from sdgan_tf.latents import LatentSpace
from sdgan_tf.models import judges, on_replicas, penalties, recognition
from sdgan_tf.models.base import AdversarialModel
from sdgan_tf.models.identity_features import IdentityFeatures, embed, share_observations
from sdgan_tf.models.judges import Judge
from sdgan_tf.models.penalties import Regularizers
from sdgan_tf.networks import siamese
from sdgan_tf.registry import register

# Of the discriminator, below which it has nothing left to teach: its gradients are about as small.
LEAST_LOSS = 0.005
# Of the discriminator, in losses of one that guesses, above which it has diverged.
MOST_LOSS = 3.0


@register("model", "sdgan")
class SDGAN(AdversarialModel):
    """SD-GAN: a generator of `[z_I; z_O]` against a discriminator of k-tuples.

    A step draws real tuples (k different images of one identity) and fake ones (k codes that share `z_I`), updates the
    discriminator, draws new codes and updates the generator. The defaults are the paper's SD-DCGAN; what is called a
    later addition is off in them.

    Args:
        generator: the name of a registered network, or any Keras model of codes float [n, d_i + d_o] to images
            float32 [n, h, w, c] in [-1, 1].
        discriminator: the name of a registered network, or any Keras model of tuples float [n, k, h, w, c] in [-1, 1]
            to scores [n]; see `networks.SiameseDiscriminator` for what it may tell beside them.
        recogniser: the name of a registered network, or any Keras model of the discriminator's features of single
            images to float [n, d_i + d_o]; made only where `recognise_i` or `recognise_o` is above 0.
        embedder: the name of a registered network, which `prepare` trains, or any Keras model of images to embeddings
            float [n, d], such as a face recogniser, which is frozen and taken as it is; made only where
            `identity_features` is above 0, and never moved.
        matcher: the name of a registered network, or any Keras model of embeddings float [n, k, d] to scores [n]; made
            with the embedder.
        objective: the adversarial loss: `"dcgan"` (paper), `"lsgan"`, `"wgan"`, `"wgan-gp"`, `"hinge"` or
            `"relativistic"`, each with its customary optimizers and critic steps.
        critic_steps: updates of the discriminator for one of the generator; 0 for the objective's custom.
        image_size: edge of the images in pixels; a power of two from 8 for the networks that come along.
        channels: 1 or 3.
        d_i: width of the identity code z_I.
        d_o: width of the observation code z_O.
        k: images in a tuple (paper: 2, and 4).
        law: distribution of the codes: `"uniform"` on [-1, 1] (paper) or `"normal"`.
        augment: later addition: DiffAugment operations, such as `"translation,cutout,color"`.
        augment_alike: whether these change the images of a tuple in the same way, or each by itself. Alike, the
            discriminator sees how much poses and places differ within a tuple, which other shifts for each image hide.
        ema: later addition: decay of the averaged generator, such as .999, 0 for none.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`; losses and images are float32 always.
        seed: of everything random in training.
        **options: of the named networks, such as `dim=32` or `norm="none"`; and those of `Regularizers`, later
            additions all: `mixed`, `r1`, `r2`, `r1_every`, `lecam`, `recognise_i`, `recognise_o`, `recognise_until`;
            and those of `IdentityFeatures`, likewise: `identity_features`, `strangers`, `held_out`, `identity_steps`,
            `embedder_dim`, `teacher`, `recognise_by`.

    Example:

    >>> model = SDGAN(image_size=32, dim=16, d_i=8, d_o=8)
    >>> model.compile()
    >>> model.generate(identities=2, observations=3).shape
    (2, 3, 32, 32, 3)
    """

    LOGS = ("d_loss", "g_loss", "d_real", "d_fake")
    KINDS = ("generator", "discriminator", "recogniser", "embedder", "matcher")
    OPTIONS = (Regularizers, IdentityFeatures)

    def __init__(
        self,
        generator: str | keras.Model = "dcgan",
        discriminator: str | keras.Model = "dcgan",
        recogniser: str | keras.Model = "dense",
        embedder: str | keras.Model = "convolutional",
        matcher: str | keras.Model = "dense",
        objective: str = "dcgan",
        critic_steps: int = 0,
        image_size: int = 64,
        channels: int = 3,
        d_i: int = 50,
        d_o: int = 50,
        k: int = 2,
        law: Literal["uniform", "normal"] = "uniform",
        augment: str = "",
        augment_alike: bool = False,
        ema: float = 0.0,
        precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32",
        seed: int = 0,
        name: str | None = None,
        **options: Any,
    ):
        latents = LatentSpace.split(d_i, d_o, law)
        super().__init__(latents, image_size, channels, k, ema, precision, seed, options, name=name)
        self.objective = objective
        self.critic_steps = critic_steps
        self.d_i, self.d_o, self.law = d_i, d_o, law
        self.augment, self.augment_alike = augment, augment_alike
        self.recogniser = recogniser
        self.embedder = embedder
        self.matcher = matcher
        self._objective = objectives.get(objective)
        self._operations = augmentation.parse(augment)
        self.regularizers = self.take(Regularizers)
        self.identity_features = self.take(IdentityFeatures)
        size = (image_size, image_size, channels)
        known = {"image_size": image_size, "channels": channels, "k": k, "code_size": latents.size}
        self.add("generator", generator, {"codes": [latents.size]}, size, **known)
        self.add("discriminator", discriminator, {"tuples": [k, *size]}, [], **known)
        self._check_options()
        self._judges = judges.chosen(self.regularizers, self.identity_features)
        self._readers = recognition.chosen(latents, self.regularizers, self.identity_features)
        compared = [judge for judge in self._judges if judge.sees == "embedder"]
        if compared:
            self._add_embedder(embedder, known)
            embedding = self._features_shape("embedder")
        for judge, network in zip(compared, _own(matcher)):
            of = {**known, "k": 2} if judge.strangers else known
            inputs = {"embeddings": [of["k"], *embedding]}
            self.add(judge.name, network, inputs, [], kind="matcher", **of)
        for reader, network in zip(self._readers, _own(recogniser)):
            inputs = {"features": self._features_shape(reader.sees)}
            self.add(reader.name, network, inputs, [latents.size], kind="recogniser", **known)
        if self.regularizers.lecam:
            self.anchors = keras_compat.add_weight(
                self, "anchors", [2], trainable=False, autocast=False
            )
        of_d = [part.name for part in (*self._judges, *self._readers)]
        read = [name for reader in self._readers for name in reader.recognition.asked]
        mixed = ["d_mixed"] if self.regularizers.mixed else []
        self.play({"d": of_d, "g": ["generator"]}, logs=mixed + read)

    def _add_embedder(self, embedder: str | keras.Model, known: dict[str, Any]) -> None:
        asked = self.identity_features
        if not isinstance(embedder, str):
            if asked.teacher:
                raise ValueError(
                    "An embedder of your own is taken as it is: give it without a teacher, or a teacher without it. "
                    f"Received: embedder={type(embedder).__name__}, teacher={asked.teacher!r}"
                )
            embedder.trainable = False  # so that its weights are not drawn anew
        images = {"images": [self.image_size, self.image_size, self.channels]}
        self.add("embedder", embedder, images, [None], **{**known, "dim": asked.embedder_dim})
        if isinstance(embedder, str):
            asked.check_embedder(self.embedder)
            self.await_preparation("Identity features come from an embedder")

    def _features_shape(self, sees: str) -> list[int]:
        """Of what is seen in one image, by the discriminator or by the embedder."""
        size = (self.image_size, self.image_size, self.channels)
        if sees == "discriminator":
            return recognition.features_shape(self.discriminator, self.k, size)
        return list(embed(self.embedder, tf.zeros([1, self.k, *size])).shape[2:])

    def _see(self, classes: list[tf.Tensor]) -> dict[str, list[tf.Tensor]]:
        """What is seen in each image of several classes of tuples, [n, k, ...] for each class, by who sees it."""
        seen = {"discriminator": siamese.features_of(self.discriminator, classes)}
        if self.identity_features.identity_features:
            embeddings = embed(self.embedder, tf.concat(classes, 0))
            seen["embedder"] = tf.split(embeddings, len(classes))
        return seen

    def _scores(
        self, judge: Judge, seen: Mapping[str, list[tf.Tensor]], mix: bool = False
    ) -> list[tf.Tensor]:
        """A judge's scores of several classes of tuples, given what is seen in them, float32 for each class."""
        return siamese.scores_of(getattr(self, judge.name), judge.classes(seen[judge.sees], mix))

    def _check_options(self) -> None:
        mixed = self.regularizers.mixed
        if self.critic_steps < 0 or (mixed and self.k < 2):
            raise ValueError(
                "Critic steps are 0 or more, and mixed tuples need two images or more. "
                f"Received: critic_steps={self.critic_steps}, mixed={mixed}, k={self.k}"
            )
        asked = self.identity_features
        if asked.recognise_by == "embedder" and not self.regularizers.recognise_i:
            raise ValueError(
                "z_I is read from the embedder where recognise_i is above 0. "
                f"Received: recognise_by={asked.recognise_by!r}, recognise_i={self.regularizers.recognise_i}"
            )
        bounds = self._objective.clip or self._objective.penalty
        if bounds and asked.identity_features:
            raise ValueError(
                f"{self.objective} bounds the discriminator alone, so that the scores of a matcher would grow without end: take "
                "identity_features with another objective. Received: "
                f"identity_features={asked.identity_features}"
            )
        self._objective.check(self.discriminator)

    def default_optimizers(self) -> dict[str, Any]:
        """The objective's customary ones; for `"dcgan"` Adam with rate 2e-4 and beta_1 .5, as in
        the paper.
        """
        return {player: self._objective.make_optimizer() for player in self.players}

    def prepare(self, data: Any) -> None:
        """Trains the embedder of identity features on `data`, the training data, and says so; not one of the user's own."""
        if hasattr(self, "prepared"):
            self.identity_features.train(self.embedder, data, self.augment, self.seed)
            self.prepared.assign(1)

    def state(self) -> dict[str, Any]:
        own = {"anchors": self.anchors} if hasattr(self, "anchors") else {}
        return {**super().state(), **own}

    def train_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """One update of the discriminator, then one of the generator if its turn has come.

        Args:
            batch: `images`, real tuples, uint8 [b, k, h, w, c] from 0 to 255, or float in [-1, 1]; and, if known,
                `identity`, int64 [b], so that no mixed tuple is of one identity.

        Returns:
            Running means of the losses and of the mean scores of real and fake tuples, float32
            scalars.
        """
        fields = self.fields(batch)
        real = fields["images"]
        every = self.critic_steps or self._objective.critic_steps
        # Such as a power iteration, where the discriminator has one.
        getattr(self.discriminator, "begin_step", lambda: None)()
        logs = self._update_discriminator(real, fields.get("identity"))
        if every == 1:
            logs["g_loss"] = self._update_generator(real)
            return self.end_step(logs)
        turn = tf.equal((tf.convert_to_tensor(self.step) + 1) % every, 0)
        logs["g_loss"] = on_replicas.where(
            turn,
            lambda tuples, *_: self._update_generator(tuples),
            # Of the mean scores: about what the update would have given, at no cost.
            lambda _, *means: self._objective.generator_loss(*means),
            *(real, logs["d_fake"], logs["d_real"]),
        )
        return self.end_step(logs, tf.cast(turn, tf.float32), every)

    def imbalance(self, logs: Mapping[str, float]) -> list[str]:
        loss = logs["d_loss"]
        if not self._objective.bounded:
            return []
        if loss < LEAST_LOSS:
            return [f"the discriminator tells all fakes (d_loss {loss:.4f}, below {LEAST_LOSS})"]
        # Without what is added for penalties and readings, which has no such measure.
        extras = self.regularizers
        chance = sum(judge.chance(self._objective) for judge in self._judges)
        chance += extras.recognise_i + extras.recognise_o
        if extras.lecam or loss < MOST_LOSS * chance:
            return []
        return [
            f"the discriminator has diverged (d_loss {loss:.2f}, {chance:.2f} for one that guesses)"
        ]

    def _draw(self, count: tf.Tensor, stream: str) -> tf.Tensor:
        codes = self.draw(count, stream)
        if not self.identity_features.strangers:
            return codes
        shared = share_observations(self.as_tuples(codes), self.d_i)
        return tf.reshape(shared, [-1, self.latents.size])

    def _update_discriminator(
        self, real: tf.Tensor, identity: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        extras, asked, objective = self.regularizers, self.identity_features, self._objective
        codes = self._draw(tf.shape(real)[0], "codes of the discriminator")
        fake = self.as_tuples(self.generator(codes, training=True))
        # One pass over all classes, with batch statistics of their own: the numbers of separate
        # passes, but faster.
        real, fake = self._augmented([real, fake], "augmentation of the discriminator")
        with tf.GradientTape() as tape:
            seen = self._see([real, fake])
            scores = {judge.name: self._scores(judge, seen, mix=True) for judge in self._judges}
            loss = tf.zeros([])
            for judge in self._judges:
                looked_at = asked.looked_at(identity) if judge.sees == "embedder" else None
                loss += judge.loss(objective, scores[judge.name], real, identity, looked_at)
            told = scores["discriminator"]
            if extras.lecam:
                loss += extras.lecam * penalties.lecam(self.anchors, told[0], told[1])
            read, costs = self._read({who: parts[1] for who, parts in seen.items()}, codes)
            loss += read
        gradients = self.gradients("d", tape, loss)
        self.apply_gradients("d", self._add_penalties(gradients, real, fake))
        if objective.clip:
            for variable in self.discriminator.clippable:
                value = tf.convert_to_tensor(variable)
                variable.assign(tf.clip_by_value(value, -objective.clip, objective.clip))
        names = ("d_real", "d_fake", "d_mixed")
        means = {name: tf.reduce_mean(part) for name, part in zip(names, told)}
        return {"d_loss": loss, **means, **costs}

    def _update_generator(self, real: tf.Tensor) -> tf.Tensor:
        codes = self._draw(tf.shape(real)[0], "codes of the generator")
        with tf.GradientTape() as tape:
            fake = self.as_tuples(self.generator(codes, training=True))
            classes = [fake, real] if self._objective.pairing else [fake]
            seen = self._see(self._augmented(classes, "augmentation of the generator"))
            loss = tf.zeros([])
            for judge in self._judges:
                scores = self._scores(judge, seen)
                loss += judge.weight * self._objective.generator_loss(*scores)
            fakes = {who: parts[0] for who, parts in seen.items()}
            loss += self._read(fakes, codes, self.regularizers.recognise_until)[0]
        self.move("g", tape, loss)
        return loss

    def _augmented(self, classes: list[tf.Tensor], stream: str) -> list[tf.Tensor]:
        """Classes of as many tuples each, [n, k, h, w, c], as the discriminators see them."""
        batch = tf.concat(classes, 0)
        batch = augmentation.augment(
            batch, self._operations, self.random(stream), self.augment_alike
        )
        return tf.split(batch, len(classes))

    def _read(
        self, seen: Mapping[str, tf.Tensor], codes: tf.Tensor, until: float = 0.0
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """What it costs to read the codes, float32 [n * k, d_i + d_o], back from each image of fake tuples.

        Args:
            seen: the features of the tuples, [n, k, ...], by who sees them.
            codes: that they were made of.
            until: errors below it cost no less.
        """
        costs, total = {}, tf.zeros([])
        for name, sees, reading in self._readers:
            singles = tf.reshape(seen[sees], [-1, *seen[sees].shape[2:]])
            cost, parts = reading.cost(getattr(self, name), singles, codes, until)
            costs.update(parts)
            total += cost
        return total, costs

    def _add_penalties(self, gradients: list[tf.Tensor], real, fake) -> list[tf.Tensor]:
        """Adds the gradients of the penalties on the discriminator's own gradient, on the steps that have one."""
        if self._objective.penalty:
            seed = self.random("interpolation of the penalty")
            extra = self._penalty(self._objective.penalty, penalties.one_centred, real, fake, seed)
            gradients = [old + new for old, new in zip(gradients, extra)]
        extras = self.regularizers
        due = tf.equal(tf.convert_to_tensor(self.step) % extras.r1_every, 0)
        for weight, tuples in ((extras.r1, real), (extras.r2, fake)):
            if weight:
                scale = weight * extras.r1_every
                extra = tf.cond(
                    due,
                    functools.partial(self._penalty, scale, penalties.zero_centred, tuples),
                    lambda gradients=gradients: [tf.zeros_like(part) for part in gradients],
                )
                # Added out here: a sum of three in a condition is what TensorFlow rewrites to a
                # temporary variable, which the next such step still has.
                gradients = [old + new for old, new in zip(gradients, extra)]
        return gradients

    def _penalty(
        self, weight: float, penalty: Callable[..., tf.Tensor], *of: tf.Tensor
    ) -> list[tf.Tensor]:
        # Replicas cannot meet inside a condition, as moving statistics would have them do.
        score = functools.partial(siamese.score, self.discriminator, track=False)
        with tf.GradientTape() as tape:
            value = weight * penalty(score, *of)
        return self.gradients("d", tape, value)

    def score(self, images: tf.Tensor) -> tf.Tensor:
        return siamese.score(self.discriminator, self.checked_tuples(images), training=False)


def _own(network: str | keras.Model) -> Iterator[str | keras.Model]:
    """A network for each that asks: one of the user's own is given itself, then as copies."""
    yield network
    while True:
        yield network if isinstance(network, str) else keras_compat.copy_of(network)
