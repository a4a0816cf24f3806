"""The latent code: named parts, each with a law, in two blocks, identity `z_I` before observation `z_O` (paper,
section 3).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from sdgan_tf.randomness import normal, stateless_seed, uniform

BLOCKS = ("identity", "observation")
PATHS = ("linear", "slerp")


class Law(NamedTuple):
    """A distribution of codes.

    Attributes:
        draw: a shape, whose last axis is one part's whole width, and a seed int [2], to float32 of that shape.
        low: below it a component counts as having left the distribution.
        high: above it, likewise.
        centred: whether 0 is the typical code, towards which truncation may scale.
    """

    draw: Callable[[Any, tf.Tensor], tf.Tensor]
    low: float
    high: float
    centred: bool


def _uniform(shape: Any, seed: tf.Tensor) -> tf.Tensor:
    return uniform(shape, seed, -1.0, 1.0)


def _categorical(shape: Any, seed: tf.Tensor) -> tf.Tensor:
    categories = tf.random.stateless_uniform(shape[:-1], seed, 0, shape[-1], tf.int32, alg="philox")
    return tf.one_hot(categories, shape[-1])


def _bernoulli(shape: Any, seed: tf.Tensor) -> tf.Tensor:
    return tf.cast(uniform(shape, seed) < 0.5, tf.float32)


LAWS = {
    "uniform": Law(_uniform, -1.0, 1.0, True),
    "normal": Law(normal, -3.0, 3.0, True),
    "categorical": Law(_categorical, 0.0, 1.0, False),
    "bernoulli": Law(_bernoulli, 0.0, 1.0, False),
}


class Part(NamedTuple):
    """A named stretch of the code.

    Attributes:
        name: unlike that of every other part of the code.
        width: how many numbers; of a categorical part, how many categories.
        law: `"uniform"` on [-1, 1], standard `"normal"`, `"categorical"` (one-hot, all equally likely) or
            `"bernoulli"` (0 or 1, equally likely).
    """

    name: str
    width: int
    law: str = "uniform"


class LatentSpace:
    """Draws and joins codes `z = [z_I; z_O]`.

    The code is an ordered set of named parts in two blocks. The parts of the identity block are shared by the rows
    of a grid and by the images of a tuple; those of the observation block by the columns of a grid. All methods are
    pure functions of their arguments; nothing here holds a state.

    Args:
        identity: the parts of the identity block, in order.
        observation: the parts of the observation block, in order.

    Example:

    >>> space = LatentSpace([Part("digit", 10, "categorical")], [Part("slant", 2), Part("noise", 62)])
    >>> space.d_i, space.d_o, space.slices["noise"]
    (10, 64, slice(12, 74, None))
    >>> space = LatentSpace.split(d_i=2, d_o=3)
    >>> space.join(space.identity_codes([7, 7]), space.observation_codes([1, 2])).shape
    TensorShape([2, 5])
    """

    def __init__(self, identity: Sequence[Part], observation: Sequence[Part]):
        self.parts = {
            block: tuple(Part(*part) for part in parts)
            for block, parts in zip(BLOCKS, (identity, observation))
        }
        every = [part for block in BLOCKS for part in self.parts[block]]
        if not every or len({part.name for part in every}) < len(every):
            raise ValueError(
                "A latent code has at least one part, and parts have names of their own. "
                f"Received: {[part.name for part in every]}"
            )
        for part in every:
            least = 2 if part.law == "categorical" else 1
            if part.law not in LAWS or part.width < least:
                raise ValueError(
                    f"A part of the code has a law of {sorted(LAWS)} and a width of 1 or more, a categorical one 2 or "
                    f"more. Received: {part}"
                )
        self.slices, start = {}, 0
        for part in every:
            self.slices[part.name] = slice(start, start + part.width)
            start += part.width

    @classmethod
    def split(cls, d_i: int = 50, d_o: int = 50, law: str = "uniform") -> LatentSpace:
        """The paper's space: one part for each block, called as the block is.

        Args:
            d_i: width of the identity code (paper: 50), 0 for none.
            d_o: width of the observation code (paper: 50), 0 for none.
            law: of both.
        """
        if min(d_i, d_o) < 0 or d_i + d_o < 1:
            raise ValueError(
                "The latent code needs at least one dimension, and neither block has less than none. "
                f"Received: d_i={d_i}, d_o={d_o}"
            )
        widths = zip(BLOCKS, (d_i, d_o))
        return cls(*([Part(block, width, law)] if width else [] for block, width in widths))

    @property
    def d_i(self) -> int:
        """Width of the identity block."""
        return self.width("identity")

    @property
    def d_o(self) -> int:
        """Width of the observation block."""
        return self.width("observation")

    @property
    def size(self) -> int:
        """Width of the whole code, `d_i + d_o`."""
        return self.d_i + self.d_o

    def width(self, block: str) -> int:
        """Width of a block, `"identity"` or `"observation"`."""
        return sum(part.width for part in self.parts[block])

    def get_config(self) -> dict[str, list[list[Any]]]:
        """The parts of each block as plain JSON; `LatentSpace(**config)` makes the space again."""
        return {block: [list(part) for part in parts] for block, parts in self.parts.items()}

    def tuples(self, count: int | tf.Tensor, k: int, seed: tf.Tensor) -> tf.Tensor:
        """Codes for `count` tuples: each draws one `z_I`, shared by its `k` independent `z_O`.

        Args:
            count: number of tuples.
            k: observations in a tuple.
            seed: int [2], as `stateless_seed` gives it.

        Returns:
            float32 [count, k, d_i + d_o].
        """
        identity = self._draw("identity", [count, 1], seed)
        return self.join(
            tf.repeat(identity, k, axis=1), self._draw("observation", [count, k], seed)
        )

    def identity_codes(self, seeds: tf.Tensor | Sequence[int]) -> tf.Tensor:
        """One `z_I` for each seed, the same whatever its neighbours: int64 [n] to float32 [n, d_i]."""
        return self._codes("identity", seeds)

    def observation_codes(self, seeds: tf.Tensor | Sequence[int]) -> tf.Tensor:
        """One `z_O` for each seed, the same whatever its neighbours: int64 [n] to float32 [n, d_o]."""
        return self._codes("observation", seeds)

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

    def traverse(
        self, code: np.ndarray, part: str, number: int = 1, reach: float = 2.0, columns: int = 9
    ) -> np.ndarray:
        """Observation codes that differ in one number alone, which goes evenly from -reach to reach (arXiv 1606.03657,
        figure 2).

        Args:
            code: float [d_o], what all others are.
            part: the name of a uniform or normal part of the observation block.
            number: which of its numbers, from 1.
            reach: how far to go; codes of a uniform law end at 1.
            columns: how many codes.

        Returns:
            float32 [columns, d_o].
        """
        parts = {part.name: part for part in self.parts["observation"] if LAWS[part.law].centred}
        if part not in parts or not 1 <= number <= parts[part].width or columns < 1:
            widths = ", ".join(f"{known.name} of {known.width}" for known in parts.values())
            raise ValueError(
                "What is walked along is one number of a part of the observation code that is uniform or normal, "
                f"in a column or more: of {widths or 'none here'}. Received: {part}:{number}, {columns} columns"
            )
        codes = np.repeat(np.asarray(code, np.float32)[np.newaxis], columns, axis=0)
        place = self.slices[part].start - self.d_i + number - 1
        codes[:, place] = np.linspace(-reach, reach, columns)
        return codes

    def vary(self, codes: np.ndarray, parts: Sequence[str], block: str) -> np.ndarray:
        """Codes of a block that differ in some of its parts alone: all else is as in the first of them.

        Args:
            codes: float [n, width].
            parts: names of parts, of either block; where none is of this one, the codes stay as they are.
            block: `"identity"` or `"observation"`.

        Returns:
            float [n, width].

        Raises:
            ValueError: the code has no such part.
        """
        foreign = sorted(set(parts) - set(self.slices))
        if foreign:
            raise ValueError(
                f"The parts of this code are {', '.join(self.slices)}. Received: {', '.join(foreign)}"
            )
        names = [part.name for part in self.parts[block] for _ in range(part.width)]
        varied = np.isin(names, parts)
        return np.where(varied, codes, codes[:1]) if varied.any() else codes

    def truncate(self, codes: np.ndarray, factor: float, block: str) -> np.ndarray:
        """Codes of a block multiplied by `factor`, as far as the laws of their parts are centred: float [n, width]
        to the same shape.
        """
        factors = [
            factor if LAWS[part.law].centred else 1.0
            for part in self.parts[block]
            for _ in range(part.width)
        ]
        return np.asarray(codes) * np.array(factors, np.float32)

    def reclaim(self, codes: tf.Tensor, seed: tf.Tensor, block: str) -> tf.Tensor:
        """Stochastic clipping (arXiv 1702.04782): components that have left the distribution are drawn from it anew,
        the others stay.

        Uniform codes are left beyond [-1, 1], normal ones beyond 3 sigma, the others beyond [0, 1].

        Args:
            codes: float32 [..., width] of a block.
            seed: int [2], as `stateless_seed` gives it.
            block: `"identity"` or `"observation"`.

        Returns:
            float32 of the same shape, within the bounds.
        """
        laws = [LAWS[part.law] for part in self.parts[block] for _ in range(part.width)]
        low, high = (tf.constant([getattr(law, end) for law in laws]) for end in ("low", "high"))
        shape = [*tf.unstack(tf.shape(codes)[:-1])]
        drawn = tf.clip_by_value(self._draw(block, shape, seed), low, high)
        return tf.where((codes < low) | (codes > high), drawn, codes)

    def _draw(self, block: str, shape: list[Any], seed: tf.Tensor) -> tf.Tensor:
        drawn = [
            LAWS[part.law].draw([*shape, part.width], stateless_seed(seed, part.name))
            for part in self.parts[block]
        ]
        return tf.concat(drawn, axis=-1) if drawn else tf.zeros([*shape, 0])

    def _codes(self, block: str, seeds: tf.Tensor | Sequence[int]) -> tf.Tensor:
        seeds = tf.convert_to_tensor(seeds, tf.int64)
        drawn = [_drawer(*part)(seeds) for part in self.parts[block]]
        return tf.concat(drawn, axis=-1) if drawn else tf.zeros([tf.shape(seeds)[0], 0])


@functools.cache
def _drawer(name: str, width: int, law: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """What draws a part of the code for each of int64 [n] seeds, float32 [n, width]."""

    # A graph, since one operation after another a grid's codes would take a second.
    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
    def draw(seeds: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(
            lambda seed: LAWS[law].draw([width], stateless_seed(seed, name)),
            seeds,
            fn_output_signature=tf.TensorSpec([width], tf.float32),
        )

    return draw


def walk(codes: tf.Tensor | np.ndarray, steps: int, path: str = "linear") -> np.ndarray:
    """Codes on the way from one to the next.

    Args:
        codes: float [m, d], those to pass through, at least one.
        steps: from each to the next, at least 1.
        path: `"linear"`, straight (paper); or `"slerp"`, along the great arc (arXiv 1609.04468): normal codes have
            nearly the same length all, straight ways leave for shorter ones.

    Returns:
        float32 [(m - 1) * steps + 1, d], all of `codes` among them.

    Raises:
        ValueError: no codes, no steps, an unknown path, or opposite codes, between which no arc is the shortest.
    """
    codes = np.asarray(codes, np.float64)
    if codes.ndim != 2 or not len(codes) or steps < 1:
        raise ValueError(
            "A walk passes through codes [m, d], at least one, with a step or more from each to the next. "
            f"Received: shape {codes.shape}, steps={steps}"
        )
    if path not in PATHS:
        raise ValueError(f"The path is one of {PATHS}. Received: path={path!r}")
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
