"""What every model of the family shares: codes, step counter, averaged networks, state."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.images import to_float
from sdgan_tf.latents import LatentSpace
from sdgan_tf.models.averages import Averages
from sdgan_tf.models.image_model import ImageModel
from sdgan_tf.randomness import rollback_seed, stateless_seed

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


class AdversarialModel(ImageModel, Averages):
    """Base of the models that learn a generator of codes against other networks.

    A new family is a subclass with `@register("model", NAME)` above it. It writes:

    1. A constructor. It keeps each of its arguments as an attribute of the same name, from which `get_config` and the
       flags of `bin/train` follow; calls `super().__init__(latents, ...)`; adds its networks by `self.add(name,
       ...)`, one of which is called `"generator"`; and ends with `self.play(players)`.
    2. `default_optimizers()`: the optimizers by player.
    3. `train_step(batch)`: takes `self.fields(batch)`, draws codes by `self.draw`, moves networks by
       `self.move(player, tape, loss)`, and returns `self.end_step(logs)`. All that is random in it derives from `self.random(stream)`.
    4. `LOGS`: the names of the numbers that `end_step` is given.

    Where it differs from the base it may also write `FIELDS`, what it needs of a batch; `score`, how much tuples look
    real; `identity_codes` and `identities`, where it shows a given number of identities; `traversed`, the numbers of
    the code to show one by one; `state`, to add variables of its own; `imbalance`, signs that one player has won;
    `KINDS`, the kinds of registered networks that its arguments name; `OPTIONS`, further constructors whose arguments
    it takes as options of its own.

    Attributes:
        networks: all networks by name, such as `"generator"`, codes float [n, d_i + d_o] to images float32
            [n, h, w, c] in [-1, 1]; and `"averaged_generator"`, the same of weights that are a running average, where
            `ema` is above 0. Each is also an attribute of its name.
        latents: the `LatentSpace`.
        step: int64 variable, completed training steps. All randomness is keyed on it.
        needs_start: whether its training goes on from an earlier run, of another stage.
        inherits: names of the networks whose weights that run gives; None for all of them.
        shows_images: whether its images mean something, and so are watched for collapse.
        rollback: int64 variable, how often training has gone back to an earlier step, to go on with other random
            numbers.

    Args:
        latents: the `LatentSpace`.
        image_size: edge of the images in pixels.
        channels: 1 or 3.
        k: images in a tuple.
        ema: decay of averaged networks, 0 for none.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`.
        seed: of everything random in training.
        options: arguments of the constructor that the model's parts take.
        **kwargs: for `keras.Model`, such as `name`.
    """

    LOGS: tuple[str, ...] = ()
    FIELDS: tuple[str, ...] = ("images",)
    KINDS: tuple[str, ...] = ("generator",)
    OPTIONS: tuple[type, ...] = ()
    needs_start = False
    inherits: Sequence[str] | None = None
    shows_images = True

    def __init__(
        self,
        latents: LatentSpace,
        image_size: int,
        channels: int,
        k: int,
        ema: float,
        precision: str,
        seed: int,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(precision, seed, options or {}, **kwargs)
        if k < 1:
            raise ValueError(f"A tuple holds at least one image. Received: k={k}")
        if k > 1 and min(latents.d_i, latents.d_o) < 1:
            raise ValueError(
                "A tuple shares an identity code and differs by observation codes, so both need a dimension "
                f"or more; only k=1 does without one. Received: d_i={latents.d_i}, d_o={latents.d_o}, k={k}"
            )
        if channels not in (1, 3):
            raise ValueError(f"Images have 1 or 3 channels. Received: channels={channels}")
        if not 0.0 <= ema < 1.0:
            raise ValueError(
                "The decay of the averaged generator lies in [0, 1), 0 for none, customarily .99 - .9999. "
                f"Received: ema={ema}"
            )
        if precision not in PRECISIONS:
            raise ValueError(f"Precision is one of {PRECISIONS}. Received: precision={precision!r}")
        self.latents = latents
        self.image_size = image_size
        self.channels = channels
        self.k = k
        self.ema = ema
        self.step = keras_compat.add_counter(self, "step")
        self.rollback = keras_compat.add_counter(self, "rollback")
        self._trackers: list[keras.metrics.Metric] = []

    @classmethod
    def tuple_size(cls, **arguments: Any) -> int:
        """How many images a tuple of a model of these arguments has: `k`, or 1 where it has no such argument."""
        k = inspect.signature(cls.__init__).parameters.get("k")
        return arguments.get("k", k.default) if k else 1

    def play(
        self,
        players: Mapping[str, Sequence[str]],
        averaged: Sequence[str] = ("generator",),
        logs: Sequence[str] = (),
    ) -> None:
        """Says who moves which networks, when all are added.

        Args:
            players: the names of the networks that each player's optimizer moves.
            averaged: names of the networks that have a running average beside them, where `ema` is above 0.
            logs: further numbers that `end_step` is given, beside `LOGS`.
        """
        self._trackers = [keras.metrics.Mean(name=name) for name in (*self.LOGS, *logs)]
        self.add_averages(*averaged)
        super().play(players)

    def call(self, codes: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Codes float [n, d_i + d_o] to images float32 [n, h, w, c] in [-1, 1], by the best
        generator there is.
        """
        return self.best("generator")(codes, training=training)

    def await_preparation(self, what: str) -> None:
        """Has `fit` refuse to train until `prepare` has set `prepared` to 1, which is saved with the model.

        Args:
            what: comes from where, as the beginning of the sentence that says so.
        """
        self.prepared = keras_compat.add_counter(self, "prepared")
        self._awaited = what

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """`keras.Model.fit`, before which some models need `prepare`."""
        waiting = hasattr(self, "prepared") and not int(tf.convert_to_tensor(self.prepared))
        # A model without optimizers says so when it is asked for them.
        if waiting and self.optimizers:
            raise RuntimeError(
                f"{self._awaited} that is trained first: call model.prepare(data), where data are the training data, "
                f"before model.fit. Received: a {type(self).__name__} that was not prepared"
            )
        return super().fit(*args, **kwargs)

    @property
    def completed_steps(self) -> int:
        """`step` as a plain number, under every distribution strategy."""
        return int(tf.convert_to_tensor(self.step))

    @property
    def rollbacks(self) -> int:
        """`rollback` as a plain number."""
        return int(tf.convert_to_tensor(self.rollback))

    @property
    def random_seed(self) -> tf.Tensor:
        """What everything random in training derives from: the seed and the rollbacks, int64 [2]."""
        return rollback_seed(self.seed, tf.convert_to_tensor(self.rollback))

    def imbalance(self, logs: Mapping[str, float]) -> list[str]:
        """Signs in the logged numbers that one network has beaten the other: sentences, none here."""
        return []

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return self._trackers

    def prepare(self, data: Any) -> None:
        """Learns from the training data, an `IdentityData`, what the model knows before its first step: nothing here.

        `training.train` calls it when a run begins; call it before `fit`. A pure function of the data and of the seed. A model
        that cannot do without says so in its constructor, by `await_preparation`.
        """

    def annotate(self, data: Any) -> Any:
        """The training data, an `IdentityData`, with further fields that each step would otherwise work out anew: as
        they are here.

        `training.train` calls it whenever a run begins or goes on, when the model has its weights. A pure function of
        the data and of what training does not move.
        """
        return data

    # --- pieces of a train step

    def fields(self, batch: Any) -> dict[str, tf.Tensor]:
        """The fields of a batch by name, `images` as float32 [b, k, h, w, c] in [-1, 1].

        Args:
            batch: a dictionary as `data.tuples()` gives it, or the images alone: uint8 from 0 to 255, or float in
                [-1, 1].

        Raises:
            ValueError: a field is missing, or the images are of another shape.
        """
        if isinstance(batch, (tuple, list)) and len(batch) == 1:
            batch = batch[0]
        named = batch if isinstance(batch, Mapping) else {"images": batch}
        missing = [name for name in self.FIELDS if name not in named]
        if missing:
            raise ValueError(
                f"{type(self).__name__} trains on batches with the fields {self.FIELDS}, such as `data.tuples()` "
                f"gives. Received: {sorted(named) if isinstance(batch, Mapping) else type(batch).__name__}"
            )
        return {**named, "images": self.checked_tuples(named["images"])}

    def checked_tuples(self, images: tf.Tensor) -> tf.Tensor:
        """Tuples uint8 from 0 to 255, or float in [-1, 1], of the model's own shape as float32 in [-1, 1]."""
        images = tf.convert_to_tensor(images)
        expected = (self.k, self.image_size, self.image_size, self.channels)
        if images.shape.rank != 5 or tuple(images.shape[1:]) != expected:
            raise ValueError(
                "This model takes tuples [batch, k, height, width, channels] of "
                f"[batch, {', '.join(map(str, expected))}]. Make them by `data.tuples(k={self.k})` of a data set "
                f"opened at image_size={self.image_size}, channels={self.channels}. "
                f"Received: shape {tuple(images.shape)}"
            )
        return to_float(images)

    def draw(self, count: tf.Tensor, stream: str) -> tf.Tensor:
        """Fresh codes for `count` tuples, flat: float32 [count * k, d_i + d_o]."""
        codes = self.latents.tuples(count, self.k, self.random(stream))
        return tf.reshape(codes, [-1, self.latents.size])

    def random(self, stream: str) -> tf.Tensor:
        """The seed of one random event of this step on this replica, int64 [2]."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return stateless_seed(self.random_seed, stream, tf.convert_to_tensor(self.step), replica)

    def as_tuples(self, images: tf.Tensor) -> tf.Tensor:
        """Flat images [n * k, h, w, c] to tuples [n, k, h, w, c]."""
        return tf.reshape(images, [-1, self.k, *images.shape[1:]])

    def end_step(
        self, logs: Mapping[str, tf.Tensor], moved: tf.Tensor | float = 1.0, every: int = 1
    ) -> dict[str, tf.Tensor]:
        """Moves averaged networks and the step counter on; returns the running means of `logs`.

        Args:
            logs: a float32 scalar for each name of `LOGS`, and of `logs` of `play`.
            moved: 1 if the averaged networks' originals were moved in this step, otherwise 0.
            every: in how many steps they are moved once.
        """
        self.step.assign_add(1)
        self.move_averages(tf.convert_to_tensor(self.step) // every, moved)
        for tracker in self._trackers:
            tracker.update_state(logs[tracker.name])
        return {tracker.name: keras_compat.result(tracker) for tracker in self._trackers}

    # --- what comes out

    def calibration_codes(self, seeds: Sequence[int]) -> tf.Tensor:
        return self.latents.join(self.identity_codes(seeds), self.observation_codes(seeds))

    def score(self, images: tf.Tensor) -> tf.Tensor:
        """How much each tuple looks like a real matched one: uint8 [n, k, h, w, c] to float32 [n], higher = more.

        A score does not depend on its neighbours in the batch.
        """
        raise NotImplementedError(f"{type(self).__name__} does not score tuples.")

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
        own = {"prepared": self.prepared} if hasattr(self, "prepared") else {}
        return {"step": self.step, "rollback": self.rollback, **own, **super().state()}
