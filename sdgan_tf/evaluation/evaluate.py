"""The protocol: what is measured of a source of pictures, and on which real identities (paper,
section 4; its numbers are AUC, accuracy, false accept rate, ID-Div, All-Div, memory).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sdgan_tf.data import IdentityData, Splits
from sdgan_tf.evaluation import bootstrap, diversity, fidelity, measures, verification
from sdgan_tf.evaluation.factors import FactorReader, shares
from sdgan_tf.evaluation.pairs import (
    PAIRS,
    Generator,
    Pairs,
    Progress,
    check_identities,
    check_pairs,
    generated_pairs,
    quiet,
    real_pairs,
    some_pictures,
)
from sdgan_tf.evaluation.results import Fidelity, Results, Row
from sdgan_tf.evaluation.verifier import Verifier

# Real pairs of two identities that the threshold of `capacity` accepts.
CAPACITY_RATE = 0.01
# A judge that tells real identities apart worse than this, by its AUC on validation pairs, is refused.
JUDGE_FLOOR = 0.8
# Training pictures that generated ones are compared with.
REFERENCE = 10_000
NEAREST = 3


class Evaluator:
    """Measures sources of pictures, each in the same way.

    Args:
        splits: real identities. Thresholds come from `validation`, the first row of numbers from
            `test`; fidelity compares with pictures of `train`.
        verifier: the judge.
        pairs: how many, of each source.
        seed: of pairs, codes and resampling.
        spaces: further spaces of features for fidelity: anything with `name` and `embed` as
            `Verifier` has them.
        resamples: of the bootstrap.
        floor: of the verifier's AUC on validation pairs.
        factors: reads the known factors of drawn people, see `train_factor_reader`.
        progress: told what is being done.

    Attributes:
        threshold: of squared distances, most accurate on validation pairs.
        capacity_threshold: accepts `CAPACITY_RATE` of unmatched validation pairs.
        real: the `Row` of the test identities.

    Raises:
        ValueError: splits that give no pairs or share identities, or a verifier of other channels or
            below the floor.
    """

    def __init__(
        self,
        splits: Splits,
        verifier: Verifier,
        pairs: int = PAIRS,
        seed: int = 0,
        spaces: Sequence[Verifier] = (),
        resamples: int = bootstrap.RESAMPLES,
        floor: float = JUDGE_FLOOR,
        factors: FactorReader | None = None,
        progress: Progress = quiet,
    ):
        check(splits, verifier, pairs)
        self.spaces = {space.name: space for space in (verifier, *spaces)}
        if len(self.spaces) <= len(spaces):
            raise ValueError(
                "Numbers carry the name of their space of features, so names must differ. "
                f"Received: {verifier.name!r} and {[space.name for space in spaces]}"
            )
        self.splits = splits
        self.verifier = verifier
        self.pairs = pairs
        self.seed = seed
        self.resamples = resamples
        self.factors = factors
        self.progress = progress
        drawn = real_pairs(splits.validation, pairs, seed, progress)
        embeddings = measures.embed(verifier, drawn.images, progress)
        matched, unmatched, _ = measures.distances(drawn, embeddings)
        _check_floor(verifier, verification.auc(matched, unmatched), floor)
        self.threshold = verification.best_threshold(matched, unmatched)
        self.capacity_threshold = verification.threshold_at(CAPACITY_RATE, unmatched)
        self.reference = some_pictures(splits.train, REFERENCE, seed, progress)
        self._features = self._embed(self.reference)
        drawn = real_pairs(splits.test, pairs, seed, progress)
        self._pictures = len(drawn.images)
        self.real, self._real_accepts = self._measure(drawn, "real, unseen identities", stream=4)

    def measure(
        self, source: Generator | IdentityData, name: str, megabytes: float | None = None
    ) -> Row:
        """What the protocol says of a generator, or of generated tuples in a folder."""
        check_source(source, self.splits)
        draw = real_pairs if isinstance(source, IdentityData) else generated_pairs
        drawn = draw(source, self.pairs, self.seed, self.progress)
        row, accepts = self._measure(drawn, name, stream=5)
        real, found = np.stack([self._real_accepts, accepts], axis=0)
        held = np.array([verification.capacity(p, r) for p, r in zip(found, real)])
        # The first of each is the number itself, the others its replicates.
        capacity = bootstrap.estimates(held[:1], held[1:, np.newaxis])[0]
        known = []
        if self.factors and not isinstance(source, IdentityData):
            known = shares(self.factors, source, self.splits.test, seed=self.seed)
        return row._replace(capacity=capacity, megabytes=megabytes, factors=known)

    def nearest(self, images: np.ndarray) -> np.ndarray:
        """Pictures beside the nearest training pictures: uint8 [n, h, w, c] to [n, 4, h, w, c]."""
        found = fidelity.nearest(self.verifier.embed(images), self._features[0], NEAREST)
        return np.concatenate([images[:, np.newaxis], self.reference[found]], axis=1)

    def _measure(self, drawn: Pairs, name: str, stream: int) -> tuple[Row, np.ndarray]:
        """A row without capacity, and what that rests on: the accept rate and its replicates."""
        features = self._embed(drawn.images)
        samples = measures.judged(drawn, features[0], self.progress)
        numbers = self._numbers(*(sample.values for sample in samples))
        replicates = bootstrap.resample(self._numbers, samples, [self.seed, stream], self.resamples)
        *found, accepts = bootstrap.estimates(numbers, replicates)
        auc, id_div, all_div, accuracy, false_accepts, *same_observation = found
        row = Row(
            name,
            auc,
            same_observation[0] if same_observation else None,
            accuracy,
            false_accepts,
            id_div,
            all_div,
            None,
            self._fidelity(features),
            verification.roc(*(sample.values[:, 0] for sample in samples[:2])),
            None,
        )
        return row, np.append(accepts.value, replicates[:, -1])

    def _embed(self, images: np.ndarray) -> list[np.ndarray]:
        return [measures.embed(space, images, self.progress) for space in self.spaces.values()]

    def _numbers(self, matched, unmatched, same_observation=None) -> list[float]:
        distances = matched[:, 0], unmatched[:, 0]
        numbers = [
            verification.auc(*distances),
            *measures.diversities(matched, unmatched),
            verification.accuracy(*distances, self.threshold),
            verification.accept_rate(distances[1], self.threshold),
        ]
        if same_observation is not None:
            numbers.append(verification.auc(same_observation[:, 0], distances[1]))
        return [*numbers, verification.accept_rate(distances[1], self.capacity_threshold)]

    def _fidelity(self, features: list[np.ndarray]) -> dict[str, Fidelity]:
        rng = np.random.default_rng([self.seed, 3])
        count = min(self._pictures, len(features[0]))
        subset = rng.choice(len(features[0]), count, replace=False)
        return {
            name: Fidelity(
                fidelity.frechet_distance(found[subset], reference),
                count,
                *fidelity.kernel_distance(found, reference, seed=self.seed),
            )
            for name, found, reference in zip(self.spaces, features, self._features)
        }


def evaluate(
    source: Generator | IdentityData,
    splits: Splits,
    verifier: Verifier,
    name: str = "generated",
    megabytes: float | None = None,
    **options,
) -> Results:
    """Measures one source of pictures against real identities that it has not seen.

    Args:
        source: a generator, or generated tuples in a folder.
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
        "verifier_facts": verifier.facts,
        "threshold": evaluator.threshold,
        "capacity_threshold": evaluator.capacity_threshold,
        "capacity_false_accepts": CAPACITY_RATE,
        "pairs": evaluator.pairs,
        "seed": evaluator.seed,
        "resamples": evaluator.resamples,
        "diversity": diversity.protocol(splits.test.image_size),
        "reference_pictures": len(evaluator.reference),
        "data": {part: data.summary() for part, data in splits._asdict().items()},
    }


