"""A Keras model of several named networks, which several players move, each by an optimizer of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.models import variables


class Players(keras.Model):
    """Builds, compiles, saves and moves named networks.

    Each network is an attribute of its own name. A player is a name with the networks that its optimizer moves; it may
    be any number of them, and a network may be moved by several players or by none. The player `"d"` has the optimizer
    `model.d_optimizer`, which `compile(d_optimizer=...)` takes.

    Attributes:
        networks: the networks by name.
        players: names of networks, by player.
        optimizers: the optimizers by player, once compiled.
        precision: `"mixed_float16"` has the losses scaled.
    """

    precision: str
    players: Mapping[str, Sequence[str]]

    def default_optimizers(self) -> dict[str, Any]:
        """The optimizers that `compile()` makes, by player."""
        raise NotImplementedError

    def _own(
        self, networks: Mapping[str, keras.Model], players: Mapping[str, Sequence[str]], seed: int
    ) -> None:
        """Takes networks, which have been built, as its own, and draws their first weights: a pure function of the
        seed, the network's name and the place of each layer in it.
        """
        self._names = tuple(networks)
        self.players = {player: tuple(names) for player, names in players.items()}
        for name, network in networks.items():
            setattr(self, name, network)
            variables.seed(network, name, seed)

    @property
    def networks(self) -> dict[str, keras.Model]:
        return {name: getattr(self, name) for name in self._names}

    @property
    def optimizers(self) -> dict[str, Any]:
        return {player: getattr(self, f"{player}_optimizer") for player in self.players}

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
            if any(name in names for names in self.players.values())
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
        self._compile_options = {"jit_compile": jit_compile, **options}
        defaults = self.default_optimizers()
        for player, optimizer in given.items():
            ready = self._ready(optimizer or defaults[player], self.moved_by(player))
            setattr(self, f"{player}_optimizer", ready)

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
        moved = self.moved_by(player)
        keras_compat.apply_gradients(self.optimizers[player], gradients, moved)

    def move(self, player: str, tape: tf.GradientTape, loss: tf.Tensor) -> None:
        """One step of a player's optimizer down the gradients of `loss`, which `tape` recorded."""
        self.apply_gradients(player, self.gradients(player, tape, loss))
