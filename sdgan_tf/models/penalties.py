"""What later work adds to a discriminator's loss: mixed tuples, penalties on its gradient, LeCam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from sdgan_tf.randomness import uniform

Score = Callable[[tf.Tensor], tf.Tensor]
# How far an anchor of LeCam moves in a step.
ANCHOR_RATE = 0.01


class Regularizers:
    """What is added to the adversarial loss of the discriminator; off in the paper's presets.

    Args:
        mixed: weight of real tuples of mixed identities as further fakes, 0 for none. With few identities they are
            what makes the discriminator look at identity.
        r1: weight of the gradient penalty on real tuples (arXiv 1801.04406), 0 for none.
        r2: weight of the same penalty on fake tuples, 0 for none.
        r1_every: apply both penalties at every so many steps only, that many times as strong (arXiv 1912.04958).
        lecam: weight of the LeCam regulariser (arXiv 2104.03310), 0 for none.
        recognise_i: weight of the error of a recogniser that reads `z_I` back from each single image, in the losses of
            both players, 0 for none (InfoGAN's bound, arXiv 1606.03657, with one code that the images of a tuple
            share).
        recognise_o: the same for `z_O`.
        recognise_until: the error, 1 of a reader that knows nothing of a normal code, below which the generator is not
            asked to be read any better. The higher, the less of an image hangs on the codes that are read.
    """

    def __init__(
        self,
        mixed: float = 0.0,
        r1: float = 0.0,
        r2: float = 0.0,
        r1_every: int = 16,
        lecam: float = 0.0,
        recognise_i: float = 0.0,
        recognise_o: float = 0.0,
        recognise_until: float = 0.0,
    ):
        weights = (mixed, r1, r2, lecam, recognise_i, recognise_o, recognise_until)
        if min(weights) < 0 or r1_every < 1:
            raise ValueError(
                "Weights are 0 or more, and a lazy penalty comes at every step or more seldom. Received: "
                f"mixed={mixed}, r1={r1}, r2={r2}, lecam={lecam}, recognise_i={recognise_i}, "
                f"recognise_o={recognise_o}, "
                f"recognise_until={recognise_until}, r1_every={r1_every}"
            )
        self.mixed = mixed
        self.r1 = r1
        self.r2 = r2
        self.r1_every = r1_every
        self.lecam = lecam
        self.recognise_i = recognise_i
        self.recognise_o = recognise_o
        self.recognise_until = recognise_until


def mix(tuples: tf.Tensor) -> tf.Tensor:
    """Tuples of two identities each: the second half of a tuple comes from the next one.

    Args:
        tuples: images or features, [n, k, ...], k at least 2.

    Returns:
        The same shape.
    """
    keep = tuples.shape[1] // 2
    return tf.concat([tuples[:, :keep], tf.roll(tuples[:, keep:], 1, axis=0)], axis=1)


def truly_mixed(
    tuples: tf.Tensor, identity: tf.Tensor | None, weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Weights of what `mix` makes, float32 [n]: 0 where both halves show one identity after all, as those of a single
    tuple do.

    Args:
        tuples: those that are mixed, [n, k, ...].
        identity: int64 [n], who is in each; None where that is not known.
        weights: of the tuples themselves, float32 [n], which those of both halves are multiplied by.

    Raises:
        ValueError: a batch that is known to hold a single tuple, which has none to be mixed with.
    """
    if tuples.shape[0] == 1:
        raise ValueError(
            "A tuple is mixed with its neighbour, so a replica needs two or more in its batch: raise batch_size. "
            "Received: 1 tuple"
        )
    if identity is None:
        identity = tf.range(tf.shape(tuples)[0])
    different = tf.cast(tf.not_equal(identity, tf.roll(identity, 1, axis=0)), tf.float32)
    return different if weights is None else different * weights * tf.roll(weights, 1, axis=0)


def zero_centred(score: Score, tuples: tf.Tensor) -> tf.Tensor:
    """R1 of real tuples, R2 of fake ones: half the mean squared gradient (arXiv 1801.04406).

    Args:
        score: tuples to the discriminator's scores float32 [n].
        tuples: float32 [n, k, h, w, c].

    Returns:
        A float32 scalar.
    """
    return 0.5 * tf.reduce_mean(_squared_gradients(score, tuples))


def one_centred(score: Score, real: tf.Tensor, fake: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """WGAN-GP's: gradients of norm 1 wanted on the lines between real and fake tuples (arXiv
    1704.00028, eq. 3).

    Args:
        score: tuples, or other rows, to the discriminator's scores float32 [n].
        real: float32 [n, k, h, w, c], or [n, ...].
        fake: the same shape.
        seed: int64 [2], of where on the lines.

    Returns:
        A float32 scalar.
    """
    share = uniform([tf.shape(real)[0], *[1] * (real.shape.rank - 1)], seed)
    squares = _squared_gradients(score, share * real + (1.0 - share) * fake)
    # The root has no gradient at 0, hence the epsilon.
    return tf.reduce_mean(tf.square(tf.sqrt(squares + 1e-12) - 1.0))


def lecam(anchors: Any, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """LeCam: keeps scores near running means of the other class's (arXiv 2104.03310).

    Args:
        anchors: float32 variable [2], running means of the scores of real and of fake tuples;
            moved on here, after use.
        real: scores of real tuples, float32 [n].
        fake: scores of fake tuples, float32 [n].

    Returns:
        A float32 scalar.
    """
    before = tf.convert_to_tensor(anchors)
    means = tf.stack([tf.reduce_mean(real), tf.reduce_mean(fake)])
    anchors.assign(before + ANCHOR_RATE * (tf.stop_gradient(means) - before))
    above = tf.square(tf.nn.relu(real - before[1]))
    below = tf.square(tf.nn.relu(before[0] - fake))
    return tf.reduce_mean(above) + tf.reduce_mean(below)


def _squared_gradients(score: Score, tuples: tf.Tensor) -> tf.Tensor:
    """Squared norm of the score's gradient over all axes of each tuple, float32 [n]."""
    with tf.GradientTape() as tape:
        tape.watch(tuples)
        scores = score(tuples)
    gradients = tf.cast(tape.gradient(scores, tuples), tf.float32)
    return tf.reduce_sum(tf.square(gradients), axis=list(range(1, gradients.shape.rank)))
