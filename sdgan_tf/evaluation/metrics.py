"""From pairs of images to the numbers that are reported of them."""

from __future__ import annotations

import numpy as np
from tqdm.auto import tqdm

from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation import diversity, verification
from sdgan_tf.evaluation.bootstrap import Sample
from sdgan_tf.evaluation.pairs import Pairs, generated_pairs, real_pairs
from sdgan_tf.evaluation.verifiers import Verifier, VerifierError
from sdgan_tf.models import AdversarialModel, ImageModel

# Images embedded between two steps of the progress bar.
_CHUNK = 1024


def embed(verifier: Verifier, images: np.ndarray, verbose: bool = False) -> np.ndarray:
    """Embeddings of images, refused where they are no numbers.

    Args:
        verifier: or anything else with `name` and `embed`, see `evaluation.features`.
        images: uint8 [n, h, w, c], 0 to 255.
        verbose: whether a progress bar is shown.

    Returns:
        float32 [n, d].

    Raises:
        VerifierError: embeddings that are NaN or infinite. Every comparison with NaN is false, so
            that numbers made of them would look good.
    """
    parts = []
    with tqdm(total=len(images), desc=f"Embedding by {verifier.name}", disable=not verbose) as bar:
        for start in range(0, len(images), _CHUNK):
            parts.append(verifier.embed(images[start : start + _CHUNK]))
            bar.update(len(parts[-1]))
    embeddings = np.concatenate(parts)
    broken = np.count_nonzero(~np.all(np.isfinite(embeddings), axis=1))
    if broken:
        raise VerifierError(
            "Embeddings have to be finite numbers. Check the scale of the images that the network expects, and "
            f"that its training did not diverge. Received: NaN or infinity from {verifier.name!r} for {broken:,} "
            f"of {len(images):,} images"
        )
    return embeddings


def distances(pairs: Pairs, embeddings: np.ndarray) -> list[np.ndarray]:
    """Squared distances of the matched, the unmatched, and the pairs that share z_O: float64 [n]
    each.
    """
    positions = (pairs.matched, pairs.unmatched, pairs.same_observation)
    return [verification.squared_distances(embeddings, kind) for kind in positions]


def pair_samples(pairs: Pairs, embeddings: np.ndarray, verbose: bool = False) -> list[Sample]:
    """Matched and unmatched pairs with two columns, distances and similarities; then those that
    share z_O, where there are some, with distances only.
    """
    matched, unmatched, same_observation = distances(pairs, embeddings)
    similarities = [
        diversity.ms_ssim(pairs.images, kind, verbose) for kind in (pairs.matched, pairs.unmatched)
    ]
    samples = [
        Sample(np.stack([matched, similarities[0]], axis=1), pairs.groups[pairs.matched]),
        Sample(np.stack([unmatched, similarities[1]], axis=1), pairs.groups[pairs.unmatched]),
    ]
    if len(same_observation):
        groups = pairs.groups[pairs.same_observation]
        samples.append(Sample(same_observation[:, np.newaxis], groups))
    return samples


def diversities(matched: np.ndarray, unmatched: np.ndarray) -> tuple[float, float]:
    """ID-Div and All-Div."""
    within, between = (1.0 - float(np.mean(values[:, 1])) for values in (matched, unmatched))
    return within, (within + between) / 2


def generator_metrics(
    model: ImageModel, verifier: Verifier, pairs: int = 500, seed: int = 0
) -> dict[str, float]:
    """The numbers that need no real images, without intervals: to follow a training run.

    Args:
        model: what is measured.
        verifier: says how near two images are.
        pairs: how many, half of them matched.
        seed: of their codes.

    Returns:
        `auc`, `auc_same_observation`, `id_div` and `all_div` as in `Row`.
    """
    drawn = generated_pairs(model, pairs, seed)
    samples = pair_samples(drawn, embed(verifier, drawn.images))
    matched, unmatched, same_observation = (sample.values for sample in samples)
    id_div, all_div = diversities(matched, unmatched)
    return {
        "auc": verification.auc(matched[:, 0], unmatched[:, 0]),
        "auc_same_observation": verification.auc(same_observation[:, 0], unmatched[:, 0]),
        "id_div": id_div,
        "all_div": all_div,
    }


def verifier_auc(verifier: Verifier, data: IdentityData, pairs: int = 2000, seed: int = 0) -> float:
    """How well a verifier tells real identities apart, by the AUC of pairs of them."""
    drawn = real_pairs(data, pairs, seed)
    matched, unmatched, _ = distances(drawn, embed(verifier, drawn.images))
    return verification.auc(matched, unmatched)


def megabytes(model: AdversarialModel) -> float:
    """Of the parameters of G and D in float32, 1e6 bytes each, as the paper counts them."""
    return 4 * sum(model.parameters().values()) / 1e6
