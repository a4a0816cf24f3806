"""The smallest family of a user's own: single images, no score, a network that is read from a step on."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

import sdgan_tf as sd


@sd.register("model", "own_gan")
class OwnGAN(sd.models.AdversarialModel):
    """A GAN of single images, whose digit a third network reads from a step on.

    Args:
        image_size: edge of the images in pixels.
        channels: 1 or 3.
        digits: how many digits there are.
        second_stage: the step from which on the digit is read.
        precision: `"float32"`.
        seed: of everything random in training.
    """

    LOGS = ("d_loss", "g_loss", "read")

    def __init__(
        self,
        image_size: int = 16,
        channels: int = 3,
        digits: int = 4,
        second_stage: int = 5,
        precision: str = "float32",
        seed: int = 0,
    ):
        parts = [sd.Part("digit", digits, "categorical")], [sd.Part("noise", 3, "normal")]
        latents = sd.LatentSpace(*parts)
        super().__init__(latents, image_size, channels, 1, 0.0, precision, seed)
        self.digits, self.second_stage = digits, second_stage
        size = [image_size, image_size, channels]
        flat = image_size**2 * channels
        draw = [layers.Dense(flat, activation="tanh"), layers.Reshape(size)]
        networks = {
            "generator": (draw, {"codes": [latents.size]}, size),
            "critic": ([layers.Flatten(), layers.Dense(1)], {"images": size}, [1]),
            "reader": ([layers.Flatten(), layers.Dense(digits)], {"images": size}, [digits]),
        }
        for name, (stack, inputs, output) in networks.items():
            self.add(name, keras.Sequential(stack), inputs, output)
        self.play({"d": ["critic"], "g": ["generator", "reader"]})

    def default_optimizers(self):
        """Adam with a rate of .01 for both."""
        return {player: keras.optimizers.Adam(0.01, beta_1=0.5) for player in self.players}

    def train_step(self, batch):
        """One update of each player."""
        real = self.fields(batch)["images"][:, 0]
        codes = self.draw(tf.shape(real)[0], "codes")
        with tf.GradientTape() as tape:
            fake = self.generator(codes, training=True)
            of_real, of_fake = self.critic(real, training=True), self.critic(fake, training=True)
            d_loss = tf.reduce_mean(tf.nn.softplus(-of_real) + tf.nn.softplus(of_fake))
        self.move("d", tape, d_loss)
        with tf.GradientTape() as tape:
            fake = self.generator(codes, training=True)
            logits = self.reader(fake, training=True)
            costs = tf.nn.softmax_cross_entropy_with_logits(codes[:, : self.digits], logits)
            begun = tf.cast(tf.convert_to_tensor(self.step) >= self.second_stage, tf.float32)
            read = begun * tf.reduce_mean(costs)
            g_loss = tf.reduce_mean(tf.nn.softplus(-self.critic(fake, training=True))) + read
        self.move("g", tape, g_loss)
        return self.end_step({"d_loss": d_loss, "g_loss": g_loss, "read": read})
