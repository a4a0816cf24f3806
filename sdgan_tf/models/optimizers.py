"""A Keras model with two optimizers, one for each of two networks that play against each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat


class TwoOptimizers(keras.Model):
    """Compiles, saves and applies the optimizers of `self.discriminator` and `self.generator`.

    Attributes:
        precision: `"mixed_float16"` has the losses scaled.
        d_optimizer: of the discriminator, once compiled.
        g_optimizer: of the generator, once compiled.
    """

    def default_optimizers(self) -> tuple[Any, Any]:
        """The optimizers that `compile()` makes: (discriminator's, generator's)."""
        raise NotImplementedError

    def compile(
        self, d_optimizer: Any = None, g_optimizer: Any = None, jit_compile: bool = False, **kwargs
    ) -> None:
        """Sets the two optimizers and builds them.

        Args:
            d_optimizer: of the discriminator; None for the paper's.
            g_optimizer: of the generator; None for the paper's.
            jit_compile: whether XLA compiles the step. Off by default: on CPU it is several times
                slower.
            **kwargs: such as `steps_per_execution`, for `keras.Model.compile`.
        """
        super().compile(optimizer=keras_compat.NO_OPTIMIZER, jit_compile=jit_compile, **kwargs)
        self._compile_options = {"jit_compile": jit_compile, **kwargs}
        d_default, g_default = self.default_optimizers()
        self.d_optimizer = self._ready(d_optimizer or d_default, self.discriminator)
        self.g_optimizer = self._ready(g_optimizer or g_default, self.generator)

    def fit(self, *args: Any, steps_per_epoch: int | None = None, **kwargs: Any) -> Any:
        """`keras.Model.fit`; steps must divide into executions of several, or Keras 3 would do too
        many.
        """
        size = getattr(self, "_compile_options", {}).get("steps_per_execution") or 1
        if size != "auto" and (steps_per_epoch or 0) % size:
            raise ValueError(
                "An epoch is a whole number of executions. "
                f"Received: steps_per_epoch={steps_per_epoch}, steps_per_execution={size}"
            )
        return super().fit(*args, steps_per_epoch=steps_per_epoch, **kwargs)

    def _ready(self, optimizer: Any, network: keras.Model) -> Any:
        optimizer = keras.optimizers.get(optimizer)
        if self.precision == "mixed_float16":
            optimizer = keras_compat.with_loss_scaling(optimizer)
        # Built now, within the strategy's scope: built later, reloading drops the moments and
        # mirrored training fails.
        optimizer.build(network.trainable_variables)
        return optimizer

    def get_compile_config(self) -> dict[str, Any]:
        return {
            "d_optimizer": keras.optimizers.serialize(self.d_optimizer),
            "g_optimizer": keras.optimizers.serialize(self.g_optimizer),
            **self._compile_options,
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        config = dict(config)
        for name in ("d_optimizer", "g_optimizer"):
            config[name] = keras.optimizers.deserialize(config[name])
        self.compile(**config)

    def _apply(self, optimizer: Any, found: Sequence[tf.Tensor], network: keras.Model) -> None:
        keras_compat.apply_gradients(optimizer, found, network.trainable_variables)

    def _gradients(
        self, optimizer: Any, tape: tf.GradientTape, loss, network: keras.Model, also=()
    ):
        """Gradients of `loss` in the network's variables, and in the tensors of `also` behind them."""
        # Optimizers sum over replicas, losses are means over one replica's tuples.
        with tape:
            loss = loss / tf.cast(tf.distribute.get_strategy().num_replicas_in_sync, loss.dtype)
        sources = [*network.trainable_variables, *also]
        return keras_compat.gradients(optimizer, tape, loss, sources)
