"""Measures: by which verifier, on how many pairs."""

from __future__ import annotations

import sys

from absl import flags

from sdgan_tf import evaluation
from sdgan_tf.data import Splits
from sdgan_tf.evaluation.verifiers.verifier import METRICS, SCALES


def define(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines these flags."""
    at = {"flag_values": values}
    flags.DEFINE_string(
        "verifier",
        None,
        "The verifier: a folder that train-verifier wrote; a network of yours as a .keras file or a SavedModel; or "
        "dlib-faces, which needs the extra `faces`.",
        **at,
    )
    flags.DEFINE_enum(
        "verifier_scale",
        None,
        SCALES,
        "The values of the images that a network of yours takes as verifier: symmetric means -1 to 1, unit 0 to 1, "
        "bytes 0 to 255, and standardised that each image has mean 0 and variance 1. The default is standardised.",
        **at,
    )
    flags.DEFINE_enum(
        "verifier_metric",
        None,
        METRICS,
        "How the embeddings of a network of yours are compared: cosine brings them to unit length first. The "
        "default is cosine.",
        **at,
    )
    flags.DEFINE_integer(
        "verifier_size",
        None,
        "Height and width of the images that a network of yours takes as verifier, where it does not say so itself.",
        1,
        **at,
    )
    flags.DEFINE_float(
        "verifier_floor",
        evaluation.VERIFIER_FLOOR,
        "A verifier whose AUC on real validation identities is below this number is refused.",
        0.0,
        1.0,
        **at,
    )
    flags.DEFINE_integer(
        "pairs",
        evaluation.PAIRS,
        "How many pairs of each source are compared; half match.",
        2,
        **at,
    )
    flags.DEFINE_integer("seed", 0, "The seed of everything that is drawn at random.", 0, **at)
    flags.DEFINE_integer(
        "factor_steps",
        2000,
        "Of drawn people it is also measured which code moves which known factor, by a network that reads the "
        "factors. This is how many steps that network is trained for; 0 leaves it out.",
        0,
        **at,
    )


def load_verifier(values: flags.FlagValues, flag: str = "verifier") -> evaluation.Verifier:
    """The verifier that a flag names, with the settings that others say."""
    path = values[flag].value
    if not path:
        raise ValueError(
            "Name the verifier by --verifier; `bin/evaluate train-verifier` makes one."
        )
    settings = (values.verifier_size, values.verifier_scale, values.verifier_metric)
    return evaluation.load_verifier(path, *settings)


def note_other_data(verifier: evaluation.Verifier, splits: Splits) -> None:
    """Warns of a verifier that may have seen the test identities."""
    if verifier.facts.get("data") not in (None, splits.train.fingerprint):
        print(
            "Note: the verifier was trained on other images than these training identities. If it has seen "
            "the test identities, the numbers look better than they are.",
            file=sys.stderr,
        )


def factor_reader(splits: Splits, steps: int) -> evaluation.FactorReader | None:
    """A reader of the known factors; None for no steps, and for images of which none is known."""
    if not steps or getattr(splits.train, "factors", None) is None:
        return None
    print("Training a network that reads the known factors", flush=True)
    return evaluation.train_factor_reader(splits.train, splits.test, steps, verbose=True)
