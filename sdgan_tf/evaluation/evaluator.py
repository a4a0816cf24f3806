"""The protocol: what is measured of a source of images, and on which real identities (paper,
section 4; its numbers are AUC, accuracy, false accept rate, ID-Div, All-Div, memory).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sdgan_tf.data import IdentityData, Splits
from sdgan_tf.evaluation import bootstrap, diversity, fidelity, metrics, verification
from sdgan_tf.evaluation.checks import (
    VERIFIER_FLOOR,
    check_floor,
    check_source,
    check_splits,
    check_unseen,
    check_verifier,
)
from sdgan_tf.evaluation.factors import FactorReader, shares
from sdgan_tf.evaluation.pairs import (
    PAIRS,
    Pairs,
    alike_surroundings,
    evenly,
    generated_pairs,
    real_pairs,
    reference_images,
)
from sdgan_tf.evaluation.results import Fidelity, Results, Row
from sdgan_tf.evaluation.verifiers import Verifier
from sdgan_tf.models import ImageModel

# Real pairs of two identities that the threshold of `capacity` accepts.
CAPACITY_RATE = 0.01
# Training images that generated ones are compared with.
REFERENCE = 10_000
NEAREST = 3


class Evaluator:
    """Measures sources of images, each in the same way.

    Args:
        splits: real identities. Thresholds come from `validation`, the first row of numbers from
            `test`; fidelity compares with images of `train`, drawn uniformly over identities.
        verifier: says how near two images are.
        pairs: how many, of each source.
        seed: of pairs, codes and resampling.
        features: further spaces of features for fidelity, see `features.load_features`: anything
            with `name` and `embed` as `Verifier` has them.
        resamples: of the bootstrap.
        verifier_floor: least AUC of the verifier on validation pairs.
        factors: reads the known factors of drawn people, see `train_factor_reader`.
        verbose: whether progress bars are shown.

    Attributes:
        threshold: of squared distances, most accurate on validation pairs.
        capacity_threshold: accepts `CAPACITY_RATE` of unmatched validation pairs.
        real: the `Row` of the test identities.

    Raises:
        ValueError: splits that give no pairs or share identities or images, or a verifier of other channels,
            below the floor, or whose embeddings are no numbers.
    """

    def __init__(
        self,
        splits: Splits,
        verifier: Verifier,
        pairs: int = PAIRS,
        seed: int = 0,
        features: Sequence[Verifier] = (),
        resamples: int = bootstrap.RESAMPLES,
        verifier_floor: float = VERIFIER_FLOOR,
        factors: FactorReader | None = None,
        verbose: bool = False,
    ):
        check_splits(splits, pairs)
        check_verifier(verifier, splits.test.image_size, splits.test.channels)
        self.spaces = {space.name: space for space in (verifier, *features)}
        if len(self.spaces) <= len(features):
            raise ValueError(
                "Numbers carry the name of their space of features, so names must differ. "
                f"Received: {verifier.name!r} and {[space.name for space in features]}"
            )
        self.splits = splits
        self.verifier = verifier
        self.pairs = pairs
        self.seed = seed
        self.resamples = resamples
        self.factors = factors
        self.verbose = verbose
        drawn = real_pairs(splits.validation, pairs, seed, verbose)
        embeddings = metrics.embed(verifier, drawn.images, verbose)
        matched, unmatched, _ = metrics.distances(drawn, embeddings)
        check_floor(verifier, verification.auc(matched, unmatched), verifier_floor)
        self.threshold = verification.best_threshold(matched, unmatched)
        self.capacity_threshold = verification.threshold_at(CAPACITY_RATE, unmatched)
        self.reference, positions = reference_images(splits.train, REFERENCE, seed, verbose)
        distinct = self._embed(self.reference)
        self._embeddings = distinct[0]
        self._reference_features = [features[positions] for features in distinct]
        drawn = real_pairs(splits.test, pairs, seed, verbose)
        check_unseen(drawn.images, self.reference)
        alike = alike_surroundings(drawn.images, drawn.groups, seed)
        drawn = drawn._replace(same_observation=alike)
        self._count = min(len(drawn.images), len(positions))
        self.real, self._real_accepts = self._measure(drawn, "real, unseen identities", stream=4)

    def measure(
        self, source: ImageModel | IdentityData, name: str, megabytes: float | None = None
    ) -> Row:
        """What the protocol says of a model, or of generated tuples in a folder."""
        check_source(source, self.splits)
        draw = real_pairs if isinstance(source, IdentityData) else generated_pairs
        drawn = draw(source, self.pairs, self.seed, self.verbose)
        row, accepts = self._measure(drawn, name, stream=5)
        # The first is the number itself, the others its replicates.
        capacities = np.array(
            [
                verification.capacity(accepted, real, drawn.collisions)
                for accepted, real in zip(accepts, self._real_accepts)
            ]
        )
        capacity = bootstrap.estimates(capacities[:1], capacities[1:, np.newaxis])[0]
        known = []
        if self.factors and not isinstance(source, IdentityData):
            known = shares(
                self.factors,
                source,
                self.splits.test,
                seed=self.seed,
                resamples=self.resamples,
            )
        return row._replace(capacity=capacity, megabytes=megabytes, factors=known)

    def nearest(self, images: np.ndarray) -> np.ndarray:
        """Images beside the nearest training images: uint8 [n, h, w, c] to [n, 4, h, w, c]."""
        embeddings = metrics.embed(self.verifier, images)
        positions = fidelity.nearest(embeddings, self._embeddings, NEAREST)
        return np.concatenate([images[:, np.newaxis], self.reference[positions]], axis=1)

    def _measure(self, drawn: Pairs, name: str, stream: int) -> tuple[Row, np.ndarray]:
        """A row without capacity, and what that rests on: the accept rate and its replicates."""
        features = self._embed(drawn.images)
        samples = metrics.pair_samples(drawn, features[0], self.verbose)
        numbers = self._numbers(*(sample.values for sample in samples))
        replicates = bootstrap.resample(self._numbers, samples, [self.seed, stream], self.resamples)
        *estimates, accepts = bootstrap.estimates(numbers, replicates)
        auc, id_div, all_div, accuracy, false_accepts, *same_observation = estimates
        row = Row(
            name,
            auc,
            same_observation[0] if same_observation else None,
            accuracy,
            false_accepts,
            id_div,
            all_div,
            None,
            self._fidelity(features, drawn.groups),
            verification.roc(*(sample.values[:, 0] for sample in samples[:2])),
            None,
        )
        return row, np.append(accepts.value, replicates[:, -1])

    def _embed(self, images: np.ndarray) -> list[np.ndarray]:
        return [metrics.embed(space, images, self.verbose) for space in self.spaces.values()]

    def _numbers(self, matched, unmatched, same_observation=None) -> list[float]:
        distances = matched[:, 0], unmatched[:, 0]
        numbers = [
            verification.auc(*distances),
            *metrics.diversities(matched, unmatched),
            verification.accuracy(*distances, self.threshold),
            verification.accept_rate(distances[1], self.threshold),
        ]
        if same_observation is not None:
            numbers.append(verification.auc(same_observation[:, 0], distances[1]))
        return [*numbers, verification.accept_rate(distances[1], self.capacity_threshold)]

    def _fidelity(self, features: list[np.ndarray], groups: np.ndarray) -> dict[str, Fidelity]:
        rng = np.random.default_rng([self.seed, 3])
        few, many = (evenly(groups, count, rng) for count in (self._count, len(groups)))
        return {
            name: Fidelity(
                fidelity.frechet_distance(own[few], reference),
                self._count,
                *fidelity.kernel_distance(own[many], reference, seed=self.seed),
            )
            for name, own, reference in zip(self.spaces, features, self._reference_features)
        }


def evaluate(
    source: ImageModel | IdentityData,
    splits: Splits,
    verifier: Verifier,
    name: str = "generated",
    megabytes: float | None = None,
    **options,
) -> Results:
    """Measures one source of images against real identities that it has not seen.

    Args:
        source: a model, or generated tuples in a folder.
        splits: see `Evaluator`.
        verifier: see `Evaluator`.
        name: of the source.
        megabytes: see `Row`.
        **options: see `Evaluator`.
    """
    check_source(source, splits)
    evaluator = Evaluator(splits, verifier, **options)
    row = evaluator.measure(source, name, megabytes)
    grid = source.grid if isinstance(source, IdentityData) else source.generate
    samples = grid(8, 8, evaluator.seed)
    nearest = evaluator.nearest(samples[:, 0])
    return Results([evaluator.real, row], facts(evaluator), samples, nearest)


def facts(evaluator: Evaluator) -> dict:
    """How an evaluator measures, to be printed with its numbers."""
    splits, verifier = evaluator.splits, evaluator.verifier
    return {
        "verifier": verifier.name,
        "verifier_input": verifier.describe_input(),
        "verifier_facts": verifier.facts,
        "threshold": evaluator.threshold,
        "capacity_threshold": evaluator.capacity_threshold,
        "capacity_false_accepts": CAPACITY_RATE,
        "pairs": evaluator.pairs,
        "seed": evaluator.seed,
        "resamples": evaluator.resamples,
        "diversity": diversity.protocol(splits.test.image_size),
        "reference_images": len(evaluator.reference),
        "data": {part: data.summary() for part, data in splits._asdict().items()},
    }
