"""A study with people, as in the paper: they say which pairs of images show one identity."""

from sdgan_tf.study.answers import read_answers, read_key
from sdgan_tf.study.making import KEY, PAGE, QUESTION, Study, make
from sdgan_tf.study.scores import results, score, to_markdown

__all__ = [
    "KEY",
    "PAGE",
    "QUESTION",
    "Study",
    "make",
    "read_answers",
    "read_key",
    "results",
    "score",
    "to_markdown",
]
