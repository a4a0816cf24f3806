"""The protocol as a whole, on sources of which one knows what should come out."""

from __future__ import annotations

import json

import numpy as np
import painted
import pytest
import tensorflow as tf
from painted import Painter

from sdgan_tf.data import Splits
from sdgan_tf.evaluation import Evaluator, evaluate, verification
from sdgan_tf.evaluation.factors import FactorReader
from sdgan_tf.evaluation.pairs import real_pairs


def splits(**options):
    """Return painted people of three kinds."""
    kinds = enumerate(("train", "validation", "test"))
    return Splits(*(painted.people(seed=n, prefix=kind, **options) for n, kind in kinds))


@pytest.fixture(scope="module")
def evaluator():
    return Evaluator(splits(), painted.verifier(), pairs=600, resamples=100)


def test_real_identities_score_as_the_judge_does(evaluator):
    drawn = real_pairs(evaluator.splits.test, 4000, seed=9)
    left = painted.verifier().embed(drawn.images)
    distances = [
        verification.squared_distances(left, pairs) for pairs in (drawn.matched, drawn.unmatched)
    ]
    real = evaluator.real
    assert real.auc.value == pytest.approx(verification.auc(*distances), abs=0.02)
    assert real.auc.low <= real.auc.value <= real.auc.high < 1
    expected = verification.accuracy(*distances, evaluator.threshold)
    assert real.accuracy.value == pytest.approx(expected, abs=0.03)
    assert 0.9 < real.accuracy.value < real.auc.value
    assert real.false_accepts.value < 0.1
    assert 0 < real.id_div.value < real.all_div.value
    assert real.auc_same_observation is real.capacity is real.megabytes is None


def test_a_judge_that_knows_nobody_is_refused():
    blind = painted.verifier()
    blind.embed = lambda images: np.random.default_rng(0).normal(size=[len(images), 3])
    with pytest.raises(ValueError, match=r"'left' with an AUC of 0\.\d+ on validation.*floor=0.8"):
        Evaluator(splits(), blind, pairs=200)


def test_a_perfect_generator(evaluator):
    row = evaluator.measure(Painter(), "perfect", 1.5)
    assert (row.name, row.megabytes) == ("perfect", 1.5)
    assert row.auc.value == 1.0
    # Exactly: the two kinds of pairs show the same identities, and z_O plays no part.
    assert row.auc_same_observation == (0.5, 0.5, 0.5)
    assert row.accuracy.value == pytest.approx(0.98, abs=0.03)
    assert row.id_div.value == pytest.approx(evaluator.real.id_div.value, rel=0.2)
    assert row.all_div.value == pytest.approx(evaluator.real.all_div.value, rel=0.2)
    assert row.capacity.value > 100
    assert row.capacity.low <= row.capacity.value <= row.capacity.high
    # Real colours are uniform, too, as far as 40 people show it.
    assert row.fidelity["left"].frechet < 0.1
    assert row.fidelity["left"].pictures == evaluator.real.fidelity["left"].pictures


def test_known_factors_are_told_of_generators_alone(evaluator, monkeypatch):
    def network(images):
        return tf.stack([images[:, 1, 0, 0], images[:, 1, 8, 0]], axis=1)

    reader = FactorReader(network, ("left red", "right red"), 1)
    monkeypatch.setattr(evaluator, "factors", reader)
    left, right = evaluator.measure(Painter(), "perfect").factors
    assert (left.name, left.belongs_to) == ("left red", "identity")
    assert left.identity == pytest.approx(1) and right.observation == pytest.approx(1)
    assert evaluator.measure(painted.people(seed=7), "folder").factors == []
    assert evaluator.real.factors == ()


def test_a_generator_that_ignores_identity(evaluator):
    row = evaluator.measure(Painter(who=lambda codes: codes[:, 3:]), "no z_I")
    assert row.auc.value == pytest.approx(0.5, abs=0.06)
    # z_O carries it all.
    assert row.auc_same_observation.value == 1.0
    assert row.accuracy.value == pytest.approx(0.5, abs=0.06)


def test_a_generator_that_ignores_observation(evaluator):
    row = evaluator.measure(Painter(how=lambda codes: codes[:, :3]), "no z_O")
    assert row.auc.value == 1.0
    assert row.id_div.value == pytest.approx(0, abs=1e-6)
    assert row.all_div.value > 0.1


