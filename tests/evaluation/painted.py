"""Pictures of which one knows what they show: the left half is who, the right half is how."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from sdgan_tf.data import IdentityImages
from sdgan_tf.evaluation import Verifier
from sdgan_tf.images import to_uint8

SIZE = 16


def paint(who: np.ndarray, how: np.ndarray) -> np.ndarray:
    """Return uint8 [n, 16, 16, 3] of colours float [n, 3] each, in [-1, 1]."""
    images = np.empty([len(who), SIZE, SIZE, 3], np.float32)
    images[:, :, :8] = np.asarray(who, np.float32)[:, None, None]
    images[:, :, 8:] = np.asarray(how, np.float32)[:, None, None]
    # Stripes: MS-SSIM looks at structure, and a plain colour has none.
    images[:, ::4] *= 0.5
    return to_uint8(tf.constant(images)).numpy()


def people(identities=40, observations=6, noise=0.1, seed=0, prefix="") -> IdentityImages:
    """Return painted people, whose left colours vary a little between their pictures."""
    rng = np.random.default_rng(seed)
    who = np.repeat(rng.uniform(-1, 1, [identities, 3]), observations, axis=0)
    who = np.clip(who + rng.normal(0, noise, who.shape), -1, 1)
    names = [f"{prefix}person-{number}" for number in range(identities)]
    images = paint(who, rng.uniform(-1, 1, who.shape))
    return IdentityImages(names, [observations] * identities, images)


def verifier() -> Verifier:
    """Return a judge of the left colour."""
    return Verifier(lambda images: tf.reduce_mean(images[:, :, :8], [1, 2]), "left", SIZE,
                    metric="euclidean")  # fmt: skip


class Painter:
    """A generator whose pictures show what is asked of its codes.

    Args:
        who: code [n, 6] to the left colour [n, 3].
        how: code [n, 6] to the right colour.
    """

    image_size, channels = SIZE, 3

    def __init__(self, who=lambda codes: codes[:, :3], how=lambda codes: codes[:, 3:]):
        self.who = who
        self.how = how
        self.rendered = 0

    def identity_codes(self, seeds):
        return self._codes(seeds, 1)

    def observation_codes(self, seeds):
        return self._codes(seeds, 2)

    def render(self, codes, batch_size=64):
        codes = np.asarray(codes)
        self.rendered += len(codes)
        return paint(self.who(codes), self.how(codes))

    def generate(self, identities, observations, seed=0):
        who = np.repeat(self.identity_codes(range(identities)), observations, axis=0)
        how = np.tile(self.observation_codes(range(observations)), [identities, 1])
        images = self.render(np.concatenate([who, how], axis=1))
        return images.reshape(identities, observations, *images.shape[1:])

    @staticmethod
    def _codes(seeds, stream):
        rngs = (np.random.default_rng([int(seed), stream]) for seed in np.asarray(seeds))
        return np.stack([rng.uniform(-1, 1, 3) for rng in rngs]).astype(np.float32)
