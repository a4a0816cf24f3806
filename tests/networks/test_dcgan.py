"""A conformance suite over the networks, the paper's sizes, and what batch norm sees."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.networks import DCGANGenerator, SiameseDCGANDiscriminator

SIZES = [(8, 3), (16, 1), (32, 3), (64, 1)]


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


def network_cases():
    """Yield (network class, arguments, input shape without batch, output shape without batch)."""
    for size, channels in SIZES:
        yield (
            DCGANGenerator,
            {"code_size": 5, "image_size": size, "channels": channels, "dim": 2},
            (5,),
            (size, size, channels),
        )
    for (size, channels), k, norm in [
        *zip(SIZES, (1, 2, 4, 2), ("batch", "none", "batch", "batch")),
        ((8, 1), 4, "none"),
    ]:
        arguments = {"k": k, "image_size": size, "channels": channels, "dim": 2, "norm": norm}
        yield SiameseDCGANDiscriminator, arguments, (k, size, size, channels), ()


@pytest.mark.parametrize(
    ("network_class", "arguments", "input_shape", "output_shape"),
    list(network_cases()),
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
class TestConformance:
    """What every network promises."""

    def test_shape_dtype_and_range(self, network_class, arguments, input_shape, output_shape):
        for policy in ("float32", "mixed_bfloat16"):
            network = network_class(**arguments, dtype=keras_compat.policy(policy))
            network.build()
            out = network(random(3, *input_shape), training=True)
            assert out.shape == (3, *output_shape)
            assert out.dtype == tf.float32
            assert np.all(np.isfinite(out))
            assert {tf.as_dtype(weight.dtype) for weight in network.weights} == {tf.float32}
            if output_shape:
                assert np.abs(out).max() <= 1

    def test_config_round_trip(self, network_class, arguments, input_shape, output_shape):
        network = network_class(**arguments)
        config = keras.utils.serialize_keras_object(network)
        again = keras.utils.deserialize_keras_object(config)
        assert type(again) is network_class
        assert {name: getattr(again, name) for name in arguments} == arguments
        network.build()
        again.build()
        assert [w.shape for w in again.weights] == [w.shape for w in network.weights]

    def test_build_twice_makes_weights_once(
        self, network_class, arguments, input_shape, output_shape
    ):
        network = network_class(**arguments)
        network.build()
        before = [id(weight) for weight in network.weights]
        network.build()
        network(random(1, *input_shape))
        assert [id(weight) for weight in network.weights] == before and before

    def test_at_inference_no_picture_depends_on_its_neighbours(
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
            total = tf.reduce_sum(network(random(3, *input_shape), training=True) ** 2)
        values = [keras_compat.tensor_of(weight) for weight in network.trainable_variables]
        for weight, slope in zip(values, tape.gradient(total, values)):
            assert slope is not None and np.all(np.isfinite(slope)), weight.name
        assert np.any(slope), "the last layer is certain to feel it"


def test_parameters_are_the_papers():
    generator = DCGANGenerator()
    generator.build()
    assert trainable(generator) == 5_135_363
    for k, total in ((2, 14_165_892), (4, 18_884_484)):
        discriminator = SiameseDCGANDiscriminator(k)
        discriminator.build()
        assert trainable(generator) + trainable(discriminator) == total


def test_widths_are_the_papers():
    generator, discriminator = DCGANGenerator(), SiameseDCGANDiscriminator()
    generator.build()
    discriminator.build()
    assert generator.start.units == 4 * 4 * 512
    assert [conv.filters for conv in (*generator.convs, generator.finish)] == [256, 128, 64, 3]
    assert [conv.filters for conv in discriminator.tower] == [64, 128, 256, 512]
    assert [tuple(conv.kernel.shape) for conv in discriminator.joint] == [(3, 3, 2 * 512, 512)]
    # No batch norm after the first convolution of D, none on the pictures of G.
    assert len(discriminator.norms) == len(generator.norms) == 4
    assert {(norm.momentum, norm.epsilon) for norm in generator.norms} == {(0.99, 1e-3)}


@pytest.mark.parametrize("network_class", [DCGANGenerator, SiameseDCGANDiscriminator])
@pytest.mark.parametrize("size", [0, 4, 7, 24, 63])
def test_other_sizes_are_refused(network_class, size):
    with pytest.raises(ValueError, match=f"power of two, 8 or more. Received: image_size={size}"):
        network_class(image_size=size)


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="Received: norm='layer'"):
        SiameseDCGANDiscriminator(norm="layer")


@pytest.fixture
def discriminators():
    """Return two equal discriminators of pairs at 16 px: one batch norm lies in the tower."""
    pair = []
    for _ in range(2):
        network = SiameseDCGANDiscriminator(2, 16, 3, 4)
        network.build()
        shake(network)
        pair.append(network)
    pair[1].set_weights(pair[0].get_weights())
    return pair


def test_one_pass_over_two_groups_is_two_passes(discriminators):
    together, apart = discriminators
    # Real and fake tuples of different means and contrasts, and so are their positions.
    real = random(3, 2, 16, 16, 3) * tf.constant([1.0, 0.5])[:, None, None, None]
    fake = 0.3 * random(3, 2, 16, 16, 3, seed=1) + 0.5
    weights = tf.constant([1.0, -2.0, 3.0, 4.0, -5.0, 6.0])

    def run(network, score):
        values = [keras_compat.tensor_of(weight) for weight in network.trainable_variables]
        with tf.GradientTape() as tape:
            scores = score()
            total = tf.reduce_sum(weights * scores)
        return scores, tape.gradient(total, values)

    scores, slopes = run(
        together, lambda: together(tf.concat([real, fake], 0), training=True, groups=2)
    )
    expected_scores, expected_slopes = run(
        apart, lambda: tf.concat([apart(part, training=True) for part in (real, fake)], 0)
    )
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-3, atol=1e-4)
    for slope, expected in zip(slopes, expected_slopes):
        np.testing.assert_allclose(slope, expected, rtol=1e-2, atol=1e-3)
    for index, (mine, theirs) in enumerate(zip(together.norms, apart.norms)):
        for name in ("moving_mean", "moving_variance"):
            found, expected = getattr(mine, name), getattr(theirs, name)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6, err_msg=f"{index}")
    whole = apart(tf.concat([real, fake], 0), training=True)
    assert np.abs(whole - scores).max() > 0.05, "shared statistics would give other scores"


def test_positions_of_a_tuple_have_their_own_statistics(discriminators):
    network, layers = discriminators
    tuples = random(3, 2, 16, 16, 3) * tf.constant([1.0, 0.2])[:, None, None, None]
    found = network(tuples, training=True)

    towers = []
    for position in range(2):
        maps = tf.nn.leaky_relu(layers.tower[0](tuples[:, position]), 0.2)
        maps = layers.norms[0](layers.tower[1](maps), training=True)
        towers.append(tf.nn.leaky_relu(maps, 0.2))
    joint = layers.norms[1](layers.joint[0](tf.concat(towers, -1)), training=True)
    flat = tf.reshape(tf.nn.leaky_relu(joint, 0.2), [3, -1])
    np.testing.assert_allclose(found, layers.finish(flat)[:, 0], rtol=1e-3, atol=1e-4)
    moved = layers.norms[0].moving_variance
    np.testing.assert_allclose(network.norms[0].moving_variance, moved, rtol=1e-4)


def test_the_towers_are_shared_but_the_order_matters(discriminators):
    network, _ = discriminators
    tuples = random(2, 2, 16, 16, 3)
    swapped = network(tuples[:, ::-1])
    assert np.abs(network(tuples) - swapped).max() > 1e-4
    # Equal pictures give equal maps, whatever the position.
    same = tf.repeat(tuples[:, :1], 2, axis=1)
    np.testing.assert_array_equal(network(same), network(same[:, ::-1]))


def test_without_norm_there_are_no_moving_statistics():
    network = SiameseDCGANDiscriminator(2, 16, 3, 2, norm="none")
    network.build()
    assert not network.non_trainable_variables
    tuples = random(3, 2, 16, 16, 3)
    np.testing.assert_allclose(
        network(tuples, training=True)[:1], network(tuples[:1], training=True), rtol=1e-4, atol=1e-6
    )
