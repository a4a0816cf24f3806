"""Has the parts of a build made by Apache Beam, the extra `beam`."""

from __future__ import annotations

import functools
import shlex
from typing import Any

from sdgan_tf.data import parts

# What Beam calls DirectRunner looks for another runner in the network first, and knows no number of workers.
RUNNERS = {"direct": "FnApiRunner"}


def check_options(runner: str, options: str) -> None:
    """Raises unless Beam is installed where a runner is asked for, and its options can be read.

    Raises:
        ImportError: Beam is not installed.
        ValueError: there are options and no runner, Beam does not know it, or the options cannot be read.
    """
    if options and not runner:
        raise ValueError(
            "Options of Beam's need one of its runners, such as runner=direct. Received: "
            f"beam_options={options!r}"
        )
    if runner:
        _pipeline(runner, options)


def make_parts(folder: str, count: int, runner: str, options: str) -> None:
    """Makes parts as `parts.make` does, each by a worker of the runner.

    Args:
        folder: of the parts, which every worker sees under this path.
        count: how many there are.
        runner: its name, see `building.build`.
        options: of Beam's, as on a command line.

    Raises:
        RuntimeError: the runner failed.
    """
    import apache_beam as beam

    pipeline = _pipeline(runner, options)
    numbers = pipeline | "Numbers" >> beam.Create(range(count))
    # Otherwise one worker may get them all.
    spread = numbers | "Spread" >> beam.Reshuffle()
    _ = spread | "Make" >> beam.Map(functools.partial(parts.make, folder))
    # A runner raises what it likes, most with the whole way through Beam in the message.
    try:
        pipeline.run().wait_until_finish()
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise RuntimeError(f"Beam's runner {runner!r} failed: {lines[-1]}") from error


def _pipeline(runner: str, options: str) -> Any:
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise ImportError(
            "A runner needs Apache Beam: install it by pip install 'sdgan_tf[beam]'. Received: "
            f"runner={runner!r}"
        ) from error
    try:
        flags = [f"--runner={RUNNERS.get(runner, runner)}", *shlex.split(options)]
        return beam.Pipeline(options=PipelineOptions(flags))
    except ValueError as error:
        raise ValueError(
            f"Beam does not take this: {error}. Received: runner={runner!r}, "
            f"beam_options={options!r}"
        ) from error
