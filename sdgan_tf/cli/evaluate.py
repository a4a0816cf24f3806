"""Measures what was learned: verification, diversity, fidelity, known factors.

  bin/evaluate --run_dir=RUN
  bin/evaluate --run_dir=RUN --verifier=VERIFIER
  bin/evaluate --saved_model=DIR --data_dir=DIR --verifier=VERIFIER --out=REPORT
  bin/evaluate --images=GENERATED --data_dir=DIR --verifier=VERIFIER --out=REPORT
  bin/evaluate train-verifier --data_dir=DIR --out=VERIFIER
  bin/evaluate read-codes --run_dir=RUN --data_dir=DIR
  bin/evaluate read-labels --run_dir=RUN --data_dir=DIR

A run, an exported model, or a folder of generated images by identity is measured beside real
identities that neither the model nor the verifier has seen. The verifier is a network that says
whether two images show one identity. Without --verifier, one is trained on the training identities
of the run; it is kept in RUN/verifier and used again. `train-verifier` trains one for several runs.
A run, and an export of one, brings the flags of its data with it. The report is REPORT/report.md.

`read-codes` lets a model with a recogniser, such as InfoGAN, read the codes of real images, those of --data_dir or
the run's own test identities, and holds them against who is in the images: REPORT/codes.json.

`read-labels` lets a classifier, trained on the images of the run and kept nowhere, name the labels of generated images
of a model that is asked for labels, such as Stacked GAN, and of unseen real ones, those of --data_dir: REPORT/labels.json
and REPORT/labels.png.

Use only networks of people you trust for --verifier and --features: a SavedModel is a program, which
runs with your rights. Lambda layers, which hold code, are refused in a .keras file, and HDF5 is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from sdgan_tf import evaluation
from sdgan_tf.cli import command, data_flags, measure_flags, readings, source_flags
from sdgan_tf.data import Splits
from sdgan_tf.data import load as load_data
from sdgan_tf.evaluation.verifiers.training import LOSSES
from sdgan_tf.files import local_path
from sdgan_tf.images import tile
from sdgan_tf.models import AdversarialModel, PersonModel
from sdgan_tf.stores import shown


def define(values: flags.FlagValues) -> None:
    """Defines the flags of this command."""
    at = {"flag_values": values}
    source_flags.define(values)
    data_flags.define(values)
    flags.DEFINE_string(
        "images", None, "A folder of generated images by identity, in place of a model.", **at
    )
    measure_flags.define(values)
    flags.DEFINE_bool(
        "matched",
        True,
        "Whether read-codes matches each category with an identity, to count errors. There must be as many.",
        **at,
    )
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
    flags.DEFINE_integer(
        "label_steps", 1000, "How many steps the classifier of read-labels is trained for.", 1, **at
    )
    flags.DEFINE_integer("dim", 32, "How wide the network of a trained verifier is.", 1, **at)
    flags.DEFINE_string(
        "augment",
        "translation",
        "How images are changed while a verifier is trained, as in bin/train.",
        **at,
    )
    flags.DEFINE_enum(
        "loss",
        "contrastive",
        LOSSES,
        "The loss by which a verifier is trained. The triplet loss needs TensorFlow Addons.",
        **at,
    )
    flags.DEFINE_string(
        "teacher",
        None,
        "Another verifier, named as in --verifier. The one that is trained learns to see images as this one does, in place "
        "of telling the training identities apart. Of a network of yours, --verifier_scale, _metric and _size are said.",
        **at,
    )


def main(words: Sequence[str], values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    ways = {
        "train-verifier": _train_verifier,
        "read-codes": lambda values: readings.read_codes(values, _out(values)),
        "read-labels": lambda values: readings.read_labels(values, _out(values)),
    }
    if len(words) == 1 and words[0] in ways:
        return ways[words[0]](values)
    if words:
        raise ValueError(
            f"Flags have the form --name=value; the only words are {', '.join(ways)}. Received: {' '.join(words)}"
        )
    out = _out(values)
    source = None if values.images else source_flags.load(values)
    verifier = (
        measure_flags.load_verifier(values) if values.verifier or not values.run_dir else None
    )
    features = [evaluation.load_features(path) for path in values.features]
    splits = source_flags.splits(values, source)
    evaluation.check_splits(splits, values.pairs)
    name, size = _name(values, source, splits), None
    if source is None:
        source = load_data(values.images, **data_flags.decoding(values))
    elif isinstance(source, AdversarialModel):
        size = evaluation.megabytes(source)
    evaluation.check_source(source, splits)
    verifier = verifier or _verifier_of_run(values, splits)
    evaluation.check_verifier(verifier, splits.test.image_size, splits.test.channels)
    measure_flags.note_other_data(verifier, splits)
    results = evaluation.evaluate(
        source,
        splits,
        verifier,
        name,
        size,
        pairs=values.pairs,
        seed=values.seed,
        features=features,
        verifier_floor=values.verifier_floor,
        factors=measure_flags.factor_reader(splits, values.factor_steps),
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
    more = []
    if isinstance(source, PersonModel):
        people = evaluation.measure_people(
            source, splits, verifier, results.facts["threshold"], values.seed
        )
        caption = "Unseen people (first column) in the poses and before the backgrounds of others (first row)"
        images["swaps"] = caption, tile(people.grid)
        results.facts["people"] = people.as_json()
        more = [people.to_markdown()]
        print(*more)
    print(evaluation.write_report(results.rows, results.facts, out, images, more))
    print(f"Report: {shown(out / 'report.md')}")
    return 0


def _out(values: flags.FlagValues) -> Path:
    """The folder to write to, refused before long work if it cannot be."""
    if not values.out and not values.run_dir:
        raise ValueError("Say where to write by --out=FOLDER.")
    out = local_path(values.out) if values.out else local_path(values.run_dir) / "evaluation"
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is no folder: name another by --out.")
    return out


def _name(values: flags.FlagValues, source, splits: Splits) -> str:
    """What the source is called in the report."""
    if source is None:
        return Path(values.images).name
    name = f"{Path(values.run_dir or values.saved_model).name}, step {source.completed_steps:,}"
    taught_by = getattr(getattr(source, "identity_features", None), "teacher", "")
    if taught_by and values.verifier == taught_by:
        print(
            f"Note: the model was taught who is in an image by {taught_by}, so that another verifier is a better judge.",
            file=sys.stderr,
        )
        name += ", taught by this verifier"
    trained_on = source_flags.trained_on(values, source, splits.train)
    if trained_on == "these data":
        return name
    print(
        f"Note: the model was trained on {trained_on}. If it has seen the test identities, the numbers look better than "
        "they are.",
        file=sys.stderr,
    )
    return f"{name}, trained on {trained_on}"


def _verifier_of_run(values: flags.FlagValues, splits: Splits) -> evaluation.Verifier:
    """The verifier of these data in the run's directory, trained first where there is none. None is ever removed."""
    data = splits.train.fingerprint
    for name in ("verifier", f"verifier-{data[:8]}"):
        folder = local_path(values.run_dir) / name
        if not folder.exists():
            break
        verifier = evaluation.load_verifier(folder)
        if verifier.facts.get("data") == data:
            print(
                f"Using the verifier that was trained for this run and these data before, for {verifier.facts['steps']:,} steps: "
                f"{shown(folder)}. Remove that folder to train another."
            )
            return verifier
    print(
        f"No --verifier was given, so one is trained on {len(splits.train):,} training identities: "
        f"{values.steps:,} steps. The usual 3,000 take about eight minutes at 64 pixels on two processor cores. "
        f"It is kept in {shown(folder)} for the next time.",
        flush=True,
    )
    verifier = _trained(values, splits, f"verifier of {Path(values.run_dir).name}")
    verifier.save(folder)
    return verifier


