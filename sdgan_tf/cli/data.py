"""Looks after data sets of images.

  bin/data check DIR [--k=2] [--json=report.json]   says what is in a folder and what is wrong
  bin/data build DIR --out=BUILT                    decodes it into one file, for data larger than memory

DIR has a sub-folder of images for each identity, or is flat, with images named
<IDENTITY>_<OBSERVATION>_<anything>.png, or holds TFRecords. `check` takes built data, too.

Ends with status 0 when all is well, and with 1 for bad data and other errors.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from sdgan_tf import data
from sdgan_tf.cli import command, data_flags

FLAGS = flags.FLAGS


def define(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags of this command."""
    at = {"flag_values": values}
    data_flags.define_decoding(values)
    flags.DEFINE_integer(
        "k", 2, "An identity with fewer images than this counts as bad data.", 1, **at
    )
    flags.DEFINE_string(
        "json", "", "The file to which `check` writes its report as JSON, with no list cut.", **at
    )
    flags.DEFINE_string("out", "", "The folder that `build` writes. It must not exist yet.", **at)


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    if len(arguments) != 2 or arguments[0] not in ("check", "build"):
        raise ValueError(
            "Write `bin/data check DIR` or `bin/data build DIR --out=BUILT`. Received: "
            f"{' '.join(arguments) or 'no words'}"
        )
    action, folder = arguments
    if action == "build" and not FLAGS.out:
        raise ValueError("Say by --out=BUILT which folder `build` shall write.")
    options = {**data_flags.decoding(FLAGS), "k": FLAGS.k, "verbose": True}
    return _check(folder, options) if action == "check" else _build(folder, options)


def _check(folder: str, options: dict) -> int:
    del options["on_bad_data"]
    report = data.check(folder, **options)
    print(report.to_text())
    if FLAGS.json:
        Path(FLAGS.json).write_text(report.to_json(), encoding="utf-8")
    return 0 if report.clean else 1


def _build(folder: str, options: dict) -> int:
    print(data.build(folder, FLAGS.out, **options).to_text())
    print(f"Written to {FLAGS.out}. Train on it by --data_dir={FLAGS.out}.")
    return 0


def run() -> None:
    """Entry point of `bin/data`."""
    # An exception, so that a build that is told to stop cleans up behind itself.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    define()
    command.run(main, __doc__, [sys.modules[__name__], data_flags])


if __name__ == "__main__":
    run()
