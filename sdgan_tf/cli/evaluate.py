"""Measures what was learned: verification, diversity, fidelity, known factors.

  bin/evaluate train-verifier --data_dir=DIR --out=VERIFIER
  bin/evaluate --run_dir=RUN --verifier=VERIFIER
  bin/evaluate --saved_model=DIR --data_dir=DIR --verifier=VERIFIER --out=REPORT
  bin/evaluate --images=GENERATED --data_dir=DIR --verifier=VERIFIER --out=REPORT

The first trains a judge on the training identities. The others measure a run, an exported model, or
a folder of generated pictures by identity, beside real identities that neither model nor judge have
seen. A run brings the flags of its data with it. The report is REPORT/report.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from tensorflow import keras

from sdgan_tf import evaluation, training
from sdgan_tf.cli import command, data_flags, source_flags
from sdgan_tf.data import Splits
from sdgan_tf.data import load as load_data
from sdgan_tf.evaluation.spaces import load_space
from sdgan_tf.evaluation.train_verifier import LOSSES
from sdgan_tf.images import tile
from sdgan_tf.models import AdversarialModel

FLAGS = flags.FLAGS


def define(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags of this command."""
    at = {"flag_values": values}
    source_flags.define(values)
    data_flags.define(values)
    flags.DEFINE_string("images", None, "A folder of generated pictures by identity.", **at)
    flags.DEFINE_string(
        "verifier",
        None,
        "The judge: what train-verifier wrote, or a network of yours, as a SavedModel or .keras file, or "
        "dlib-faces, the one of the extra `faces`.",
        **at,
    )
    flags.DEFINE_integer("pairs", evaluation.PAIRS, "Pairs of each source, half matched.", 2, **at)
    flags.DEFINE_integer("seed", 0, "Of pairs, codes and resampling; of the verifier.", 0, **at)
    flags.DEFINE_list(
        "features",
        [],
        "Further spaces of features for fidelity: torch-fidelity, an .h5 file of weights of Keras' "
        "InceptionV3, or a network of yours.",
        **at,
    )
    define_measures(values)
    flags.DEFINE_string("out", None, "The folder to write (RUN/evaluation).", **at)
    flags.DEFINE_integer("steps", 3000, "train-verifier: steps.", 1, **at)
    flags.DEFINE_integer("dim", 32, "train-verifier: width of the network.", 1, **at)
    flags.DEFINE_string("augment", "translation", "train-verifier: as in bin/train.", **at)
    flags.DEFINE_enum(
        "loss", "margin", LOSSES, "train-verifier: triplet needs TensorFlow Addons.", **at
    )


def define_measures(values: flags.FlagValues) -> None:
    """Defines the flags of the judge's floor and of the known factors."""
    flags.DEFINE_float(
        "judge_floor",
        evaluation.JUDGE_FLOOR,
        "A judge whose AUC on real validation identities is below this is refused.",
        0.0,
        1.0,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "factor_steps",
        2000,
        "Of drawn people it is also measured which code moves which known factor: steps of training the reader of "
        "the factors; 0 for none.",
        0,
        flag_values=values,
    )


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    if list(arguments) == ["train-verifier"]:
        return _train_verifier()
    if arguments:
        raise ValueError(
            f"Flags have the form --name=value; the only word is train-verifier. Received: {' '.join(arguments)}"
        )
    out = _out()
    source = None if FLAGS.images else source_flags.load(FLAGS)
    if not FLAGS.verifier:
        raise ValueError("Name the judge by --verifier; bin/evaluate train-verifier makes one.")
    verifier = evaluation.load_verifier(FLAGS.verifier)
    spaces = [load_space(path) for path in FLAGS.features]
    splits = source_flags.splits(source, FLAGS)
    check_judge(verifier, splits, FLAGS.pairs)
    name, size = _name(source, splits), None
    if source is None:
        source = load_data(FLAGS.images, **data_flags.decoding(FLAGS))
    elif isinstance(source, AdversarialModel):
        size = evaluation.megabytes(source)
    results = evaluation.evaluate(
        source,
        splits,
        verifier,
        name,
        size,
        pairs=FLAGS.pairs,
        seed=FLAGS.seed,
        spaces=spaces,
        floor=FLAGS.judge_floor,
        factors=factor_reader(splits, FLAGS.factor_steps),
        progress=command.progress,
    )
    reference = results.facts["reference_pictures"]
    pictures = {
        "samples": ("Rows share the identity", tile(results.samples)),
        "nearest": (
            f"A sample, then the nearest of {reference:,} training pictures",
            tile(results.nearest),
        ),
    }
    print(evaluation.write_report(results.rows, results.facts, out, pictures))
    print(f"Report: {out / 'report.md'}")
    return 0


