"""Looks after data sets of images.

  bin/data check DIR [--k=2] [--json=report.json]   says what is in a folder and what is wrong
  bin/data build DIR --out=BUILT                    decodes it into one file, for data larger than memory
                     [--runner=direct|flink|...]    by the workers of Apache Beam

DIR has a sub-folder of images for each identity, or is flat, with images named
<IDENTITY>_<OBSERVATION>_<anything>.png, or its files are listed by --manifest=FILE, or it holds TFRecords.
`check` takes built data, too. A build that was stopped goes on by the same command.

Ends with status 0 when all is well, and with 1 for bad data and other errors.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from sdgan_tf import data
from sdgan_tf.cli import command, data_flags
from sdgan_tf.files import atomic_file, local_path
from sdgan_tf.stores import shown


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
    flags.DEFINE_string(
        "runner",
        "",
        "Which runner of Apache Beam makes the parts of a build: direct, dataflow, flink, spark or another that Beam "
        "knows; none: this process. Its workers see the images and the output under the same paths.",
        **at,
    )
    flags.DEFINE_string(
        "beam_options",
        "",
        "Options of Beam's in quotation marks, such as --beam_options='--direct_num_workers=2 "
        "--direct_running_mode=multi_processing'.",
        **at,
    )


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
    if values.runner or values.beam_options:
        raise ValueError(
            f"Only `build` has a runner; `check` runs here. Received: runner={values.runner}"
        )
    del options["on_bad_data"]
    report = data.check(folder, **options)
    print(shown(report.to_text()))
    if values.json:
        with atomic_file(local_path(values.json)) as file:
            file.write(shown(report.to_json()).encode())
    return 0 if report.clean else 1


def _build(values: flags.FlagValues, folder: str, options: dict) -> int:
    options.update(runner=values.runner, beam_options=values.beam_options)
    print(shown(data.build(folder, values.out, **options).to_text()))
    print(f"Written to {values.out}. Train on it by --data_dir={values.out}.")
    return 0


if __name__ == "__main__":
    command.run("sdgan_tf.cli.data")
