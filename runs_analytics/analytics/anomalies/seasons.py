"""The seasons of a series, known at each step from the steps before it.

The season of a step is the median, over the last rounds, of how far the same step of the round lay from the mean of the
round around it. Where a longer season holds a shorter one, both are known and weighted by how well each of them foresaw
the last rounds: the hours of the day after days, those of the week after weeks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runs_analytics.analytics.anomalies.trailing import (
    median_of_known,
    shifted,
    trailing_mean,
    trailing_median,
)

Floats = NDArray[np.float64]

ROUNDS: Final = 8
"""Rounds of a season whose median counts."""

SURE_ROUNDS: Final = 4
"""Rounds after which a season is known; before, what it says against the others counts as doubt."""

_SHARPNESS: Final = 4
"""How much more the season that foresaw better counts."""


@dataclass(frozen=True, slots=True)
class Seasons:
    """What the seasons add to the level at each step (steps,), and how much of it is doubt."""

    parts: Floats
    doubt: Floats


def seasons_of(values: Floats, lengths: tuple[int, ...]) -> Seasons:
    """The seasons of values (steps,), NaN where nothing is known, on a scale on which they add up.

    Args:
        values: the series.
        lengths: of its seasons in steps, shortest first.
    """
    steps = len(values)
    parts, doubt = np.zeros(steps), np.zeros(steps)
    error: Floats | None = None
    for length in lengths:
        found = _season(values, length)
        known = ~np.isnan(found)
        if error is None:
            parts, error = np.where(known, found, 0.0), _errors(values - np.nan_to_num(found), lengths[0])
            continue
        its_error = _errors(values - found, lengths[0])
        weight = error**_SHARPNESS / (error**_SHARPNESS + its_error**_SHARPNESS + 1e-300)
        weight = np.where(known, np.nan_to_num(weight), 0.0)
        sure = np.arange(steps) >= SURE_ROUNDS * length
        doubt = np.where(known & ~sure, (1 - weight) * np.abs(np.nan_to_num(found) - parts), doubt)
        parts = parts + weight * (np.nan_to_num(found) - parts)
    return Seasons(parts, doubt)


def _season(values: Floats, length: int) -> Floats:
    """Median of the last rounds at each step (steps,), NaN in the first ones."""
    away = values - _around(values, length)
    steps = len(values)
    rounds = np.full((min(ROUNDS, max((steps - 1) // length, 1)), steps), np.nan)
    for row in range(len(rounds)):
        lag = (row + 1) * length
        if lag < steps:
            rounds[row, lag:] = away[:-lag]
    return median_of_known(rounds.T)


def _around(values: Floats, length: int) -> Floats:
    """Median of the round around each step (steps,): known half a round later."""
    later = length // 2
    found = trailing_median(values, length, length // 2 + 1)
    return np.concatenate([found[later:], np.full(min(later, len(found)), np.nan)])


def _errors(level: Floats, shortest: int) -> Floats:
    """How far the level strayed from a slow one over the last rounds (steps,): what a season leaves unforeseen."""
    slow = shifted(trailing_mean(level, 7 * shortest, shortest))
    return shifted(trailing_mean(np.abs(level - slow), 14 * shortest, shortest))
