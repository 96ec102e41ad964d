"""What the coming steps add up to, and how likely that is more than an amount.

The back-test is read once more with running totals in place of single steps, so that misses which go the same way for
days, as they do, widen a total as much as they did in the past.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from runs_analytics.analytics.forecasting.bands import SYMMETRY, TINY, Misses, bands, misses_of
from runs_analytics.analytics.forecasting.field import Trial
from runs_analytics.analytics.forecasting.transforms import Floats

# A total misses by a part of each step when these go different ways, and by all of it when they go the same.
LARGEST_STEP_POWER = 1.6
# How far each miss of the past is smeared, in mean misses: few are known, and none repeats itself exactly.
SMEAR = 0.18
# A total is known at few origins that do not overlap, so its misses flatter more than those of single steps.
FLATTERY = 1.6
# The level in percent whose widening chances take.
CHANCE_LEVEL = 80


@dataclass(frozen=True)
class Totals:
    """Running totals of a forecast: `point` has shape (horizon,), the sum of the steps up to each."""

    point: Floats
    misses: Misses

    def first(self, steps: int) -> Totals:
        """The totals up to each of the first steps."""
        return Totals(self.point[:steps], self.misses.first(steps))

    def bands(self, levels: Sequence[int]) -> Mapping[int, tuple[Floats, Floats]]:
        """Lower and upper bounds (horizon,) of the running total for each level in percent."""
        return bands(self.misses, self.point, levels)

    def chance_above(self, amounts: Floats) -> Floats:
        """How likely the running total at each step is more than an amount (horizon,), from 0 to 1.

        The part of past misses that would have brought it there, each smeared by a logistic curve; misses to
        both sides count alike as far as they do for the bands.
        """
        known = self.misses.weight > 0
        scaled, weight = self.misses.scaled[known], self.misses.weight[known]
        spread = self.misses.spread(self.point) * self.misses.widening(CHANCE_LEVEL)
        room = (np.asarray(amounts, dtype=float) - self.point) / np.maximum(spread, TINY)
        own = _above(room, scaled, weight)
        mirrored = _above(room, -scaled, weight)
        return (1 - SYMMETRY / 2) * own + SYMMETRY / 2 * mirrored


def totals_of(trial: Trial, forecasts: Floats) -> Totals:
    """The running totals of a combined forecast (origins + 1, horizon), judged at the origins of its trial."""
    added = replace(trial, actual=np.cumsum(trial.actual, axis=1))
    running = np.cumsum(forecasts, axis=1)
    misses = misses_of(added, running, largest_step_power=LARGEST_STEP_POWER)
    return Totals(running[-1], replace(misses, flattery=FLATTERY, widest=np.cumsum(misses.widest)))


def _above(room: Floats, scaled: Floats, weight: Floats) -> Floats:
    """The weighted part of smeared misses (misses,) above each of room (horizon,)."""
    away = np.clip((scaled[None, :] - room[:, None]) / SMEAR, -50.0, 50.0)
    return np.asarray((weight / (1 + np.exp(-away))).sum(axis=1) / weight.sum())
