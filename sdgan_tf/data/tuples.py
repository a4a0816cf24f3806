"""Which images make up a batch of matched tuples: a sampler without a state."""

from __future__ import annotations

import tensorflow as tf

from sdgan_tf.randomness import stateless_seed

# 63 bits modulo a count below 2**31 favours no remainder by more than one part in 2**32.
_SIGN_OFF = 2**63 - 1


def sample_tuples(counts, k: int, batch_size: int, seed, step) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws the identities and the observations of one batch.

    Identities are drawn uniformly and with replacement; an identity's `k` observations are
    distinct and uniform over the ordered selections of `k`. Both depend on nothing but the
    arguments.

    Args:
        counts: int64 `[identities]`, how many images each identity has, each `k` or more.
        k: How many images of one identity make up a tuple.
        batch_size: How many tuples make up a batch.
        seed: The seed of the run.
        step: The number of the batch: an integer, or an integer tensor of shape `[]`.

    Returns:
        `identities`, int64 `[batch_size]`, positions in `counts`, and `observations`, int64
        `[batch_size, k]`, each between 0 and the identity's count - 1.
    """
    bits = tf.random.stateless_uniform(
        [k + 1, batch_size],
        stateless_seed(seed, "tuples", step),
        minval=None,
        maxval=None,
        dtype=tf.int64,
        alg="philox",
    )
    bits = tf.bitwise.bitwise_and(bits, tf.constant(_SIGN_OFF, tf.int64))
    counts = tf.convert_to_tensor(counts, tf.int64)
    identities = bits[0] % tf.size(counts, out_type=tf.int64)
    return identities, _distinct(bits[1:], tf.gather(counts, identities), k)


def _distinct(bits: tf.Tensor, counts: tf.Tensor, k: int) -> tf.Tensor:
    """`k` distinct numbers below each count: int64 `[batch_size, k]`."""
    chosen: list[tf.Tensor] = []
    for position in range(k):
        # The rank of the new number among those that are still free, ...
        rank = bits[position] % (counts - position)
        number = rank
        if chosen:
            # ... and its value: it moves up by one for each chosen number at or below it.
            taken = tf.sort(tf.stack(chosen, axis=1), axis=1)
            free_below = taken - tf.range(position, dtype=tf.int64)
            below = tf.cast(free_below <= rank[:, tf.newaxis], tf.int64)
            number = rank + tf.reduce_sum(below, axis=1)
        chosen.append(number)
    return tf.stack(chosen, axis=1)
