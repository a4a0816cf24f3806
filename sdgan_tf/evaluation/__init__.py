"""What was learned, in numbers: verification, diversity, fidelity."""

from sdgan_tf.evaluation.checks import (
    VERIFIER_FLOOR,
    check_source,
    check_splits,
    check_verifier,
)
from sdgan_tf.evaluation.evaluator import Evaluator, evaluate, facts
from sdgan_tf.evaluation.factors import FactorReader, train_factor_reader
from sdgan_tf.evaluation.features import load_features
from sdgan_tf.evaluation.labels import (
    LabelScores,
    check_labels,
    measure_labels,
    train_label_classifier,
)
from sdgan_tf.evaluation.metrics import generator_metrics, megabytes, verifier_auc
from sdgan_tf.evaluation.pairs import (
    PAIRS,
    Pairs,
    check_identities,
    generated_pairs,
    real_pairs,
)
from sdgan_tf.evaluation.people import People, likeness, measure_people
from sdgan_tf.evaluation.reading import (
    Reading,
    matched_error,
    read_codes,
    reading_table,
    shared_information,
)
from sdgan_tf.evaluation.report import table, write_report
from sdgan_tf.evaluation.results import Results, Row
from sdgan_tf.evaluation.verifiers import (
    Verifier,
    VerifierError,
    load_verifier,
    train_verifier,
)

__all__ = [
    "PAIRS",
    "VERIFIER_FLOOR",
    "Evaluator",
    "FactorReader",
    "LabelScores",
    "Pairs",
    "People",
    "Reading",
    "Results",
    "Row",
    "Verifier",
    "VerifierError",
    "check_identities",
    "check_labels",
    "check_source",
    "check_splits",
    "check_verifier",
    "evaluate",
    "facts",
    "generated_pairs",
    "generator_metrics",
    "likeness",
    "load_features",
    "load_verifier",
    "measure_labels",
    "measure_people",
    "matched_error",
    "megabytes",
    "read_codes",
    "reading_table",
    "real_pairs",
    "shared_information",
    "table",
    "train_factor_reader",
    "train_label_classifier",
    "train_verifier",
    "verifier_auc",
    "write_report",
]
