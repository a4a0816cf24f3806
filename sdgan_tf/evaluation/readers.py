"""Networks that read something off single images: how they are trained, and asked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tqdm.keras import TqdmCallback

from sdgan_tf.randomness import stateless_seed


def train_reader(
    network: keras.Model,
    what: str,
    images: np.ndarray,
    targets: np.ndarray,
    prepare: Callable[[tf.Tensor], tf.Tensor],
    loss: str | keras.losses.Loss,
    steps: int,
    batch_size: int,
    rate: float,
    seed: int,
    verbose: bool,
) -> None:
    """Trains a network to give the targets of images.

    Args:
        network: of what `prepare` gives.
        what: its name, which its batches are drawn by and the progress bar shows.
        images: uint8 [n, h, w, c].
        targets: [n, ...].
        prepare: images uint8 [b, h, w, c] to what the network takes.
        loss: between targets and what the network gives.
        steps: of `batch_size` images.
        batch_size: images in a step.
        rate: Adam's, falling to zero by half a cosine.
        seed: of the batches.
        verbose: whether a progress bar is shown.
    """
    pictures, wanted = tf.constant(images), tf.constant(targets)

    def batch(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        chosen = tf.random.stateless_uniform(
            [batch_size],
            stateless_seed(seed, f"batches of the {what}", step),
            maxval=len(targets),
            dtype=tf.int32,
            alg="philox",
        )
        return prepare(tf.gather(pictures, chosen)), tf.gather(wanted, chosen)

    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    network.compile(keras.optimizers.Adam(schedule), loss)
    batches = tf.data.Dataset.range(steps).map(batch, tf.data.AUTOTUNE).prefetch(2)
    bar = [TqdmCallback(desc=f"Training the {what}", leave=False)] if verbose else []
    network.fit(batches, shuffle=False, verbose=0, callbacks=bar)


def read_in_batches(
    graph: Callable[[tf.Tensor], tf.Tensor], images: np.ndarray, batch_size: int
) -> np.ndarray:
    """What a graph gives for uint8 [n, h, w, c], so many at a time."""
    parts = [
        graph(tf.constant(images[start : start + batch_size])).numpy()
        for start in range(0, len(images), batch_size)
    ]
    return np.concatenate(parts)
