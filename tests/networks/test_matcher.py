"""Networks that say whether embeddings are of one identity."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf.networks import DenseMatcher
from tests.networks.network_case import random, shake


def test_the_order_of_a_tuple_makes_no_difference_and_its_members_do():
    network, embeddings = DenseMatcher(matcher_width=5), random(6, 3, 4)
    network(embeddings)
    shake(network)
    scores = network(embeddings).numpy()
    assert scores.shape == (6,) and scores.dtype == np.float32
    np.testing.assert_allclose(network(tf.reverse(embeddings, [1])), scores, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(network(embeddings[1:2]), scores[1:2], rtol=1e-4, atol=1e-6)
    mixed = tf.concat([embeddings[:, :1], tf.roll(embeddings[:, 1:], 1, 0)], 1)
    assert np.abs(network(mixed) - scores).max() > 1e-3


def test_the_configuration_makes_the_network_again():
    config = keras.utils.serialize_keras_object(DenseMatcher(matcher_width=5))
    assert keras.utils.deserialize_keras_object(config).matcher_width == 5
