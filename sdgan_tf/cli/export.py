"""Writes a trained run as a SavedModel for TF Serving.

  bin/export --run_dir=RUN --out=saved_models/NAME

makes saved_models/NAME/1, or the next free version, and beside it the configuration of a server.
It prints the command that starts the server, by Docker, and one that asks it. The export knows the
fingerprint of the training data and how they were split, so that bin/evaluate can tell whether test
identities were trained on.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from absl import flags

from sdgan_tf import serving
from sdgan_tf.cli import command, source_flags
from sdgan_tf.stores import shown


def define(values: flags.FlagValues) -> None:
    """Defines the flags of this command."""
    at = {"flag_values": values}
    source_flags.define_run(values)
    flags.DEFINE_string("out", None, "The folder that holds the versions of the model.", **at)
    flags.DEFINE_integer(
        "version", None, "The number of the version; by default the next free one.", 1, **at
    )


def main(words: Sequence[str], values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    command.no_words(words)
    if not values.out:
        raise ValueError("Name the folder of the model by --out, such as saved_models/faces.")
    path = serving.next_version(values.out)
    if values.version:
        path = path.parent / str(values.version)
    model = source_flags.load_run(values)
    data = source_flags.data_of_run(values.run_dir)
    if not os.path.lexists(path):
        # Before the version: were they written after it, a command that is ended in between would leave a version without
        # them, and refuse to go on when it is given again.
        path.parent.mkdir(parents=True, exist_ok=True)
        serving.container.write_files(path.parent, serving.batch_rows(model))
    exported = shown(serving.export(model, path, data))
    print(f"Exported step {model.completed_steps:,} to {exported}")
    if not serving.warmup.available():
        print("Without warm-up requests, which need the extra: pip install 'sdgan_tf[serving]'")
    serve, ask = serving.container.commands(path.parent)
    print(f"\nTo serve it:\n  {serve}\nTo ask it:\n  {ask}")
    return 0


if __name__ == "__main__":
    command.run("sdgan_tf.cli.export")
