"""Images of which one knows what they show: the left half is who, the right half is how."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation import Verifier
from sdgan_tf.images import to_uint8
from sdgan_tf.latents import LatentSpace
from sdgan_tf.models import ImageModel

SIZE = 16


def paint(who: np.ndarray, how: np.ndarray) -> np.ndarray:
    """Return float32 [n, 16, 16, 3] of colours float [n, 3] each, all in [-1, 1]."""
    images = np.empty([len(who), SIZE, SIZE, 3], np.float32)
    images[:, :, :8] = np.asarray(who, np.float32)[:, None, None]
    images[:, :, 8:] = np.asarray(how, np.float32)[:, None, None]
    # Stripes: MS-SSIM looks at structure, and a plain colour has none.
    images[:, ::4] *= 0.5
    return images


def people(identities=40, observations=6, noise=0.1, seed=0, prefix="") -> IdentityData:
    """Return painted people, whose left colours vary a little between their images."""
    rng = np.random.default_rng(seed)
    counts = np.broadcast_to(observations, identities)
    who = np.repeat(rng.uniform(-1, 1, [identities, 3]), counts, axis=0)
    who = np.clip(who + rng.normal(0, noise, who.shape), -1, 1)
    names = [f"{prefix}person-{number}" for number in range(identities)]
    images = to_uint8(tf.constant(paint(who, rng.uniform(-1, 1, who.shape)))).numpy()
    return IdentityData(names, counts, images)


def verifier() -> Verifier:
    """Return a verifier that looks at the left colour."""
    return Verifier(lambda images: tf.reduce_mean(images[:, :, :8], [1, 2]), "left", SIZE,
                    metric="euclidean")  # fmt: skip


class Painter(ImageModel):
    """A model whose images show what is asked of its codes.

    Args:
        who: code [n, 6] to the left colour [n, 3].
        how: code [n, 6] to the right colour.
        identities: how many identities there are, in a row of seeds; None for any number.
        observations: the same of observations.
    """

    image_size, channels, k = SIZE, 3, 2

    def __init__(
        self,
        who=lambda codes: codes[:, :3],
        how=lambda codes: codes[:, 3:],
        identities=None,
        observations=None,
    ):
        self.latents = LatentSpace.split(3, 3)
        self.who = who
        self.how = how
        self.identities = identities
        self.observations = observations
        self.rendered = 0

    def identity_codes(self, seeds):
        return super().identity_codes(np.asarray(seeds) % (self.identities or 2**63 - 1))

    def observation_codes(self, seeds):
        return super().observation_codes(np.asarray(seeds) % (self.observations or 2**63 - 1))

    def __call__(self, codes):
        codes = np.asarray(codes)
        self.rendered += len(codes)
        return tf.constant(paint(self.who(codes), self.how(codes)))
