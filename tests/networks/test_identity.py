"""Networks that give identity codes: what they are made of, and which codes they can show later."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf.networks import IdentityEncoder, IdentityTable, SiameseDCGANDiscriminator
from sdgan_tf.networks import identity as identity_networks
from sdgan_tf.networks.identity import CodeTable
from tests.networks.network_case import random, shake, trainable

TABLE = {"training_identities": 5, "d_i": 2, "law": "normal"}
ENCODER = {"training_identities": 5, "d_i": 2, "image_size": 8, "channels": 1, "dim": 2}


@pytest.fixture
def encoder():
    """Return a function to a built encoder of not too small weights."""

    def make(**changes):
        network = IdentityEncoder(**{**ENCODER, **changes})
        network.build()
        shake(network)
        return network

    return make


def labels(*numbers):
    """Return labels as batches hold them."""
    return tf.constant(numbers, tf.int64)


@pytest.mark.parametrize(
    ("network_class", "arguments"), [(IdentityTable, TABLE), (IdentityEncoder, ENCODER)]
)
def test_config_round_trip(network_class, arguments):
    network = network_class(**arguments)
    again = keras.utils.deserialize_keras_object(keras.utils.serialize_keras_object(network))
    assert type(again) is network_class
    assert {name: getattr(again, name) for name in arguments} == arguments
    for each in (network, again):
        each.build()
        each.build()
    shapes = [tuple(weight.shape) for weight in network.weights]
    assert shapes == [tuple(weight.shape) for weight in again.weights] and shapes
    codes = network(random(3, 8, 8, 1), labels(4, 0, 4))
    assert codes.shape == [3, 2] and codes.dtype == tf.float32


def test_a_table_starts_as_codes_are_drawn():
    rows = {}
    for law in ("uniform", "normal", "zeros"):
        table = CodeTable(2000, 3, law)
        table.build()
        rows[law] = table(tf.range(2000)).numpy()
    assert np.abs(rows["uniform"]).max() <= 1
    assert rows["uniform"].std() == pytest.approx(3**-0.5, abs=0.02)
    assert rows["normal"].std() == pytest.approx(1, abs=0.05)
    assert not np.any(rows["zeros"])


def test_a_table_gives_the_rows_of_the_labels_and_shows_all_by_turns():
    network = IdentityTable(**TABLE)
    network.build()
    rows = np.array(network.table.kernel)
    np.testing.assert_array_equal(network(random(3, 8, 8, 1), labels(4, 0, 4)), rows[[4, 0, 4]])
    assert network.shown == 5
    np.testing.assert_array_equal(network.known(labels(0, 4, 5, 12)), rows[[0, 4, 0, 2]])
    assert trainable(network) == rows.size == 10


def test_an_encoder_is_a_tower_and_a_dense_layer():
    network = IdentityEncoder(**ENCODER)
    network.build()
    # One 5x5 convolution to 2 channels, then 4x4x2 numbers to 2; what it remembers is not trained.
    assert trainable(network) == (25 * 2 + 2) + (32 * 2 + 2)
    assert [tuple(weight.shape) for weight in network.non_trainable_variables] == [(5, 2)]


def test_an_encoder_remembers_the_last_codes_of_training(encoder):
    network = encoder()
    images = random(6, 8, 8, 1)
    first = network(images[:3], labels(4, 1, 4), training=True).numpy()
    assert np.abs(first).max() < 1 and len(np.unique(first, axis=0)) == 3
    expected = np.zeros([5, 2], np.float32)
    # Of two codes of one identity the first.
    expected[4], expected[1] = first[0], first[1]
    np.testing.assert_array_equal(network.known(tf.range(5, dtype=tf.int64)), expected)
    later = network(images[3:], labels(1, 0, 3), training=True).numpy()
    expected[[1, 0, 3]] = later
    np.testing.assert_array_equal(network.known(tf.range(5, dtype=tf.int64)), expected)
    # At inference it reads the same but remembers nothing.
    np.testing.assert_allclose(network(images[3:], labels(4, 4, 2)), later, rtol=1e-5)
    np.testing.assert_array_equal(network.known(labels(6, 9)), expected[[1, 4]])


def test_an_encoder_keeps_codes_of_so_many_identities_and_no_image(encoder, monkeypatch):
    assert IdentityEncoder(training_identities=10_000, image_size=8, dim=1).shown == 128
    monkeypatch.setattr(identity_networks, "REMEMBERED", 2)
    network = encoder()
    codes = network(random(3, 8, 8, 1), labels(3, 1, 2), training=True).numpy()
    assert network.shown == 2
    expected = [[0, 0], codes[1], [0, 0], codes[1]]
    np.testing.assert_array_equal(network.known(labels(0, 1, 2, 3)), expected)
    image = 8 * 8
    assert all(np.prod(weight.shape) < image for weight in network.non_trainable_variables)


def test_what_is_remembered_has_no_gradient(encoder):
    network = encoder()
    with tf.GradientTape() as tape:
        network(random(2, 8, 8, 1), labels(0, 1), training=True)
        total = tf.reduce_sum(network.known(labels(0, 1)))
    values = [tf.convert_to_tensor(weight) for weight in network.trainable_variables]
    assert all(gradient is None for gradient in tape.gradient(total, values))


def test_more_outputs_than_a_score():
    network = SiameseDCGANDiscriminator(1, 8, 1, 2, outputs=4)
    network.build()
    assert network(random(3, 1, 8, 8, 1)).shape == [3, 4]
    assert network.get_config()["outputs"] == 4
