"""Verifiers: networks that say whether two images show one identity."""

from sdgan_tf.evaluation.verifiers.loading import load_verifier
from sdgan_tf.evaluation.verifiers.training import train_verifier
from sdgan_tf.evaluation.verifiers.verifier import Verifier, VerifierError

__all__ = ["Verifier", "VerifierError", "load_verifier", "train_verifier"]
