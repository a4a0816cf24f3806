"""What several replicas of a model have to do together."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def where(turn: tf.Tensor, then: Callable, otherwise: Callable, *tensors: tf.Tensor) -> tf.Tensor:
    """`tf.cond` whose branches may move variables, on several replicas, too.

    Args:
        turn: bool, the same on all replicas.
        then: what to do if it is true; takes the tensors and gives a tensor.
        otherwise: the same if it is not.
        *tensors: of this replica. The functions may not use others.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return tf.cond(turn, lambda: then(*tensors), lambda: otherwise(*tensors))

    def across(strategy: tf.distribute.Strategy, turns, *values):
        # An update meets the other replicas, which within a condition of one replica it cannot. So the condition is
        # outside all of them.
        return tf.cond(
            strategy.experimental_local_results(turns)[0],
            lambda: strategy.run(then, args=values),
            lambda: strategy.run(otherwise, args=values),
        )

    return tf.distribute.get_replica_context().merge_call(across, args=(turn, *tensors))
