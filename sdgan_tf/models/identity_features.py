"""Identity features: a second discriminator, which sees of an image only who is in it.

It is a projected discriminator (arXiv 2111.01007) whose projection knows identity: a small network, the matcher, compares
the embeddings of a tuple's images. The embedder is trained to tell training identities apart before the first step,
and never moved again. It knows nothing that the model does not.

An embedder brings images of those it learned from closer together than images of anyone else. A matcher that compares
these real images with generated ones asks for rows without variety. So it can be shown other training identities than
the embedder was: those that are held out.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf.networks.embedder import Embedder
from sdgan_tf.registry import check_choices


class IdentityFeatures:
    """What is said of identity features; off in the paper's presets.

    Args:
        identity_features: weight of the matcher's adversarial loss beside the discriminator's, 0 for no matcher.
        strangers: weight of the adversarial loss of a second matcher, 0 for none. It tells the embeddings of two real
            identities from those of two imagined ones that share `z_O`, so that what tells people apart does not
            hang on `z_O`.
        held_out: of every so many training identities one is held out from an embedder that is made by name, and the
            matchers see these of the real ones alone, so that generated identities come to vary like identities that
            an embedder does not know; 0 for none.
        identity_steps: how many steps an embedder that is made by name is trained for.
        embedder_dim: channels of the first map of an embedder that is made by name.
        teacher: a verifier as `evaluation.load_verifier` takes it, such as `"dlib-faces"`: an embedder that is made by name
            learns to see the training images as this one does. Without, it learns to tell the identities apart.
        recognise_by: what `z_I` is read from, where `recognise_i` is above 0: `"discriminator"`, all that the
            discriminator sees of an image; or `"embedder"`, only what the embedder sees of it, which leaves background and pose
            to `z_O`.
    """

    def __init__(
        self,
        identity_features: float = 0.0,
        strangers: float = 0.0,
        held_out: int = 0,
        identity_steps: int = 1500,
        embedder_dim: int = 32,
        teacher: str = "",
        recognise_by: Literal["discriminator", "embedder"] = "discriminator",
    ):
        self.identity_features = identity_features
        self.strangers = strangers
        self.held_out = held_out
        self.identity_steps = identity_steps
        self.embedder_dim = embedder_dim
        self.teacher = teacher
        self.recognise_by = recognise_by
        check_choices(self)
        if min(identity_features, strangers) < 0 or min(identity_steps, embedder_dim) < 1:
            raise ValueError(
                "The weights of identity features and strangers are 0 or more, and an embedder has a channel and is trained "
                f"for a step or more. Received: identity_features={identity_features}, strangers={strangers}, "
                f"identity_steps={identity_steps}, embedder_dim={embedder_dim}"
            )
        if (
            recognise_by == "embedder" or strangers or held_out or teacher
        ) and not identity_features:
            raise ValueError(
                "There is an embedder, to read z_I from, to compare strangers by, to hold identities out from or to teach, "
                f"where identity_features is above 0. Received: recognise_by={recognise_by!r}, strangers={strangers}, "
                f"held_out={held_out}, teacher={teacher!r}, identity_features={identity_features}"
            )
        if held_out < 0 or held_out == 1:
            raise ValueError(
                "Of every 2 identities or more one is held out, or none at all (0): an embedder has to learn from some. "
                f"Received: held_out={held_out}"
            )

    def looked_at(self, identity: tf.Tensor | None) -> tf.Tensor | None:
        """Weights of real tuples for the matchers: 1 for identities that were held out and 0 for others, float32 [n];
        None where none are held out.

        Args:
            identity: int64 [n], the positions of the tuples' identities in the training data.

        Raises:
            ValueError: identities are held out, and the batch does not tell who is in it.
        """
        if not self.held_out:
            return None
        if identity is None:
            raise ValueError(
                "With held_out, a batch tells who is in its tuples, as those of IdentityData.tuples do. "
                f"Received: a batch without `identity`, held_out={self.held_out}"
            )
        return tf.cast(self._is_held_out(identity), tf.float32)

    def shown(self, data: Any) -> Any:
        """Those of `data`, an `IdentityData`, that the embedder learns from.

        Raises:
            ValueError: too few identities for two to learn from and two to compare.
        """
        if not self.held_out:
            return data
        positions = np.arange(len(data))
        held_out = self._is_held_out(positions)
        if min(sum(held_out), sum(~held_out)) < 2:
            raise ValueError(
                "An embedder learns from two identities or more, and two or more are held out for the matchers: give more "
                f"identities, or held_out=0. Received: {len(data)} identities, held_out={self.held_out}"
            )
        return data.subset(positions[~held_out])

    @staticmethod
    def check_embedder(embedder: keras.Model) -> None:
        """Refuses an embedder that was made by name and that `train` cannot train."""
        if type(embedder) is not Embedder:
            raise ValueError(
                "An embedder that is made by name is a networks.Embedder, which is trained before the first step; one of your "
                f"own is given ready, as a Keras model. Received: a {type(embedder).__name__}"
            )

    def train(self, embedder: Embedder, data: Any, augment: str, seed: int) -> None:
        """Trains an `Embedder` on those of `data` that are shown, to tell their identities apart, or to see them as the
        teacher does, and says so: a pure function of its arguments.

        Args:
            embedder: whose weights are set.
            data: an `IdentityData`, the training data.
            augment: DiffAugment operations that change its images.
            seed: of everything random in it.
        """
        # Verifiers stand above the models, and are trained as this part of one is.
        from sdgan_tf.evaluation.verifiers import load_verifier, train_verifier

        shown = self.shown(data)
        how = f"see them as {self.teacher} does" if self.teacher else "tell them apart"
        print(
            f"Before the first step an embedder is shown {len(shown):,} identities and learns to {how}, for "
            f"{self.identity_steps:,} steps.",
            flush=True,
        )
        teacher = load_verifier(self.teacher) if self.teacher else None
        same = {name: getattr(embedder, name) for name in ("dim", "embedding_size", "pooling")}
        options = {"steps": self.identity_steps, "augment": augment, "seed": seed, **same}
        made = train_verifier(shown, teacher=teacher, verbose=bool(teacher), **options)
        embedder.set_weights(made.network.get_weights())

    def _is_held_out(self, positions: Any) -> Any:
        return positions % self.held_out == self.held_out - 1


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
