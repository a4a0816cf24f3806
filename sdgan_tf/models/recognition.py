"""What it costs to read the blocks of the code back from single images, beside a model's own losses."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf
from tensorflow import keras

from sdgan_tf import objectives
from sdgan_tf.latents import LatentSpace
from sdgan_tf.models.identity_features import IdentityFeatures
from sdgan_tf.models.penalties import Regularizers
from sdgan_tf.networks import siamese


class Recognition:
    """Weighs the errors of a recogniser.

    Attributes:
        asked: the blocks of the code that are read, by the name of their weight.

    Args:
        latents: of the model.
        recognise_i: weight of `z_I`, 0 for none.
        recognise_o: weight of `z_O`, 0 for none.
    """

    def __init__(self, latents: LatentSpace, recognise_i: float, recognise_o: float):
        self.latents = latents
        self.weights = {"recognise_i": recognise_i, "recognise_o": recognise_o}
        blocks = {"recognise_i": "identity", "recognise_o": "observation"}
        self.asked = {name: block for name, block in blocks.items() if self.weights[name]}

    def cost(
        self,
        recogniser: keras.Model,
        features: tf.Tensor,
        codes: tf.Tensor,
        until: float = 0.0,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """What it costs to read codes back.

        Args:
            recogniser: float [n, ...] to float32 [n, d_i + d_o].
            features: of single fake images, [n, ...].
            codes: that they were made of, float32 [n, d_i + d_o].
            until: a block that is read better than this costs no less, so that nobody is asked for more.

        Returns:
            The weighted sum, and the cost of each block by the name of its weight: the mean over its numbers.
        """
        read = recogniser(features, training=True)
        costs, total = {}, tf.zeros([])
        for name, block in self.asked.items():
            cost = tf.zeros([])
            for part in self.latents.parts[block]:
                place = self.latents.slices[part.name]
                share = part.width / self.latents.width(block)
                cost += share * objectives.recognition_cost(
                    part.law, codes[:, place], read[:, place]
                )
            costs[name] = cost
            total += self.weights[name] * tf.maximum(cost, until)
        return total, costs


class Reader(NamedTuple):
    """A network that reads codes back.

    Attributes:
        name: of the network.
        sees: what looks at each image for it: `"discriminator"`, or `"embedder"`.
        recognition: what it reads.
    """

    name: str
    sees: str
    recognition: Recognition


def chosen(
    latents: LatentSpace, regularizers: Regularizers, asked: IdentityFeatures
) -> list[Reader]:
    """The readers that are asked for: of what the discriminator sees, and of what the embedder sees."""
    i, o = regularizers.recognise_i, regularizers.recognise_o
    apart = asked.recognise_by == "embedder"
    readers = [
        Reader("recogniser", "discriminator", Recognition(latents, 0.0 if apart else i, o)),
        Reader("identity_recogniser", "embedder", Recognition(latents, i if apart else 0.0, 0.0)),
    ]
    return [reader for reader in readers if reader.recognition.asked]


def features_shape(discriminator: keras.Model, k: int, size: tuple[int, int, int]) -> list[int]:
    """The shape of what a discriminator of tuples of k images sees in one image of a size.

    Raises:
        ValueError: it sees none by itself.
    """
    tuples = tf.zeros([1, k, *size])
    (features,) = siamese.features_of(discriminator, [tuples], training=False)
    shape = list(features.shape[2:])
    if shape == list(size):
        raise ValueError(
            "A recogniser reads what the discriminator sees in single images: give it a Siamese one, see "
            "networks.SiameseDiscriminator. Received: "
            f"{type(discriminator).__name__}, which sees tuples as a whole"
        )
    return shape
