"""A family of models as a user would write it: all that is known of it stands here.

It has what no family of the package has: a categorical part of the code, a network beside generator and discriminator, a
third player, and a second stage that begins later.
"""

from __future__ import annotations

from typing import Any, Literal

import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

import sdgan_tf as sd
from sdgan_tf.networks import siamese

KINDS = 4


def refiner(image_size: int, channels: int) -> keras.Model:
    """A network of images to images: what it adds to them."""
    images = keras.Input([image_size, image_size, channels])
    maps = layers.Conv2D(4, 3, padding="same", activation="relu")(images)
    return keras.Model(images, layers.Add()([images, layers.Conv2D(channels, 1)(maps)]))


@sd.register("model", "own_family")
class OwnFamily(sd.models.AdversarialModel):
    """SD-GAN with kinds of identities, which a reader finds again, and a refiner of images that learns later.

    Args:
        second_stage: steps before the refiner begins to learn.
        image_size: edge of the images in pixels, a power of two from 8.
        channels: 1 or 3.
        k: images in a tuple.
        ema: decay of the averaged networks, 0 for none.
        precision: of the named networks.
        seed: of everything random in training.
        **options: of the networks, such as `dim=32`.
    """

    LOGS = ("d_loss", "g_loss", "kind_loss", "refined")

    def __init__(
        self,
        second_stage: int = 1,
        image_size: int = 16,
        channels: int = 3,
        k: int = 2,
        ema: float = 0.0,
        precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32",
        seed: int = 0,
        name: str | None = None,
        **options: Any,
    ):
        latents = sd.LatentSpace(
            identity=[sd.Part("kind", KINDS, "categorical"), sd.Part("looks", 3)],
            observation=[sd.Part("noise", 4, "normal")],
        )
        super().__init__(latents, image_size, channels, k, ema, precision, seed, options, name=name)
        self.second_stage = second_stage
        size = [image_size, image_size, channels]
        known = {"image_size": image_size, "channels": channels, "k": k, "code_size": latents.size}
        self.add("generator", "dcgan", {"codes": [latents.size]}, size, **known)
        self.add("refiner", refiner(image_size, channels), {"images": size}, size)
        self.add("discriminator", "dcgan", {"tuples": [k, *size]}, [], **known)
        reader = keras.Sequential([keras.Input(size), layers.Flatten(), layers.Dense(KINDS)])
        self.add("reader", reader, {"images": size}, [KINDS])
        players = {"d": ["discriminator"], "g": ["generator", "reader"], "r": ["refiner"]}
        self.play(players, averaged=("generator", "refiner"))

    def default_optimizers(self) -> dict[str, Any]:
        return {player: keras.optimizers.Adam(2e-4, beta_1=0.5) for player in self.players}

    def call(self, codes: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.best("refiner")(self.best("generator")(codes, training=training))

    def score(self, images: tf.Tensor) -> tf.Tensor:
        return siamese.score(self.discriminator, self.checked_tuples(images), training=False)

    def train_step(self, batch: Any) -> dict[str, tf.Tensor]:
        real = self.fields(batch)["images"]
        count = tf.shape(real)[0]
        fake = self.refiner(self.generator(self.draw(count, "codes of D"), training=True))
        with tf.GradientTape() as tape:
            classes = [real, self.as_tuples(fake)]
            features = siamese.features_of(self.discriminator, classes)
            of_real, of_fake = siamese.scores_of(self.discriminator, features)
            d_loss = tf.reduce_mean(tf.nn.softplus(-of_real) + tf.nn.softplus(of_fake))
        self.move("d", tape, d_loss)

        codes = self.draw(count, "codes of G")
        kinds = codes[:, self.latents.slices["kind"]]
        with tf.GradientTape(persistent=True) as tape:
            images = self.refiner(self.generator(codes, training=True))
            scores = siamese.score(self.discriminator, self.as_tuples(images))
            g_loss = tf.reduce_mean(tf.nn.softplus(-scores))
            kind_loss = tf.nn.softmax_cross_entropy_with_logits(kinds, self.reader(images))
            kind_loss = tf.reduce_mean(kind_loss)
            loss = g_loss + kind_loss
        refined = tf.cast(tf.convert_to_tensor(self.step) >= self.second_stage, tf.float32)
        gradients = [refined * gradient for gradient in self.gradients("r", tape, g_loss)]
        self.move("g", tape, loss)
        self.apply_gradients("r", gradients)
        return self.end_step(
            {"d_loss": d_loss, "g_loss": g_loss, "kind_loss": kind_loss, "refined": refined}
        )
