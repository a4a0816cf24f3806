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
        strangers: weight of the adversarial loss of a second matcher, 0 for none. It tells the embeddings of two real
            identities from those of two imagined ones that share `z_O`, so that what tells people apart does not
            hang on `z_O`.
        identity_steps: how many steps an embedder that is made by name is trained for.
        embedder_dim: channels of the first map of an embedder that is made by name.
        recognise_by: what `z_I` is read from, where `recognise_i` is above 0: `"discriminator"`, all that the
            discriminator sees of an image; or `"embedder"`, only what the embedder sees of it, which leaves background and pose
            to `z_O`.
    """

    def __init__(
        self,
        identity_features: float = 0.0,
        strangers: float = 0.0,
        identity_steps: int = 1500,
        embedder_dim: int = 32,
        recognise_by: Literal["discriminator", "embedder"] = "discriminator",
    ):
        self.identity_features = identity_features
        self.strangers = strangers
        self.identity_steps = identity_steps
        self.embedder_dim = embedder_dim
        self.recognise_by = recognise_by
        check_choices(self)
        if min(identity_features, strangers) < 0 or min(identity_steps, embedder_dim) < 1:
            raise ValueError(
                "The weights of identity features and strangers are 0 or more, and an embedder has a channel and is trained "
                f"for a step or more. Received: identity_features={identity_features}, strangers={strangers}, "
                f"identity_steps={identity_steps}, embedder_dim={embedder_dim}"
            )
        if (recognise_by == "embedder" or strangers) and not identity_features:
            raise ValueError(
                "There is an embedder, to read z_I from or to compare strangers by, where identity_features is above 0. "
                f"Received: recognise_by={recognise_by!r}, strangers={strangers}, identity_features={identity_features}"
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


def share_observations(codes: tf.Tensor, d_i: int) -> tf.Tensor:
    """Gives the second half of the tuples the observation codes of the first: float32 [n, k, d_i + d_o] to the same."""
    count = tf.shape(codes)[0]
    places = tf.range(count) % tf.maximum(count // 2, 1)
    return tf.concat([codes[..., :d_i], tf.gather(codes[..., d_i:], places)], -1)


def strangers(tuples: tf.Tensor) -> tf.Tensor:
    """Pairs of two identities, each image of the first half of the tuples beside its fellow of the second half, which
    has its observation code after `share_observations`: [n, k, ...] to [about n * k / 2, 2, ...].

    Raises:
        ValueError: a batch that is known to hold a single tuple.
    """
    if tuples.shape[0] == 1:
        raise ValueError(
            "Strangers are two tuples, so a replica needs two or more in its batch: raise batch_size. Received: 1 tuple"
        )
    half = tf.shape(tuples)[0] // 2
    pairs = tf.stack([tuples[:half], tuples[half : 2 * half]], 2)
    return tf.reshape(pairs, [-1, 2, *tuples.shape[2:]])


def truly_strangers(tuples: tf.Tensor, identity: tf.Tensor | None) -> tf.Tensor | None:
    """Weights of what `strangers` makes of real tuples [n, k, ...]: 0 where both are one identity after all, float32
    [about n * k / 2]; None where `identity`, int64 [n], is not known.
    """
    if identity is None:
        return None
    half = tf.shape(identity)[0] // 2
    different = tf.not_equal(identity[:half], identity[half : 2 * half])
    return tf.repeat(tf.cast(different, tf.float32), tuples.shape[1])


def train_embedder(embedder: keras.Model, data: Any, steps: int, augment: str, seed: int) -> None:
    """Trains an `Embedder` to tell the identities of `data`, an `IdentityData`, apart: a pure function of its arguments."""
    # Verifiers stand above the models, and are trained as this part of one is.
    from sdgan_tf.evaluation.verifiers import train_verifier

    size = embedder.embedding_size
    made = train_verifier(
        data, steps=steps, dim=embedder.dim, embedding_size=size, augment=augment, seed=seed
    )
    embedder.set_weights(made.network.get_weights())
