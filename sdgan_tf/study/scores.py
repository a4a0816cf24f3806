"""What annotators say: verdicts by majority, their accuracy, and how far annotators agree."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from sdgan_tf.evaluation import bootstrap
from sdgan_tf.evaluation.bootstrap import Estimate, Sample
from sdgan_tf.study.answers import MISSING, NO, SOURCES, YES, Key

# Said with every number.
RULES = {
    "verdict": "a pair counts as same if more than half of its votes say so; a tie is a rejection",
    "accuracy": "share of right verdicts, matched and unmatched pairs weighing the same",
    "false_accepts": "share of unmatched pairs whose verdict is same",
    "alpha": "Krippendorff's alpha for nominal answers: 1 is full agreement, 0 is chance",
    "intervals": "95 %, over identities drawn anew (generated: over draws of codes); annotators stay",
}


class Score(NamedTuple):
    """What people made of the pairs of one source.

    Attributes:
        pairs: how many were asked.
        voted: how many got a vote; the others count nowhere else.
        ties: how many got as many votes for as against.
        accuracy: see `RULES`.
        false_accepts: see `RULES`.
        alpha: see `RULES`; NaN where no pair has two votes, or all votes are equal.
    """

    pairs: int
    voted: int
    ties: int
    accuracy: Estimate
    false_accepts: Estimate
    alpha: Estimate


def score(
    key: Key,
    answers: dict[str, np.ndarray],
    seed: int = 0,
    resamples: int = bootstrap.RESAMPLES,
) -> dict[str, Score]:
    """Decides the pairs of each source by majority.

    Args:
        key: of the study.
        answers: what `read_answers` returned.
        seed: of the intervals' resampling.
        resamples: of the same.

    Raises:
        ValueError: a source has no votes on its matched, or on its unmatched pairs.
    """
    votes = np.stack([*answers.values()])
    counts = np.stack([np.sum(votes == value, axis=0) for value in (NO, YES)], axis=1)
    voted = np.any(counts, axis=1)
    scores = {}
    for source in SOURCES:
        asked = key.sources == source
        samples = []
        for same in (True, False):
            kind = asked & voted & (key.same == same)
            if not np.any(kind):
                raise ValueError(
                    f"No {'' if same else 'un'}matched pair of the {source} ones has a vote: more answers are needed. "
                    f"Received: {np.sum(voted)} of {len(voted)} pairs with votes, of {len(answers)} annotators"
                )
            samples.append(Sample(counts[kind], key.groups[kind]))
        numbers = _numbers(*(sample.values for sample in samples))
        replicates = bootstrap.resample(_numbers, samples, seed, resamples)
        ties = int(np.sum((counts[:, NO] == counts[:, YES]) & asked & voted))
        estimates = bootstrap.estimates(numbers, replicates)
        scores[source] = Score(int(np.sum(asked)), int(np.sum(asked & voted)), ties, *estimates)
    return scores


def krippendorff(counts: np.ndarray) -> float:
    """Krippendorff's alpha of nominal answers, of which some may be missing.

    Args:
        counts: int [n, values], how many annotators gave an item each of the values.

    Returns:
        1 minus the ratio of observed to expected disagreement; NaN where no item has two answers or
        all answers are equal, since nothing can be told then.
    """
    counts = counts[counts.sum(axis=1) >= 2].astype(np.float64)
    rated = counts.sum(axis=1)
    total = rated.sum()
    of_values = counts.sum(axis=0)
    expected = total**2 - np.sum(of_values**2)
    if expected == 0:
        return float("nan")
    observed = np.sum((rated**2 - np.sum(counts**2, axis=1)) / (rated - 1))
    return float(1 - observed * (total - 1) / expected)


def _numbers(matched: np.ndarray, unmatched: np.ndarray) -> list[float]:
    """Accuracy, false accepts and alpha, of votes int [n, 2] against and for."""
    accepted, false_accepts = (
        float(np.mean(counts[:, YES] > counts[:, NO])) for counts in (matched, unmatched)
    )
    alpha = krippendorff(np.concatenate([matched, unmatched]))
    return [(accepted + 1 - false_accepts) / 2, false_accepts, alpha]


def results(key: Key, answers: dict[str, np.ndarray], seed: int = 0) -> dict[str, Any]:
    """All that a study says, as plain values for JSON; what is not defined is None.

    Args:
        key: of the study.
        answers: what `read_answers` returned.
        seed: of the intervals' resampling.
    """
    return {
        "study": key.study,
        "question": key.question,
        "rules": RULES,
        "sources": {name: _plain(one) for name, one in score(key, answers, seed).items()},
        "annotators": {name: _alone(key, votes) for name, votes in sorted(answers.items())},
    }


def to_markdown(study: dict[str, Any]) -> str:
    """`results` as two tables to read."""
    lines = [
        f"# Study {study['study']}: {study['question']}",
        "",
        "| Pairs | Asked | Voted on | Ties | Accuracy | False accepts | Krippendorff's alpha |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in study["sources"].items():
        counts = [str(row[column]) for column in ("pairs", "voted", "ties")]
        numbers = [_interval(row[column]) for column in ("accuracy", "false_accepts", "alpha")]
        lines.append(f"| {' | '.join([name, *counts, *numbers])} |")
    lines += [
        "",
        "| Annotator | Answers | Missing | Right, real | Right, generated |",
        "|---|---|---|---|---|",
    ]
    for name, row in study["annotators"].items():
        shares = [_number(row["right"][source]) for source in SOURCES]
        lines.append(f"| {name} | {row['answers']} | {row['missing']} | {' | '.join(shares)} |")
    lines += ["", *(f"- {name.replace('_', ' ')}: {rule}" for name, rule in RULES.items())]
    return "\n".join(lines) + "\n"


def _alone(key: Key, votes: np.ndarray) -> dict[str, Any]:
    given = votes != MISSING
    right = votes == np.where(key.same, YES, NO)
    return {
        "answers": int(np.sum(given)),
        "missing": int(np.sum(~given)),
        "right": {
            source: float(np.mean(right[part])) if np.any(part) else None
            for source in SOURCES
            for part in [given & (key.sources == source)]
        },
    }


def _plain(score: Score) -> dict[str, Any]:
    """A score without tuples, and with None for NaN, which JSON does not know."""
    plain = score._asdict()
    for name, value in plain.items():
        if isinstance(value, Estimate):
            plain[name] = {
                end: None if math.isnan(number) else number
                for end, number in value._asdict().items()
            }
    return plain


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(estimate: dict[str, float | None]) -> str:
    value, low, high = (_number(estimate[end]) for end in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
