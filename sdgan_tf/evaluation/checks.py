"""What cannot be measured, or cannot be measured with, is refused before any work."""

from __future__ import annotations

import numpy as np

from sdgan_tf.data import IdentityData, Splits
from sdgan_tf.evaluation import diversity
from sdgan_tf.evaluation.pairs import check_identities, check_pairs
from sdgan_tf.evaluation.verifiers import Verifier
from sdgan_tf.models import ImageModel

# A verifier that tells real identities apart worse than this, by its AUC on validation pairs, is refused.
VERIFIER_FLOOR = 0.8


def check_splits(splits: Splits, pairs: int) -> None:
    """Refuses splits that give no pairs, share identities, or are too small for MS-SSIM."""
    check_pairs(pairs)
    diversity.scales(splits.test.image_size)
    check_identities(splits.validation, "validation")
    check_identities(splits.test, "test")
    check_identities(splits.train, "training")
    names = [set(data.names) for data in splits]
    shared = names[0] & names[1] | names[1] & names[2] | names[0] & names[2]
    if shared:
        raise ValueError(
            "Training, validation and test identities must differ, or thresholds would be chosen on the people "
            f"that they are tested on. Received: {len(shared)} shared, such as {sorted(shared)[0]!r}"
        )


def check_unseen(test: np.ndarray, training: np.ndarray) -> None:
    """Refuses test images that are training images as well, under whatever names: uint8 [n, h, w, c] each."""
    seen = {image.tobytes() for image in training}
    shared = sum(image.tobytes() in seen for image in test)
    if shared:
        raise ValueError(
            "Test images must be unseen, and some are training images under another name. Open all data at once, which "
            "keeps identities that share an image in one part, or leave copies out by on_duplicates=drop, and train the "
            f"model again. Received: {shared:,} of {len(test):,} test images among {len(training):,} training images"
        )


def check_verifier(verifier: Verifier, image_size: int, channels: int) -> None:
    """Refuses images that the verifier does not take, or that are too small for MS-SSIM."""
    diversity.scales(image_size)
    if verifier.channels < channels:
        raise ValueError(
            f"The verifier {verifier.name!r} takes grey images: use channels=1, or another verifier. "
            f"Received: images of {channels} channels"
        )


def check_floor(verifier: Verifier, auc: float, floor: float) -> None:
    """Refuses a verifier that does not tell real identities apart."""
    if auc < floor:
        raise ValueError(
            "A verifier has to tell real identities apart before it says anything of imagined ones. Train it for "
            "longer, wider or on more identities, bring another one, or lower the floor and read the numbers with care. "
            f"Received: {verifier.name!r} with an AUC of {auc:.3f} on validation pairs, verifier_floor={floor}"
        )


def check_source(source: ImageModel | IdentityData, splits: Splits) -> None:
    """Refuses a source whose images are not of the data's form."""
    got, expected = ((s.image_size, s.channels) for s in (source, splits.test))
    if got != expected:
        raise ValueError(
            "What is measured and the real images it is measured against need one size: open the data at "
            f"image_size={got[0]}, channels={got[1]}. Received: data of image_size={expected[0]}, "
            f"channels={expected[1]}"
        )
    if isinstance(source, IdentityData):
        check_identities(source, "given")
