"""What was learned, in numbers: verification, diversity, fidelity."""

from sdgan_tf.evaluation.evaluate import (
    JUDGE_FLOOR,
    Evaluator,
    check,
    check_judge,
    check_source,
    evaluate,
    facts,
)
from sdgan_tf.evaluation.factors import FactorReader, train_factor_reader
from sdgan_tf.evaluation.measures import judge_auc, megabytes, quick_numbers
from sdgan_tf.evaluation.pairs import (
    PAIRS,
    Pairs,
    check_identities,
    generated_pairs,
    real_pairs,
)
from sdgan_tf.evaluation.report import table, write_report
from sdgan_tf.evaluation.results import Results, Row
from sdgan_tf.evaluation.train_verifier import train_verifier
from sdgan_tf.evaluation.verifier import Verifier, VerifierError, load_verifier

__all__ = [
    "JUDGE_FLOOR",
    "PAIRS",
    "Evaluator",
    "FactorReader",
    "Pairs",
    "Results",
    "Row",
    "Verifier",
    "VerifierError",
    "check",
    "check_identities",
    "check_judge",
    "check_source",
    "evaluate",
    "facts",
    "generated_pairs",
    "judge_auc",
    "load_verifier",
    "megabytes",
    "quick_numbers",
    "real_pairs",
    "table",
    "train_factor_reader",
    "train_verifier",
    "write_report",
]
