"""Which images make up a batch of matched tuples: a sampler without a state."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import logging

from sdgan_tf.data.report import listed
from sdgan_tf.randomness import stateless_seed

# 63 bits modulo a count below 2**31 favours no remainder by more than one part in 2**32.
_SIGN_OFF = 2**63 - 1
# Batches that are made side by side. Each waits for its images, page after page, where a cold disk has them, and a disk
# reads several pages at once about as fast as one.
AT_ONCE = 8


def identities_with(k: int, names: list[str], counts: np.ndarray, on_bad_data: str) -> np.ndarray:
    """The positions of the identities that have `k` images or more, of which tuples are made.

    Raises:
        ValueError: fewer than two have, or some have fewer and `on_bad_data` is `"fail"`.
    """
    eligible, short = np.flatnonzero(counts >= k), np.flatnonzero(counts < k)
    lacking = listed([f"{names[i]} ({counts[i]})" for i in short])
    if len(short) and on_bad_data == "fail":
        raise ValueError(
            f"{len(short)} of {len(names)} identities have fewer than k={k} images: {lacking}. "
            "Lower k, add images, or leave them out by on_bad_data=skip."
        )
    if len(eligible) < 2:
        raise ValueError(
            f"At least 2 identities with k={k} or more images are needed. Received: "
            f"{len(eligible)} such identities of {len(names)}"
        )
    if len(short):
        logging.warning(
            "Skipping %d of %d identities with fewer than k=%d images: %s",
            len(short), len(names), k, lacking,
        )  # fmt: skip
    return eligible


def endless(draw: Callable, start_step: int) -> tf.data.Dataset:
    """The batches `draw(start_step)`, `draw(start_step + 1)` and so on."""
    steps = tf.data.Dataset.range(start_step, 2**63 - 1)
    # A range has an end, which Keras would take for the end of an epoch.
    steps = steps.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
    options = tf.data.Options()
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    # The optimizer of graphs copies the captured images and has nothing to gain here.
    options.experimental_optimization.apply_default_optimizations = False
    # By itself TensorFlow has as many threads as there are processors, and those are not what a disk keeps waiting.
    options.threading.private_threadpool_size = AT_ONCE
    # A few batches even out the flow; left to itself TensorFlow may hoard hundreds.
    return steps.map(draw, AT_ONCE).prefetch(4).with_options(options)


def sample_tuples(counts, k: int, batch_size: int, seed, step) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws the identities and the observations of one batch.

    Identities are drawn uniformly and with replacement; an identity's `k` observations are
    distinct and uniform over the ordered selections of `k`. Both depend on nothing but the
    arguments.

    Args:
        counts: int64 `[identities]`, how many images each identity has, each `k` or more.
        k: how many images of one identity make up a tuple.
        batch_size: how many tuples make up a batch.
        seed: the seed of the run.
        step: the number of the batch: an integer, or an integer tensor of shape `[]`.

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
