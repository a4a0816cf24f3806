"""A page in the browser to play with trained models.

  bin/demo --saved_model=saved_models/NAME
  bin/demo --run_dir=RUN
  bin/demo --run_dir=RUN --host=0.0.0.0 --auth=FILE   for other machines, with a password

The first two flags may be given more than once: the page offers all their models. Visitors share one
queue of limited length, and what they send is checked and deleted soon. The page speaks plain HTTP: a
password is only safe on a network that you trust, or behind a proxy that speaks HTTPS.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from sdgan_tf import serving, training
from sdgan_tf.cli import command
from sdgan_tf.demo import visitors
from sdgan_tf.files import temporary_folder
from sdgan_tf.models import ImageModel


def define(values: flags.FlagValues) -> None:
    """Defines the flags of this command."""
    at, limits = {"flag_values": values}, visitors.Limits()
    flags.DEFINE_multi_string(
        "saved_model", [], "The folder of an exported model, or the folder of its versions.", **at
    )
    flags.DEFINE_multi_string(
        "run_dir", [], "The folder of a run, whose newest checkpoint is shown.", **at
    )
    flags.DEFINE_string(
        "host",
        "127.0.0.1",
        "The address to listen on: 127.0.0.1 for this machine alone, 0.0.0.0 for all that reach it.",
        **at,
    )
    flags.DEFINE_integer(
        "port", 7860, "The port to listen on.", lower_bound=1, upper_bound=65535, **at
    )
    flags.DEFINE_string(
        "auth",
        None,
        "USER:PASSWORD that visitors have to enter, or the name of a file that holds this. Needed where "
        "other machines reach the page.",
        **at,
    )
    flags.DEFINE_integer("seed", 0, "Seed of the first grid.", lower_bound=0, **at)
    flags.DEFINE_integer(
        "max_waiting",
        limits.waiting,
        "How many events of visitors may wait for their turn; a further one is refused.",
        lower_bound=1,
        **at,
    )
    flags.DEFINE_integer(
        "max_disk_megabytes",
        limits.disk_megabytes,
        "The size of all temporary files, in megabytes, above which the oldest are deleted.",
        lower_bound=1,
        **at,
    )
    flags.DEFINE_integer(
        "max_upload_megabytes",
        limits.megabytes,
        "The size of an uploaded file, in megabytes, above which it is refused.",
        lower_bound=1,
        **at,
    )
    flags.DEFINE_integer(
        "max_upload_pixels",
        limits.pixels,
        "An uploaded photo with more pixels is refused before it is decoded.",
        lower_bound=1,
        **at,
    )


def models(values: flags.FlagValues) -> dict[str, ImageModel]:
    """The models that the flags name, by the last two parts of their paths."""
    asked = [(path, serving.load) for path in values.saved_model]
    asked += [(path, training.load_run) for path in values.run_dir]
    if not asked:
        raise ValueError("Name a model by --saved_model=DIR or --run_dir=DIR.")
    loaded = {}
    for path, load in asked:
        name = "/".join(Path(path).resolve().parts[-2:])
        if name in loaded:
            raise ValueError(f"Two models have the name {name}: give one of them another folder.")
        loaded[name] = load(path)
    return loaded


def main(words: Sequence[str], values: flags.FlagValues) -> int:
    """Runs the command; returns its exit status."""
    command.no_words(words)
    auth = visitors.credentials(values.auth)
    visitors.check_host(values.host, auth)
    try:
        from sdgan_tf.demo import app
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise ImportError(
            "The page needs the extra `demo`: pip install 'sdgan_tf[demo]'. Missing: gradio"
        ) from error
    limits = visitors.Limits(
        values.max_upload_megabytes,
        values.max_upload_pixels,
        values.max_waiting,
        values.max_disk_megabytes,
    )
    with temporary_folder("sdgan_tf-demo") as folder:
        blocks = app.build(models(values), folder, limits, values.seed)
        address = app.launch(blocks, values.host, values.port, limits, auth)
        print(f"{address} - Ctrl-C ends it", flush=True)
        blocks.block_thread()
    return 0


if __name__ == "__main__":
    command.run("sdgan_tf.cli.demo")
