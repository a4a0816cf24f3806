"""Pairs: what they share, and that nothing but their seed decides which they are."""

from __future__ import annotations

import numpy as np
import painted
import pytest

from sdgan_tf.data import IdentityImages
from sdgan_tf.evaluation import generated_pairs, real_pairs
from sdgan_tf.evaluation.pairs import some_pictures


def numbered(counts):
    """Return data whose picture j of identity i is all 16 i + j."""
    values = np.concatenate([16 * i + np.arange(count) for i, count in enumerate(counts)])
    images = np.broadcast_to(values[:, None, None, None], [len(values), 4, 4, 1]).astype(np.uint8)
    return IdentityImages([f"p{i}" for i in range(len(counts))], counts, images)


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
    # Uniform over identities, whatever their pictures.
    assert np.bincount(matched[:, 0] // 16, minlength=4) == pytest.approx(
        [333, 0, 333, 333], abs=60
    )
    assert np.bincount(unmatched.ravel() // 16) == pytest.approx([500] * 4, abs=80)
    assert np.bincount(matched[matched[:, 0] < 16].ravel()) == pytest.approx([222] * 3, abs=50)


def test_seeds_decide_real_pairs():
    data = numbered([5] * 6)
    first, again, other = (real_pairs(data, 40, seed) for seed in (1, 1, 2))
    for one, two in zip(first, again):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first.images[first.matched], other.images[other.matched])


@pytest.mark.parametrize("counts", [[4], [1, 1, 1], [5, 0]])
def test_too_few_identities_or_pictures_are_refused(counts):
    with pytest.raises(ValueError, match="at least two identities, one with two pictures"):
        real_pairs(numbered(counts), 10)


@pytest.mark.parametrize("pairs", [0, 7, -2])
def test_pairs_come_in_halves(pairs):
    with pytest.raises(ValueError, match=f"even number. Received: pairs={pairs}"):
        real_pairs(numbered([2, 2]), pairs)
    with pytest.raises(ValueError, match=f"even number. Received: pairs={pairs}"):
        generated_pairs(painted.Painter(), pairs)


def halves(images):
    return images[:, 1, 0].astype(int), images[:, 1, -1].astype(int)


def test_generated_pairs_share_what_they_should():
    told = []
    generator = painted.Painter()
    drawn = generated_pairs(generator, 700, 3, lambda *news: told.append(news))
    who, how = halves(drawn.images)
    assert generator.rendered == len(drawn.images) == 3 * 350
    assert told[-1] == (1050, 1050, "pictures made")
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
    # No two draws share a code.
    assert len(np.unique(who, axis=0)) == len(np.unique(how, axis=0)) == 700


def test_more_generated_pairs_begin_with_the_same_ones():
    few, many, other = (
        generated_pairs(painted.Painter(), n, s) for n, s in ((6, 0), (600, 0), (6, 1))
    )
    np.testing.assert_array_equal(few.images, many.images[:9])
    assert not np.array_equal(few.images, other.images)


class Album(painted.Painter):
    """A generator that holds a limited number of identities."""

    def __init__(self, identities):
        super().__init__()
        self.identities = identities

    def identity_codes(self, seeds):
        return super().identity_codes(np.asarray(seeds) % self.identities)


@pytest.mark.parametrize("identities", [2, 8])
def test_unmatched_pairs_of_few_identities_differ(identities):
    drawn = generated_pairs(Album(identities), 200)
    who, _ = halves(drawn.images)
    assert len(np.unique(who, axis=0)) == identities
    first, second = who[drawn.unmatched.T]
    assert np.all((first != second).any(axis=-1))


def test_a_generator_of_one_identity_is_refused():
    with pytest.raises(ValueError, match="two identities or more. Received: equal identity codes"):
        generated_pairs(Album(1), 10)


def test_some_pictures_are_distinct_and_all_where_there_are_fewer():
    data = numbered([3, 0, 4])
    assert sorted(some_pictures(data, 100)[:, 0, 0, 0]) == [0, 1, 2, 32, 33, 34, 35]
    some = some_pictures(data, 5, seed=1)[:, 0, 0, 0]
    assert len(set(some)) == 5
    assert set(some) <= {0, 1, 2, 32, 33, 34, 35}
