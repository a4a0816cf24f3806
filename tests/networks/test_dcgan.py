"""A conformance suite over the networks, the paper's sizes, and what batch norm sees."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.networks import DCGANGenerator, SiameseDCGANDiscriminator, siamese
from tests.networks.network_case import NetworkCase, conforms, random, shake, trainable

SIZES = [(8, 3), (16, 1), (32, 3), (64, 1)]
# (k, norm, towers, join, join layers)
VARIANTS = [
    (2, "batch", "stacked", "conv", 1),
    (3, "none", "stacked", "dense", 1),
    (2, "batch", "siamese", "dense", 2),
    (2, "spectral", "siamese", "conv", 2),
    (1, "spectral", "stacked", "dense", 0),
    (2, "batch", "siamese", "conv", 0),
]


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
    for k, norm, towers, join, join_layers in VARIANTS:
        arguments = {"k": k, "image_size": 8, "channels": 3, "dim": 2, "norm": norm}
        arguments |= {"towers": towers, "join": join, "join_layers": join_layers}
        yield SiameseDCGANDiscriminator, arguments, (k, 8, 8, 3), ()
    # Later additions.
    arguments = {"code_size": 5, "image_size": 8, "channels": 3, "dim": 2, "modulation": 4}
    yield DCGANGenerator, arguments, (5,), (8, 8, 3)
    for k, more in ((3, {"symmetric": True, "join": "dense"}), (2, {"full_size": 3})):
        arguments = {"k": k, "image_size": 8, "channels": 3, "dim": 2, **more}
        yield SiameseDCGANDiscriminator, arguments, (k, 8, 8, 3), ()


def scores_of_classes(network, *classes):
    """Return the scores of several classes of tuples from one pass over all, one after another."""
    return tf.concat(siamese.scores_of(network, siamese.features_of(network, classes)), 0)


@conforms(network_cases())
class TestConformance(NetworkCase):
    """The battery over both networks."""


def test_parameters_are_the_papers():
    generator = DCGANGenerator()
    generator.build()
    assert trainable(generator) == 5_135_363
    for k, total in ((2, 14_165_892), (4, 18_884_484)):
        discriminator = SiameseDCGANDiscriminator(k)
        discriminator.build()
        assert trainable(generator) + trainable(discriminator) == total


def test_parameters_of_stacked_towers_are_the_papers():
    generator, discriminator = DCGANGenerator(), SiameseDCGANDiscriminator(towers="stacked")
    generator.build()
    discriminator.build()
    assert trainable(generator) + trainable(discriminator) == 11_811_396
    assert tuple(discriminator.tower[0].kernel.shape) == (5, 5, 6, 64)
    assert tuple(discriminator.joint[0].kernel.shape) == (3, 3, 512, 512)


@pytest.mark.parametrize(
    ("arguments", "shapes"),
    [
        # Towers of 8 px end in 4 x 4 maps of dim = 2; two of them stacked.
        ({"join": "conv", "join_layers": 0}, [(64, 1)]),
        ({"join": "conv", "join_layers": 1}, [(3, 3, 4, 2), (8, 1)]),
        # The second is half as wide as the first, as in the released code.
        ({"join": "conv", "join_layers": 2}, [(3, 3, 4, 2), (3, 3, 2, 1), (1, 1)]),
        ({"join": "dense", "join_layers": 0}, [(64, 1)]),
        ({"join": "dense", "join_layers": 2}, [(64, 32), (32, 16), (16, 1)]),
        (
            {"join": "dense", "join_layers": 5, "norm": "none"},
            [(64, 32), (32, 16), (16, 8), (8, 4), (4, 2), (2, 1)],
        ),
        ({"join": "dense", "towers": "stacked"}, [(32, 16), (16, 1)]),
        ({"join": "conv", "towers": "stacked"}, [(3, 3, 2, 2), (8, 1)]),
    ],
)
def test_joint_layers(arguments, shapes):
    network = SiameseDCGANDiscriminator(2, 8, 3, 2, **arguments)
    network.build()
    layers = [*network.joint, network.finish]
    assert [tuple(layer.kernel.shape) for layer in layers] == shapes
    # Every joint layer is followed by batch norm, the only convolution of the tower is not.
    assert len(network.norms) == (0 if arguments.get("norm") == "none" else len(network.joint))


def test_stacked_towers_see_the_images_side_by_side_on_channels():
    network = SiameseDCGANDiscriminator(2, 8, 3, 2, norm="none", towers="stacked", join="dense")
    network.build()
    shake(network)
    tuples = random(3, 2, 8, 8, 3)
    side_by_side = tf.concat([tuples[:, 0], tuples[:, 1]], -1)
    maps = tf.nn.leaky_relu(network.tower[0](side_by_side), 0.2)
    joint = tf.nn.leaky_relu(network.joint[0](tf.reshape(maps, [3, -1])), 0.2)
    np.testing.assert_allclose(network(tuples), network.finish(joint)[:, 0], rtol=1e-4, atol=1e-6)


def test_dense_layers_join_the_stacked_maps():
    network = SiameseDCGANDiscriminator(2, 8, 3, 2, norm="none", join="dense", join_layers=2)
    network.build()
    shake(network)
    tuples = random(3, 2, 8, 8, 3)
    towers = [tf.nn.leaky_relu(network.tower[0](tuples[:, place]), 0.2) for place in range(2)]
    rows = tf.reshape(tf.concat(towers, -1), [3, -1])
    for layer in network.joint:
        rows = tf.nn.leaky_relu(rows @ layer.kernel.numpy() + layer.bias.numpy(), 0.2)
    expected = rows @ network.finish.kernel.numpy() + network.finish.bias.numpy()
    np.testing.assert_allclose(network(tuples), expected[:, 0], rtol=1e-4, atol=1e-6)


def test_symmetric_towers_are_joined_by_their_mean_and_their_distance_from_it():
    network = SiameseDCGANDiscriminator(2, 8, 3, 2, norm="none", symmetric=True)
    network.build()
    shake(network)
    tuples = random(3, 2, 8, 8, 3)
    one, two = (tf.nn.leaky_relu(network.tower[0](tuples[:, place]), 0.2) for place in range(2))
    joined = tf.concat([(one + two) / 2, tf.abs(one - two) / 2], -1)
    flat = tf.reshape(tf.nn.leaky_relu(network.joint[0](joined), 0.2), [3, -1])
    scores = network(tuples)
    np.testing.assert_allclose(scores, network.finish(flat)[:, 0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(network(tuples[:, ::-1]), scores, rtol=1e-4, atol=1e-6)


def test_a_convolution_at_full_size_comes_before_the_first_stride():
    network = SiameseDCGANDiscriminator(2, 16, 3, 2, full_size=5)
    network.build()
    shapes = [tuple(layer.kernel.shape) for layer in network.tower]
    assert shapes == [(3, 3, 3, 5), (5, 5, 5, 2), (5, 5, 2, 4)]
    assert [layer.stride for layer in network.tower] == [1, 2, 2]
    # The first convolution has no batch norm, whichever it is.
    assert len(network.norms) == 2 + 1


def test_modulation_scales_and_shifts_every_batch_norm():
    network = DCGANGenerator(5, 16, 3, 2, modulation=4)
    network.build()
    shake(network)
    codes = random(3, 5)
    maps = tf.reshape(network.start(codes), [3, 4, 4, 8 // 2])
    hidden = network.hidden(codes)
    assert hidden.shape == (3, 4)
    for level, (width, conv) in enumerate(zip([4, 2], [*network.convs, network.finish])):
        changes = network.modulations[level](hidden)[:, None, None]
        scale, shift = changes[..., :width], changes[..., width:]
        maps = conv(tf.nn.relu(network.norms[level](maps) * (1 + scale) + shift))
    np.testing.assert_allclose(network(codes), tf.tanh(maps), rtol=1e-5, atol=1e-6)


def test_a_modulation_of_less_than_no_units_is_refused():
    with pytest.raises(ValueError, match="modulation=-1"):
        DCGANGenerator(modulation=-1)


@pytest.mark.parametrize("join", ["conv", "dense"])
def test_groups_of_stacked_towers_are_separate_calls(join):
    options = {"towers": "stacked", "join": join, "join_layers": 2}
    together, apart = (SiameseDCGANDiscriminator(2, 16, 3, 2, **options) for _ in range(2))
    for network in (together, apart):
        network.build()
        shake(network)
    apart.set_weights(together.get_weights())
    real, fake = random(4, 2, 16, 16, 3), 0.3 * random(4, 2, 16, 16, 3, seed=1) + 0.5
    scores = scores_of_classes(together, real, fake)
    expected = tf.concat([apart(part, training=True) for part in (real, fake)], 0)
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-4)
    whole = apart(tf.concat([real, fake], 0), training=True)
    assert np.abs(whole - scores).max() > 0.01


def test_spectral_norm_is_on_every_weighted_layer():
    options = {"join": "dense", "join_layers": 2}
    network = SiameseDCGANDiscriminator(2, 16, 3, 2, norm="spectral", **options)
    network.build()
    layers = [*network.tower, *network.joint, network.finish]
    assert len(layers) == 5 and not network.norms
    before = [np.array(layer.direction) for layer in layers]
    tuples = random(2, 2, 16, 16, 3)
    score = network(tuples, training=True)
    for layer, direction in zip(layers, before):
        np.testing.assert_array_equal(layer.direction, direction)
    for _ in range(100):
        network.begin_step()
    for layer, direction in zip(layers, before):
        if layer is not network.finish:  # of one column
            assert np.abs(np.array(layer.direction) - direction).max() > 0.01
        # The scale of a kernel no longer matters, only that of the bias.
        layer.kernel.assign(7 * np.array(layer.kernel))
    assert np.abs(network(tuples) - score).max() > 1e-6
    scores = network(tuples)
    for layer in layers:
        layer.kernel.assign(np.array(layer.kernel) / 7)
    np.testing.assert_allclose(network(tuples), scores, rtol=1e-4)


def test_spectral_norms_of_addons():
    if keras_compat.KERAS_3:
        with pytest.raises(ImportError, match=r"pip install -e '\.\[addons\]'"):
            SiameseDCGANDiscriminator(norm="spectral-addons")
        return
    # Which draws a singular vector from the global generator.
    keras.utils.set_random_seed(1)
    network = SiameseDCGANDiscriminator(2, 8, 3, 2, norm="spectral-addons")
    network.build()
    shake(network)
    layers = [*network.tower, *network.joint, network.finish]
    before = [layer.layer.kernel.numpy() for layer in layers]
    tuples = random(2, 2, 8, 8, 3)
    network(tuples)
    for layer, kernel in zip(layers, before):
        np.testing.assert_array_equal(layer.layer.kernel, kernel)
    for _ in range(100):
        scores = network(tuples, training=True)
    assert scores.shape == [2]
    # Overwritten in training.
    for layer in layers:
        kernel = layer.layer.kernel.numpy()
        singular = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)
        assert singular[0] == pytest.approx(1, rel=1e-3)


def test_widths_are_the_papers():
    generator, discriminator = DCGANGenerator(), SiameseDCGANDiscriminator()
    generator.build()
    discriminator.build()
    assert generator.start.units == 4 * 4 * 512
    assert [conv.filters for conv in (*generator.convs, generator.finish)] == [256, 128, 64, 3]
    assert [conv.filters for conv in discriminator.tower] == [64, 128, 256, 512]
    assert [tuple(conv.kernel.shape) for conv in discriminator.joint] == [(3, 3, 2 * 512, 512)]
    # No batch norm after the first convolution of D, none on the images of G.
    assert len(discriminator.norms) == len(generator.norms) == 4
    assert {(norm.momentum, norm.epsilon) for norm in generator.norms} == {(0.99, 1e-3)}


@pytest.mark.parametrize("network_class", [DCGANGenerator, SiameseDCGANDiscriminator])
@pytest.mark.parametrize("size", [0, 4, 7, 24, 63])
def test_other_sizes_are_refused(network_class, size):
    with pytest.raises(ValueError, match=f"power of two, 8 or more. Received: image_size={size}"):
        network_class(image_size=size)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"norm": "layer"}, r"one of \('batch', .*Received: norm='layer'"),
        ({"towers": "twin"}, r"one of \('siamese', .*Received: towers='twin'"),
        ({"symmetric": True, "towers": "stacked"}, "symmetric=True, towers='stacked', k=2"),
        ({"symmetric": True, "k": 1}, "symmetric=True, towers='siamese', k=1"),
        ({"join": "sum"}, r"one of \('conv', .*Received: join='sum'"),
        ({"join_layers": -1}, "Received: join='conv', join_layers=-1"),
        ({"join_layers": 3}, "Received: join='conv', join_layers=3"),
        # 4 x 4 x 1 x 2 features halved five times are one.
        (
            {"join": "dense", "join_layers": 6, "dim": 1, "image_size": 8},
            r"join_layers=6, widths \[16, 8, 4, 2, 1, 0\]",
        ),
        ({"join_layers": 2, "dim": 1, "image_size": 8}, r"join_layers=2, widths \[1, 0\]"),
    ],
)
def test_unknown_choices_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SiameseDCGANDiscriminator(**arguments)


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

    scores, gradients = run(together, lambda: scores_of_classes(together, real, fake))
    expected_scores, expected_gradients = run(
        apart, lambda: tf.concat([apart(part, training=True) for part in (real, fake)], 0)
    )
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-3, atol=1e-4)
    for gradient, expected in zip(gradients, expected_gradients):
        np.testing.assert_allclose(gradient, expected, rtol=1e-2, atol=1e-3)
    for index, (mine, theirs) in enumerate(zip(together.norms, apart.norms)):
        for name in ("moving_mean", "moving_variance"):
            moved, expected = getattr(mine, name), getattr(theirs, name)
            np.testing.assert_allclose(moved, expected, rtol=1e-4, atol=1e-6, err_msg=f"{index}")
    whole = apart(tf.concat([real, fake], 0), training=True)
    assert np.abs(whole - scores).max() > 0.05, "shared statistics would give other scores"


def test_positions_of_a_tuple_have_their_own_statistics(discriminators):
    network, layers = discriminators
    tuples = random(3, 2, 16, 16, 3) * tf.constant([1.0, 0.2])[:, None, None, None]
    scores = network(tuples, training=True)

    towers = []
    for position in range(2):
        maps = tf.nn.leaky_relu(layers.tower[0](tuples[:, position]), 0.2)
        maps = layers.norms[0](layers.tower[1](maps), training=True)
        towers.append(tf.nn.leaky_relu(maps, 0.2))
    joint = layers.norms[1](layers.joint[0](tf.concat(towers, -1)), training=True)
    flat = tf.reshape(tf.nn.leaky_relu(joint, 0.2), [3, -1])
    np.testing.assert_allclose(scores, layers.finish(flat)[:, 0], rtol=1e-3, atol=1e-4)
    moved = layers.norms[0].moving_variance
    np.testing.assert_allclose(network.norms[0].moving_variance, moved, rtol=1e-4)


def test_the_towers_are_shared_but_the_order_matters(discriminators):
    network, _ = discriminators
    tuples = random(2, 2, 16, 16, 3)
    swapped = network(tuples[:, ::-1])
    assert np.abs(network(tuples) - swapped).max() > 1e-4
    # Equal images give equal maps, whatever the position.
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
