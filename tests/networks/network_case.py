"""What every network promises, as one battery of tests.

A test file subclasses it and names its cases, tuples of (network class, arguments, input shape, output shape), both
shapes without the batch:

    @conforms([(DCGANGenerator, {"image_size": 8}, (100,), (8, 8, 3))])
    class TestConformance(NetworkCase):
        pass
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat


def trainable(network):
    """Return the number of trainable parameters."""
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def random(*shape, seed=0):
    """Return fixed random numbers in [-1, 1], float32."""
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32))


def shake(network):
    """Give all trainable weights sizes at which nothing is hidden by a zero or a one."""
    for index, variable in enumerate(network.trainable_variables):
        change = np.random.default_rng(index).normal(0, 0.1, variable.shape)
        variable.assign(np.asarray(variable) + change)


def conforms(cases):
    """Return the decorator that lets a battery run over `cases`."""
    return pytest.mark.parametrize(
        ("network_class", "arguments", "input_shape", "output_shape"),
        list(cases),
        ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
    )


class NetworkCase:
    """The battery."""

    # Whether images that come out end in tanh.
    bounded = True

    def test_shape_dtype_and_range(self, network_class, arguments, input_shape, output_shape):
        for policy in ("float32", "mixed_bfloat16"):
            network = network_class(**arguments, dtype=keras_compat.policy(policy))
            network.build()
            out = network(random(3, *input_shape), training=True)
            assert out.shape == (3, *output_shape)
            assert out.dtype == tf.float32
            assert np.all(np.isfinite(out))
            assert {tf.as_dtype(weight.dtype) for weight in network.weights} == {tf.float32}
            if output_shape and self.bounded:
                assert np.abs(out).max() <= 1

    def test_config_round_trip(self, network_class, arguments, input_shape, output_shape):
        network = network_class(**arguments)
        config = keras.utils.serialize_keras_object(network)
        again = keras.utils.deserialize_keras_object(config)
        assert type(again) is network_class
        assert {name: getattr(again, name) for name in arguments} == arguments
        network.build()
        again.build()
        assert [tuple(w.shape) for w in again.weights] == [tuple(w.shape) for w in network.weights]

    def test_build_twice_makes_weights_once(
        self, network_class, arguments, input_shape, output_shape
    ):
        network = network_class(**arguments)
        network.build()
        before = [id(weight) for weight in network.weights]
        network.build()
        network(random(1, *input_shape))
        assert [id(weight) for weight in network.weights] == before and before

    def test_at_inference_no_image_depends_on_its_neighbours(
        self, network_class, arguments, input_shape, output_shape
    ):
        network = network_class(**arguments)
        network.build()
        shake(network)
        inputs = random(3, *input_shape)
        together = network(inputs)
        np.testing.assert_allclose(network(inputs[1:2]), together[1:2], rtol=1e-4, atol=1e-5)
        assert np.abs(together[0] - together[1]).max() > 1e-6

    def test_every_weight_gets_a_gradient(
        self, network_class, arguments, input_shape, output_shape
    ):
        network = network_class(**arguments)
        network.build()
        shake(network)
        with tf.GradientTape() as tape:
            out = network(random(3, *input_shape), training=True)
            # Weighted, since the plain sum is a constant where outputs have unit length.
            total = tf.reduce_sum(random(*out.shape, seed=1) * out**2)
        values = [keras_compat.tensor_of(weight) for weight in network.trainable_variables]
        gradients = tape.gradient(total, values)
        for weight, gradient in zip(values, gradients):
            assert gradient is not None and np.all(np.isfinite(gradient)), weight.name
        # A bias in front of batch norm has a gradient of 0, as has a map that no image activates.
        reached = [bool(np.any(np.abs(gradient) > 1e-7)) for gradient in gradients]
        assert sum(reached) > 0.7 * len(reached)
