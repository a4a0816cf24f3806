"""The DR-GAN variant: a code of a picture, and a discriminator that names who it shows (Tran et al.,
CVPR 2017; arXiv 1705.07904, section 4.1).
"""

from __future__ import annotations

from tensorflow import keras

from sdgan_tf.keras_compat import register
from sdgan_tf.models.acgan import ACDCGAN
from sdgan_tf.networks import EncoderGenerator


@register
class DRGAN(ACDCGAN):
    """AC-DCGAN with an encoder in place of the table: `z_I` is the code of a real picture.

    Seeds show identities by references: a picture of each of the first 128 that were seen in
    training. In the paper this variant collapsed to one picture for each that goes in.

    Args: those of `ConditionalGAN`.
    """

    def _make_generator(self) -> keras.Model:
        return EncoderGenerator(**self._generator_options())
