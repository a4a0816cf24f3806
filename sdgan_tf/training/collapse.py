"""Collapse, this method's known disease: seen while training, and acted on."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import tensorflow as tf

from sdgan_tf.training.callbacks import EverySteps
from sdgan_tf.training.run_directory import RunDirectory

ACTIONS = ("warn", "stop", "rollback")


class Collapsed(RuntimeError):
    """Training has collapsed; the message says by which signs."""


def spreads(grid: np.ndarray) -> tuple[float, float]:
    """How much pictures differ within an identity and between identities.

    Args:
        grid: uint8 [identities, observations, h, w, c].

    Returns:
        Mean absolute difference of a pixel, 0 to 255: of two pictures in the same row, and of two in the same column.
    """
    pictures = grid.astype(np.float32)
    within = _pairwise(pictures.swapaxes(0, 1))
    return within, _pairwise(pictures)


def _pairwise(items: np.ndarray) -> float:
    """Mean absolute difference over all pairs along the first axis, by way of one shift after another."""
    count = len(items)
    if count < 2:
        return 0.0
    shifts = [np.abs(items - np.roll(items, shift, 0)).mean() for shift in range(1, count)]
    return float(np.mean(shifts))


class CollapseWatch(EverySteps):
    """Looks for collapse at every interval and says so on the screen, in TensorBoard and in `metrics.jsonl`.

    The signs: pictures of a fixed grid that hardly differ, within an identity or between identities, measured against real
    pictures; a discriminator whose loss is zero; a `k_t` that stays at 0 or 1.

    Args:
        every: steps between looks.
        real: uint8 [identities, observations, h, w, c]: real pictures to measure against.
        action: `"warn"`, or raise `Collapsed` on `"stop"` and `"rollback"`, which the run acts on.
        run: where to log; None for the screen only.
        least: the share of the real pictures' difference below which a grid counts as collapsed.
        patience: looks in a row that must show a sign before it counts.
    """

    LEAST_LOSS = 1e-3

    def __init__(
        self,
        every: int,
        real: np.ndarray,
        action: str = "warn",
        run: RunDirectory | None = None,
        least: float = 0.1,
        patience: int = 2,
    ):
        super().__init__(every)
        if action not in ACTIONS:
            raise ValueError(f"On collapse, do one of {ACTIONS}. Received: {action!r}")
        self.action = action
        self.least = least
        self.patience = patience
        self._real = spreads(real)
        self._directory = run
        self._looks = 0
        self._writer = run and tf.summary.create_file_writer(str(run.tensorboard))

    def run(self, step: int, logs: dict[str, Any]) -> None:
        grid = self.model.generate(8, 8)
        shares = [
            fake / real if real else 1.0 for fake, real in zip(spreads(grid), self._real)
        ]
        numbers = dict(zip(("variety_within", "variety_between"), shares))
        signs = self._signs(numbers, logs)
        self._looks = self._looks + 1 if signs else 0
        self._report(step, numbers, signs)
        if self._looks >= self.patience and self.action != "warn":
            raise Collapsed(f"Collapsed at step {step}: {'; '.join(signs)}.")

    def _signs(self, numbers: dict[str, float], logs: dict[str, Any]) -> list[str]:
        signs = [
            f"pictures {name.split('_')[1]} identities differ by {share:.0%} of the real ones' difference"
            for name, share in numbers.items()
            if share < self.least
        ]
        if "d_loss" in logs and abs(float(logs["d_loss"])) < self.LEAST_LOSS:
            signs.append("the discriminator's loss is zero")
        if "k_t" in logs and not 0.0 < float(logs["k_t"]) < 1.0:
            signs.append(f"k_t stays at {float(logs['k_t']):.0f}")
        return signs

    def _report(self, step: int, numbers: dict[str, float], signs: list[str]) -> None:
        if self._directory is not None:
            record = {name: round(value, 4) for name, value in numbers.items()}
            self._directory.log({"step": step, **record, "collapse": signs})
            with self._writer.as_default():
                for name, value in numbers.items():
                    tf.summary.scalar(name, value, step=step)
            self._writer.flush()
        for sign in signs:
            print(f"step {step}: signs of collapse: {sign}", file=sys.stderr, flush=True)
