"""Writes a trained run as a SavedModel for TF Serving.

  bin/export --run_dir=RUN --out=saved_models/NAME

makes saved_models/NAME/1, or the next free version, and beside it the configuration of a server.
It prints the command that starts the server, by Docker, and one that asks it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from absl import flags

from sdgan_tf import serving
from sdgan_tf.cli import command, source_flags

FLAGS = flags.FLAGS


def define() -> None:
    """Defines the flags of this command."""
    source_flags.define_run()
    flags.DEFINE_string("out", None, "Folder that holds the versions.", required=True)
    flags.DEFINE_integer(
        "version", None, "The version; the next free one by default.", lower_bound=1
    )


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    command.no_words(arguments)
    path = serving.next_version(FLAGS.out)
    if FLAGS.version:
        path = path.parent / str(FLAGS.version)
    model = source_flags.load_run(FLAGS)
    print(f"Exported step {model.completed_steps:,} to {serving.export(model, path)}")
    if not serving.warmup.available():
        print("Without warm-up requests, which need the extra: pip install 'sdgan_tf[serving]'")
    serving.container.write_files(path.parent, serving.batch_rows(model))
    serve, ask = serving.container.commands(path.parent)
    print(f"\nTo serve it:\n  {serve}\nTo ask it:\n  {ask}")
    return 0


def run() -> None:
    """Entry point of `bin/export`."""
    define()
    command.run(main, __doc__, [sys.modules[__name__], source_flags])


if __name__ == "__main__":
    run()
