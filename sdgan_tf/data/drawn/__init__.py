"""Drawn people: a data set of portraits that is drawn by code and needs no download."""

from sdgan_tf.data.drawn.people import identity_factors, observation_factors, render
from sdgan_tf.data.drawn.traits import IDENTITY_FACTORS, OBSERVATION_FACTORS

__all__ = [
    "IDENTITY_FACTORS",
    "OBSERVATION_FACTORS",
    "identity_factors",
    "observation_factors",
    "render",
]
