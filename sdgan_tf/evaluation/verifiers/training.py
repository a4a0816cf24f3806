"""Trains a verifier on real identities."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras
from tqdm.keras import TqdmCallback

from sdgan_tf import augmentation, keras_compat
from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation.verifiers import teaching
from sdgan_tf.evaluation.verifiers.verifier import Verifier
from sdgan_tf.images import to_float
from sdgan_tf.models import variables
from sdgan_tf.networks import Embedder
from sdgan_tf.randomness import stateless_seed

LOSSES = ("contrastive", "triplet")


def contrastive_loss(
    labels: tf.Tensor, embeddings: tf.Tensor, temperature: float = 0.1
) -> tf.Tensor:
    """Supervised contrastive loss (arXiv 2004.11362, eq. 2), one for each image: which of the others show its identity?

    Args:
        labels: int [n], the identities; each is there twice or more.
        embeddings: float32 [n, d] of unit length.
        temperature: of the softmax over the other images.

    Returns:
        float32 [n].
    """
    labels = tf.reshape(labels, [-1])
    alike = tf.matmul(embeddings, embeddings, transpose_b=True) / temperature
    same = tf.cast(tf.equal(labels[:, tf.newaxis], labels), tf.float32)
    others = tf.linalg.set_diag(alike, tf.fill(tf.shape(labels), alike.dtype.min))
    same = tf.linalg.set_diag(same, tf.zeros_like(same[0]))
    log_shares = alike - tf.reduce_logsumexp(others, -1, keepdims=True)
    return -tf.math.divide_no_nan(tf.reduce_sum(same * log_shares, -1), tf.reduce_sum(same, -1))


def train_verifier(
    train: IdentityData,
    name: str = "verifier",
    steps: int = 3000,
    dim: int = 32,
    embedding_size: int = 64,
    batch_size: int = 32,
    rate: float = 1e-3,
    augment: str = "translation",
    loss: str = "contrastive",
    teacher: Verifier | None = None,
    seed: int = 0,
    verbose: bool = False,
    pooling: str = "none",
) -> Verifier:
    """Trains an `Embedder` to tell the training identities apart, or to see images as another network does.

    Args:
        train: real images by identity; the verifier's own score comes from other identities.
        name: printed with every number that rests on this verifier.
        steps: of `batch_size` pairs of images.
        dim: width of the network.
        embedding_size: width of the embeddings.
        batch_size: pairs of images of one identity in a step.
        rate: Adam's, falling to zero by half a cosine.
        augment: see `sdgan_tf.augmentation`; each image on its own.
        loss: `"contrastive"`, the supervised contrastive loss (arXiv 2004.11362); or `"triplet"`: semi-hard triplets
            by TensorFlow Addons (arXiv 1503.03832), on the addons stack.
        teacher: a verifier that knows more than these data can tell, such as a face recogniser. Then the network
            learns to embed images as this one does, whoever is in them, and `loss` plays no part; see `teaching`.
        seed: of weights, batches and augmentation.
        verbose: whether a progress bar is shown.
        pooling: see `Embedder`.

    Returns:
        The verifier, whose facts say how it was made.

    Raises:
        ValueError: an argument is out of range.
        VerifierError: the teacher does not take such images, or its embeddings are useless.
        ImportError: triplets without the addons.
    """
    if loss not in LOSSES:
        raise ValueError(f"A verifier is trained by one of {LOSSES}. Received: loss={loss!r}")
    if steps < 1:
        raise ValueError(f"Training takes a step or more. Received: steps={steps}")
    operations = augmentation.parse(augment)
    if teacher is not None:
        function = teaching.distillation_loss
        train = teaching.taught(teacher, teaching.shown(train), embedding_size, verbose)
    else:
        function = contrastive_loss if loss == "contrastive" else _triplet_loss()
    embedder = Embedder(train.image_size, train.channels, dim, embedding_size, pooling)
    embedder.build()
    trained = keras.Sequential([embedder])
    trained.build([None, train.image_size, train.image_size, train.channels])
    variables.seed(trained, "verifier", seed)

    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    trained.compile(keras.optimizers.Adam(schedule), function)
    batches = _batches(train, batch_size, operations, seed, teacher is not None)
    bar = [TqdmCallback(desc="Training the verifier", leave=False)] if verbose else []
    trained.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=bar)
    facts = {"identities": len(train), "steps": steps, "loss": loss, "augment": augment}
    if teacher is not None:
        facts |= {"loss": "distillation", "teacher": teacher.name}
    return Verifier(embedder, name, train.image_size, train.channels, facts=facts)


def _batches(
    train: IdentityData, size: int, operations: tuple[str, ...], seed: int, is_taught: bool
) -> tf.data.Dataset:
    """Images float32 [2 * size, h, w, c] in [-1, 1], with the positions of their identities, or with what a teacher makes
    of them where there is one.
    """

    def prepare(step, batch):
        images = to_float(batch["images"])
        if operations:
            images = augmentation.augment(
                images, operations, stateless_seed(seed, "augmentation of the verifier", step)
            )
        images = tf.reshape(images, [-1, *images.shape[2:]])
        if is_taught:
            return images, tf.squeeze(batch[teaching.FIELD], 1)
        return images, tf.repeat(batch["identity"], 2)

    # Of whom a teacher's images are does not matter, and one photograph of somebody is enough.
    k = 1 if is_taught else 2
    tuples = train.tuples(k=k, batch_size=2 * size // k, seed=seed)
    return tuples.enumerate().map(prepare, tf.data.AUTOTUNE).prefetch(2)


def _triplet_loss():
    return keras_compat.addons().losses.TripletSemiHardLoss()
