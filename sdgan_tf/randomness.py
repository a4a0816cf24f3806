"""Where all randomness starts: seeds that are pure functions of what they are for.

Everything random is a pure function of (seed, stream, step, replica). No generator has a state, so
a run may be restarted at any step and goes on with the same numbers, and no two replicas ever share
theirs.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import tensorflow as tf

Integer = "int | tf.Tensor"


def stateless_seed(
    seed: Integer, stream: str, step: Integer = 0, replica: Integer = 0
) -> tf.Tensor:
    """The seed of one random event.

    Pass the result to `uniform` or `normal`, or, with `alg="philox"`, to `tf.random.stateless_uniform` for integers:
    Philox gives the same bits on every processor and in every version of TensorFlow.

    Args:
        seed: the user's seed, an integer; or an int64 [2] seed made by a function of this module,
            to derive others from it.
        stream: what the numbers are for, such as `"tuples"`. Streams are independent.
        step: the number of the step.
        replica: the number of the replica.

    Returns:
        int64 [2].

    Raises:
        ValueError: a number does not fit into 64 bits.
    """
    state = _to_int64(seed, "seed")
    if state.shape.rank == 0:
        state = rollback_seed(state, 0)
    # CRC-32 and not hash(): Python salts hash() anew in every process.
    events = (("stream", zlib.crc32(stream.encode())), ("step", step), ("replica", replica))
    for name, number in events:
        number = _to_int64(number, name)
        state = tf.random.experimental.stateless_fold_in(state, number, alg="philox")
    return state


def rollback_seed(seed: Integer, rollbacks: Integer) -> tf.Tensor:
    """The seed of a run after so many rollbacks, int64 [2]; without any, that of `seed` itself."""
    return tf.stack([_to_int64(seed, "seed"), _to_int64(rollbacks, "rollbacks")])


def uniform(
    shape: Sequence[Integer], seed: tf.Tensor, low: float = 0.0, high: float = 1.0
) -> tf.Tensor:
    """Numbers from `low` to below `high`, float32 of a shape: those of `tf.random.stateless_uniform` with
    `alg="philox"`, which XLA would make of other bits.
    """
    bits = tf.random.stateless_uniform(shape, seed, None, None, tf.int32, alg="philox")
    share = tf.cast(tf.bitwise.bitwise_and(bits, 2**23 - 1), tf.float32) * 2.0**-23
    return share * (high - low) + low


def normal(shape: Sequence[Integer], seed: tf.Tensor) -> tf.Tensor:
    """Numbers of a normal law of mean 0 and variance 1, float32 of a shape: those of `tf.random.stateless_normal` with
    `alg="philox"` up to rounding, which XLA would make by another method.
    """
    count = tf.reduce_prod(tf.cast(tf.stack(shape), tf.int32))
    # Box and Muller's method makes two of two.
    pairs = uniform([(count + 1) // 2, 2], seed)
    length = tf.sqrt(-2.0 * tf.math.log(tf.maximum(pairs[:, 0], 1e-7)))
    angle = 2.0 * math.pi * pairs[:, 1]
    both = tf.stack([length * tf.sin(angle), length * tf.cos(angle)], axis=1)
    return tf.reshape(tf.reshape(both, [-1])[:count], shape)


def _to_int64(value: Integer, name: str) -> tf.Tensor:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"`{name}` must fit into 64 bits. Received: {name}={value}")
    return tf.cast(value, tf.int64) if tf.is_tensor(value) else tf.constant(value, tf.int64)
