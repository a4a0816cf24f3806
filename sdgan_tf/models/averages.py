"""Networks whose weights are a running average of others'."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.models import variables
from sdgan_tf.models.players import Players

# Batches of images whose statistics an averaged network with batch normalisation is given.
CALIBRATION_BATCHES, CALIBRATION_SIZE = 16, 64


class Averages(Players):
    """Keeps a running average of networks beside them: of `"generator"` as `"averaged_generator"`.

    Attributes:
        ema: decay of the averages, 0 for none.
    """

    ema: float

    def add_averages(self, *names: str) -> None:
        """Adds the averages of networks that are there, where `ema` is above 0."""
        self._averaged = names if self.ema else ()
        for name in self._averaged:
            # Left trainable: freezing it would reorder its variables on Keras 2. No player moves it.
            copy = keras_compat.copy_of(getattr(self, name))
            self._show(copy, name)
            self._own(f"averaged_{name}", copy)
            copy.set_weights(getattr(self, name).get_weights())

    def best(self, name: str) -> keras.Model:
        """The averaged network of a name where there is one, the trained one otherwise."""
        return self.networks.get(f"averaged_{name}", getattr(self, name))

    def move_averages(self, moves: tf.Tensor, moved: tf.Tensor | float = 1.0) -> None:
        """Moves the averages of those networks on that any player moves: frozen ones have the average they came with.

        Args:
            moves: how often the networks have been moved so far, an integer.
            moved: 1 if they were moved in this step, otherwise 0.
        """
        # The decay grows to its value, or the random start would weigh on the first thousands of moves.
        moves = tf.cast(moves, tf.float32)
        rate = moved * (1.0 - tf.minimum(self.ema, (1.0 + moves) / (10.0 + moves)))
        for name in self._averaged:
            if name not in self.playing:
                continue
            network, average = getattr(self, name), getattr(self, f"averaged_{name}")
            trained = {id(variable) for variable in network.trainable_variables}
            for target, variable in zip(average.variables, network.variables):
                value, old = tf.convert_to_tensor(variable), tf.convert_to_tensor(target)
                # Moving statistics of batch norm are averages already: copied.
                target.assign(old + rate * (value - old) if id(variable) in trained else value)

    def calibration_codes(self, seeds: Sequence[int]) -> tf.Tensor:
        """Codes whose images are what the averaged generator is calibrated by: int [n] to float32 [n, d_i + d_o]."""
        raise NotImplementedError

    def recalibrate(self) -> None:
        """Gives the averaged generator statistics of batch normalisation of its own, those of fixed codes.

        While training it has those of the trained generator, which lie a few grey levels off. To be called before it
        is judged or exported; `load_run` and `export` do.
        """
        network = self.networks.get("averaged_generator")
        layers = [] if network is None else [layer for _, layer in variables.leaves(network)]
        norms = [layer for layer in layers if hasattr(layer, "moving_mean")]
        momenta = [norm.momentum for norm in norms]
        for number in range(CALIBRATION_BATCHES if norms else 0):
            for norm in norms:
                norm.momentum = number / (number + 1)  # so that the batches weigh alike
            first = number * CALIBRATION_SIZE
            network(self.calibration_codes(range(first, first + CALIBRATION_SIZE)), training=True)
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
