"""The simplest thing that turns codes into images, for tests of what is made of images."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from sdgan_tf.latents import LatentSpace
from sdgan_tf.models import ImageModel


class Painter(ImageModel):
    """Images that are linear in their codes, so that each code has an image of its own.

    Images of codes in [-1, 1] lie in [-1, 1].
    """

    k = 2

    def __init__(self, d_i=2, d_o=3, law="uniform", image_size=4, channels=3):
        self.latents = LatentSpace.split(d_i, d_o, law)
        self.image_size, self.channels = image_size, channels
        shape = (d_i + d_o, image_size * image_size * channels)
        mixing = np.random.default_rng(0).normal(size=shape)
        self.mixing = tf.constant(mixing / np.abs(mixing).sum(axis=0), tf.float32)

    def __call__(self, codes):
        shape = [-1, self.image_size, self.image_size, self.channels]
        return tf.reshape(tf.matmul(codes, self.mixing), shape)
