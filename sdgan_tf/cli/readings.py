"""What `bin/evaluate read-codes` and `read-labels` do."""

from __future__ import annotations

from pathlib import Path

from absl import flags

from sdgan_tf import evaluation
from sdgan_tf.cli import data_flags, source_flags
from sdgan_tf.files import write_json
from sdgan_tf.images import save_png, tile
from sdgan_tf.stores import shown


def read_codes(values: flags.FlagValues, out: Path) -> int:
    """Writes what a recogniser reads off real images to a folder; returns the exit status."""
    model = source_flags.load_run(values)
    elsewhere = values["data_dir"].present or values["manifest"].present
    of_run = data_flags.of_run(values.run_dir)
    data_flags.adopt(_of_other(of_run) if elsewhere else of_run, values)
    data = data_flags.load(values)
    if not elsewhere:
        data = data_flags.split(data, values).test
    if not len(data):
        raise ValueError(
            "The run has no test identities: name images that it has not seen by --data_dir."
        )
    readings = evaluation.read_codes(model, data, values.matched)
    record = {
        "data": data.summary(),
        "step": model.completed_steps,
        "codes": [reading._asdict() for reading in readings],
    }
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "codes.json", record)
    print(f"{data.summary()}\n\n{evaluation.reading_table(readings)}")
    print(f"Report: {shown(out / 'codes.json')}")
    return 0


def read_labels(values: flags.FlagValues, out: Path) -> int:
    """Writes what a classifier names the images of a model that is asked for labels to a folder; returns the exit status."""
    model = source_flags.load_run(values)
    if not values["data_dir"].present:
        raise ValueError("Name labelled images that the run has not seen by --data_dir.")
    own = flags.FlagValues()
    data_flags.define(own)
    own.mark_as_parsed()
    of_run = data_flags.of_run(values.run_dir)
    data_flags.adopt(of_run, own)
    data_flags.adopt(_of_other(of_run), values)
    train = data_flags.split(data_flags.load(own), own).train
    unseen = data_flags.load(values)
    evaluation.check_labels(model, unseen)
    classifier = evaluation.train_label_classifier(
        train, values.label_steps, seed=values.seed, verbose=True
    )
    scores = evaluation.measure_labels(model, classifier, unseen, values.seed)
    record = {
        "data": unseen.summary(),
        "step": model.completed_steps,
        "label_steps": values.label_steps,
        "generated": scores.made._asdict(),
        "real": scores.real._asdict(),
    }
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "labels.json", record)
    save_png(tile(scores.grid), out / "labels.png")
    print(f"{unseen.summary()}\n\n{scores.to_markdown()}")
    print(f"Report: {shown(out / 'labels.json')}")
    return 0


def _of_other(of_run: dict[str, str]) -> dict[str, str]:
    """Those data flags of a run that hold for other images than its own: which files are whose is not among them."""
    return {name: value for name, value in of_run.items() if name not in ("data_dir", "manifest")}