def check(splits: Splits, verifier: Verifier, pairs: int) -> None:
    """Refuses what `Evaluator` cannot measure with, before any work."""
    check_pairs(pairs)
    check_identities(splits.validation, "validation")
    check_identities(splits.test, "test")
    check_identities(splits.train, "training")
    names = [set(data.names) for data in splits]
    shared = names[0] & names[1] | names[1] & names[2] | names[0] & names[2]
    if shared:
        raise ValueError(
            "Training, validation and test must not share identities, or the threshold would be chosen on "
            f"what it judges. Received: {len(shared)} shared, such as {sorted(shared)[0]!r}"
        )
    check_judge(verifier, splits.test.image_size, splits.test.channels)


def check_judge(verifier: Verifier, image_size: int, channels: int) -> None:
    """Refuses pictures that the verifier does not take, or that are too small for MS-SSIM."""
    diversity.scales(image_size)
    if verifier.channels < channels:
        raise ValueError(
            f"The verifier {verifier.name!r} takes grey pictures: use --channels=1, or another verifier. "
            f"Received: pictures of {channels} channels"
        )


def _check_floor(verifier: Verifier, auc: float, floor: float) -> None:
    if auc < floor:
        raise ValueError(
            "A judge has to know real identities apart before it judges imagined ones: train it for longer, wider or on "
            "more identities, bring another, or lower the floor and read the numbers with care. "
            f"Received: {verifier.name!r} with an AUC of {auc:.3f} on validation pairs, floor={floor}"
        )


def check_source(source: Generator | IdentityData, splits: Splits) -> None:
    """Refuses a source whose pictures are not of the data's form."""
    got, expected = ((s.image_size, s.channels) for s in (source, splits.test))
    if got != expected:
        raise ValueError(
            "What is measured and the real pictures it is measured against need one size: open the data at "
            f"image_size={got[0]}, channels={got[1]}. Received: data of image_size={expected[0]}, "
            f"channels={expected[1]}"
        )
    if isinstance(source, IdentityData):
        check_identities(source, "given")
