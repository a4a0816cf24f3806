"""A page in the browser to play with trained models.

  bin/demo --saved_model=saved_models/NAME
  bin/demo --run_dir=RUN

Both flags may be given more than once: the page offers all their models.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from sdgan_tf import serving, training
from sdgan_tf.cli import command
from sdgan_tf.models import Renderer

FLAGS = flags.FLAGS


def define(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags of this command.

    Args:
        values: where to define them.
    """
    at = {"flag_values": values}
    flags.DEFINE_multi_string(
        "saved_model", [], "An exported model, or the folder of its versions.", **at
    )
    flags.DEFINE_multi_string("run_dir", [], "A run; its newest checkpoint is shown.", **at)
    flags.DEFINE_string(
        "host", "127.0.0.1", "Who sees the page: 0.0.0.0 shows it to the network.", **at
    )
    flags.DEFINE_integer("port", 7860, "Where.", lower_bound=1, upper_bound=65535, **at)
    flags.DEFINE_integer("seed", 0, "Of the first grid.", lower_bound=0, **at)
    flags.DEFINE_integer("max_upload_megabytes", 10, "Of a photo's file.", lower_bound=1, **at)
    flags.DEFINE_integer(
        "max_upload_pixels", 25_000_000, "A photo with more is refused.", lower_bound=1, **at
    )


def models() -> dict[str, Renderer]:
    """The models that the flags name, by the last two parts of their paths."""
    asked = [(path, serving.load) for path in FLAGS.saved_model]
    asked += [(path, training.load_run) for path in FLAGS.run_dir]
    if not asked:
        raise ValueError("Name a model by --saved_model=DIR or --run_dir=DIR.")
    found = {}
    for path, load in asked:
        name = "/".join(Path(path).resolve().parts[-2:])
        if name in found:
            raise ValueError(f"Two models have the name {name}: give one of them another folder.")
        found[name] = load(path)
    return found


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    command.no_words(arguments)
    try:
        from sdgan_tf.demo import app
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise ImportError(
            "The page needs the extra `demo`: pip install 'sdgan_tf[demo]'. Missing: gradio"
        ) from error
    limits = app.Limits(FLAGS.max_upload_megabytes, FLAGS.max_upload_pixels)
    blocks = app.build(models(), limits, FLAGS.seed)
    address = app.launch(blocks, FLAGS.host, FLAGS.port, limits)
    print(f"{address} - Ctrl-C ends it", flush=True)
    blocks.block_thread()
    return 0


def run() -> None:
    """Entry point of `bin/demo`."""
    define()
    command.run(main, __doc__, [sys.modules[__name__]])


if __name__ == "__main__":
    run()
