"""The split latent code: identity `z_I` beside observation `z_O` (paper, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from sdgan_tf.randomness import stateless_seed

DISTRIBUTIONS = ("uniform", "normal")
PATHS = ("linear", "slerp")

# Beyond it a component counts as having left its distribution: the cube's wall, or 3 sigma.
BOUNDS = {"uniform": 1.0, "normal": 3.0}


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

    def reclaim(self, codes: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Stochastic clipping (arXiv 1702.04782): components that have left the distribution are
        drawn from it anew, the others stay.

        Uniform codes are left beyond [-1, 1], normal ones beyond 3 sigma.

        Args:
            codes: float32 [...].
            seed: int [2], as `stateless_seed` gives it.

        Returns:
            float32 of the same shape, within the bounds.
        """
        bound = BOUNDS[self.distribution]
        drawn = tf.clip_by_value(self._draw(tf.shape(codes), seed), -bound, bound)
        return tf.where(tf.abs(codes) > bound, drawn, codes)

    def _codes(self, seeds, width: int, stream: str) -> tf.Tensor:
        return _codes(tf.convert_to_tensor(seeds, tf.int64), width, stream, self.distribution)

    def _draw(self, shape, seed: tf.Tensor) -> tf.Tensor:
        return _draw(shape, seed, self.distribution)


def walk(codes: tf.Tensor | np.ndarray, steps: int, path: str = "linear") -> np.ndarray:
    """Codes on the way from one to the next.

    Args:
        codes: float [m, d], those to pass through, at least one.
        steps: from each to the next, at least 1.
        path: `"linear"`, straight (paper); or `"slerp"`, along the great arc (arXiv 1609.04468):
            normal codes have nearly the same length all, straight ways leave for shorter ones.

    Returns:
        float32 [(m - 1) * steps + 1, d], all of `codes` among them.

    Raises:
        ValueError: no codes, no steps, an unknown path, or opposite codes, between which no arc is
            the shortest.
    """
    codes = np.asarray(codes, np.float64)
    if codes.ndim != 2 or not len(codes) or steps < 1:
        raise ValueError(
            "A walk passes through codes [m, d], at least one, with a step or more from each to the next. "
            f"Received: shape {codes.shape}, steps={steps}"
        )
    if path not in PATHS:
        raise ValueError(f"The path is one of {PATHS}. Received: {path!r}")
    shares = np.arange(steps)[:, np.newaxis] / steps
    blend = _linear if path == "linear" else _slerp
    parts = [blend(start, end, shares) for start, end in zip(codes, codes[1:])]
    return np.concatenate([*parts, codes[-1:]]).astype(np.float32)


def _linear(start: np.ndarray, end: np.ndarray, shares: np.ndarray) -> np.ndarray:
    return (1 - shares) * start + shares * end


def _slerp(start: np.ndarray, end: np.ndarray, shares: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(start) * np.linalg.norm(end)
    cosine = np.clip(start @ end / lengths, -1, 1) if lengths else 1.0
    if cosine > 1 - 1e-9:  # one direction: the arc is straight
        return _linear(start, end, shares)
    if cosine < -1 + 1e-9:
        raise ValueError(
            "Opposite codes, and codes of width 1 with different signs, have no shortest arc between "
            f"them: take path='linear'. Received: codes of width {len(start)}, cosine {cosine:.3g}"
        )
    angle = np.arccos(cosine)
    return (np.sin((1 - shares) * angle) * start + np.sin(shares * angle) * end) / np.sin(angle)


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
