"""What was learned, in numbers: verification, diversity, fidelity."""

from sdgan_tf.evaluation.evaluate import Evaluator, Results, Row, evaluate
from sdgan_tf.evaluation.pairs import Pairs, generated_pairs, real_pairs
from sdgan_tf.evaluation.train_verifier import train_verifier
from sdgan_tf.evaluation.verifier import Verifier, VerifierError, load_verifier

__all__ = [
    "Evaluator",
    "Pairs",
    "Results",
    "Row",
    "Verifier",
    "VerifierError",
    "evaluate",
    "generated_pairs",
    "load_verifier",
    "real_pairs",
    "train_verifier",
]
