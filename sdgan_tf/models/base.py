"""What every model of the family shares: codes, step counter, averaged networks, state."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat, registry
from sdgan_tf.images import to_float
from sdgan_tf.latents import LatentSpace
from sdgan_tf.models import variables
from sdgan_tf.models.image_model import ImageModel
from sdgan_tf.models.players import Players
from sdgan_tf.randomness import rollback_seed, stateless_seed

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
# Batches of images whose statistics an averaged network with batch normalisation is given.
CALIBRATION_BATCHES, CALIBRATION_SIZE = 16, 64


class AdversarialModel(ImageModel, Players):
    """Base of the models that learn a generator of codes against other networks.

    A new family is a subclass with `@register("model", NAME)` above it. It writes:

    1. A constructor. It keeps each of its arguments as an attribute of the same name, from which `get_config` and the
       flags of `bin/train` follow; calls `super().__init__(latents, ...)`; makes its networks, most simply by
       `self.make(...)`, one of which is called `"generator"`; and ends with `self.own(networks, players)`.
    2. `default_optimizers()`: the optimizers by player.
    3. `train_step(batch)`: takes `self.fields(batch)`, draws codes by `self.draw`, moves networks by
       `self.move(player, tape, loss)`, and returns `self.end_step(logs)`. All that is random in it derives from `self.random(stream)`.
    4. `LOGS`: the names of the numbers that `end_step` is given.

    Where it differs from the base it may also write `FIELDS`, what it needs of a batch; `score`, how much tuples look
    real; `identity_codes` and `identities`, where it shows a given number of identities; `state`, to add variables of
    its own; `imbalance`, signs that one player has won; `KINDS`, the kinds of registered networks that its
    arguments name; `OPTIONS`, further constructors whose arguments it takes as options of its own.

    Attributes:
        networks: all networks by name, such as `"generator"`, codes float [n, d_i + d_o] to images float32
            [n, h, w, c] in [-1, 1]; and `"averaged_generator"`, the same of weights that are a running average, where
            `ema` is above 0. Each is also an attribute of its name.
        latents: the `LatentSpace`.
        step: int64 variable, completed training steps. All randomness is keyed on it.
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
        **kwargs: for `keras.Model`, such as `name`.
    """

    LOGS: tuple[str, ...] = ()
    FIELDS: tuple[str, ...] = ("images",)
    KINDS: tuple[str, ...] = ("generator",)
    OPTIONS: tuple[type, ...] = ()

    def __init__(
        self,
        latents: LatentSpace,
        image_size: int,
        channels: int,
        k: int,
        ema: float,
        precision: str,
        seed: int,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
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
        self.precision = precision
        self.seed = seed
        self.step = keras_compat.add_counter(self, "step")
        self.rollback = keras_compat.add_counter(self, "rollback")
        self._trackers: list[keras.metrics.Metric] = []
        self._given: dict[str, str | keras.Model] = {}
        self._averages: dict[str, str] = {}
        self._inputs: dict[str, list] = {}

    @classmethod
    def tuple_size(cls, **arguments: Any) -> int:
        """How many images a tuple of a model of these arguments has: `k`, or 1 where it has no such argument."""
        k = inspect.signature(cls.__init__).parameters.get("k")
        return arguments.get("k", k.default) if k else 1

    # --- what a constructor calls

    def take_options(self, options: dict[str, Any], **networks: str | keras.Model) -> None:
        """Keeps the options of a constructor, once it is clear that a part of the model takes each.

        Args:
            options: by name.
            **networks: names of registered networks by kind; those that are networks already take no options.
        """
        named = [registry.get(*item) for item in networks.items() if isinstance(item[1], str)]
        taken = {name for owner in (*named, *self.OPTIONS) for name in registry.arguments(owner)}
        # What the constructor itself takes it hands on.
        taken -= {*inspect.signature(type(self).__init__).parameters, "code_size"}
        unknown = sorted(set(options) - taken)
        if unknown:
            raise ValueError(
                f"{type(self).__name__} takes beside its arguments what its parts take: {sorted(taken)}. "
                f"Received: {', '.join(f'{name}={options[name]!r}' for name in unknown)}"
            )
        self.options = dict(options)

    def make(self, kind: str, network: str | keras.Model, **known: Any) -> keras.Model:
        """A network: the one that is given, or a new one of the registered class of that name, with those of `known`
        and of the model's options that its constructor takes. The kind is also the name of the model's own argument.
        """
        self._given[kind] = network
        if not isinstance(network, str):
            return network
        cls = registry.get(kind, network)
        takes = inspect.signature(cls.__init__).parameters
        wanted = {**self.options, **known}
        policy = keras_compat.policy(self.precision)
        return cls(**{name: wanted[name] for name in wanted if name in takes}, dtype=policy)

    def fit_in(
        self,
        network: keras.Model,
        name: str,
        inputs: Mapping[str, Sequence[int]],
        output: Sequence[int] | None,
        **dtypes: str,
    ) -> keras.Model:
        """Builds a network by showing it zeros, and refuses one that gives something else than it should.

        Args:
            network: to build.
            name: that the model calls it by.
            inputs: shapes of its inputs without the batch, by what errors call them.
            output: shape of what it gives, without the batch; None for any.
            **dtypes: of inputs that are not float32.

        Returns:
            The network.

        Raises:
            ValueError: it fails on these inputs, or gives something else.
        """
        self._inputs[name] = [(shape, dtypes.get(key, "float32")) for key, shape in inputs.items()]
        takes = ", ".join(f"{key} {_rows(shape)}" for key, shape in inputs.items())
        try:
            made = self._show(network, name)
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise ValueError(
                f"The {name} takes {takes}. Received: {type(network).__name__}, {error}"
            ) from error
        if output is not None and tuple(made.shape) != (2, *output):
            raise ValueError(
                f"The {name} takes {takes} and gives {_rows(output)}. "
                f"Received: {type(network).__name__}, which gives {tuple(made.shape)} for n=2"
            )
        return network

    def _show(self, network: keras.Model, name: str) -> tf.Tensor:
        return network(*(tf.zeros([2, *shape], dtype) for shape, dtype in self._inputs[name]))

    def own(
        self,
        networks: Mapping[str, keras.Model],
        players: Mapping[str, Sequence[str]],
        averaged: Sequence[str] = ("generator",),
        logs: Sequence[str] = (),
    ) -> None:
        """Takes networks that `fit_in` has built as the model's own, draws their first weights, and says who moves which.

        The weights are a pure function of `seed`, whatever a network held before. A network that shall keep what it
        has learned is frozen (`network.trainable = False`), or given its weights afterwards.

        Args:
            networks: by name.
            players: the names of the networks that each player's optimizer moves.
            averaged: names of the networks that have a running average beside them, where `ema` is above 0.
            logs: further numbers that `end_step` is given, beside `LOGS`.
        """
        self._trackers = [keras.metrics.Mean(name=name) for name in (*self.LOGS, *logs)]
        copies = {}
        for name in averaged if self.ema else ():
            # Left trainable: freezing it would reorder its variables on Keras 2. No player moves it.
            copies[f"averaged_{name}"] = keras_compat.copy_of(networks[name])
            self._show(copies[f"averaged_{name}"], name)
        self._averages = dict(zip(copies, averaged))
        self._own({**networks, **copies}, players, self.seed)
        for copy, name in self._averages.items():
            getattr(self, copy).set_weights(getattr(self, name).get_weights())
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        """Does nothing: the constructor has built all networks."""
        self.built = True

    def call(self, codes: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Codes float [n, d_i + d_o] to images float32 [n, h, w, c] in [-1, 1], by the best
        generator there is.
        """
        return self.best("generator")(codes, training=training)

    def best(self, name: str) -> keras.Model:
        """The averaged network of a name where there is one, the trained one otherwise."""
        return self.networks.get(f"averaged_{name}", getattr(self, name))

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
            logs: a float32 scalar for each name of `LOGS`, and of `logs` of `own`.
            moved: 1 if the averaged networks' originals were moved in this step, otherwise 0.
            every: in how many steps they are moved once.
        """
        self.step.assign_add(1)
        for copy, name in self._averages.items():
            self._move_average(getattr(self, copy), getattr(self, name), moved, every)
        for tracker in self._trackers:
            tracker.update_state(logs[tracker.name])
        return {tracker.name: tracker.result() for tracker in self._trackers}

    def _move_average(self, average: keras.Model, network: keras.Model, moved, every: int) -> None:
        # The decay grows to its value, or the random start would weigh on the first thousands of moves.
        moves = tf.cast(tf.convert_to_tensor(self.step) // every, tf.float32)
        rate = moved * (1.0 - tf.minimum(self.ema, (1.0 + moves) / (10.0 + moves)))
        trained = {id(variable) for variable in network.trainable_variables}
        for target, variable in zip(average.variables, network.variables):
            value, old = tf.convert_to_tensor(variable), tf.convert_to_tensor(target)
            # Moving statistics of batch norm are averages already: copied.
            target.assign(old + rate * (value - old) if id(variable) in trained else value)

    # --- what comes out

    def recalibrate(self) -> None:
        """Gives the averaged generator statistics of batch normalisation of its own, those of fixed codes.

        While training it has those of the trained generator, which lie a few grey levels off. To be called before it
        is judged or exported; `load_run` and `export` do.
        """
        network = self.networks.get("averaged_generator")
        layers = [layer for _, layer in variables.leaves(network or keras.Sequential())]
        norms = [layer for layer in layers if hasattr(layer, "moving_mean")]
        if not norms:
            return
        momenta = [norm.momentum for norm in norms]
        for number in range(CALIBRATION_BATCHES):
            for norm in norms:
                norm.momentum = number / (number + 1)  # so that the batches weigh alike
            first = number * CALIBRATION_SIZE
            codes = self.grid_codes(range(first, first + CALIBRATION_SIZE), 1)[0]
            others = self.grid_codes(1, range(first, first + CALIBRATION_SIZE))[1]
            network(self.latents.join(codes, others), training=True)
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum

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
        return {"step": self.step, "rollback": self.rollback, **super().state()}

    def get_config(self) -> dict[str, Any]:
        """All arguments of the constructor, networks of the user's own among them."""
        config = {}
        for name, parameter in list(inspect.signature(type(self).__init__).parameters.items())[1:]:
            if parameter.kind != parameter.VAR_KEYWORD:
                value = self._given.get(name, getattr(self, name))
                own = isinstance(value, keras.Model)
                config[name] = keras_compat.serialize(value) if own else value
        return {**config, **getattr(self, "options", {})}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> AdversarialModel:
        made = {
            name: keras_compat.deserialize(value) if isinstance(value, dict) else value
            for name, value in config.items()
        }
        return cls(**made)


def _rows(shape: Sequence[int]) -> str:
    """A shape in words, rows in front: `[n, 64, 64, 3]`."""
    return f"[{', '.join(['n', *map(str, shape)])}]"