def check_judge(verifier: evaluation.Verifier, splits: Splits, pairs: int) -> None:
    """Refuses what cannot be measured with; warns of a judge that may have seen the test identities."""
    evaluation.check(splits, verifier, pairs)
    if verifier.facts.get("data") not in (None, splits.train.fingerprint):
        print(
            "Note: the verifier was trained on other pictures than these training identities. If it has seen "
            "the test identities, the numbers flatter.",
            file=sys.stderr,
        )


def factor_reader(splits: Splits, steps: int) -> evaluation.FactorReader | None:
    """A reader of the known factors; None for no steps, and for pictures of which none is known."""
    if not steps or getattr(splits.train, "factors", None) is None:
        return None
    print("Training a reader of the known factors", flush=True)
    return evaluation.train_factor_reader(splits.train, splits.test, steps, callbacks=[_Steps()])


def _out() -> Path:
    """The folder to write to, refused before long work if it cannot be."""
    if not FLAGS.out and not FLAGS.run_dir:
        raise ValueError("Say where to write by --out=FOLDER.")
    out = Path(FLAGS.out or Path(FLAGS.run_dir) / "evaluation")
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is no folder: name another by --out.")
    return out


def _name(source, splits: Splits) -> str:
    """What the source is called in the report."""
    if source is None:
        return Path(FLAGS.images).name
    name = f"{Path(FLAGS.run_dir or FLAGS.saved_model).name}, step {source.completed_steps:,}"
    if not FLAGS.run_dir:
        return name
    trained = training.RunDirectory(FLAGS.run_dir).config()["data"]["fingerprint"]
    same = trained == splits.train.fingerprint
    return name if same else f"{name}, trained on other data"


def _train_verifier() -> int:
    if not FLAGS.out or Path(FLAGS.out).exists():
        raise FileExistsError(
            "Name a new folder for the verifier by --out. "
            f"Received: --out={FLAGS.out or ''}{', which exists' if FLAGS.out else ''}"
        )
    splits = source_flags.splits(None, FLAGS)
    for part in splits._fields:
        evaluation.check_identities(getattr(splits, part), part)
        print(f"{part.capitalize()}: {getattr(splits, part).summary()}")
    verifier = evaluation.train_verifier(
        splits.train,
        Path(FLAGS.out).name,
        FLAGS.steps,
        FLAGS.dim,
        augment=FLAGS.augment,
        loss=FLAGS.loss,
        seed=FLAGS.seed,
        callbacks=[_Steps()],
    )
    verifier.facts["data"] = splits.train.fingerprint
    for part in ("validation", "test"):
        score = evaluation.judge_auc(verifier, getattr(splits, part))
        verifier.facts[f"{part}_auc"] = round(score, 4)
        print(f"AUC on {part} identities: {score:.3f}")
    print(f"Verifier: {verifier.save(FLAGS.out)}")
    return 0


class _Steps(keras.callbacks.Callback):
    """Shows how far training has come."""

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        command.progress(batch + 1, self.params["steps"], "steps")


def run() -> None:
    """Entry point of `bin/evaluate`."""
    define()
    command.run(main, __doc__, [sys.modules[__name__], source_flags, data_flags])


if __name__ == "__main__":
    run()
