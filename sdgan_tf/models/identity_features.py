"""Identity features: a second discriminator, which sees of an image only who is in it.

It is a projected discriminator (arXiv 2111.01007) whose projection knows identity: a small network, the matcher, compares
the embeddings of a tuple's images. The embedder is trained to tell the training identities apart before the first step,
and never moved again. It knows nothing that the model does not.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import tensorflow as tf
from tensorflow import keras

from sdgan_tf.registry import check_choices


class IdentityFeatures:
    """What is said of identity features; off in the paper's presets.

    Args:
        identity_features: weight of the matcher's adversarial loss beside the discriminator's, 0 for no matcher.
        identity_steps: how many steps an embedder that is made by name is trained for.
        embedder_dim: channels of the first map of an embedder that is made by name.
        recognise_by: what `z_I` is read from, where `recognise_i` is above 0: `"discriminator"`, all that the
            discriminator sees of an image; or `"embedder"`, only what the embedder sees of it, which leaves background and pose
            to `z_O`.
    """

    def __init__(
        self,
        identity_features: float = 0.0,
        identity_steps: int = 1500,
        embedder_dim: int = 32,
        recognise_by: Literal["discriminator", "embedder"] = "discriminator",
    ):
        self.identity_features = identity_features
        self.identity_steps = identity_steps
        self.embedder_dim = embedder_dim
        self.recognise_by = recognise_by
        check_choices(self)
        if identity_features < 0 or min(identity_steps, embedder_dim) < 1:
            raise ValueError(
                "The weight of identity features is 0 or more, and an embedder has a channel and is trained for a step or "
                f"more. Received: identity_features={identity_features}, identity_steps={identity_steps}, "
                f"embedder_dim={embedder_dim}"
            )
        if recognise_by == "embedder" and not identity_features:
            raise ValueError(
                "There is an embedder to read z_I from where identity_features is above 0. Received: "
                f"recognise_by='embedder', identity_features={identity_features}"
            )


def embed(embedder: keras.Model, tuples: tf.Tensor) -> tf.Tensor:
    """Embeddings of the images of tuples: float [n, k, h, w, c] to float32 [n, k, d], of length sqrt(d), so that their
    numbers are of size 1.
    """
    shape = tuples.shape
    flat = tf.reshape(tuples, [-1, *shape[2:]])
    embeddings = tf.cast(embedder(flat, training=False), tf.float32)
    size = embeddings.shape[-1]
    embeddings = math.sqrt(size) * tf.math.l2_normalize(embeddings, axis=-1)
    return tf.reshape(embeddings, [-1, shape[1], size])


def train_embedder(embedder: keras.Model, data: Any, steps: int, augment: str, seed: int) -> None:
    """Trains an `Embedder` to tell the identities of `data`, an `IdentityData`, apart: a pure function of its arguments."""
    # Verifiers stand above the models, and are trained as this part of one is.
    from sdgan_tf.evaluation.verifiers import train_verifier

    size = embedder.embedding_size
    made = train_verifier(
        data, steps=steps, dim=embedder.dim, embedding_size=size, augment=augment, seed=seed
    )
    embedder.set_weights(made.network.get_weights())
