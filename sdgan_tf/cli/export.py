"""Writes a trained run as a SavedModel for TF Serving.

  bin/export --run_dir=RUN --out=saved_models/NAME

makes saved_models/NAME/1, or the next free version, and beside it the configuration of a server.
It prints the command that starts the server, by Docker, and one that asks it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from absl import flags

from sdgan_tf import serving, training
from sdgan_tf.cli import command

FLAGS = flags.FLAGS


def define() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string("run_dir", None, "The run to export.", required=True)
    flags.DEFINE_string("out", None, "Folder that holds the versions.", required=True)
    flags.DEFINE_integer(
        "version", None, "The version; the next free one by default.", lower_bound=1
    )
    flags.DEFINE_string("checkpoint", "newest", "newest, best or a step.")


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    if arguments:
        raise ValueError(f"Flags have the form --name=value. Received: {' '.join(arguments)}")
    path = serving.next_version(FLAGS.out)
    if FLAGS.version:
        path = path.parent / str(FLAGS.version)
    wanted = int(FLAGS.checkpoint) if FLAGS.checkpoint.isdigit() else FLAGS.checkpoint
    model = training.load_run(FLAGS.run_dir, wanted)
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
    command.run(main, __doc__, [sys.modules[__name__]])


if __name__ == "__main__":
    run()
