"""What was learned, in numbers: verification, diversity, fidelity."""

from sdgan_tf.evaluation.train_verifier import train_verifier
from sdgan_tf.evaluation.verifier import Verifier, VerifierError, load_verifier

__all__ = ["Verifier", "VerifierError", "load_verifier", "train_verifier"]
