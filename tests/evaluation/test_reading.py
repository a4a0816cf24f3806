"""Codes of real images against what is known of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

import sdgan_tf as sd
from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation import matched_error, read_codes, reading_table, shared_information
from sdgan_tf.evaluation.reading import classed
from tests import tiny


def test_categories_are_matched_so_that_the_error_is_least():
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
    named = np.array([2, 2, 0, 0, 0, 0, 1, 1, 1, 0])
    # 2 for 0, 0 for 1, 1 for 2: the third and the last are wrong.
    assert matched_error(named, labels, 3) == pytest.approx(0.2)
    assert matched_error((labels + 1) % 3, labels, 3) == 0
    # Taking the best for each in turn would give 0 to 0, and so lose 4 of 7.
    greedy = np.repeat([0, 0, 1], [3, 4, 0]), np.repeat([0, 1, 0], [3, 4, 0])
    assert matched_error(*greedy, 2) == pytest.approx(3 / 7)


def test_other_numbers_of_labels_than_of_categories_are_refused():
    with pytest.raises(ValueError, match=r"categories=3.*Received: 2 categories, 3 labels"):
        matched_error(np.array([0, 1, 1]), np.array([0, 1, 2]), 2)
    with pytest.raises(ValueError, match="Received: 4 categories, 2 labels"):
        matched_error(np.array([0, 3]), np.array([0, 1]), 4)


def test_shared_information_by_hand():
    one = np.array([0, 0, 1, 1])
    assert shared_information(one, 1 - one) == pytest.approx(1)
    assert shared_information(one, np.array([0, 1, 0, 1])) == pytest.approx(0, abs=1e-12)
    assert shared_information(one, np.zeros(4, int)) == 0
    assert shared_information(np.zeros(4, int), np.zeros(4, int)) == 0
    # Four classes tell two: I = ln 2 of ln 2 and 2 ln 2.
    assert shared_information(one, np.arange(4)) == pytest.approx(2 / 3)
    # One of three is right for sure: H(a) = ln 3 and H(b) is of 1/3 and 2/3, all of which a tells.
    entropy = math.log(3) - 2 / 3 * math.log(2)
    told = shared_information(np.arange(3), np.array([0, 1, 1]))
    assert told == pytest.approx(2 * entropy / (math.log(3) + entropy))


def test_numbers_become_classes_of_equal_size():
    values = np.random.default_rng(0).permutation(np.linspace(-1, 1, 500) ** 3)
    np.testing.assert_array_equal(np.bincount(classed(values)), [50] * 10)
    assert set(classed(np.zeros(5))) == {9}


class Knowing:
    """Reads the identity off the first pixel, and the first factor of the observation off the second."""

    def read(self, images):
        """Return a category and two numbers, the second of which says nothing."""
        first, second = images[:, 0, 0, 0], images[:, 0, 1, 0]
        category = np.eye(4, dtype=np.float32)[3 - first.astype(int)]
        return {"category": category, "continuous": np.stack([second, 0.0 * second], 1)}


def test_codes_are_held_against_identity_and_factors():
    people = tiny.people(identities=4, observations=50)
    images, rng = people.images.copy(), np.random.default_rng(0)
    images[:, 0, 0, 0] = np.repeat(np.arange(4), 50)
    images[:, 0, 1, 0] = rng.permutation(200)
    factors = {
        "identity": np.arange(4, dtype=np.float32)[:, None],
        "observation": images[:, 0, 1, :1].astype(np.float32),
        "identity_names": ["tall"],
        "observation_names": ["late"],
    }
    data = IdentityData(people.names, people.counts, images, factors=factors)
    category, moved, idle = read_codes(Knowing(), data)
    assert (category.code, moved.code, idle.code) == ("category", "continuous_1", "continuous_2")
    assert category.error == 0 and moved.error is None
    assert category.information["identity"] == pytest.approx(1)
    assert category.information["tall"] == pytest.approx(1)
    assert category.information["late"] < 0.15
    assert moved.information["late"] == pytest.approx(1)
    assert set(idle.information.values()) == {0}
    table = reading_table([category, moved]).splitlines()
    assert table[0] == "|  | category | continuous_1 |"
    assert table[2] == "| Matched error | 0.00% | - |"
    assert table[3].startswith("| NMI with identity | 1.000 | 0.")
    assert table[5].startswith("| NMI with late | 0.") and table[5].endswith(" | 1.000 |")


def test_a_model_of_more_categories_than_identities():
    model = sd.InfoGAN(image_size=8, channels=3, dim=2, categories=5)
    with pytest.raises(ValueError, match="categories=4.*--nomatched.*5 categories, 4 labels"):
        read_codes(model, tiny.people())
    first, *_ = read_codes(model, tiny.people(), matched=False)
    assert first.categorical and first.error is None and 0 <= first.information["identity"] <= 1


def test_models_that_read_nothing_are_refused():
    with pytest.raises(ValueError, match="--model=infogan. Received: SDGAN"):
        read_codes(tiny.model(), tiny.people())
