"""Generators that know identities: what they are made of, and what is kept of the pictures seen."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from network_case import random, trainable
from tensorflow import keras

from sdgan_tf.networks import EncoderGenerator, SiameseDCGANDiscriminator, TableGenerator
from sdgan_tf.networks.identity import CodeTable, References

TINY = {"identities": 5, "d_i": 2, "code_size": 5, "image_size": 8, "channels": 1, "dim": 2}


@pytest.mark.parametrize("network_class", [TableGenerator, EncoderGenerator])
def test_config_round_trip(network_class):
    network = network_class(**TINY)
    again = keras.utils.deserialize_keras_object(keras.utils.serialize_keras_object(network))
    assert type(again) is network_class
    assert {name: getattr(again, name) for name in TINY} == TINY
    for each in (network, again):
        each.build()
        each.build()
    shapes = [tuple(weight.shape) for weight in network.weights]
    assert shapes == [tuple(weight.shape) for weight in again.weights]
    codes = network.identify(random(3, 8, 8, 1), tf.constant([4, 0, 4], tf.int64))
    assert codes.shape == [3, 2] and codes.dtype == tf.float32
    assert network(tf.concat([codes, random(3, 3)], 1)).shape == [3, 8, 8, 1]


def test_a_table_starts_as_codes_are_drawn():
    rows = {}
    for codes in ("uniform", "normal"):
        table = CodeTable(2000, 3, codes)
        table.build()
        rows[codes] = table(tf.range(2000)).numpy()
    assert np.abs(rows["uniform"]).max() <= 1
    assert rows["uniform"].std() == pytest.approx(3**-0.5, abs=0.02)
    assert rows["normal"].std() == pytest.approx(1, abs=0.05)


def test_an_encoder_is_a_tower_and_a_dense_layer():
    encoder = EncoderGenerator(**TINY).encoder
    encoder.build()
    # One 5x5 convolution to 2 channels, then 4x4x2 numbers to 2.
    assert trainable(encoder) == (25 * 2 + 2) + (32 * 2 + 2)


def test_references_keep_the_first_picture_of_each_place():
    pictures = random(6, 2, 2, 1)
    references = References(3, 2, 1)
    references.build()
    references.fill(pictures[:3], tf.constant([4, 1, 4], tf.int64))
    expected = np.zeros([3, 2, 2, 1], np.float32)
    expected[1] = pictures[0]
    np.testing.assert_array_equal(references(tf.range(3)), expected)
    references.fill(pictures[3:], tf.constant([1, 6, 2], tf.int64))
    expected[0], expected[2] = pictures[4], pictures[5]
    np.testing.assert_array_equal(references(tf.range(3)), expected)
    references.fill(-pictures, tf.range(6, dtype=tf.int64))
    np.testing.assert_array_equal(references(tf.range(3)), expected)


def test_more_outputs_than_a_score():
    network = SiameseDCGANDiscriminator(1, 8, 1, 2, outputs=4)
    network.build()
    assert network(random(3, 1, 8, 8, 1)).shape == [3, 4]
    assert network.get_config()["outputs"] == 4
