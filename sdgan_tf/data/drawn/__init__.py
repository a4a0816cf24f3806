"""Drawn people: a data set of portraits, or of whole bodies, that is drawn by code and needs no download."""

from sdgan_tf.data.drawn.people import (
    BODIES,
    PORTRAITS,
    Style,
    annotate,
    identity_factors,
    observation_factors,
    render,
)
from sdgan_tf.data.drawn.traits import IDENTITY_FACTORS, OBSERVATION_FACTORS

__all__ = [
    "BODIES",
    "IDENTITY_FACTORS",
    "OBSERVATION_FACTORS",
    "PORTRAITS",
    "Style",
    "annotate",
    "identity_factors",
    "observation_factors",
    "render",
]
