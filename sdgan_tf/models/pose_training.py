"""Trains the autoencoder of poses by which stage II of Disentangled Person Image Generation knows them."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.randomness import stateless_seed

BATCH, RATE = 64, 1e-3


def train_pose_autoencoder(
    encoder: keras.Model, decoder: keras.Model, poses: tf.Tensor, steps: int, seed: int
) -> None:
    """Trains two networks to rebuild poses, by their mean squared error: a pure function of its arguments.

    The weights begin as those that the networks hold.

    Args:
        encoder: poses float [n, 54] to codes.
        decoder: codes to poses float32 [n, 54].
        poses: float32 [n, 54], to learn from, see `networks.pose.encode_pose`.
        steps: of 64 poses each, by Adam at a rate that falls from 1e-3 to 0 along half a cosine.
        seed: of which poses make a step.
    """
    # Copies, since those of a model may belong to several replicas.
    copies = [keras_compat.copy_of(network) for network in (encoder, decoder)]
    for copy, network in zip(copies, (encoder, decoder)):
        copy.build()
        copy.set_weights(network.get_weights())
    count = len(poses)

    def draw(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        which = stateless_seed(seed, "poses", step)
        chosen = tf.random.stateless_uniform([BATCH], which, 0, count, tf.int32, alg="philox")
        batch = tf.gather(poses, chosen)
        return batch, batch

    trained = keras.Sequential(copies)
    trained.build([None, poses.shape[-1]])
    schedule = keras.optimizers.schedules.CosineDecay(RATE, steps)
    trained.compile(keras.optimizers.Adam(schedule, beta_1=0.5), "mse")
    batches = tf.data.Dataset.range(steps).map(draw).prefetch(4)
    trained.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)
    for copy, network in zip(copies, (encoder, decoder)):
        network.set_weights(copy.get_weights())
