"""Networks of rows of numbers: the battery, the released sizes, and the rounding of poses."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.networks import DenseCritic, PoseDecoder, ResidualDense
from sdgan_tf.networks.pose import POSE
from tests.networks.network_case import NetworkCase, conforms, random, shake, trainable


@conforms(
    [
        (ResidualDense, {"takes": 3, "gives": 5, "dim": 4}, (3,), (5,)),
        (PoseDecoder, {"takes": 3, "dim": 4}, (3,), (POSE,)),
        (DenseCritic, {"takes": 3, "dim": 4}, (3,), ()),
    ]
)
class TestConformance(NetworkCase):
    bounded = False


def test_the_released_sizes():
    def size(network):
        network.build()
        return trainable(network)

    def dense(*widths):
        return sum((first + 1) * second for first, second in zip(widths, widths[1:]))

    # Appearance, background, poses; their critics; the pose autoencoder.
    assert size(ResidualDense(224, 224, 512)) == dense(224, *[512] * 9, 224) == 2_331_360
    assert size(ResidualDense(128, 128, 256)) == dense(128, *[256] * 9, 128) == 592_256
    assert size(ResidualDense(32, 32, 512)) == dense(32, *[512] * 9, 32) == 2_134_560
    assert size(DenseCritic(224, 512)) == dense(224, *[512] * 4, 1) == 903_681
    assert size(ResidualDense(POSE, 32, 512)) == dense(POSE, *[512] * 9, 32) == 2_145_824
    assert size(PoseDecoder(32, 512)) == dense(32, *[512] * 9, POSE) == 2_145_846


def test_keypoints_are_visible_or_not_and_gradients_pass():
    decoder = PoseDecoder(3, 4)
    decoder.build()
    shake(decoder)
    codes = random(6, 3)
    with tf.GradientTape() as tape:
        tape.watch(codes)
        visible = tf.reshape(decoder(codes), [-1, 18, 3])[..., 2]
    assert set(np.unique(visible)) == {-1, 1}
    assert np.abs(tape.gradient(visible, codes)).max() > 1e-4


def test_networks_without_any_width_are_refused():
    with pytest.raises(ValueError, match="Received: takes=3, gives=0, dim=4"):
        ResidualDense(3, 0, 4)
