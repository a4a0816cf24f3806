"""Verdicts, their accuracy and the agreement of annotators, against values worked out by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from sdgan_tf.study import read_answers, read_key
from sdgan_tf.study.scores import krippendorff, results, score, to_markdown
from tests.study.study_files import write_answers, write_key

pytestmark = pytest.mark.once

# The truth is y y n n, y y n n.
VOTES = {"Anna": "yynnyynn", "Ben": "yynyyyn-", "Cleo": "ynny--y-", "Dora": "-------y"}


@pytest.fixture
def study(tmp_path):
    """Return key and answers of the study of eight pairs."""
    key = read_key(write_key(tmp_path))
    paths = [write_answers(tmp_path, name, values) for name, values in VOTES.items()]
    return key, read_answers(paths, key)


def test_verdicts_go_by_majority_and_a_tie_rejects(study):
    scores = score(*study)
    # Real: y y n Y, so three of four are right and one of two unmatched pairs is accepted.
    real = scores["real"]
    assert (real.pairs, real.voted, real.ties) == (4, 4, 0)
    assert real.accuracy.value == 0.75
    assert real.false_accepts.value == 0.5
    # Generated: y y n, and of pair 8 one vote against one.
    generated = scores["generated"]
    assert (generated.pairs, generated.voted, generated.ties) == (4, 4, 1)
    assert generated.accuracy.value == 1.0
    assert generated.false_accepts.value == 0.0


def test_a_tie_on_a_matched_pair_is_an_error(study):
    key, _ = study
    truth = key.same.astype(np.int8)
    other = truth.copy()
    other[4] = 0
    scores = score(key, {"a": truth, "b": other})["generated"]
    assert scores.ties == 1
    assert scores.accuracy.value == 0.75
    assert scores.false_accepts.value == 0.0


def test_pairs_without_a_vote_are_left_out_and_counted(study):
    key, _ = study
    votes = np.where(key.same, 1, 0).astype(np.int8)
    votes[[0, 2]] = -1
    scores = score(key, {"Anna": votes})["real"]
    assert (scores.pairs, scores.voted) == (4, 2)
    assert scores.accuracy.value == 1.0
    assert math.isnan(scores.alpha.value)


def test_a_kind_without_votes_is_refused(study):
    key, _ = study
    votes = np.where(key.sources == "generated", 1, -1).astype(np.int8)
    with pytest.raises(ValueError, match="No matched pair of the real ones .* 4 of 8 pairs"):
        score(key, {"Anna": votes})


def test_alpha_of_the_textbook():
    # Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section A: .095.
    one = np.array([0, 1, 0, 0, 0, 0, 0, 0, 1, 0])
    two = np.array([1, 1, 1, 0, 0, 1, 0, 0, 0, 0])
    counts = np.stack([(one == value).astype(int) + (two == value) for value in (0, 1)], axis=1)
    assert krippendorff(counts) == pytest.approx(0.095, abs=5e-4)
    # The same section C: four observers, twelve units, missing data, five values: .743.
    nan = 0
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
        [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
    ]
    counts = np.stack([np.sum(np.array(observers) == v, axis=0) for v in range(1, 6)], axis=1)
    assert krippendorff(counts) == pytest.approx(0.743, abs=5e-4)


def test_alpha_at_its_ends():
    assert krippendorff(np.array([[3, 0], [0, 3], [2, 0]])) == 1.0
    assert krippendorff(np.array([[1, 1], [1, 1], [1, 1]])) < 0
    assert math.isnan(krippendorff(np.array([[3, 0], [2, 0]])))
    assert math.isnan(krippendorff(np.array([[1, 0], [0, 1]])))
    rng = np.random.default_rng(0)
    yes = rng.binomial(5, 0.5, 20_000)
    assert abs(krippendorff(np.stack([5 - yes, yes], axis=1))) < 0.01


def test_intervals_hold_the_value_and_follow_the_seed(study):
    key, answers = study
    scores, again, other = (score(key, answers, seed)["real"] for seed in (0, 0, 1))
    assert scores.accuracy == again.accuracy
    assert scores.accuracy.low <= scores.accuracy.value <= scores.accuracy.high
    assert other.accuracy.value == scores.accuracy.value


def test_results_are_json_and_readable(study):
    scores = results(*study)
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores
    assert scores["annotators"]["Cleo"] == {
        "answers": 5,
        "missing": 3,
        "right": {"real": 0.5, "generated": 0.0},
    }
    text = to_markdown(scores)
    assert "| real | 4 | 4 | 0 | 0.750 (" in text
    assert "a tie is a rejection" in text
    assert "| Dora | 1 | 7 | - | 0.000 |" in text
