"""The BEGAN networks: the battery, the paper's sizes, and what goes where in the Siamese autoencoder."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.networks import BEGANGenerator, SiameseAutoencoder
from tests.networks.network_case import NetworkCase, conforms, random, shake, trainable


def network_cases():
    """Yield (network class, arguments, input shape without batch, output shape without batch)."""
    for size, channels in ((16, 3), (32, 1), (64, 3)):
        arguments = {"code_size": 5, "image_size": size, "channels": channels, "dim": 2}
        yield BEGANGenerator, arguments, (5,), (size, size, channels)
    for k, size, channels in ((2, 16, 3), (1, 32, 3), (4, 16, 1), (2, 64, 1)):
        arguments = {"k": k, "d_i": 2, "d_o": 3, "image_size": size, "channels": channels}
        shape = (k, size, size, channels)
        yield SiameseAutoencoder, {**arguments, "dim": 2}, shape, shape


@conforms(network_cases())
class TestConformance(NetworkCase):
    """The battery over both networks."""

    bounded = False


@pytest.fixture
def autoencoder():
    """Return a tiny autoencoder of pairs, of not too small weights."""
    network = SiameseAutoencoder(2, 2, 3, 16, 3, 2)
    network.build()
    shake(network)
    return network


def test_parameters_are_the_papers():
    generator, discriminator = BEGANGenerator(), SiameseAutoencoder()
    generator.build()
    discriminator.build()
    assert trainable(generator) == 2_011_523
    assert trainable(generator) + trainable(discriminator) == 16_951_848


def test_layers_are_the_papers():
    network = SiameseAutoencoder(k=4, d_i=5, d_o=3, image_size=64, dim=2)
    network.build()
    # Widths n, then 1n to 3n with a halving each, then 4n.
    layers = [(conv.filters, conv.strides[0]) for conv in network.encoder]
    halved = [[(width, 1), (width, 1), (width, 2)] for width in (2, 4, 6)]
    assert layers == [(2, 1), *sum(halved, []), (8, 1), (8, 1)]
    # Code of an image, of the tuple (d_I + k d_O), and of each image again.
    assert network.encoded.units == 8
    assert network.joint.units == 5 + 4 * 3
    assert [part.units for part in network.parted] == [8] * 4
    assert len(network.decoder.convs) == 8
    for layer in (network.encoded, network.joint, *network.parted, network.decoder.start):
        assert float(layer.activation(tf.constant(-3.0))) == -3, "linear"
    assert float(network.decoder.finish.activation(tf.constant(-3.0))) == -3, "linear"
    for conv in (*network.encoder, *network.decoder.convs):
        assert float(conv.activation(tf.constant(-1.0))) == pytest.approx(np.exp(-1) - 1), "ELU"
        assert tuple(conv.kernel_size) == (3, 3)


def test_weights_are_glorots():
    generator = BEGANGenerator(image_size=16, dim=16)
    generator.build()
    # Uniform up to sqrt(6 / (fan in + fan out)), here of 3 x 3 x 16 each.
    bound = (6 / (9 * 16 * 2)) ** 0.5
    kernel = np.array(generator.convs[0].kernel)
    assert 0.98 * bound < np.abs(kernel).max() <= bound
    assert kernel.std() == pytest.approx(bound / 3**0.5, rel=0.05)


def test_the_generator_doubles_maps_by_their_nearest_neighbour():
    generator = BEGANGenerator(4, 16, 3, 2)
    generator.build()
    shake(generator)
    maps = tf.reshape(generator.start(random(2, 4)), [2, 8, 8, 2])
    first, second, third, fourth = generator.convs
    maps = second(first(maps))
    maps = tf.repeat(tf.repeat(maps, 2, axis=1), 2, axis=2)
    expected = generator.finish(fourth(third(maps)))
    np.testing.assert_allclose(generator(random(2, 4)), expected, rtol=1e-4, atol=1e-5)


def test_images_are_not_bounded():
    generator = BEGANGenerator(4, 16, 3, 2)
    generator.build()
    generator.finish.bias.assign([5.0, -5.0, 0.0])
    images = generator(random(2, 4)).numpy()
    assert images[..., 0].min() > 1 and images[..., 1].max() < -1


def test_each_image_goes_through_the_code_of_its_tuple(autoencoder):
    tuples = random(3, 2, 16, 16, 3)
    codes = []
    for position in range(2):
        maps = tuples[:, position]
        for conv in autoencoder.encoder:
            maps = conv(maps)
        codes.append(autoencoder.encoded(tf.reshape(maps, [3, -1])))
    joint = autoencoder.joint(tf.concat(codes, -1))
    assert joint.shape == [3, 2 + 2 * 3]
    expected = [autoencoder.decoder(part(joint)) for part in autoencoder.parted]
    rebuilt = autoencoder(tuples)
    np.testing.assert_allclose(rebuilt, tf.stack(expected, 1), rtol=1e-4, atol=1e-5)
    assert np.abs(rebuilt[:, 0] - rebuilt[:, 1]).max() > 1e-3, (
        "each position has a layer of its own"
    )
    # What is rebuilt of one image depends on the other one of its tuple.
    other = tf.concat([tuples[:, :1], random(3, 1, 16, 16, 3, seed=1)], 1)
    assert np.abs(autoencoder(other)[:, 0] - rebuilt[:, 0]).max() > 1e-5


def test_training_and_inference_are_the_same(autoencoder):
    tuples = random(3, 2, 16, 16, 3)
    np.testing.assert_array_equal(autoencoder(tuples, training=True), autoencoder(tuples))
    assert not autoencoder.non_trainable_variables


@pytest.mark.parametrize("network_class", [BEGANGenerator, SiameseAutoencoder])
@pytest.mark.parametrize("size", [0, 8, 15, 48])
def test_other_sizes_are_refused(network_class, size):
    with pytest.raises(ValueError, match=f"power of two, 16 or more. Received: image_size={size}"):
        network_class(image_size=size)


def test_the_code_of_a_single_image_is_that_of_its_tuple():
    # The plain BEGAN has no layer between the encoder's code and the decoder.
    network = SiameseAutoencoder(1, 2, 3, 16, 3, 2)
    network.build()
    shake(network)
    assert network.joint is None and not network.parted
    tower = sum(trainable(layer) for layer in (*network.encoder, network.encoded))
    assert trainable(network) == tower + trainable(network.decoder)
    tuples = random(3, 1, 16, 16, 3)
    maps = tuples[:, 0]
    for conv in network.encoder:
        maps = conv(maps)
    expected = network.decoder(network.encoded(tf.reshape(maps, [3, -1])))
    np.testing.assert_allclose(network(tuples)[:, 0], expected, rtol=1e-4, atol=1e-5)
