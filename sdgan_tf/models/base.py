"""What every model of the family shares: codes, step counter, averaged generator, state."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.images import to_float
from sdgan_tf.latents import LatentSpace
from sdgan_tf.models import variables
from sdgan_tf.models.optimizers import TwoOptimizers
from sdgan_tf.models.renderer import Renderer
from sdgan_tf.randomness import attempt_seed, stateless_seed

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


class AdversarialModel(Renderer, TwoOptimizers):
    """Base of the models that learn a generator from matched tuples against a discriminator.

    A subclass makes `self.generator` and `self.discriminator` in its constructor, calls
    `self._finish()`, and writes `default_optimizers` and `train_step`.

    Attributes:
        generator: codes float [n, d_i + d_o] to pictures float32 [n, h, w, c] in [-1, 1].
        discriminator: judges tuples float [n, k, h, w, c].
        averaged: the generator whose weights are a running average of `generator`'s, or None where
            `ema` is 0.
        latents: the `LatentSpace`.
        labelled: whether it trains on pairs of tuples and labels, and not on tuples alone.
        step: int64 variable, completed training steps. All randomness is keyed on it.
        attempt: int64 variable, how often training has gone back to an earlier step, to go on with
            other random numbers.
    """

    # What `train_step` reports; one running mean each.
    LOGS: tuple[str, ...] = ()
    # Constructor arguments, for `get_config`.
    ARGUMENTS = (
        *("image_size", "channels", "dim", "d_i", "d_o", "k", "codes"),
        *("ema", "precision", "seed"),
    )
    labelled = False

    def __init__(
        self,
        image_size: int,
        channels: int,
        dim: int,
        d_i: int,
        d_o: int,
        k: int,
        codes: str,
        ema: float,
        precision: str,
        seed: int,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if k < 1:
            raise ValueError(f"A tuple holds at least one picture. Received: k={k}")
        if k > 1 and min(d_i, d_o) < 1:
            raise ValueError(
                "A tuple shares an identity code and differs by observation codes, so both need a dimension "
                f"or more; only k=1 does without one. Received: d_i={d_i}, d_o={d_o}, k={k}"
            )
        if channels not in (1, 3):
            raise ValueError(f"Pictures have 1 or 3 channels. Received: channels={channels}")
        if dim < 1:
            raise ValueError(f"Networks are at least one channel wide. Received: dim={dim}")
        if not 0.0 <= ema < 1.0:
            raise ValueError(
                "The decay of the averaged generator lies in [0, 1), 0 for none, customarily .99 - .9999. "
                f"Received: ema={ema}"
            )
        if precision not in PRECISIONS:
            raise ValueError(f"Precision is one of {PRECISIONS}. Received: {precision!r}")
        self.image_size = image_size
        self.channels = channels
        self.dim = dim
        self.d_i = d_i
        self.d_o = d_o
        self.k = k
        self.codes = codes
        self.ema = ema
        self.precision = precision
        self.seed = seed
        self.latents = LatentSpace(d_i, d_o, codes)
        self._trackers = [keras.metrics.Mean(name=name) for name in self.LOGS]

    def _finish(self) -> None:
        """Creates all variables, so that weights exist before the first step, the averaged
        generator and optimizers too.
        """
        self.averaged = None
        for part, network in self._networks().items():
            network.build()
            variables.seed(network, part, self.seed)
        if self.ema:
            self.averaged = self._make_generator()
            self.averaged.build()
            # Left trainable: freezing it would reorder its variables on Keras 2. No optimizer ever
            # sees them.
            self.averaged.set_weights(self.generator.get_weights())
        self.step = keras_compat.add_counter(self, "step")
        self.attempt = keras_compat.add_counter(self, "attempt")
        self.built = True

    def _policy(self) -> dict[str, Any]:
        return {"dtype": keras_compat.policy(self.precision)}

    def build(self, input_shape: Any = None) -> None:
        """Does nothing: the constructor has built all networks."""
        self.built = True

    def call(self, codes: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Codes float [n, d_i + d_o] to pictures float32 [n, h, w, c] in [-1, 1], by the best
        generator there is.
        """
        return self.best_generator(codes, training=training)

    @property
    def completed_steps(self) -> int:
        """`step` as a plain number, under every distribution strategy."""
        return int(tf.convert_to_tensor(self.step))

    @property
    def rollbacks(self) -> int:
        """`attempt` as a plain number."""
        return int(tf.convert_to_tensor(self.attempt))

    @property
    def random_seed(self) -> tf.Tensor:
        """What everything random in training derives from: the seed and the attempt, int64 [2]."""
        return attempt_seed(self.seed, tf.convert_to_tensor(self.attempt))

    def imbalance(self, logs: Mapping[str, float]) -> list[str]:
        """Signs in the logged numbers that one network has beaten the other: sentences, none here."""
        return []

    @property
    def best_generator(self) -> keras.Model:
        """The averaged generator where there is one, the trained one otherwise."""
        return self.generator if self.averaged is None else self.averaged

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return self._trackers

    # --- pieces of a train step

    def _draw(self, count: tf.Tensor, stream: str) -> tf.Tensor:
        """Fresh codes for `count` tuples, flat: float32 [count * k, d_i + d_o]."""
        codes = self.latents.tuples(count, self.k, self._random(stream))
        return tf.reshape(codes, [-1, self.latents.size])

    def _random(self, stream: str) -> tf.Tensor:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return stateless_seed(self.random_seed, stream, tf.convert_to_tensor(self.step), replica)

    def _tuples(self, images: tf.Tensor) -> tf.Tensor:
        """Flat pictures [n * k, h, w, c] to tuples [n, k, h, w, c]."""
        return tf.reshape(images, [-1, self.k, *images.shape[1:]])

    def _prepare(self, images: tf.Tensor) -> tf.Tensor:
        """A batch from the data set to float32 in [-1, 1], its shape checked."""
        expected = (self.k, self.image_size, self.image_size, self.channels)
        if images.shape.rank != 5 or tuple(images.shape[1:]) != expected:
            raise ValueError(
                "This model trains on tuples [batch, k, height, width, channels] of "
                f"[batch, {', '.join(map(str, expected))}]. Make them by `data.tuples(k={self.k})` of a data set "
                f"opened at image_size={self.image_size}, channels={self.channels}. "
                f"Received: shape {tuple(images.shape)}"
            )
        return to_float(images)

    def _end_step(self, logs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Moves the averaged generator and the step counter on; returns the running means of
        `logs`.
        """
        self.step.assign_add(1)
        if self.averaged is not None:
            self._move_average()
        for tracker in self._trackers:
            tracker.update_state(logs[tracker.name])
        return {tracker.name: tracker.result() for tracker in self._trackers}

    def _move_average(self) -> None:
        # The decay grows to its value, or the random start would weigh on the first thousands of
        # steps.
        step = tf.cast(tf.convert_to_tensor(self.step), tf.float32)
        rate = 1.0 - tf.minimum(self.ema, (1.0 + step) / (10.0 + step))
        trained = {id(variable) for variable in self.generator.trainable_variables}
        for average, variable in zip(self.averaged.variables, self.generator.variables):
            value, old = tf.convert_to_tensor(variable), tf.convert_to_tensor(average)
            # Batch norm's moving statistics are averages already: copied.
            average.assign(old + rate * (value - old) if id(variable) in trained else value)

    # --- what comes out

    def export(self, path: str | Path) -> Path:
        """Writes a SavedModel for TF Serving to `path`, a version's folder such as
        `saved_models/faces/1`.

        See `sdgan_tf.serving.export` for what it answers.
        """
        # Serving stands above the models; this name is here because users look for it on the model.
        from sdgan_tf.serving import export

        return export(self, path)

    def state(self) -> dict[str, Any]:
        """Every variable that a run needs to go on exactly, by a name that does not depend on the
        process.
        """
        state = {"step": self.step, "attempt": self.attempt}
        for part, network in self._networks().items():
            state.update(variables.by_path(network, part))
        for part in ("d_optimizer", "g_optimizer"):
            items = keras_compat.optimizer_variables(getattr(self, part))
            state.update({f"{part}/{index:03d}": item for index, item in enumerate(items)})
        for tracker in self._trackers:
            state.update({f"log/{tracker.name}/{i}": v for i, v in enumerate(tracker.variables)})
        return state

    def _networks(self) -> dict[str, keras.Model]:
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        return networks if self.averaged is None else {**networks, "averaged": self.averaged}

    def parameters(self) -> dict[str, int]:
        """Trainable parameters by network, as the paper counts them."""
        return {
            name: sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)
            for name, network in (
                ("generator", self.generator),
                ("discriminator", self.discriminator),
            )
        }

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **{name: getattr(self, name) for name in self.ARGUMENTS}}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> AdversarialModel:
        return cls(**config)
