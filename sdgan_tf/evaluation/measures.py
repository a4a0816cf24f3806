"""From pairs of pictures to numbers on them."""

from __future__ import annotations

import numpy as np

from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation import diversity, verification
from sdgan_tf.evaluation.bootstrap import Sample
from sdgan_tf.evaluation.pairs import Generator, Pairs, Progress, generated_pairs, quiet, real_pairs
from sdgan_tf.evaluation.verifier import Verifier
from sdgan_tf.models import AdversarialModel

# Pictures embedded between two reports of progress.
_CHUNK = 1024


def embed(space: Verifier, images: np.ndarray, progress: Progress = quiet) -> np.ndarray:
    """Embeddings or features in a space: uint8 [n, h, w, c] to float32 [n, d]."""
    parts = []
    for start in range(0, len(images), _CHUNK):
        parts.append(space.embed(images[start : start + _CHUNK]))
        done = min(start + _CHUNK, len(images))
        progress(done, len(images), f"pictures seen by {space.name}")
    return np.concatenate(parts)


def distances(drawn: Pairs, embeddings: np.ndarray) -> list[np.ndarray]:
    """Squared distances of the matched, the unmatched, and the pairs that share z_O: float64 [n]
    each.
    """
    positions = (drawn.matched, drawn.unmatched, drawn.same_observation)
    return [verification.squared_distances(embeddings, pairs) for pairs in positions]


def judged(drawn: Pairs, embeddings: np.ndarray, progress: Progress) -> list[Sample]:
    """Matched and unmatched pairs with two columns, distances and similarities; then those that
    share z_O, where there are some, with distances only.
    """
    matched, unmatched, same_observation = distances(drawn, embeddings)
    alike = [
        diversity.ms_ssim(drawn.images, pairs, progress)
        for pairs in (drawn.matched, drawn.unmatched)
    ]
    samples = [
        Sample(np.stack([matched, alike[0]], axis=1), drawn.groups[drawn.matched]),
        Sample(np.stack([unmatched, alike[1]], axis=1), drawn.groups[drawn.unmatched]),
    ]
    if len(same_observation):
        groups = drawn.groups[drawn.same_observation]
        samples.append(Sample(same_observation[:, np.newaxis], groups))
    return samples


def diversities(matched: np.ndarray, unmatched: np.ndarray) -> tuple[float, float]:
    """ID-Div and All-Div."""
    within, between = (1.0 - float(np.mean(values[:, 1])) for values in (matched, unmatched))
    return within, (within + between) / 2


def quick_numbers(
    generator: Generator, verifier: Verifier, pairs: int = 500, seed: int = 0
) -> dict[str, float]:
    """The numbers that need no real pictures, without intervals: to follow a training run.

    Args:
        generator: what is measured.
        verifier: the judge.
        pairs: how many, half of them matched.
        seed: of their codes.

    Returns:
        `auc`, `auc_same_observation`, `id_div` and `all_div` as in `Row`.
    """
    drawn = generated_pairs(generator, pairs, seed)
    samples = judged(drawn, verifier.embed(drawn.images), quiet)
    matched, unmatched, same_observation = (sample.values for sample in samples)
    id_div, all_div = diversities(matched, unmatched)
    return {
        "auc": verification.auc(matched[:, 0], unmatched[:, 0]),
        "auc_same_observation": verification.auc(same_observation[:, 0], unmatched[:, 0]),
        "id_div": id_div,
        "all_div": all_div,
    }


def judge_auc(verifier: Verifier, data: IdentityData, pairs: int = 2000, seed: int = 0) -> float:
    """How well a verifier tells real identities apart, by the AUC of pairs of them."""
    drawn = real_pairs(data, pairs, seed)
    matched, unmatched, _ = distances(drawn, verifier.embed(drawn.images))
    return verification.auc(matched, unmatched)


def megabytes(model: AdversarialModel) -> float:
    """Of the parameters of G and D in float32, 1e6 bytes each, as the paper counts them."""
    return 4 * sum(model.parameters().values()) / 1e6
