"""What was measured, as records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sdgan_tf.evaluation.bootstrap import Estimate
from sdgan_tf.evaluation.factors import Share
from sdgan_tf.evaluation.verification import Curve


class Fidelity(NamedTuple):
    """Distances to the training images in one space of features.

    They have no intervals. Resampling repeats images: the Frechet distance grows the fewer distinct
    ones there are, and the kernel of an image with itself is the greatest, so that resampled
    distances all lie above those of distinct images.

    Attributes:
        frechet: Frechet distance, of `images` images.
        images: the same number for every source, since the distance depends on it.
        kernel: kernel distance, not multiplied by anything.
        kernel_deviation: its standard deviation over blocks of images, which is not the error of
            the mean.
    """

    frechet: float
    images: int
    kernel: float
    kernel_deviation: float


class Row(NamedTuple):
    """What was measured of one source of images.

    Attributes:
        name: of the source.
        auc: of verification, matched against unmatched pairs.
        auc_same_observation: the same of pairs that share z_O alone: .5 if z_O tells nothing of the
            identity. Of real images that of two identities before surroundings that are alike, see
            `pairs.alike_surroundings`; None for generated tuples in a folder, whose codes are not known.
        accuracy: at the threshold that was chosen on validation identities.
        false_accepts: share of unmatched pairs accepted there.
        id_div: 1 - mean MS-SSIM over matched pairs.
        all_div: 1 - mean MS-SSIM over all pairs.
        capacity: see `verification.capacity`; None for real images.
        fidelity: by name of the space of features.
        curve: of verification.
        megabytes: of the parameters of G and D in float32, 1e6 bytes each; None where unknown.
        factors: which code moves which known factor; empty where none is known.
    """

    name: str
    auc: Estimate
    auc_same_observation: Estimate | None
    accuracy: Estimate
    false_accepts: Estimate
    id_div: Estimate
    all_div: Estimate
    capacity: Estimate | None
    fidelity: dict[str, Fidelity]
    curve: Curve
    megabytes: float | None
    factors: Sequence[Share] = ()


class Results(NamedTuple):
    """What `evaluate` returns.

    Attributes:
        rows: the real test identities first.
        facts: how it was measured: verifier, thresholds, pairs, seed, data, MS-SSIM's protocol.
        samples: generated images, uint8 [8, 8, h, w, c]; rows share the identity.
        nearest: uint8 [8, 4, h, w, c]: samples, each beside its nearest training images.
    """

    rows: list[Row]
    facts: dict
    samples: np.ndarray
    nearest: np.ndarray
