"""A Keras model of several named networks, which several players move, each by an optimizer of its own."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat, registry
from sdgan_tf.models import variables


class Players(keras.Model):
    """Makes, compiles, saves and moves named networks.

    Each network is an attribute of its own name. A player is a name with the networks that its optimizer moves; it may
    be any number of them, and a network may be moved by several players or by none. The player `"d"` has the optimizer
    `model.d_optimizer`, which `compile(d_optimizer=...)` takes.

    Attributes:
        networks: the networks by name.
        players: names of networks, by player.
        optimizers: the optimizers by player, once compiled.
        options: arguments of the constructor that parts of the model take.

    Args:
        precision: of the networks that are made by name; `"mixed_float16"` has the losses scaled, too.
        seed: of the first weights.
        options: see the attribute.
        **kwargs: for `keras.Model`, such as `name`.
    """

    def __init__(self, precision: str, seed: int, options: Mapping[str, Any], **kwargs: Any):
        super().__init__(**kwargs)
        self.precision = precision
        if precision == "mixed_float16":
            self._skipped = keras_compat.add_counter(self, "skipped_updates")
        self.seed = seed
        self.options = dict(options)
        self.players: dict[str, tuple[str, ...]] = {}
        self._names: list[str] = []
        # Networks of the user's own, or names, as the constructor was given them.
        self._given: dict[str, str | keras.Model] = {}
        self._inputs: dict[str, list[tuple[Sequence[int], str]]] = {}
        self._unused = set(options)
        self._taken: dict[str, dict[str, Any]] = {}

    # --- what a constructor calls

    def take(self, part: type) -> Any:
        """A part of the model, made of those of the options that its constructor takes."""
        made = part(**self._options_of(part, {}))
        self._taken[part.__name__] = dict(vars(made))
        return made

    def add(
        self,
        name: str,
        network: str | keras.Model,
        inputs: Mapping[str, Sequence[int]],
        output: Sequence[int],
        dtypes: Mapping[str, str] | None = None,
        kind: str | None = None,
        **known: Any,
    ) -> None:
        """Adds a network, builds it by showing it zeros, and refuses one that gives something else than it should.

        Args:
            name: of the network; where the constructor of the model has an argument of this name, `network` is what it was
                given.
            network: ready, or the registered name of one to make of `known` and of the model's options, as far as its
                constructor takes them.
            inputs: shapes of its inputs without the batch, by what errors call them.
            output: shape of what it gives, without the batch; None stands for any number.
            dtypes: of inputs that are not float32.
            kind: of the network in the register, if it is not called as the network is.
            **known: what the model knows of the network.

        Raises:
            ValueError: it fails on these inputs, or gives something else.
        """
        self._given[name] = network
        if isinstance(network, str):
            cls = registry.get(kind or name, network)
            takes = inspect.signature(cls.__init__).parameters
            known = {key: value for key, value in known.items() if key in takes}
            policy = keras_compat.policy(self.precision)
            network = cls(**self._options_of(cls, known), **known, dtype=policy)
        dtypes = dtypes or {}
        self._inputs[name] = [(shape, dtypes.get(key, "float32")) for key, shape in inputs.items()]
        takes = ", ".join(f"{key} {_rows(shape)}" for key, shape in inputs.items())
        made_of = type(network).__name__
        try:
            made = self._show(network, name)
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise ValueError(f"The {name} takes {takes}. Received: {made_of}, {error}") from error
        if not made.shape.is_compatible_with([2, *output]) or made.dtype != tf.float32:
            raise ValueError(
                f"The {name} takes {takes} and gives float32 {_rows(output)}. "
                f"Received: {made_of}, which gives {made.dtype.name} {tuple(made.shape)} for n=2"
            )
        self._own(name, network)

    def play(self, players: Mapping[str, Sequence[str]]) -> None:
        """Says who moves which networks, when all are added, and refuses options that no part has taken.

        Args:
            players: the names of the networks that each player's optimizer moves.
        """
        if self._unused:
            unused = ", ".join(f"{name}={self.options[name]!r}" for name in sorted(self._unused))
            raise ValueError(
                f"No part of this {type(self).__name__} takes such an option: see its constructor and those of "
                f"{', '.join(type(network).__name__ for network in self.networks.values())}. Received: {unused}"
            )
        self.players = {player: tuple(names) for player, names in players.items()}
        self.built = True

    def _options_of(self, part: type, known: Mapping[str, Any]) -> dict[str, Any]:
        own = inspect.signature(type(self).__init__).parameters
        takes = set(registry.arguments(part)) - set(own) - set(known)
        self._unused -= takes
        return {name: value for name, value in self.options.items() if name in takes}

    def _show(self, network: keras.Model, name: str) -> tf.Tensor:
        return network(*(tf.zeros([2, *shape], dtype) for shape, dtype in self._inputs[name]))

    def _own(self, name: str, network: keras.Model) -> None:
        """Draws the first weights: a pure function of the seed, the network's name and the place of each layer in it."""
        self._names.append(name)
        setattr(self, name, network)
        variables.seed(network, name, self.seed)

    def describe(self) -> dict[str, dict[str, Any]]:
        """What the parts of the model are made with beside its options, defaults among it: of each part and network that
        was made here, by name.
        """
        # Networks of the user's own are in the configuration themselves.
        made = [name for name, given in self._given.items() if isinstance(given, str)]
        networks = {name: keras_compat.serialize(getattr(self, name))["config"] for name in made}
        return {
            part: {key: value for key, value in settings.items() if key not in self.options}
            for part, settings in {**self._taken, **networks}.items()
        }

    # --- networks and optimizers

    @property
    def skipped_updates(self) -> int:
        """How many updates of a player `"mixed_float16"` has left out so far, because a gradient was too large for it."""
        return int(tf.convert_to_tensor(self._skipped)) if hasattr(self, "_skipped") else 0

    def default_optimizers(self) -> dict[str, Any]:
        """The optimizers that `compile()` makes, by player."""
        raise NotImplementedError

    @property
    def networks(self) -> dict[str, keras.Model]:
        return {name: getattr(self, name) for name in self._names}

    @property
    def optimizers(self) -> dict[str, Any]:
        made = {player: getattr(self, f"{player}_optimizer", None) for player in self.players}
        if None in made.values():
            raise RuntimeError("The model has no optimizers yet: call model.compile() first.")
        return made

    @property
    def playing(self) -> set[str]:
        """The names of the networks that any player moves."""
        return {name for names in self.players.values() for name in names}

    def moved_by(self, player: str) -> list[Any]:
        """The variables that a player's optimizer moves."""
        return [
            variable
            for name in self.players[player]
            for variable in getattr(self, name).trainable_variables
        ]

    def parameters(self) -> dict[str, int]:
        """Trainable parameters by network, of those that a player moves, as the paper counts them."""
        return {
            name: sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)
            for name, network in self.networks.items()
            if name in self.playing
        }

    def compile(self, jit_compile: bool = False, **options: Any) -> None:
        """Sets the optimizers and builds them.

        Args:
            jit_compile: whether XLA compiles the step. Off by default: on CPU it is several times slower.
            **options: `<player>_optimizer` for each player, None or left out for `default_optimizers`; and what
                `keras.Model.compile` takes, such as `steps_per_execution`.
        """
        given = {player: options.pop(f"{player}_optimizer", None) for player in self.players}
        super().compile(optimizer=keras_compat.NO_OPTIMIZER, jit_compile=jit_compile, **options)
        keras_compat.take_logs_as_they_are(self)
        self._compile_options = {"jit_compile": jit_compile, **options}
        defaults = self.default_optimizers()
        for player, optimizer in given.items():
            ready = self._ready(optimizer or defaults[player], self.moved_by(player))
            setattr(self, f"{player}_optimizer", ready)

    def execute(self, steps: int) -> None:
        """Has `fit` make so many steps in one call of TensorFlow, in place of what `compile` was told."""
        if self._compile_options.get("steps_per_execution", 1) == steps:
            return
        self._compile_options["steps_per_execution"] = steps
        keras_compat.set_steps_per_execution(self, steps)

    def _ready(self, optimizer: Any, moved: Sequence[Any]) -> Any:
        optimizer = keras.optimizers.get(optimizer)
        if self.precision == "mixed_float16":
            optimizer = keras_compat.with_loss_scaling(optimizer)
        # Built now, within the strategy's scope: built later, reloading drops the moments and mirrored training fails.
        optimizer.build(moved)
        return optimizer

    def get_compile_config(self) -> dict[str, Any]:
        optimizers = {
            f"{player}_optimizer": keras.optimizers.serialize(optimizer)
            for player, optimizer in self.optimizers.items()
        }
        return {**optimizers, **self._compile_options}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        names = [f"{player}_optimizer" for player in self.players]
        made = {name: keras.optimizers.deserialize(config[name]) for name in names}
        self.compile(**{**config, **made})

    def fit(self, *args: Any, steps_per_epoch: int | None = None, **kwargs: Any) -> Any:
        """`keras.Model.fit`; steps must divide into executions of several, or Keras 3 would do too many."""
        size = getattr(self, "_compile_options", {}).get("steps_per_execution") or 1
        if size != "auto" and (steps_per_epoch or 0) % size:
            raise ValueError(
                "An epoch is a whole number of executions. "
                f"Received: steps_per_epoch={steps_per_epoch}, steps_per_execution={size}"
            )
        return super().fit(*args, steps_per_epoch=steps_per_epoch, **kwargs)

    def state(self) -> dict[str, Any]:
        """The variables of all networks, optimizers and running means, by names that do not depend on the process."""
        state: dict[str, Any] = {}
        for name, network in self.networks.items():
            state.update(variables.by_path(network, name))
        for player, optimizer in self.optimizers.items():
            items = keras_compat.optimizer_variables(optimizer)
            state.update({f"{player}_optimizer/{i:03d}": item for i, item in enumerate(items)})
        for tracker in self.metrics:
            state.update({f"log/{tracker.name}/{i}": v for i, v in enumerate(tracker.variables)})
        if hasattr(self, "_skipped"):
            state["log/skipped_updates"] = self._skipped
        return state

    def gradients(
        self, player: str, tape: tf.GradientTape, loss: tf.Tensor, also: Sequence[tf.Tensor] = ()
    ) -> list[tf.Tensor]:
        """Gradients of `loss` in the variables that a player moves, and in the tensors of `also` behind them."""
        # Optimizers sum over replicas, losses are means over one replica's tuples.
        with tape:
            loss = loss / tf.cast(tf.distribute.get_strategy().num_replicas_in_sync, loss.dtype)
        sources = [*self.moved_by(player), *also]
        return keras_compat.gradients(self.optimizers[player], tape, loss, sources)

    def apply_gradients(self, player: str, gradients: Sequence[tf.Tensor]) -> None:
        """Lets a player's optimizer make its step."""
        optimizer = self.optimizers[player]
        before = keras_compat.loss_scale(optimizer)
        keras_compat.apply_gradients(optimizer, gradients, self.moved_by(player))
        if hasattr(self, "_skipped"):
            # Nothing else makes it smaller.
            skipped = keras_compat.loss_scale(optimizer) < before
            self._skipped.assign_add(tf.cast(skipped, tf.int64))

    def move(self, player: str, tape: tf.GradientTape, loss: tf.Tensor) -> None:
        """One step of a player's optimizer down the gradients of `loss`, which `tape` recorded."""
        self.apply_gradients(player, self.gradients(player, tape, loss))

    # --- configuration

    def build(self, input_shape: Any = None) -> None:
        """Does nothing: the constructor has built all networks."""
        self.built = True

    def _maybe_symbolic_build(self, **_: Any) -> None:
        # Keras 3 would take the first batch away from several replicas to build what is built, and fail at that where
        # they are of several processes.
        pass

    def get_config(self) -> dict[str, Any]:
        """All arguments of the constructor, networks of the user's own among them."""
        config = {}
        for name, parameter in list(inspect.signature(type(self).__init__).parameters.items())[1:]:
            if parameter.kind != parameter.VAR_KEYWORD:
                value = self._given[name] if name in self._given else getattr(self, name)
                own = isinstance(value, keras.Model)
                config[name] = keras_compat.serialize(value) if own else value
        return {**config, **self.options}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Players:
        return cls(
            **{
                name: keras_compat.deserialize(value) if isinstance(value, dict) else value
                for name, value in config.items()
            }
        )


def _rows(shape: Sequence[int]) -> str:
    """A shape in words, rows in front: `[n, 64, 64, 3]`."""
    sizes = ("any" if size is None else str(size) for size in shape)
    return f"[{', '.join(['n', *sizes])}]"
