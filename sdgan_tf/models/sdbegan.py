"""SD-BEGAN: semantically decomposed codes against a Siamese autoencoder in equilibrium (arXiv
1705.07904, 1703.10717).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.keras_compat import register
from sdgan_tf.models.base import AdversarialModel
from sdgan_tf.networks import BEGANGenerator, SiameseAutoencoder
from sdgan_tf.objectives import convergence, next_balance
from sdgan_tf.schedules import HalvingRate

# Below what float32 resolves beside 1, so that it stands for k_t = 0 without changing the
# discriminator's update.
LEAST_BALANCE = 1e-9


@register
class SDBEGAN(AdversarialModel):
    """SD-BEGAN: the discriminator rebuilds tuples, and real ones should come out better than fake
    ones.

    With `L(v)` the mean absolute error of rebuilding `v`, the discriminator minimises `L(x) - k_t
    L(G(z))` and the generator `L(G(z))`; `k_t` moves so that `L(G(z))` stays near `gamma * L(x)`.
    Both are updated from one forward pass over one fake and one real batch, as in the released
    code. The defaults are the paper's.

    Args:
        image_size: edge of the pictures in pixels, a power of two from 16.
        channels: 1 or 3.
        dim: channels of the generator's maps (paper: 128).
        d_i: width of the identity code.
        d_o: width of the observation code.
        k: pictures in a tuple; 1 is the plain BEGAN.
        codes: `"uniform"` on [-1, 1] (paper) or `"normal"`.
        gamma: wanted ratio of the two errors, diversity against quality (paper: .5).
        rate_k: how fast `k_t` moves (paper: .001).
        ema: later addition: decay of the averaged generator, 0 for none.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`; losses, pictures and `k_t`
            are float32 always.
        seed: of the codes.

    Example:

    >>> model = SDBEGAN(image_size=16, dim=4, d_i=8, d_o=8)
    >>> model.compile()
    >>> model.generate(identities=2, observations=3).shape
    (2, 3, 16, 16, 3)
    """

    LOGS = ("loss_real", "loss_fake", "k_t", "balance", "convergence")
    ARGUMENTS = (*AdversarialModel.ARGUMENTS, "gamma", "rate_k")

    def __init__(
        self,
        image_size: int = 64,
        channels: int = 3,
        dim: int = 128,
        d_i: int = 50,
        d_o: int = 50,
        k: int = 2,
        codes: str = "uniform",
        gamma: float = 0.5,
        rate_k: float = 0.001,
        ema: float = 0.0,
        precision: str = "float32",
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(
            image_size, channels, dim, d_i, d_o, k, codes, ema, precision, seed, **kwargs
        )
        if gamma <= 0 or rate_k < 0:
            raise ValueError(
                "The ratio of errors is above 0 and the rate of k_t at least 0. "
                f"Received: gamma={gamma}, rate_k={rate_k}"
            )
        self.gamma = gamma
        self.rate_k = rate_k
        self.generator = self._make_generator()
        self.discriminator = SiameseAutoencoder(
            k, d_i, d_o, image_size, channels, dim, **self._policy()
        )
        self.k_t = keras_compat.add_weight(self, "k_t", (), trainable=False, autocast=False)
        self._finish()

    def _make_generator(self) -> keras.Model:
        return BEGANGenerator(
            self.latents.size, self.image_size, self.channels, self.dim, **self._policy()
        )

    def default_optimizers(self) -> tuple[Any, Any]:
        """Adam with beta_1 .9 for both, its rate 8e-5 halved every 100,000 steps down to 2e-5: as
        the released code runs.
        """
        return keras.optimizers.Adam(HalvingRate()), keras.optimizers.Adam(HalvingRate())

    def state(self) -> dict[str, Any]:
        return {**super().state(), "k_t": self.k_t}

    def train_step(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """One update of both networks.

        Args:
            images: uint8 [b, k, h, w, c] from 0 to 255, or float in [-1, 1]: real tuples.

        Returns:
            Running means, float32 scalars: both reconstruction errors, `k_t`, the balance `gamma
            L(x) - L(G(z))` and the convergence measure `L(x) + |balance|`.
        """
        real = self._prepare(images)
        k_t = tf.maximum(tf.convert_to_tensor(self.k_t), LEAST_BALANCE)
        codes = self._draw(tf.shape(real)[0], "codes")
        with tf.GradientTape(persistent=True) as tape:
            fake = self._tuples(self.generator(codes, training=True))
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
        return self._end_step(
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
        """Applies both gradients, which one backward pass through the discriminator serves.

        Pictures do not meet in the discriminator, so its loss reaches the fake ones through `-k_t
        L(G(z))` alone: their gradient of it, divided by `-k_t`, is that of the generator's loss.
        """
        if self.precision == "mixed_float16":
            # Gradients times a small k_t would underflow: two passes.
            d_found = self._gradients(self.d_optimizer, tape, loss, self.discriminator)
            g_found = self._gradients(self.g_optimizer, tape, loss_fake, self.generator)
        else:
            *d_found, slope = self._gradients(
                self.d_optimizer, tape, loss, self.discriminator, also=[fake]
            )
            variables = [keras_compat.tensor_of(v) for v in self.generator.trainable_variables]
            g_found = tape.gradient(fake, variables, output_gradients=-slope / k_t)
        self._apply(self.d_optimizer, d_found, self.discriminator)
        self._apply(self.g_optimizer, g_found, self.generator)

    def reconstruct(self, images: tf.Tensor) -> tf.Tensor:
        """What the autoencoder makes of tuples: uint8 or float [n, k, h, w, c] to float32 of the
        same shape.
        """
        return self.discriminator(self._prepare(tf.convert_to_tensor(images)), training=False)

    def score(self, images: tf.Tensor) -> tf.Tensor:
        """How much each tuple looks like a real matched one: minus the error of rebuilding it,
        float32 [n].

        Args:
            images: uint8 [n, k, h, w, c], or float in [-1, 1].
        """
        tuples = self._prepare(tf.convert_to_tensor(images))
        error = tf.abs(self.discriminator(tuples, training=False) - tuples)
        return -tf.reduce_mean(error, axis=[1, 2, 3, 4])
