"""AC-DCGAN: a code for each training identity, and a discriminator that names it (arXiv 1610.09585;
1705.07904, section 4.1).
"""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

from sdgan_tf.keras_compat import register
from sdgan_tf.models.conditional import ConditionalGAN
from sdgan_tf.networks import TableGenerator


@register
class ACDCGAN(ConditionalGAN):
    """AC-DCGAN: k = 1; `z_I` is a row of a trained table, and the discriminator's last layer gives a
    score and a logit for each identity.

    The generator descends the cross-entropies of score and name, the discriminator the means of
    their real and fake halves. Table and last layer grow with the number of identities, and only
    training identities can be shown.

    Args: those of `ConditionalGAN`.

    Example:

    >>> model = ACDCGAN(10, image_size=32, dim=16, d_i=8, d_o=8)
    >>> model.compile()
    >>> model.generate(identities=2, observations=3).shape
    (2, 3, 32, 32, 3)
    """

    k = 1

    def _make_generator(self) -> keras.Model:
        return TableGenerator(codes=self.codes, **self._generator_options())

    def _outputs(self) -> int:
        return 1 + self.training_identities

    def _fake_tuples(self, pictures: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
        return pictures[:, tf.newaxis]

    def _scores(self, outputs: tf.Tensor) -> tf.Tensor:
        return outputs[:, 0]

    def _naming_loss(self, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        costs = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs[:, 1:])
        return tf.reduce_mean(costs)
