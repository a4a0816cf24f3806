"""Pairs: what they share, and that their seed alone decides which they are."""

from __future__ import annotations

import numpy as np
import pytest

from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation import generated_pairs, real_pairs
from sdgan_tf.evaluation.pairs import alike_surroundings, evenly, reference_images
from tests import painted


def numbered(counts):
    """Return data whose image j of identity i is all 16 i + j."""
    values = np.concatenate([16 * i + np.arange(count) for i, count in enumerate(counts)])
    images = np.broadcast_to(values[:, None, None, None], [len(values), 4, 4, 1]).astype(np.uint8)
    return IdentityData([f"p{i}" for i in range(len(counts))], counts, images)


def test_real_pairs_are_what_they_are_called():
    drawn = real_pairs(numbered([3, 1, 2, 5, 0]), pairs=2000)
    shown = drawn.images[:, 0, 0, 0].astype(int)
    assert len(set(shown)) == len(shown) == 3 + 1 + 2 + 5
    np.testing.assert_array_equal(drawn.groups, shown // 16)
    matched, unmatched = shown[drawn.matched], shown[drawn.unmatched]
    assert matched.shape == unmatched.shape == (1000, 2)
    assert np.all(matched[:, 0] // 16 == matched[:, 1] // 16)
    assert np.all(matched[:, 0] != matched[:, 1])
    assert np.all(unmatched[:, 0] // 16 != unmatched[:, 1] // 16)
    assert drawn.same_observation.shape == (0, 2)
    # Uniform over identities, whatever the number of their images.
    assert np.bincount(matched[:, 0] // 16, minlength=4) == pytest.approx(
        [333, 0, 333, 333], abs=60
    )
    assert np.bincount(unmatched.ravel() // 16) == pytest.approx([500] * 4, abs=80)
    assert np.bincount(matched[matched[:, 0] < 16].ravel()) == pytest.approx([222] * 3, abs=50)


def test_alike_surroundings_are_those_of_somebody_else_with_the_nearest_borders():
    rng = np.random.default_rng(0)
    # Twice each colour of the left border; what lies in the middle tells nothing.
    border, groups = rng.permutation(300) // 2, np.repeat(np.arange(30), 10)
    images = rng.integers(256, size=[300, 20, 20, 3]).astype(np.uint8)
    images[:, :2], images[:, :, -2:] = 0, 0
    images[:, :, :2] = border[:, np.newaxis, np.newaxis, np.newaxis]
    pairs = alike_surroundings(images, groups)
    np.testing.assert_array_equal(pairs[:, 0], np.arange(300))
    first, second = pairs.T
    assert np.all(groups[first] != groups[second])
    # Two images of one group cannot be a pair; all others find their twin.
    twin = np.array([np.flatnonzero((border == border[i]) & (first != i))[0] for i in first])
    strangers = groups[twin] != groups
    assert np.sum(strangers) > 250
    np.testing.assert_array_equal(second[strangers], twin[strangers])


def test_equally_near_surroundings_are_drawn():
    images, groups = np.zeros([600, 8, 8, 1], np.uint8), np.arange(600) // 2
    first, second = alike_surroundings(images, groups).T
    assert np.all(groups[first] != groups[second])
    assert len(np.unique(second)) > 300
    np.testing.assert_array_equal(second, alike_surroundings(images, groups)[:, 1])
    assert not np.array_equal(second, alike_surroundings(images, groups, seed=1)[:, 1])


def test_seeds_decide_real_pairs():
    data = numbered([5] * 6)
    first, again, other = (real_pairs(data, 40, seed) for seed in (1, 1, 2))
    for one, two in zip(first, again):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first.images[first.matched], other.images[other.matched])


@pytest.mark.parametrize("counts", [[4], [1, 1, 1], [5, 0]])
def test_too_few_identities_or_images_are_refused(counts):
    with pytest.raises(ValueError, match="at least two identities, one of them with two images"):
        real_pairs(numbered(counts), 10)


@pytest.mark.parametrize("pairs", [0, 7, -2])
def test_pairs_come_in_halves(pairs):
    with pytest.raises(ValueError, match=f"number is even. Received: pairs={pairs}"):
        real_pairs(numbered([2, 2]), pairs)
    with pytest.raises(ValueError, match=f"number is even. Received: pairs={pairs}"):
        generated_pairs(painted.Painter(), pairs)


def halves(images):
    return images[:, 1, 0].astype(int), images[:, 1, -1].astype(int)


def test_generated_pairs_share_what_they_should():
    model = painted.Painter()
    drawn = generated_pairs(model, 700, 3)
    who, how = halves(drawn.images)
    assert model.rendered == len(drawn.images) == 3 * 350
    assert drawn.collisions == 0
    for positions, same_who, same_how in (
        (drawn.matched, True, False),
        (drawn.unmatched, False, False),
        (drawn.same_observation, False, True),
    ):
        assert positions.shape == (350, 2)
        first, second = positions.T
        assert np.all((who[first] == who[second]).all(axis=-1) == same_who)
        assert np.all((how[first] == how[second]).all(axis=-1) == same_how)
        np.testing.assert_array_equal(drawn.groups[first], drawn.groups[second])
    # No two draws share a code, though two may look alike.
    assert min(len(np.unique(side, axis=0)) for side in (who, how)) > 690


def test_more_generated_pairs_begin_with_the_same_ones():
    few, many, other = (
        generated_pairs(painted.Painter(), n, s) for n, s in ((6, 0), (600, 0), (6, 1))
    )
    np.testing.assert_array_equal(few.images, many.images[:9])
    assert not np.array_equal(few.images, other.images)


@pytest.mark.parametrize("identities", [2, 8])
def test_unmatched_pairs_of_few_identities_differ_and_are_drawn(identities):
    drawn = generated_pairs(painted.Painter(identities=identities), 1000)
    who, _ = halves(drawn.images)
    names, number = np.unique(who, axis=0, return_inverse=True)
    assert len(names) == identities
    first, second = number.reshape(-1)[drawn.unmatched.T]
    assert np.all(first != second)
    # Every combination occurs.
    assert len({*zip(first, second)}) == identities * (identities - 1)
    assert drawn.collisions == 1 / identities


@pytest.mark.parametrize("observations", [2, 8])
def test_matched_pairs_of_few_observations_differ_and_are_drawn(observations):
    drawn = generated_pairs(painted.Painter(identities=8, observations=observations), 1000)
    _, how = halves(drawn.images)
    codes, number = np.unique(how, axis=0, return_inverse=True)
    assert len(codes) == observations
    first, second = number.reshape(-1)[drawn.matched.T]
    assert np.all(first != second)
    assert len({*zip(first, second)}) == observations * (observations - 1)
    first, second = how[drawn.same_observation.T]
    np.testing.assert_array_equal(first, second)


def test_equal_codes_make_no_unmatched_pair_and_are_counted():
    class Coins(painted.Painter):
        """Draws one of four codes, without saying that these are all."""

        def identity_codes(self, seeds):
            return np.sign(super().identity_codes(seeds)) * [1, 1, 0]

    drawn = generated_pairs(Coins(), 2000)
    who, _ = halves(drawn.images)
    first, second = who[drawn.unmatched.T]
    assert np.all((first != second).any(axis=-1))
    assert drawn.collisions == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("labels", [2, 10])
def test_labels_of_unmatched_pairs_are_independent(labels):
    class Labelled(painted.Painter):
        """Shows one label after another, each time another identity."""

        def identity_codes(self, seeds):
            codes = np.array(super().identity_codes(seeds))
            codes[:, 0] = (np.asarray(seeds) % 2**32 % labels) / labels
            return codes

    model = Labelled()
    model.labels = labels
    drawn = generated_pairs(model, 2000)
    who, _ = halves(drawn.images)
    shown = who[..., 0][drawn.unmatched.T] if who.ndim > 1 else who[drawn.unmatched.T]
    assert np.mean(shown[0] == shown[1]) == pytest.approx(1 / labels, abs=0.05)
    assert len(np.unique(shown[1])) == labels
    assert drawn.collisions == 0


def test_a_model_of_one_identity_is_refused():
    with pytest.raises(ValueError, match="two identities or more. Received: identities=1"):
        generated_pairs(painted.Painter(identities=1), 10)
    with pytest.raises(ValueError, match="two observations or more. Received: observations=1"):
        generated_pairs(painted.Painter(observations=1), 10)
    silent = painted.Painter()
    silent.identity_codes = lambda seeds: np.zeros([len(seeds), 3])
    with pytest.raises(ValueError, match="two identities or more. Received: equal identity codes"):
        generated_pairs(silent, 10)


def test_positions_are_even_over_groups_and_members_come_again_last():
    groups = np.array([5, 5, 5, 5, 7, 9, 9])
    for count in (2, 3, 7, 12):
        drawn = evenly(groups, count, np.random.default_rng(count))
        assert len(drawn) == count
        times = np.bincount(groups[drawn], minlength=10)[[5, 7, 9]]
        assert times.max() - times.min() <= 1
        members = np.bincount(drawn, minlength=7)
        assert np.ptp(members[:4]) <= 1 and np.ptp(members[5:]) <= 1


def test_reference_images_are_all_of_balanced_data_and_uniform_over_identities():
    images, positions = reference_images(numbered([3, 0, 3]), 100)
    assert sorted(images[positions][:, 0, 0, 0]) == [0, 1, 2, 32, 33, 34]
    images, positions = reference_images(numbered([1, 0, 7]), 100, seed=1)
    shown = images[positions][:, 0, 0, 0] // 16
    assert np.bincount(shown).tolist() == [4, 0, 4]
    assert len(images) == len(np.unique(images[:, 0, 0, 0])) == 5
    images, positions = reference_images(numbered([5, 5]), 4)
    assert len(images) == len(positions) == 4
