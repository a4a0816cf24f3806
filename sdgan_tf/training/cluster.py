"""Several processes that train one model together: who of them writes, and whether all of them mean the same."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sdgan_tf.files import atomic_file, refresh, remove_file
from sdgan_tf.training.run_directory import RunDirectory, RunError, differences, versions


class Cluster:
    """The processes of a distribution strategy, or this one alone.

    All of them compute the same and call the methods below in the same order; the first of them, the chief, writes.

    Args:
        strategy: that the model was made under.

    Attributes:
        alone: whether this process trains by itself, on however many devices.
        is_chief: whether this process writes the run.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self._strategy = strategy
        self.alone = not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        self.is_chief = True
        if not self.alone:
            resolver = strategy.cluster_resolver
            first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
            self.is_chief = (resolver.task_type, resolver.task_id) == (first, 0)

    def gather(self, text: str) -> list[str]:
        """What each process gives, on each of them, the chief's first. Waits for all."""
        if self.alone:
            return [text]
        # Numbers of a kind that is sent on every device; with one in front, since nothing at all cannot be sent.
        codes = np.frombuffer(b"." + text.encode(), np.uint8).astype(np.int32)
        lengths = self._gathered(np.int32([len(codes)]))
        ends = np.cumsum(lengths)
        everything = self._gathered(codes).astype(np.uint8)
        return [
            everything[end - length + 1 : end].tobytes().decode()
            for end, length in zip(ends, lengths)
        ]

    def _gathered(self, values: np.ndarray) -> np.ndarray:
        give = self._strategy.experimental_distribute_values_from_function
        logger = tf.get_logger()
        level = logger.level
        # Each such call is traced anew, of which TensorFlow warns as of a slow step.
        logger.setLevel("ERROR")
        try:
            return self._strategy.gather(give(lambda _: tf.constant(values)), axis=0).numpy()
        finally:
            logger.setLevel(level)

    @contextlib.contextmanager
    def together(self, advice: Callable[[], str] = str) -> Iterator[None]:
        """Turns the error of a process whose peers are gone into a `RunError`, which ends with the advice."""
        try:
            yield
        except tf.errors.OpError as error:
            if self.alone:
                raise
            reason = error.message.splitlines()[0].rstrip(".")
            raise RunError(
                f"Another worker is gone or does not answer: {reason}. Start all workers again with the same command. "
                f"{advice()}".strip()
            ) from error

    def agree(self, facts: dict[str, Any], what: str) -> None:
        """Raises a `RunError` with the differences unless all processes give equal facts."""
        first, *others = (json.loads(text) for text in self.gather(json.dumps(facts)))
        for number, other in enumerate(others, 1):
            lines = differences(first, other, words=("in the chief", f"in replica {number}"))
            if lines:
                raise RunError(
                    f"The workers were started with different {what}. Start all of them by the same command:\n"
                    + "\n".join(f"  {line}" for line in lines)
                )

    def chief_does(self, action: Callable[[], Any]) -> None:
        """Has the chief do something that the others wait for, and fail with it: raises a `RunError` on all."""
        failure: Exception | None = None
        if self.is_chief:
            try:
                action()
            except Exception as error:
                if self.alone:
                    raise
                failure = error
        told = self.gather(f"{type(failure).__name__}: {failure}" if failure else "")[0]
        if told:
            raise RunError(told.removeprefix("RunError: ")) from failure

    def check_shared(self, folder: Path) -> None:
        """Raises a `RunError` on all processes unless all of them see the chief's folder."""
        if self.alone:
            return
        token, mark = self.gather(uuid.uuid4().hex)[0], folder / "shared"

        def write() -> None:
            with atomic_file(mark) as file:
                file.write(token.encode())

        self.chief_does(write)
        if not self.is_chief:
            refresh(folder, strict=True)
        seen = mark.exists() and mark.read_text() == token
        answers = self.gather("" if seen else os.uname().nodename)
        self.chief_does(lambda: remove_file(mark))
        blind = [f"replica {i} on {name}" for i, name in enumerate(answers) if name]
        if blind:
            raise RunError(
                f"All workers have to see the chief's folder {folder}, by a file system or a store that they share, to go on from its "
                f"checkpoints. Received: another folder, or none, at {', '.join(blind)}"
            )

    def own_directory(self, run: RunDirectory, folder: str | Path) -> RunDirectory:
        """Where this process writes what all compute: the chief into the run, others into a folder of their own."""
        if self.is_chief:
            return run
        own = RunDirectory(folder)
        for file in (run.metrics_file, run.path / "clock.json"):
            # What they go on from.
            if file.exists():
                (own.path / file.name).write_bytes(file.read_bytes())
        return own


ALONE = Cluster(tf.distribute.get_strategy())


def same_code() -> dict[str, str]:
    """What has to be the same in all processes for their numbers to be: versions, and a digest of this package."""
    told = {k: v for k, v in versions().items() if k not in ("command", "platform")}
    return {**told, "sdgan_tf source": _digest()}


@functools.cache
def _digest() -> str:
    total, root = hashlib.sha256(), Path(__file__).parents[1]
    for file in sorted(root.rglob("*.py")):
        total.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return total.hexdigest()[:16]
