"""The networks of disentangled person images: the battery, the paper's sizes, what each part of a code may see."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf.networks import PersonEncoder, PersonGenerator, SiameseDCGANDiscriminator
from sdgan_tf.networks.person import CodedConv
from sdgan_tf.networks.pose import LIMBS, POSE, crop, encode_pose
from tests.networks.network_case import NetworkCase, conforms, random, shake, trainable

GENERATOR = {"code_size": POSE + 7, "image_size": 8, "dim": 2, "levels": 2}
ENCODER = {"training_identities": 3, "image_size": 16, "dim": 2, "tower_levels": 2}
ENCODER |= {"regions": 3, "crop_size": 8, "background": 5}


@conforms(
    [
        (PersonGenerator, GENERATOR, (POSE + 7,), (8, 8, 3)),
        (
            PersonGenerator,
            {**GENERATOR, "channels": 1, "narrow": 2, "slope": 0.2, "limbs": True},
            (POSE + 7,),
            (8, 4, 1),
        ),
    ]
)
class TestGenerator(NetworkCase):
    # Its images are linear in training.
    bounded = False


def at_width(make, dim):
    """Return the parameters of a network of a great width, of which none is made: they are a polynomial of degree 2."""
    counts = []
    for small in (1, 2, 3):
        network = make(small)
        network.build()
        counts.append(trainable(network))
    first, second, third = counts
    bend = third - 2 * second + first
    return first + (dim - 1) * (second - first) + (dim - 1) * (dim - 2) // 2 * bend


def test_the_paper_s_sizes():
    def encoder(dim):
        return PersonEncoder(image_size=128, narrow=2, dim=dim)

    def generator(dim):
        return PersonGenerator(7 * 32 + 128 + POSE, image_size=128, narrow=2, dim=dim)

    assert at_width(encoder, 3) == trainable(built(encoder(3)))
    assert at_width(encoder, 128) + at_width(generator, 128) == 118_549_859
    discriminator = built(SiameseDCGANDiscriminator(1, 64, join_layers=0))
    # The last layer sees twice as many places in an image that is twice as high.
    assert trainable(discriminator) + 4 * 4 * 512 == 4_324_737


def built(network):
    network.build()
    return network


@pytest.fixture(scope="module")
def encoder():
    """Return an encoder of not too small weights."""
    network = built(PersonEncoder(**ENCODER))
    shake(network)
    return network


def person(*places):
    """Return poses of one person: the head is where told, and the left knee."""
    points = np.zeros((1, 18, 3), np.float32)
    for number, (row, column) in zip((0, 12), places):
        points[0, number] = row, column, 1
    return encode_pose(points, 16, 16)


def test_boxes_are_cut_out_as_tensorflow_does_it():
    maps = tf.constant(np.random.default_rng(0).normal(size=(2, 7, 5, 3)).astype(np.float32))
    boxes = tf.constant([[[0, 0, 1, 1], [0.2, 0.31, 0.8, 0.4]], [[0.5, 0, 0.5, 1], [0, 0, 0.1, 1]]])
    expected = tf.image.crop_and_resize(maps, tf.reshape(boxes, [4, 4]), [0, 0, 1, 1], [4, 4])
    cut = tf.reshape(crop(maps, boxes, 4), [4, 4, 4, 3])
    np.testing.assert_allclose(cut, expected, atol=1e-5)


def split(codes):
    """Return the parts of a code: head, body, legs, background."""
    return np.split(np.asarray(codes)[0], [32, 64, 96])


def test_each_part_of_a_code_sees_its_own_part_of_an_image(encoder):
    image, poses, label = (
        random(1, 16, 16, 3).numpy(),
        person((4, 4), (12, 12)),
        tf.zeros([1], tf.int64),
    )
    mask = np.zeros((1, 16, 16, 1), np.float32)
    mask[:, 1:8, 1:8] = mask[:, 10:15, 10:15] = 1
    head, body, legs, behind = split(encoder(image, mask, poses, label))
    assert np.any(head) and np.any(legs) and np.any(behind)
    # No keypoint of the body is visible.
    assert not np.any(body)
    changed = image.copy()
    changed[:, 4, 4] += 1
    other = split(encoder(changed, mask, poses, label))
    assert np.any(abs(other[0] - head) > 1e-4)
    np.testing.assert_array_equal(other[2], legs)
    np.testing.assert_array_equal(other[3], behind)
    changed = image.copy()
    changed[:, 4, 13] += 1
    other = split(encoder(changed, mask, poses, label))
    np.testing.assert_array_equal(other[0], head)
    np.testing.assert_array_equal(other[2], legs)
    assert np.any(abs(other[3] - behind) > 1e-4)


def test_an_encoder_without_a_background_and_its_configuration():
    network = built(PersonEncoder(**{**ENCODER, "background": 0}))
    again = keras.utils.deserialize_keras_object(keras.utils.serialize_keras_object(network))
    assert again.background == 0 and trainable(built(again)) == trainable(network)
    inputs = random(2, 16, 16, 3), tf.ones([2, 16, 16, 1]), tf.repeat(person((4, 4)), 2, 0)
    assert network(*inputs, tf.constant([0, 2], tf.int64)).shape == (2, 96)


def test_it_remembers_codes_and_poses_in_training_alone(encoder):
    poses = tf.concat([person((4, 4)), person((8, 8), (10, 10))], 0)
    inputs = random(2, 16, 16, 3), tf.ones([2, 16, 16, 1]), poses, tf.constant([2, 0], tf.int64)
    encoder(*inputs)
    assert not np.any(encoder.known(tf.range(3, dtype=tf.int64)))
    codes = encoder(*inputs, training=True)
    known = encoder.known(tf.constant([0, 1, 2, 3], tf.int64)).numpy()
    np.testing.assert_array_equal(known[[2, 0]], np.concatenate([codes, poses], -1))
    assert not np.any(known[1])
    np.testing.assert_array_equal(known[3], known[0])
    encoder.memory.kernel.assign(tf.zeros_like(tf.convert_to_tensor(encoder.memory.kernel)))


def test_a_convolution_of_tiled_codes_without_tiling():
    layer = CodedConv(4)
    maps, codes = random(2, 5, 3, 2), random(2, 6, seed=1)
    out = layer([maps, codes])
    tiled = tf.tile(codes[:, tf.newaxis, tf.newaxis], [1, 5, 3, 1])
    kernel = tf.convert_to_tensor(layer.kernel)
    assert kernel.shape == (3, 3, 8, 4)
    expected = tf.nn.conv2d(tf.concat([maps, tiled], -1), kernel, 1, "SAME")
    np.testing.assert_allclose(out, expected, atol=1e-6)


@pytest.mark.once
@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_codes_pass_units_that_would_be_dead_only_where_they_are_leaky(slope):
    generator = built(PersonGenerator(**GENERATOR, slope=slope))
    generator.start.bias.assign([-50.0, -50.0])
    images = generator(random(2, POSE + 7), training=True)
    assert bool(np.any(np.asarray(images[0] != images[1]))) == (slope > 0)


def test_a_generator_may_see_limbs():
    plain, seeing = (built(PersonGenerator(**GENERATOR, limbs=limbs)) for limbs in (False, True))
    # A 3x3 kernel more for each limb.
    more = 9 * len(LIMBS) * GENERATOR["dim"]
    assert trainable(seeing) == trainable(plain) + more
    weights = [*seeing.get_weights()]
    weights[0] = weights[0][:, :, [*range(18), *range(18 + len(LIMBS), weights[0].shape[2])]]
    plain.set_weights(weights)
    codes = random(2, POSE + 7)
    assert not np.allclose(seeing(codes), plain(codes), atol=1e-4)
    # Without two visible ends there is no limb.
    alone = np.where(np.arange(POSE + 7) >= 7, -1.0, codes).astype(np.float32)
    np.testing.assert_allclose(seeing(alone), plain(alone), atol=1e-6)


def test_sizes_that_do_not_halve_are_refused():
    for make in (
        lambda: PersonGenerator(**{**GENERATOR, "image_size": 9}),
        lambda: PersonEncoder(**{**ENCODER, "crop_size": 7}),
        lambda: PersonEncoder(**{**ENCODER, "tower_levels": 0}),
    ):
        with pytest.raises(ValueError, match="halved between levels"):
            make()
    with pytest.raises(ValueError, match="regions=8"):
        PersonEncoder(**{**ENCODER, "regions": 8})
    with pytest.raises(ValueError, match="code_size=54"):
        PersonGenerator(**{**GENERATOR, "code_size": POSE})
