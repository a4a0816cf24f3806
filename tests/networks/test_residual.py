"""Residual networks: the battery, sizes, and what the order of a tuple's images changes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from sdgan_tf.networks import ResidualDiscriminator, ResidualGenerator
from tests.networks.network_case import NetworkCase, conforms, random, shake


def network_cases():
    """Yield (network class, arguments, input shape without batch, output shape without batch)."""
    for size, channels in ((8, 3), (16, 1)):
        arguments = {"code_size": 5, "image_size": size, "channels": channels, "dim": 2}
        yield ResidualGenerator, arguments, (5,), (size, size, channels)
    for k, size, channels in ((2, 8, 3), (1, 16, 1), (3, 8, 1)):
        arguments = {"k": k, "image_size": size, "channels": channels, "dim": 2}
        yield ResidualDiscriminator, arguments, (k, size, size, channels), ()


@conforms(network_cases())
class TestConformance(NetworkCase):
    """The battery over both networks."""


def test_the_length_of_a_code_says_nothing():
    network = ResidualGenerator(5, 8, 3, 2)
    network.build()
    codes = random(3, 5)
    np.testing.assert_allclose(network(3 * codes), network(codes), rtol=1e-4, atol=1e-5)
    assert np.abs(network(-codes) - network(codes)).max() > 1e-3


def test_the_order_of_a_tuples_images_changes_nothing():
    network = ResidualDiscriminator(3, 8, 3, 2)
    network.build()
    shake(network)
    tuples = random(4, 3, 8, 8, 3)
    scores = network(tuples)
    np.testing.assert_allclose(network(tuples[:, ::-1]), scores, rtol=1e-4, atol=1e-5)
    # But of one image, in place of three, there are others.
    assert np.abs(network(tf.repeat(tuples[:, :1], 3, axis=1)) - scores).max() > 1e-4


def test_there_is_no_batch_norm():
    for network in (ResidualGenerator(5, 8, 3, 2), ResidualDiscriminator(2, 8, 3, 2)):
        network.build()
        assert not network.non_trainable_variables
