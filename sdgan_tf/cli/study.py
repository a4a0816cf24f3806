"""Asks people whether images show one identity, as the paper does.

  bin/study make --run_dir=RUN --out=STUDY                 draws the pairs
  bin/study score --key=STUDY/key.json anna.csv ben.csv    scores what people answered

`make` writes two files. STUDY/page.html holds all its images and needs no network: send it to the
annotators, who save their answers as a file and send it back. STUDY/key.json says what each pair shows
and stays with you. A quarter of the pairs is of each kind: real and generated, of one identity and of two.
Real images are those of the test identities of the run's own data, unless data flags say otherwise.

`score` writes scores.md and scores.json beside the key, and may be run again as answers arrive.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from sdgan_tf import study
from sdgan_tf.cli import command, data_flags, source_flags
from sdgan_tf.data import IdentityData, from_directory
from sdgan_tf.files import atomic_file, local_file, local_path, write_json
from sdgan_tf.models import ImageModel
from sdgan_tf.stores import shown


def define(values: flags.FlagValues) -> None:
    """Defines the flags of this command."""
    source_flags.define(values)
    data_flags.define(values)
    at = {"flag_values": values}
    flags.DEFINE_string(
        "out", None, "make: the folder to write; there must be none of that name yet.", **at
    )
    flags.DEFINE_integer(
        "pairs", 100, "make: how many pairs are shown; the number is a multiple of four.", 4, **at
    )
    flags.DEFINE_integer(
        "seed",
        0,
        "make: the seed of the pairs and of their order. Keep it to yourself, because with the data it gives the key.",
        0,
        **at,
    )
    flags.DEFINE_string(
        "question", study.QUESTION, "make: the question that annotators are asked.", **at
    )
    flags.DEFINE_string(
        "images",
        None,
        "make: a folder of generated images by identity, in place of a model.",
        **at,
    )
    flags.DEFINE_string("key", None, "score: the file key.json of the study.", **at)


def main(words: Sequence[str], values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    word, *files = words or [""]
    if word == "make":
        command.no_words(files)
        return _make(values)
    if word == "score":
        return _score(values, files)
    raise ValueError(
        "Say `bin/study make` or `bin/study score FILES`, see bin/study --help. "
        f"Received: {' '.join(words) or 'neither'}"
    )


def _make(values: flags.FlagValues) -> int:
    if not values.out:
        raise ValueError("Name the study's folder by --out, such as --out=studies/faces.")
    if local_path(values.out).exists():
        raise FileExistsError(f"{values.out} exists already, and nothing is overwritten.")
    source = _source(values)
    splits = source_flags.splits(values, source)
    made = study.make(source, splits, values.pairs, values.seed, values.question)
    folder = shown(made.save(values.out))
    print(f"For the annotators: {folder}/{study.PAGE}")
    print(f"For you alone: {folder}/{study.KEY}")
    print(f"Then: bin/study score --key={folder}/{study.KEY} ANSWERS.csv ...")
    return 0


def _source(values: flags.FlagValues) -> ImageModel | IdentityData:
    if not values.images:
        return source_flags.load(values)
    if values.run_dir or values.saved_model:
        raise ValueError(
            "Generated images come from --images or from a model, not from both. Received: "
            f"--images={values.images}, --run_dir={values.run_dir}, --saved_model={values.saved_model}"
        )
    return from_directory(values.images, **data_flags.decoding(values))


def _score(values: flags.FlagValues, files: Sequence[str]) -> int:
    if not values.key:
        raise ValueError("Name the key by --key, such as --key=studies/faces/key.json.")
    key_file = local_file(values.key)
    key, folder = study.read_key(key_file), key_file.parent
    results = study.results(key, study.read_answers([local_path(file) for file in files], key))
    text = study.to_markdown(results)
    with atomic_file(folder / "scores.md") as file:
        file.write(text.encode())
    write_json(folder / "scores.json", results)
    print(text)
    print(shown(f"Written: {folder / 'scores.md'}, {folder / 'scores.json'}"))
    return 0


if __name__ == "__main__":
    command.run("sdgan_tf.cli.study")