def test_a_generator_of_few_identities(evaluator):
    faces = np.random.default_rng(0).uniform(-1, 1, [10, 3])

    def who(codes):
        return faces[(np.abs(codes[:, 0]) * 1e6).astype(int) % 10]

    row = evaluator.measure(Painter(who=who), "ten")
    assert row.capacity.low < 10 < row.capacity.high
    assert row.capacity.high < 30
    assert row.auc.value < 1


def test_a_collapsed_generator(evaluator):
    def grey(codes):
        return np.zeros([len(codes), 3])

    row = evaluator.measure(Painter(grey, grey), "grey")
    assert row.auc.value == row.auc_same_observation.value == 0.5
    assert row.false_accepts.value == row.capacity.value == 1.0
    assert row.all_div.value == pytest.approx(0, abs=1e-6)
    assert row.fidelity["left"].frechet > 10 * evaluator.real.fidelity["left"].frechet


def test_everything_depends_on_the_seed_alone(evaluator):
    first, again = (evaluator.measure(Painter(), "perfect") for _ in range(2))
    for one, two in zip(first[:-3], again[:-3]):
        assert str(one) == str(two)
    other = Evaluator(evaluator.splits, painted.verifier(), pairs=600, seed=1, resamples=10)
    assert other.measure(Painter(), "perfect").id_div.value != first.id_div.value


def test_a_folder_of_tuples_is_measured_as_reals_are(evaluator):
    row = evaluator.measure(painted.people(seed=7, noise=0.3), "folder")
    assert row.auc.value < evaluator.real.auc.value
    assert row.auc_same_observation is None
    assert row.capacity is not None


def test_evaluate_gives_rows_pictures_and_facts():
    told = []

    def progress(*news):
        told.append(news)

    space = painted.verifier()
    space.name = "left again"
    results = evaluate(
        Painter(), splits(identities=12), painted.verifier(), "painter", 2.0,
        pairs=20, seed=3, spaces=[space], resamples=10, progress=progress,
    )  # fmt: skip
    assert [row.name for row in results.rows] == ["real, unseen identities", "painter"]
    assert results.rows[1].fidelity["left"] == results.rows[1].fidelity["left again"]
    assert results.samples.shape == (8, 8, 16, 16, 3)
    assert results.nearest.shape == (8, 4, 16, 16, 3)
    np.testing.assert_array_equal(results.nearest[:, 0], results.samples[:, 0])
    assert results.facts["verifier"] == "left"
    assert results.facts["pairs"] == 20
    assert results.facts["diversity"].startswith("MS-SSIM at 16 px")
    json.dumps(results.facts)
    assert {what for *_, what in told} == {
        "pictures read",
        "pictures made",
        "pairs compared",
        "pictures seen by left",
        "pictures seen by left again",
    }


def test_the_nearest_training_pictures_stand_beside_a_sample(evaluator):
    train = evaluator.splits.train
    grid = evaluator.nearest(train.images[[5, 17]])
    np.testing.assert_array_equal(grid[:, 0], train.images[[5, 17]])
    left = grid[:, :, 1, 0].astype(int)
    distances = np.sum((left - left[:, :1]) ** 2, axis=-1)
    assert np.all(np.diff(distances, axis=1) >= 0)
    assert np.all(distances[:, 1] == 0)


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_parts_without_pairs_are_refused_before_any_work(part):
    data = splits(identities=4)._replace(**{part: painted.people(identities=1, prefix="x")})
    with pytest.raises(ValueError, match="need at least two identities.*Received: 1 identities"):
        Evaluator(data, None)


def test_shared_identities_are_refused():
    data = splits(identities=4)
    with pytest.raises(ValueError, match="must not share identities.*4 shared"):
        Evaluator(data._replace(test=data.validation), None)


def test_other_sizes_and_channels_are_refused():
    painter = Painter()
    painter.image_size = 32
    with pytest.raises(
        ValueError, match="image_size=32, channels=3. Received: data of image_size=16"
    ):
        evaluate(painter, splits(identities=4), painted.verifier())
    grey = painted.verifier()
    grey.channels = 1
    with pytest.raises(ValueError, match="takes grey pictures.*Received: pictures of 3 channels"):
        Evaluator(splits(identities=4), grey)


def test_spaces_of_one_name_are_refused():
    with pytest.raises(ValueError, match="names must differ. Received: 'left' and"):
        Evaluator(splits(identities=4), painted.verifier(), spaces=[painted.verifier()])
