"""Measures what was learned: verification, diversity, fidelity, known factors.

  bin/evaluate --run_dir=RUN
  bin/evaluate --run_dir=RUN --verifier=VERIFIER
  bin/evaluate --saved_model=DIR --data_dir=DIR --verifier=VERIFIER --out=REPORT
  bin/evaluate --images=GENERATED --data_dir=DIR --verifier=VERIFIER --out=REPORT
  bin/evaluate train-verifier --data_dir=DIR --out=VERIFIER

A run, an exported model, or a folder of generated images by identity is measured beside real
identities that neither the model nor the verifier has seen. The verifier is a network that says
whether two images show one identity. Without --verifier, one is trained on the training identities
of the run; it is kept in RUN/verifier and used again. `train-verifier` trains one for several runs.
A run brings the flags of its data with it. The report is REPORT/report.md.

A SavedModel given as --verifier or in --features is a program, which runs with your rights: use
those of people you trust. A .keras file holds weights and known layers only.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from sdgan_tf import evaluation, training
from sdgan_tf.cli import command, data_flags, measure_flags, source_flags
from sdgan_tf.data import Splits
from sdgan_tf.data import load as load_data
from sdgan_tf.evaluation.verifiers.training import LOSSES
from sdgan_tf.images import tile
from sdgan_tf.models import AdversarialModel

FLAGS = flags.FLAGS


def define(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags of this command."""
    at = {"flag_values": values}
    source_flags.define(values)
    data_flags.define(values)
    flags.DEFINE_string(
        "images", None, "A folder of generated images by identity, in place of a model.", **at
    )
    measure_flags.define(values)
    flags.DEFINE_list(
        "features",
        [],
        "Further networks in whose features fidelity is measured, separated by commas. Each is torch-fidelity (it "
        "needs the extra `fidelity`), an .h5 file of weights of Keras' InceptionV3, or a network of yours as a "
        ".keras file or a SavedModel.",
        **at,
    )
    flags.DEFINE_string(
        "out", None, "The folder to write. A run's report goes to RUN/evaluation by default.", **at
    )
    flags.DEFINE_integer("steps", 3000, "How many steps a verifier is trained for.", 1, **at)
    flags.DEFINE_integer("dim", 32, "How wide the network of a trained verifier is.", 1, **at)
    flags.DEFINE_string(
        "augment",
        "translation",
        "How images are changed while a verifier is trained, as in bin/train.",
        **at,
    )
    flags.DEFINE_enum(
        "loss",
        "margin",
        LOSSES,
        "The loss by which a verifier is trained. The triplet loss needs TensorFlow Addons.",
        **at,
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
    verifier = measure_flags.load_verifier(FLAGS) if FLAGS.verifier or not FLAGS.run_dir else None
    features = [evaluation.load_features(path) for path in FLAGS.features]
    splits = source_flags.splits(source, FLAGS)
    evaluation.check_splits(splits, FLAGS.pairs)
    name, size = _name(source, splits), None
    if source is None:
        source = load_data(FLAGS.images, **data_flags.decoding(FLAGS))
    elif isinstance(source, AdversarialModel):
        size = evaluation.megabytes(source)
    evaluation.check_source(source, splits)
    verifier = verifier or _verifier_of_run(splits)
    evaluation.check_verifier(verifier, splits.test.image_size, splits.test.channels)
    measure_flags.note_other_data(verifier, splits)
    results = evaluation.evaluate(
        source,
        splits,
        verifier,
        name,
        size,
        pairs=FLAGS.pairs,
        seed=FLAGS.seed,
        features=features,
        verifier_floor=FLAGS.verifier_floor,
        factors=measure_flags.factor_reader(splits, FLAGS.factor_steps),
        verbose=True,
    )
    reference = results.facts["reference_images"]
    images = {
        "samples": ("Rows share the identity", tile(results.samples)),
        "nearest": (
            f"A sample, then the nearest of {reference:,} training images",
            tile(results.nearest),
        ),
    }
    print(evaluation.write_report(results.rows, results.facts, out, images))
    print(f"Report: {out / 'report.md'}")
    return 0


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


def _verifier_of_run(splits: Splits) -> evaluation.Verifier:
    """The verifier in the run's directory, trained first where there is none for these data."""
    folder = Path(FLAGS.run_dir) / "verifier"
    if folder.exists():
        verifier = evaluation.load_verifier(folder)
        if verifier.facts.get("data") == splits.train.fingerprint:
            print(f"Using the verifier that was trained for this run before: {folder}")
            return verifier
        print(f"{folder} was trained on other images, so it is replaced.")
    print(
        f"No --verifier was given, so one is trained on {len(splits.train):,} training identities: "
        f"{FLAGS.steps:,} steps. The usual 3,000 take about eight minutes at 64 pixels on two processor cores. "
        f"It is kept in {folder} for the next time.",
        flush=True,
    )
    verifier = _trained(splits, f"verifier of {Path(FLAGS.run_dir).name}")
    if folder.exists():
        shutil.rmtree(folder)
    verifier.save(folder)
    return verifier


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
    print(f"Verifier: {_trained(splits, Path(FLAGS.out).name).save(FLAGS.out)}")
    return 0


def _trained(splits: Splits, name: str) -> evaluation.Verifier:
    """A new verifier, which knows its own score on identities that it has not seen."""
    verifier = evaluation.train_verifier(
        splits.train,
        name,
        FLAGS.steps,
        FLAGS.dim,
        augment=FLAGS.augment,
        loss=FLAGS.loss,
        seed=FLAGS.seed,
        verbose=True,
    )
    verifier.facts["data"] = splits.train.fingerprint
    for part in ("validation", "test"):
        score = evaluation.verifier_auc(verifier, getattr(splits, part))
        verifier.facts[f"{part}_auc"] = round(score, 4)
        print(f"AUC on {part} identities: {score:.3f}")
    return verifier


def run() -> None:
    """Entry point of `bin/evaluate`."""
    define()
    command.run(main, __doc__, [sys.modules[__name__], measure_flags, source_flags, data_flags])


if __name__ == "__main__":
    run()
