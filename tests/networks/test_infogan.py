"""InfoGAN's networks: the battery, and the sizes of the released code and of the paper's tables."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.networks import InfoGANDiscriminator, InfoGANGenerator, InfoGANRecogniser
from tests.networks.network_case import NetworkCase, conforms, random, trainable

LAYOUTS = {"digits": 8, "faces": 8, "color": 16, "chairs": 16}


def network_cases():
    """Yield (network class, arguments, input shape without batch, output shape without batch)."""
    for layout, size in LAYOUTS.items():
        # In the narrowest ones chance may leave no map alive, the more so the more layers there are.
        known = {"dim": 8 if layout == "chairs" else 4, "layout": layout}
        images = {"image_size": size, "channels": 3, **known}
        yield InfoGANGenerator, {"code_size": 5, **images}, (5,), (size, size, 3)
        yield InfoGANDiscriminator, images, (1, size, size, 3), ()


@conforms(network_cases())
class TestConformance(NetworkCase):
    """The battery over generators and discriminators."""


def test_the_networks_of_digits_have_the_released_sizes():
    generator, discriminator, head = InfoGANGenerator(), InfoGANDiscriminator(), InfoGANRecogniser()
    generator.build()
    discriminator.build()
    assert head(random(2, 1024)).shape == (2, 14)
    assert trainable(generator) == 6_652_481
    assert trainable(discriminator.finish) == 1_025
    assert trainable(discriminator) - 1_025 == 6_558_144
    assert trainable(head) == 133_262


@pytest.mark.parametrize(
    ("layout", "size", "channels", "code", "features"),
    [
        ("faces", 32, 1, 133, 1024),
        ("color", 32, 3, 168, 4 * 4 * 256),
        ("chairs", 64, 1, 189, 1024),
    ],
)
def test_the_papers_tables(layout, size, channels, code, features):
    """The widths of the maps in the paper's order."""
    known = {"image_size": size, "channels": channels, "layout": layout}
    generator, discriminator = InfoGANGenerator(code, **known), InfoGANDiscriminator(**known)
    dense = {"faces": [1024, 8 * 8 * 128], "color": [2 * 2 * 448], "chairs": [1024, 8 * 8 * 256]}
    widths = {"faces": [64], "color": [256, 128, 64], "chairs": [256, 256, 128, 64]}
    trunk = {"faces": [64, 128], "color": [64, 128, 256], "chairs": [64, 128, 256, 256, 256]}
    normed = {"faces": 1, "color": 1, "chairs": 4}
    assert [layer.filters for layer in generator.denses] == dense[layout]
    assert [layer.filters for layer in generator.convs] == widths[layout]
    assert [layer.filters for layer in discriminator.convs] == trunk[layout]
    assert len(generator.norms) == normed[layout]
    # The first convolution has none.
    assert len(discriminator.norms) == len(trunk[layout]) - 1
    discriminator.build()
    assert discriminator.features(tf.zeros([1, size, size, channels])).shape == (1, features)
    hidden = InfoGANRecogniser(layout=layout).hidden
    assert (hidden.filters if hidden else 0) == (128 if layout == "color" else 0)


def test_a_sigmoids_pixels_become_ours_and_are_seen_as_such():
    network = InfoGANGenerator(3, 8, 1, 2)
    network.build()
    codes = random(2, 3)
    maps = network(codes)
    network.finish.bias.assign([0.7])
    moved = np.arctanh(network(codes)) - np.arctanh(maps)
    # tanh(x / 2) is 2 sigmoid(x) - 1.
    np.testing.assert_allclose(moved, 0.35, rtol=1e-3)
    critic = InfoGANDiscriminator(8, 1, 2)
    critic.build()
    # Black is 0 to it, and what its first convolution makes of it is the bias.
    black = critic.features(-tf.ones([1, 8, 8, 1]))
    critic.convs[0].kernel.assign(5 * critic.convs[0].kernel)
    np.testing.assert_array_equal(critic.features(-tf.ones([1, 8, 8, 1])), black)


def test_the_first_weights_are_the_released_ones():
    network = InfoGANDiscriminator(28, 1, 64)
    network.build()
    kernel = np.asarray(network.convs[1].kernel)
    assert np.abs(kernel).max() < 0.05 and abs(kernel.std() - 0.02 * 0.88) < 0.001
    assert abs(np.asarray(network.dense.kernel).std() - 0.02) < 0.001
    gamma = np.asarray(network.dense_norm.gamma)
    assert abs(gamma.mean() - 1) < 0.005 and abs(gamma.std() - 0.02) < 0.003


@pytest.mark.parametrize(
    ("make", "arguments", "told"),
    [
        (InfoGANGenerator, {"image_size": 30}, "a multiple of 4; .* Received: image_size=30"),
        (InfoGANGenerator, {"image_size": 28, "layout": "color"}, "a multiple of 16"),
        (InfoGANDiscriminator, {"image_size": 28, "layout": "chairs"}, "a multiple of 8"),
        (InfoGANDiscriminator, {"dim": 0}, "dim=0"),
        (InfoGANGenerator, {"layout": "shoes"}, "layout='shoes'"),
    ],
)
def test_what_is_refused(make, arguments, told):
    with pytest.raises(ValueError, match=told):
        make(**arguments)
