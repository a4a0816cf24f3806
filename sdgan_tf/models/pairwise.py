"""Conditional generators against a discriminator of pairs (arXiv 1705.07904, section 4.1)."""

from __future__ import annotations

from tensorflow import keras

from sdgan_tf.keras_compat import register
from sdgan_tf.models.conditional import ConditionalGAN
from sdgan_tf.networks import EncoderGenerator, TableGenerator


@register
class TablePairGAN(ConditionalGAN):
    """`z_I` is a row of a trained table; a fake pair is a generated picture beside a real one of the
    same identity.

    Args: those of `ConditionalGAN`.
    """

    def _make_generator(self) -> keras.Model:
        return TableGenerator(codes=self.codes, **self._generator_options())


@register
class EncoderPairGAN(ConditionalGAN):
    """`z_I` is the code of a real picture; a fake pair is the generated picture beside it.

    Seeds show identities by references: a picture of each of the first 128 that were seen in
    training.

    Args: those of `ConditionalGAN`.
    """

    def _make_generator(self) -> keras.Model:
        return EncoderGenerator(**self._generator_options())
