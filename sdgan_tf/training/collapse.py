"""Watches for collapse, the known failure of adversarial training, in which all images become alike."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sdgan_tf.data import IdentityData
from sdgan_tf.models import AdversarialModel
from sdgan_tf.training.checkpoints import Checkpoints
from sdgan_tf.training.periodic import EverySteps

IDENTITIES, OBSERVATIONS = 8, 8
# There are more of the real ones, which are measured only once: all ratios depend on them.
REAL_IDENTITIES = 32

# Healthy runs were measured at .35 (characters, early) to 1 of the real variety.
LEAST_VARIETY = 0.1
# A single bad measurement may come from a bad batch, or from a generator that changes from one mode to another.
PATIENCE = 5
# A generator that draws nothing of use by this step has collapsed, and is not merely slow to begin.
GRACE = 2000

ADVICE = (
    "What customarily helps: the options of flags/modern.cfg (no batch norm in the discriminator, r1, symmetric, "
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
    """How much images differ, within and between identities.

    The difference of two images is the root of their mean squared difference.

    Args:
        grid: uint8 [identities, observations, h, w, c].

    Returns:
        The mean differences over all pairs of images of one identity, and over those of two identities, as shares of
        the whole range, 0 to 1; NaN where there is no such pair.
    """
    identities, observations = grid.shape[:2]
    # Sums of products of bytes are exact in float64: equal images differ by 0, on every machine.
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


def collapse_signs(model: AdversarialModel, numbers: Mapping[str, float]) -> list[str]:
    """What is bad about the logged numbers of a step: a sentence for each sign."""
    signs = [
        f"{what} hardly differ ({name} {numbers[name]:.3f}, below {LEAST_VARIETY})"
        for name, what in (
            ("variety_between", "imagined identities"),
            ("variety_within", "images of one imagined identity"),
        )
        if numbers.get(name, math.inf) < LEAST_VARIETY
    ]
    return [*signs, *model.imbalance(numbers)]


class BadStreak:
    """The bad measurements in a row that a run has come to.

    Attributes:
        length: how many there are.
        since: step of the first of them, or None where the last measurement was good.
        was_good: whether any measurement of the run was good.
    """

    def __init__(self):
        self.length, self.since, self.was_good = 0, None, False

    @classmethod
    def after(cls, lines: Iterable[Mapping[str, float]], model: AdversarialModel) -> BadStreak:
        """What the log lines of a run add up to, the oldest first."""
        streak = cls()
        for line in lines:
            if "variety_between" in line:
                streak.note(line["step"], collapse_signs(model, line))
        return streak

    def note(self, step: int, signs: Sequence[str]) -> None:
        """Adds the measurement of a step, which is bad if it has signs of a collapse."""
        if not signs:
            self.length, self.since, self.was_good = 0, None, True
        elif self.was_good or step > GRACE:
            self.since = self.since or step
            self.length += 1

    @property
    def suspect_from(self) -> int | None:
        """The step from which on checkpoints are suspected to hold a collapsed model, or None."""
        # If no measurement was good so far, no checkpoint is worth more than the others.
        return self.since if self.was_good else None


class CollapseWatch(EverySteps):
    """Measures how much imagined images differ, and tells when the model has collapsed.

    The images are always of the same codes. Each measurement adds to the logged numbers, for the callbacks that come
    later in the list:

    - `variety_within`: how much images of one imagined identity differ, as a share of what real ones do. Near 0 the
      model ignores `z_O`. Models without a `z_O` have no such number.
    - `variety_between`: the same for images of different identities. Near 0 all codes give one image.
    - `collapse`: how many bad measurements there have been in a row, if any.

    A measurement is bad if a ratio is below .1, or if the model finds its losses out of balance (see
    `AdversarialModel.imbalance`). Several bad ones in a row are a collapse. In the first 2,000 steps they count from
    the first good one on, because a generator that has not begun to learn looks the same.

    Args:
        data: the real images to compare with.
        every: steps between measurements.
        on_collapse: `"warn"` prints a message, once for each collapse; `"stop"` raises `Collapsed`.
        patience: how many bad measurements in a row are a collapse.
        checkpoints: the run's checkpoints; the last one from before a collapse is kept and named.
        history: earlier log lines of a run that is continued, the oldest first.
    """

    # The names of the ratios that are added.
    NUMBERS = ("variety_within", "variety_between")

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
        # They are of identities that have two images, if there are any.
        several = int(np.sum(self.data.counts > 1)) or REAL_IDENTITIES
        self._real = variety(self.data.grid(min(REAL_IDENTITIES, several), OBSERVATIONS))
        self._streak = BadStreak.after(self.history, self.model)
        self._suspect()

    def run(self, step: int, logs: dict[str, Any]) -> None:
        logs.update(self._measure())
        signs = collapse_signs(self.model, logs)
        streak = self._streak
        streak.note(step, signs)
        self._suspect()
        if streak.length:
            logs["collapse"] = streak.length
        if streak.length < self.patience:
            return
        message = (
            f"The model has collapsed: at step {step:,} and {streak.length - 1} measurements before, since step "
            f"{streak.since:,}, {' and '.join(signs)}. {ADVICE}"
        )
        if self.on_collapse == "stop":
            raise Collapsed(*self._with_checkpoint(message))
        if streak.length == self.patience:
            print(message, file=sys.stderr, flush=True)

    def _measure(self) -> dict[str, float]:
        columns = OBSERVATIONS if self.model.latents.d_o else 1
        measured = variety(self.model.generate(IDENTITIES, columns))
        ratios = {
            name: value / real
            for name, value, real in zip(self.NUMBERS, measured, self._real)
            if real > 0
        }
        return {name: ratio for name, ratio in ratios.items() if math.isfinite(ratio)}

    def _suspect(self) -> None:
        if self.checkpoints is not None:
            self.checkpoints.suspect_from = self._streak.suspect_from

    def _with_checkpoint(self, message: str) -> tuple[str, int | None]:
        step = None
        if self.checkpoints is not None and self._streak.was_good:
            step = self.checkpoints.last_unsuspected()
        if step is None:
            return f"{message} There is no checkpoint from before.", None
        return f"{message} The last good checkpoint is {self.checkpoints.path(step)}.", step
