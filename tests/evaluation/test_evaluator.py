"""The protocol as a whole, on sources of which one knows what should come out."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.data import IdentityData, Splits
from sdgan_tf.evaluation import Evaluator, evaluate, verification
from sdgan_tf.evaluation.factors import FactorReader
from sdgan_tf.evaluation.pairs import alike_surroundings, real_pairs
from sdgan_tf.evaluation.verifiers import VerifierError
from tests import painted
from tests.painted import Painter


def splits(**options):
    """Return painted people of three kinds."""
    kinds = enumerate(("train", "validation", "test"))
    return Splits(*(painted.people(seed=n, prefix=kind, **options) for n, kind in kinds))


@pytest.fixture(scope="module")
def evaluator():
    return Evaluator(splits(), painted.verifier(), pairs=600, resamples=100)


def test_real_identities_score_as_the_verifier_says(evaluator):
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
    assert real.capacity is real.megabytes is None
    alike = verification.squared_distances(left, alike_surroundings(drawn.images, drawn.groups))
    surroundings = verification.auc(alike, distances[1])
    assert real.auc_same_observation.value == pytest.approx(surroundings, abs=0.03)
    # The left border is all that this verifier sees.
    assert surroundings > 0.6


def test_a_verifier_that_knows_nobody_is_refused():
    blind = painted.verifier()
    blind.embed = lambda images: np.random.default_rng(0).normal(size=[len(images), 3])
    with pytest.raises(
        ValueError, match=r"'left' with an AUC of 0\.\d+ on validation.*verifier_floor=0.8"
    ):
        Evaluator(splits(), blind, pairs=200)


def test_test_images_that_were_trained_on_are_refused_whatever_their_names():
    train, validation, test = splits()
    images = test.images.copy()
    images[6:12] = train.images[:6]
    copied = IdentityData(test.names, test.counts, images)
    with pytest.raises(ValueError, match=r"on_duplicates=drop.* Received: 6 of \d+ test images"):
        Evaluator(Splits(train, validation, copied), painted.verifier(), pairs=600)


def test_a_perfect_model(evaluator):
    row = evaluator.measure(Painter(), "perfect", 1.5)
    assert (row.name, row.megabytes) == ("perfect", 1.5)
    assert row.auc.value == 1.0
    # Exactly: the two kinds of pairs show the same identities, and z_O plays no part.
    assert row.auc_same_observation == (0.5, 0.5, 0.5)
    assert row.accuracy.value == pytest.approx(0.98, abs=0.03)
    assert row.id_div.value == pytest.approx(evaluator.real.id_div.value, rel=0.2)
    assert row.all_div.value == pytest.approx(evaluator.real.all_div.value, rel=0.2)
    assert row.capacity.value > 50 and row.capacity.high == np.inf
    assert row.capacity.low <= row.capacity.value <= row.capacity.high
    # Real colours are uniform, too, as far as 40 people show it.
    assert row.fidelity["left"].frechet < 0.1
    assert row.fidelity["left"].images == evaluator.real.fidelity["left"].images


def test_known_factors_are_told_of_models_alone(evaluator, monkeypatch):
    def network(images):
        return tf.stack([images[:, 1, 0, 0], images[:, 1, 8, 0]], axis=1)

    reader = FactorReader(network, ("left red", "right red"), 1)
    monkeypatch.setattr(evaluator, "factors", reader)
    left, right = evaluator.measure(Painter(), "perfect").factors
    assert (left.name, left.belongs_to) == ("left red", "identity")
    assert left.identity == pytest.approx(1) and right.observation == pytest.approx(1)
    assert evaluator.measure(painted.people(seed=7), "folder").factors == []
    assert evaluator.real.factors == ()


def test_a_model_that_ignores_identity(evaluator):
    row = evaluator.measure(Painter(who=lambda codes: codes[:, 3:]), "no z_I")
    assert row.auc.value == pytest.approx(0.5, abs=0.06)
    # z_O carries it all.
    assert row.auc_same_observation.value == 1.0
    assert row.accuracy.value == pytest.approx(0.5, abs=0.06)


def test_a_model_that_ignores_observation(evaluator):
    row = evaluator.measure(Painter(how=lambda codes: codes[:, :3]), "no z_O")
    assert row.auc.value == 1.0
    assert row.id_div.value == pytest.approx(0, abs=1e-6)
    assert row.all_div.value > 0.1


def test_a_model_that_hides_how_few_its_identities_are(evaluator):
    faces = np.random.default_rng(0).uniform(-1, 1, [10, 3])

    def who(codes):
        return faces[(np.abs(codes[:, 0]) * 1e6).astype(int) % 10]

    row = evaluator.measure(Painter(who=who), "ten")
    assert row.capacity.low < 10 < row.capacity.high
    assert row.capacity.high < 30
    assert row.auc.value < 1


@pytest.mark.parametrize("identities", [2, 10, 50])
def test_a_model_of_finitely_many_identities_holds_no_more(evaluator, identities):
    row = evaluator.measure(Painter(identities=identities), "table")
    assert row.auc.value > 0.95
    assert 0.7 * identities < row.capacity.value <= identities
    assert row.capacity.low <= row.capacity.value <= row.capacity.high <= identities


@pytest.mark.once
def test_fidelity_compares_with_identities_as_training_draws_them():
    # A tenth of the people have forty times the images of the others, and are dark.
    kinds = []
    for number, kind in enumerate(("train", "validation", "test")):
        dark = painted.people(4, 200, seed=number, prefix=f"dark {kind}")
        bright = painted.people(36, 5, seed=10 + number, prefix=kind)
        images = np.concatenate([dark.images // 4, bright.images])
        counts = [*dark.counts, *bright.counts]
        kinds.append(IdentityData([*dark.names, *bright.names], counts, images))
    evaluator = Evaluator(
        Splits(*kinds), painted.verifier(), pairs=2000, resamples=2, verifier_floor=0
    )
    train = evaluator.splits.train
    colours = train.images[:, 1, 0] / 127.5 - 1
    firsts = np.cumsum(train.counts) - train.counts

    def who(codes):
        # Uniformly one of the training people, in one of this person's images.
        bits = (np.abs(codes) * 1e6).astype(int)
        person = bits[:, 0] % len(train)
        return colours[firsts[person] + bits[:, 1] % train.counts[person]]

    perfect = evaluator.measure(Painter(who=who), "perfect").fidelity["left"]
    assert perfect.frechet < 0.02
    assert abs(perfect.kernel) < 0.02
    # Real people are other ones, but are drawn in the same way.
    assert evaluator.real.fidelity["left"].frechet < 0.2


def test_embeddings_that_are_no_numbers_are_refused(evaluator, monkeypatch):
    embed = evaluator.verifier.embed

    def broken(images):
        embeddings = embed(images)
        embeddings[::7] = np.nan
        return embeddings

    monkeypatch.setattr(evaluator.verifier, "embed", broken)
    with pytest.raises(VerifierError, match="finite numbers.*NaN or infinity from 'left' for 129"):
        evaluator.measure(Painter(), "any")
    with pytest.raises(VerifierError, match="finite numbers"):
        Evaluator(splits(), evaluator.verifier, pairs=200)


def test_a_collapsed_model(evaluator):
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


def test_evaluate_gives_rows_images_and_facts(capsys):
    space = painted.verifier()
    space.name = "left again"
    results = evaluate(
        Painter(), splits(identities=12), painted.verifier(), "painter", 2.0,
        pairs=20, seed=3, features=[space], resamples=10, verbose=True,
    )  # fmt: skip
    assert [row.name for row in results.rows] == ["real, unseen identities", "painter"]
    assert results.rows[1].fidelity["left"] == results.rows[1].fidelity["left again"]
    assert results.samples.shape == (8, 8, 16, 16, 3)
    assert results.nearest.shape == (8, 4, 16, 16, 3)
    np.testing.assert_array_equal(results.nearest[:, 0], results.samples[:, 0])
    assert results.facts["verifier"] == "left"
    assert results.facts["verifier_input"].startswith("colour images of 16x16 pixels, scale symm")
    assert results.facts["pairs"] == 20
    assert results.facts["diversity"].startswith("MS-SSIM at 16 px")
    json.dumps(results.facts)
    bars = capsys.readouterr().err
    for title in ("Reading", "Generating", "Embedding by left", "left again", "Comparing pairs"):
        assert title in bars


def test_the_nearest_training_images_stand_beside_a_sample(evaluator):
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
    with pytest.raises(ValueError, match="identities must differ.*4 shared"):
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
    with pytest.raises(ValueError, match="takes grey images.*Received: images of 3 channels"):
        Evaluator(splits(identities=4), grey)


def test_features_of_one_name_are_refused():
    with pytest.raises(ValueError, match="names must differ. Received: 'left' and"):
        Evaluator(splits(identities=4), painted.verifier(), features=[painted.verifier()])
