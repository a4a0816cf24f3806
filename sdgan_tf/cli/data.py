"""bin/data: looks after folders of images.

  bin/data check DIR [--k=2] [--json=report.json]   says what is in a folder and what is wrong
  bin/data build DIR --out=SHARDS                   writes TFRecords, for data larger than memory

DIR has a sub-folder of images per identity, or is flat, with images named
<IDENTITY>_<OBSERVATION>_<anything>.png. `check` takes shards, too.

Ends with 0 when all is well, 1 for bad data, 2 for a wrong command line.
"""

from __future__ import annotations

import signal
import sys

from absl import flags

from sdgan_tf.cli import command, data_flags
from sdgan_tf.data import Report, build_shards, check_shards
from sdgan_tf.data.checks import check_images
from sdgan_tf.data.records import is_shards
from sdgan_tf.data.sources import find_images


def run() -> None:
    """Runs the command and ends the process."""
    # An exception, so that a build that is told to stop cleans up behind itself.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        sys.exit(main(sys.argv))
    except KeyboardInterrupt:
        print("Interrupted; nothing was written.", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def main(argv: list[str]) -> int:
    """Runs the command.

    Args:
        argv: The command line, with the name of the command in front.

    Returns:
        The exit code.
    """
    # Of its own, so that commands whose flags have the same names fit into one process.
    values = flags.FlagValues()
    _define(values)
    if command.asks_for_help(argv):
        print(command.help_text(__doc__, [sys.modules[__name__], data_flags], values))
        return 0
    try:
        words = values(argv)[1:]
        if len(words) != 2 or words[0] not in ("check", "build"):
            raise flags.Error(f"expected `check DIR` or `build DIR`, not {' '.join(words)!r}")
        if words[0] == "build" and not values.out:
            raise flags.Error("`build` needs --out=SHARDS, the folder to write")
    except flags.Error as error:
        print(f"bin/data: {error}. Try bin/data --help.", file=sys.stderr)
        return 2
    try:
        return _check(words[1], values) if words[0] == "check" else _build(words[1], values)
    except (ValueError, OSError) as error:
        print(f"bin/data: {error}", file=sys.stderr)
        return 1


def _define(values: flags.FlagValues) -> None:
    at = {"flag_values": values}
    data_flags.define_decoding(values)
    flags.DEFINE_integer("k", 2, "How many images each identity should have.", 1, **at)
    flags.DEFINE_string("json", "", "check: a file to write the report to, as JSON.", **at)
    flags.DEFINE_string("out", "", "build: the folder to write, which must not exist.", **at)


def _check(folder: str, values: flags.FlagValues) -> int:
    if is_shards(folder):
        report = check_shards(folder, values.k)
    else:
        options = data_flags.decoding(values)
        del options["on_bad_data"]
        listing = find_images(folder)
        report = Report(listing.root, values.k)
        images = check_images(listing, report, **options)
        for done, _ in enumerate(images, 1):
            command.progress(done, listing.images)
    print(report.to_text())
    if values.json:
        with open(values.json, "w", encoding="utf-8") as file:
            file.write(report.to_json())
    return 0 if report.clean else 1


def _build(folder: str, values: flags.FlagValues) -> int:
    options = data_flags.decoding(values)
    report = build_shards(folder, values.out, **options, k=values.k, progress=command.progress)
    print(report.to_text())
    print(f"Written to {values.out}: use --data_dir={values.out}")
    return 0


if __name__ == "__main__":
    run()
