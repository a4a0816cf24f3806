"""SD-BEGAN: semantically decomposed codes against a Siamese autoencoder in equilibrium (arXiv
1705.07904, 1703.10717).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.latents import LatentSpace
from sdgan_tf.learning_rates import HalvingRate
from sdgan_tf.models.base import AdversarialModel
from sdgan_tf.networks import SiameseAutoencoder
from sdgan_tf.objectives import convergence, next_balance
from sdgan_tf.registry import register

# Below what float32 resolves beside 1, so that it stands for k_t = 0 without changing the
# discriminator's update.
LEAST_BALANCE = 1e-9


@register("model", "sdbegan")
class SDBEGAN(AdversarialModel):
    """SD-BEGAN: the discriminator rebuilds tuples, and real ones should come out better than fake
    ones.

    With `L(v)` the mean absolute error of rebuilding `v`, the discriminator minimises `L(x) - k_t
    L(G(z))` and the generator `L(G(z))`; `k_t` moves so that `L(G(z))` stays near `gamma * L(x)`.
    Both are updated from one forward pass over one fake and one real batch, as in the released
    code. The defaults are the paper's.

    Args:
        generator: the name of a registered network, or any Keras model of codes float [n, d_i + d_o] to images
            float32 [n, h, w, c], about [-1, 1].
        discriminator: the name of a registered network, or any Keras model of tuples float [n, k, h, w, c] to rebuilt
            ones of the same shape.
        gamma: wanted ratio of the two errors, diversity against quality (paper: .5).
        rate_k: how fast `k_t` moves (paper: .001).
        image_size: edge of the images in pixels; a power of two from 16 for the networks that come along.
        channels: 1 or 3.
        d_i: width of the identity code z_I.
        d_o: width of the observation code z_O.
        k: images in a tuple; 1 is the plain BEGAN.
        law: distribution of the codes: `"uniform"` on [-1, 1] (paper) or `"normal"`.
        ema: later addition: decay of the averaged generator, such as .999, 0 for none.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`; losses, images and `k_t` are float32 always.
        seed: of everything random in training.
        **options: of the named networks, such as `dim=32`.

    Example:

    >>> model = SDBEGAN(image_size=16, dim=4, d_i=8, d_o=8)
    >>> model.compile()
    >>> model.generate(identities=2, observations=3).shape
    (2, 3, 16, 16, 3)
    """

    LOGS = ("loss_real", "loss_fake", "k_t", "balance", "convergence")
    KINDS = ("generator", "discriminator")

    def __init__(
        self,
        generator: str | keras.Model = "began",
        discriminator: str | keras.Model = "began",
        gamma: float = 0.5,
        rate_k: float = 0.001,
        image_size: int = 64,
        channels: int = 3,
        d_i: int = 50,
        d_o: int = 50,
        k: int = 2,
        law: Literal["uniform", "normal"] = "uniform",
        ema: float = 0.0,
        precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32",
        seed: int = 0,
        name: str | None = None,
        **options: Any,
    ):
        latents = LatentSpace.split(d_i, d_o, law)
        super().__init__(latents, image_size, channels, k, ema, precision, seed, options, name=name)
        if gamma <= 0 or rate_k < 0:
            raise ValueError(
                "The ratio of errors is above 0 and the rate of k_t at least 0. "
                f"Received: gamma={gamma}, rate_k={rate_k}"
            )
        self.gamma = gamma
        self.rate_k = rate_k
        self.d_i, self.d_o, self.law = d_i, d_o, law
        size = (image_size, image_size, channels)
        known = {"image_size": image_size, "channels": channels, "code_size": latents.size}
        tuples = {"k": k, "d_i": d_i, "d_o": d_o, **known}
        self.add("generator", generator, {"codes": [latents.size]}, size, **known)
        self.add("discriminator", discriminator, {"tuples": [k, *size]}, [k, *size], **tuples)
        self.k_t = keras_compat.add_weight(self, "k_t", (), trainable=False, autocast=False)
        self.play({"d": ["discriminator"], "g": ["generator"]})

    def default_optimizers(self) -> dict[str, Any]:
        """Adam with beta_1 .9 for both, its rate 8e-5 halved every 100,000 steps down to 2e-5: as
        the released code runs.
        """
        # The epsilon is TensorFlow 1's.
        return {
            player: keras.optimizers.Adam(HalvingRate(), epsilon=1e-8) for player in self.players
        }

    def state(self) -> dict[str, Any]:
        return {**super().state(), "k_t": self.k_t}

    def train_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """One update of both networks.

        Args:
            batch: `images`, real tuples, uint8 [b, k, h, w, c] from 0 to 255, or float in [-1, 1].

        Returns:
            Running means, float32 scalars: both reconstruction errors, `k_t`, the balance `gamma
            L(x) - L(G(z))` and the convergence measure `L(x) + |balance|`.
        """
        real = self.fields(batch)["images"]
        k_t = tf.maximum(tf.convert_to_tensor(self.k_t), LEAST_BALANCE)
        codes = self.draw(tf.shape(real)[0], "codes")
        with tf.GradientTape(persistent=True) as tape:
            fake = self.as_tuples(self.generator(codes, training=True))
            batch = tf.concat([fake, real], 0)
            error = tf.abs(self.discriminator(batch, training=True) - batch)
            loss_fake, loss_real = (tf.reduce_mean(part) for part in tf.split(error, 2))
            loss = loss_real - k_t * loss_fake
        self._update(tape, loss, loss_fake, fake, k_t)

        replicas = tf.distribute.get_replica_context()
        mean_real, mean_fake = replicas.all_reduce("mean", [loss_real, loss_fake])
        self.k_t.assign(
            next_balance(
                tf.convert_to_tensor(self.k_t), mean_real, mean_fake, self.gamma, self.rate_k
            )
        )
        return self.end_step(
            {
                "loss_real": loss_real,
                "loss_fake": loss_fake,
                "k_t": tf.convert_to_tensor(self.k_t),
                "balance": self.gamma * loss_real - loss_fake,
                "convergence": convergence(loss_real, loss_fake, self.gamma),
            }
        )

    def imbalance(self, logs: Mapping[str, float]) -> list[str]:
        # A mean of 0 or 1 over an interval: at each of its steps.
        return [f"k_t is pinned at {int(end)}" for end in (0.0, 1.0) if logs["k_t"] == end]

    def _update(self, tape: tf.GradientTape, loss, loss_fake, fake: tf.Tensor, k_t) -> None:
        """Applies both gradients, which one backward pass through the Siamese autoencoder serves.

        Tuples do not meet in the Siamese autoencoder, so its loss reaches the fake ones through `-k_t L(G(z))` alone:
        their gradient of it, divided by `-k_t`, is that of the generator's loss.
        """
        own = not isinstance(self.discriminator, SiameseAutoencoder)
        if own or self.precision == "mixed_float16":
            # Two passes: tuples may meet, as in batch norm, or gradients times a small k_t underflow.
            of_d = self.gradients("d", tape, loss)
            of_g = self.gradients("g", tape, loss_fake)
        else:
            *of_d, of_fake = self.gradients("d", tape, loss, also=[fake])
            variables = [keras_compat.tensor_of(variable) for variable in self.moved_by("g")]
            of_g = tape.gradient(fake, variables, output_gradients=-of_fake / k_t)
        self.apply_gradients("d", of_d)
        self.apply_gradients("g", of_g)

    def reconstruct(self, images: tf.Tensor) -> tf.Tensor:
        """What the autoencoder makes of tuples: uint8 or float [n, k, h, w, c] to float32 of the
        same shape.
        """
        return self.discriminator(self.checked_tuples(images), training=False)

    def score(self, images: tf.Tensor) -> tf.Tensor:
        """How much each tuple looks like a real matched one: minus the error of rebuilding it,
        float32 [n].

        Args:
            images: uint8 [n, k, h, w, c], or float in [-1, 1].
        """
        tuples = self.checked_tuples(images)
        error = tf.abs(self.discriminator(tuples, training=False) - tuples)
        return -tf.reduce_mean(error, axis=[1, 2, 3, 4])
