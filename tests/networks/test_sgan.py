"""Stacked GAN's networks: the battery, the released sizes, and the released classifier."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

import sdgan_tf as sd
from sdgan_tf.networks import (
    DenseRecogniser,
    SGANDiscriminator,
    SGANEncoder,
    SGANFeatureDiscriminator,
    SGANFeatureGenerator,
    SGANGenerator,
)
from tests.networks.network_case import NetworkCase, conforms, random, trainable


def network_cases():
    """Yield (network class, arguments, input shape without batch, output shape without batch)."""
    for size, channels in ((16, 3), (20, 1)):
        images = {"image_size": size, "channels": channels, "dim": 2}
        yield SGANGenerator, {"code_size": 19, **images}, (19,), (size, size, channels)
        yield SGANDiscriminator, images, (1, size, size, channels), ()


@conforms(network_cases())
class TestConformance(NetworkCase):
    """The battery over both networks of images."""


def test_the_released_sizes():
    encoder, generator, discriminator = SGANEncoder(), SGANGenerator(), SGANDiscriminator()
    for network in (encoder, generator, discriminator):
        network.build()
    upper, judge, head = SGANFeatureGenerator(), SGANFeatureDiscriminator(), DenseRecogniser(50)
    assert upper(random(2, 60)).shape == judge.look(random(2, 256)).shape == (2, 256)
    assert judge(random(2, 256)).shape == (2, 1)
    assert head(random(2, 256)).shape == (2, 50)
    assert trainable(encoder) == 160_362
    assert trainable(upper) == 426_240
    assert trainable(generator) == 1_516_097
    assert trainable(judge) + trainable(head) == 144_691
    assert trainable(discriminator) + trainable(head) == 794_675


def test_features_and_labels_of_the_encoder():
    encoder = SGANEncoder(4, 16, 3, 2)
    images = random(3, 16, 16, 3)
    features = encoder.features(images)
    assert features.shape == (3, 16) and np.min(features) >= 0
    np.testing.assert_allclose(encoder.classify(features), encoder(images), rtol=1e-5)
    assert encoder(images).shape == (3, 4)


@pytest.mark.parametrize("make", [SGANEncoder, SGANGenerator, SGANDiscriminator])
def test_sizes_that_do_not_fit_are_refused(make):
    for arguments in ({"image_size": 30}, {"image_size": 12}, {"dim": 0}):
        with pytest.raises(ValueError, match="multiple of 4 from 16 on"):
            make(**arguments)


def golden(name):
    """Return what an environment variable names, or skip with the reason."""
    path = os.environ.get(name)
    if not path:
        pytest.skip(
            f"{name} is not set. This test needs SDGAN_TF_SGAN_ENCODER, the path of mnist/pretrained/encoder.npz of "
            "github.com/xunhuang1995/SGAN, and SDGAN_TF_DIGITS, a folder with MNIST's 10,000 test digits, a sub-folder "
            "for each digit"
        )
    return path


def test_the_released_classifier_reads_the_test_digits():
    encoder = SGANEncoder()
    encoder.take_released(golden("SDGAN_TF_SGAN_ENCODER"))
    digits = sd.data.from_directory(golden("SDGAN_TF_DIGITS"), image_size=28, channels=1)
    assert digits.names == list("0123456789") and digits.counts.sum() == 10_000
    logits = [
        encoder(tf.cast(digits.images[start : start + 1000], tf.float32) / 127.5 - 1)
        for start in range(0, 10_000, 1000)
    ]
    right = np.concatenate(logits).argmax(1) == np.repeat(np.arange(10), digits.counts)
    assert right.mean() == pytest.approx(0.9760, abs=0.0001)
