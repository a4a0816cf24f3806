"""The split latent code: identity `z_I` beside observation `z_O` (paper, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from sdgan_tf.randomness import stateless_seed

DISTRIBUTIONS = ("uniform", "normal")


class LatentSpace:
    """Draws and joins codes `z = [z_I; z_O]`.

    All methods are pure functions of their arguments; nothing here holds a state.

    Args:
        d_i: width of the identity code (paper: 50).
        d_o: width of the observation code (paper: 50).
        distribution: `"uniform"` on [-1, 1] (the paper's) or standard `"normal"`.

    Example:

    >>> space = LatentSpace(d_i=2, d_o=3)
    >>> space.join(space.identity_codes([7, 7]), space.observation_codes([1, 2])).shape
    TensorShape([2, 5])
    """

    def __init__(self, d_i: int = 50, d_o: int = 50, distribution: str = "uniform"):
        if min(d_i, d_o) < 0 or d_i + d_o < 1:
            raise ValueError(
                "The latent code needs at least one dimension, and neither part has less than none. "
                f"Received: d_i={d_i}, d_o={d_o}"
            )
        if distribution not in DISTRIBUTIONS:
            raise ValueError(
                f"Codes are drawn from one of {DISTRIBUTIONS}. Received: {distribution!r}"
            )
        self.d_i = d_i
        self.d_o = d_o
        self.distribution = distribution

    @property
    def size(self) -> int:
        """Width of the whole code, `d_i + d_o`."""
        return self.d_i + self.d_o

    def tuples(self, count: int | tf.Tensor, k: int, seed: tf.Tensor) -> tf.Tensor:
        """Codes for `count` tuples: each draws one `z_I`, shared by its `k` independent `z_O`.

        Args:
            count: number of tuples.
            k: observations in a tuple.
            seed: int [2], as `stateless_seed` gives it.

        Returns:
            float32 [count, k, d_i + d_o].
        """
        identity = self._draw([count, 1, self.d_i], stateless_seed(seed, "identity"))
        observation = self._draw([count, k, self.d_o], stateless_seed(seed, "observation"))
        return self.join(tf.repeat(identity, k, axis=1), observation)

    def identity_codes(self, seeds: tf.Tensor | Sequence[int]) -> tf.Tensor:
        """One `z_I` for each seed, the same whatever its neighbours: int64 [n] to float32 [n, d_i]."""
        return self._codes(seeds, self.d_i, "identity")

    def observation_codes(self, seeds: tf.Tensor | Sequence[int]) -> tf.Tensor:
        """One `z_O` for each seed, the same whatever its neighbours: int64 [n] to float32 [n, d_o]."""
        return self._codes(seeds, self.d_o, "observation")

    def join(self, identity: tf.Tensor, observation: tf.Tensor) -> tf.Tensor:
        """`[z_I; z_O]`: float [..., d_i] and float [..., d_o] to float [..., d_i + d_o]."""
        return tf.concat([identity, observation], axis=-1)

    def grid(self, identity: tf.Tensor, observation: tf.Tensor) -> tf.Tensor:
        """Every identity under every observation: rows share `z_I`, columns share `z_O`.

        Args:
            identity: float [rows, d_i].
            observation: float [columns, d_o].

        Returns:
            float [rows, columns, d_i + d_o].
        """
        rows, columns = tf.shape(identity)[0], tf.shape(observation)[0]
        return self.join(
            tf.repeat(identity[:, tf.newaxis], columns, axis=1),
            tf.repeat(observation[tf.newaxis], rows, axis=0),
        )

    def _codes(self, seeds, width: int, stream: str) -> tf.Tensor:
        return _codes(tf.convert_to_tensor(seeds, tf.int64), width, stream, self.distribution)

    def _draw(self, shape, seed: tf.Tensor) -> tf.Tensor:
        return _draw(shape, seed, self.distribution)


def _draw(shape, seed: tf.Tensor, distribution: str) -> tf.Tensor:
    if distribution == "uniform":
        return tf.random.stateless_uniform(shape, seed, -1.0, 1.0, alg="philox")
    return tf.random.stateless_normal(shape, seed, alg="philox")


# A graph, since one op after another a grid's codes would take a second.
@tf.function(reduce_retracing=True)
def _codes(seeds: tf.Tensor, width: int, stream: str, distribution: str) -> tf.Tensor:
    return tf.map_fn(
        lambda seed: _draw([width], stateless_seed(seed, stream), distribution),
        seeds,
        fn_output_signature=tf.TensorSpec([width], tf.float32),
    )