def _train_verifier(values: flags.FlagValues) -> int:
    if not values.out or local_path(values.out).exists():
        raise FileExistsError(
            "Name a new folder for the verifier by --out. "
            f"Received: --out={values.out or ''}{', which exists' if values.out else ''}"
        )
    splits = source_flags.splits(values)
    for part in splits._fields:
        evaluation.check_identities(getattr(splits, part), part)
        print(f"{part.capitalize()}: {getattr(splits, part).summary()}")
    print(f"Verifier: {shown(_trained(values, splits, Path(values.out).name).save(values.out))}")
    return 0


def _trained(values: flags.FlagValues, splits: Splits, name: str) -> evaluation.Verifier:
    """A new verifier, which knows its own score on identities that it has not seen."""
    teacher = measure_flags.load_verifier(values, "teacher") if values.teacher else None
    verifier = evaluation.train_verifier(
        splits.train,
        name,
        values.steps,
        values.dim,
        augment=values.augment,
        loss=values.loss,
        teacher=teacher,
        seed=values.seed,
        verbose=True,
    )
    verifier.facts["data"] = splits.train.fingerprint
    for part in ("validation", "test"):
        score = evaluation.verifier_auc(verifier, getattr(splits, part))
        verifier.facts[f"{part}_auc"] = round(score, 4)
        print(f"AUC on {part} identities: {score:.3f}")
    return verifier


if __name__ == "__main__":
    command.run("sdgan_tf.cli.evaluate")
