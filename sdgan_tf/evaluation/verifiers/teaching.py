"""What a verifier learns from another one, its teacher: to embed images as the teacher does (knowledge distillation)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation.verifiers.verifier import Verifier, VerifierError

# Of larger data so many images, of identities evenly spread, are shown to a teacher, which may need a tenth of a second for each.
MOST_IMAGES = 20_000

# The field of the training data that holds what the teacher makes of each image.
FIELD = "taught"


def shown(data: IdentityData) -> IdentityData:
    """Those of `data` that a teacher embeds: all, or evenly spaced identities of about `MOST_IMAGES` images."""
    count = int(data.counts.sum())
    if count <= MOST_IMAGES:
        return data
    identities = max(len(data) * MOST_IMAGES // count, 1)
    return data.subset(np.arange(identities) * len(data) // identities)


def taught(teacher: Verifier, data: IdentityData, size: int, verbose: bool = False) -> IdentityData:
    """Gives each image of `data` the field `FIELD`, what `teacher` makes of it: float32 [size] of unit length.

    The teacher's embeddings are brought to mean zero, and of their principal components the `size` greatest are kept, so
    that a network with embeddings of any width can learn them. Zeros stand for components that they do not have.

    Raises:
        VerifierError: the teacher does not take such images, or its embeddings are not finite or all alike.
    """
    parts = [
        teacher.embed(data.observations(identity))
        for identity in tqdm(
            range(len(data)), "Asking the teacher", leave=False, disable=not verbose
        )
    ]
    embeddings = np.concatenate(parts).astype(np.float64)
    embeddings -= embeddings.mean(0)
    if not np.abs(embeddings).max() > 0:  # NaN is not above 0 either.
        raise VerifierError(
            f"Nothing can be learned from the teacher {teacher.name!r}, whose embeddings of {len(embeddings):,} images "
            "are all alike or not finite."
        )
    axes = np.linalg.eigh(embeddings.T @ embeddings)[1][:, ::-1][:, :size]
    kept = embeddings @ axes
    kept /= np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-12)
    missing = size - kept.shape[1]
    return data.with_fields({FIELD: np.pad(kept, [(0, 0), (0, missing)]).astype(np.float32)})


def distillation_loss(
    targets: tf.Tensor, embeddings: tf.Tensor, temperature: float = 0.1
) -> tf.Tensor:
    """One for each image: how far is its embedding from the teacher's, and is it nearer to that one than to the teacher's
    of the other images?

    The first is the distance by cosine, the second the contrastive loss of arXiv 1807.03748, eq. 4, as for distillation in
    arXiv 1910.10699. On photographs of faces both together were better than distances between images (arXiv 1904.05068).

    Args:
        targets: float32 [n, d] of unit length, the teacher's.
        embeddings: float32 [n, d] of unit length.
        temperature: of the softmax over the images.

    Returns:
        float32 [n].
    """
    alike = tf.matmul(embeddings, targets, transpose_b=True)
    labels = tf.range(tf.shape(alike)[0])
    which = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, alike / temperature)
    return which + 1.0 - tf.linalg.diag_part(alike)
