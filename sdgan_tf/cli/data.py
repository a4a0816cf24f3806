"""Looks after data sets of images.

  bin/data check DIR [--k=2] [--json=report.json]   says what is in a folder and what is wrong
  bin/data build DIR --out=BUILT                    decodes it into one file, for data larger than memory

DIR has a sub-folder of images for each identity, or is flat, with images named
<IDENTITY>_<OBSERVATION>_<anything>.png, or its files are listed by --manifest=FILE, or it holds TFRecords.
`check` takes built data, too.

Ends with status 0 when all is well, and with 1 for bad data and other errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from sdgan_tf import data
from sdgan_tf.cli import command, data_flags
from sdgan_tf.files import atomic_file


def define(values: flags.FlagValues) -> None:
    """Defines the flags of this command."""
    at = {"flag_values": values}
    data_flags.define_manifest(values)
    data_flags.define_decoding(values)
    flags.DEFINE_integer(
        "k", 2, "An identity with fewer images than this counts as bad data.", 1, **at
    )
    flags.DEFINE_string(
        "json", "", "The file to which `check` writes its report as JSON, with no list cut.", **at
    )
    flags.DEFINE_string("out", "", "The folder that `build` writes. It must not exist yet.", **at)


def main(words: Sequence[str], values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    if len(words) != 2 or words[0] not in ("check", "build"):
        raise ValueError(
            "Write `bin/data check DIR` or `bin/data build DIR --out=BUILT`. Received: "
            f"{' '.join(words) or 'no words'}"
        )
    action, folder = words
    if action == "build" and not values.out:
        raise ValueError("Say by --out=BUILT which folder `build` shall write.")
    options = {
        **data_flags.decoding(values),
        "k": values.k,
        "manifest": values.manifest,
        "verbose": True,
    }
    return _check(values, folder, options) if action == "check" else _build(values, folder, options)


def _check(values: flags.FlagValues, folder: str, options: dict) -> int:
    del options["on_bad_data"]
    report = data.check(folder, **options)
    print(report.to_text())
    if values.json:
        with atomic_file(Path(values.json)) as file:
            file.write(report.to_json().encode())
    return 0 if report.clean else 1


def _build(values: flags.FlagValues, folder: str, options: dict) -> int:
    print(data.build(folder, values.out, **options).to_text())
    print(f"Written to {values.out}. Train on it by --data_dir={values.out}.")
    return 0


if __name__ == "__main__":
    command.run("sdgan_tf.cli.data")
