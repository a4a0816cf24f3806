"""The watch for collapse, the known disease of adversarial training."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from sdgan_tf.data import IdentityData
from sdgan_tf.training.checkpoints import Checkpoints
from sdgan_tf.training.periodic import EverySteps

IDENTITIES, OBSERVATIONS = 8, 8
# More of the real ones, which are measured but once: all ratios depend on them.
REAL_IDENTITIES = 32

# Healthy runs were measured at .6 to .95 of the real variety.
LEAST_VARIETY = 0.1
# A single bad measurement is a bad batch, or a generator between two modes.
PATIENCE = 5
# A generator that has never been well by then has not only not begun to learn yet.
GRACE = 2000

ADVICE = (
    "What customarily helps: the options of flags/modern.cfg (no batch norm in the discriminator, r1, mixed, "
    "augment), lower learning rates (d_rate, g_rate), more identities."
)


class Collapsed(RuntimeError):
    """The model has collapsed.

    Attributes:
        checkpoint: step of the last checkpoint from before, or None where there is none.
    """

    def __init__(self, message: str, checkpoint: int | None):
        super().__init__(message)
        self.checkpoint = checkpoint


def variety(grid: np.ndarray) -> tuple[float, float]:
    """How much pictures differ, within and between identities.

    Two pictures differ by the root of their mean squared difference.

    Args:
        grid: uint8 [identities, observations, h, w, c].

    Returns:
        Means over all pairs of pictures of one identity, and of different ones, as shares of the
        whole range, 0 to 1; NaN where there is no such pair.
    """
    identities, observations = grid.shape[:2]
    # Sums of products of bytes are exact in float64: equal pictures differ by 0, on every machine.
    flat = grid.reshape(identities * observations, -1).astype(np.float64)
    products = flat @ flat.T
    squares = products.diagonal()
    apart = np.sqrt((squares[:, None] + squares - 2 * products) / flat.shape[1]) / 255
    identity = np.repeat(np.arange(identities), observations)
    same = identity[:, None] == identity
    one_of_each = np.triu(np.ones_like(same), 1)
    within, between = (apart[one_of_each & kind] for kind in (same, ~same))
    return _mean(within), _mean(between)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else math.nan


class CollapseWatch(EverySteps):
    """Measures how much imagined pictures differ, and says so when the model has collapsed.

    The pictures are always of the same codes. Each measurement adds to the logged numbers, for the
    callbacks that come later in the list:

    - `variety_within`: the variety within imagined identities as a share of the real one; near 0,
      `z_O` is ignored. Only of models that have a `z_O`.
    - `variety_between`: the same between identities; near 0, all codes give one picture.
    - `collapse`: how many bad measurements there have been in a row, if any.

    A measurement is bad if a ratio is below .1, or by what the model says of its losses (see
    `AdversarialModel.imbalance`). Several in a row are a collapse, but not before the first good
    one within the first 2,000 steps: a generator that has not begun to learn looks the same.

    Args:
        data: the real pictures that are the measure.
        every: steps between measurements.
        on_collapse: `"warn"` says so on the screen, once for each collapse; `"stop"` raises
            `Collapsed`.
        patience: how many bad measurements in a row are a collapse.
        checkpoints: the run's, of which the last one from before a collapse is kept and named.
        history: earlier log lines of a run that is continued, oldest first.
    """

    def __init__(
        self,
        data: IdentityData,
        every: int = 100,
        on_collapse: str = "warn",
        patience: int = PATIENCE,
        checkpoints: Checkpoints | None = None,
        history: Iterable[Mapping[str, float]] = (),
    ):
        super().__init__(every)
        if on_collapse not in ("warn", "stop") or patience < 1:
            raise ValueError(
                "The watch warns or stops, after one bad measurement or more. "
                f"Received: on_collapse={on_collapse!r}, patience={patience}"
            )
        self.data = data
        self.on_collapse = on_collapse
        self.patience = patience
        self.checkpoints = checkpoints
        self.history = history

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        # Of identities that have two pictures, if there are any.
        several = int(np.sum(self.data.counts > 1)) or REAL_IDENTITIES
        self._real = variety(self.data.grid(min(REAL_IDENTITIES, several), OBSERVATIONS))
        self._been_well, self._first_bad, self._bad = False, None, 0
        if self.checkpoints is not None:
            self.checkpoints.suspect_from = None
        for line in self.history:
            if "variety_between" in line:
                self._note(line["step"], self._signs(line))

    def run(self, step: int, logs: dict[str, Any]) -> None:
        logs.update(self._measure())
        signs = self._signs(logs)
        self._note(step, signs)
        if self._bad:
            logs["collapse"] = self._bad
        if self._bad < self.patience:
            return
        message = (
            f"The model has collapsed: at step {step:,} and {self._bad - 1} measurements before, since step "
            f"{self._first_bad:,}, {' and '.join(signs)}. {ADVICE}"
        )
        if self.on_collapse == "stop":
            raise Collapsed(*self._with_checkpoint(message))
        if self._bad == self.patience:
            print(message, file=sys.stderr, flush=True)

    def _measure(self) -> dict[str, float]:
        columns = OBSERVATIONS if self.model.latents.d_o else 1
        measured = variety(self.model.generate(IDENTITIES, columns))
        names = ("variety_within", "variety_between")
        ratios = {
            name: value / real for name, value, real in zip(names, measured, self._real) if real > 0
        }
        return {name: ratio for name, ratio in ratios.items() if math.isfinite(ratio)}

    def _signs(self, numbers: Mapping[str, float]) -> list[str]:
        """What is bad about logged numbers, in words."""
        signs = [
            f"{what} hardly differ ({name} {numbers[name]:.3f}, below {LEAST_VARIETY})"
            for name, what in (
                ("variety_between", "imagined identities"),
                ("variety_within", "pictures of one imagined identity"),
            )
            if numbers.get(name, math.inf) < LEAST_VARIETY
        ]
        return [*signs, *self.model.imbalance(numbers)]

    def _note(self, step: int, signs: list[str]) -> None:
        if not signs:
            self._been_well, self._first_bad, self._bad = True, None, 0
        elif self._been_well or step > GRACE:
            self._first_bad = self._first_bad or step
            self._bad += 1
        # Of a run that was never well, no checkpoint is worth more than others.
        if self.checkpoints is not None and self._been_well:
            self.checkpoints.suspect_from = self._first_bad

    def _with_checkpoint(self, message: str) -> tuple[str, int | None]:
        step = None
        if self.checkpoints is not None and self._been_well:
            step = self.checkpoints.last_unsuspected()
        if step is None:
            return f"{message} There is no checkpoint from before.", None
        return f"{message} The last good checkpoint is {self.checkpoints.path(step)}.", step
