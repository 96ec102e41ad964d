"""Exponential smoothing of one series by a whole grid of parameters at once.

The recursion is additive Holt-Winters with a damped trend in error-correction form (Hyndman, Koehler, Ord and Snyder,
*Forecasting with Exponential Smoothing*, 2008, chapter 2), with errors cut at a multiple of their running
size before they
move a state (Gelper, Fried and Croux, *Robust forecasting with exponential and Holt-Winters smoothing*,
2010). One column is
one choice of parameters, so a step in time is a handful of operations on vectors and every column's states at earlier
moments come for free: they are the rolling origins of the back-test.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from runs_analytics.analytics.forecasting.transforms import Floats

Indices = NDArray[np.intp]

LEVEL_GAINS = (0.02, 0.06, 0.12, 0.2, 0.3, 0.45, 0.65, 0.9)
SEASON_GAINS = (0.0, 0.05, 0.12, 0.25, 0.5)
# (trend's gain as a part of the level's, damping); the first has no trend, the last does not damp it.
TRENDS = ((0.0, 0.0), (0.05, 0.9), (0.2, 0.9), (0.05, 0.98), (0.2, 0.98), (0.5, 0.8), (0.05, 1.0))
ERROR_CUTS = (1.5, 2.0, 4.0)

SPREAD_GAIN = 0.06
LARGEST_ERROR_SPREADS = 6.0
# Of an error that dwarfs the spread this part counts all the same: a quiet series would not follow a jump for months.
LEAST_PART_OF_ERROR = 0.1
FIRST_CYCLES = 3
FIRST_STEPS = 4
TINY = 1e-12


@dataclass(frozen=True)
class Grid:
    """One column for each choice of scale, cut, trend, level gain and season gain; a family has one scale and one cut.

    All arrays have shape (columns,); `family` counts from 0 in the order of the columns.
    """

    scale: Indices
    family: Indices
    cut: Floats
    level_gain: Floats
    trend_gain: Floats
    damping: Floats
    season_gain: Floats


@cache
def grid_of(scales: int, seasonal: bool) -> Grid:
    """The grid over a number of scales; without a season no column has a season gain."""
    season_gains = SEASON_GAINS if seasonal else (0.0,)
    rows = [
        (
            scale,
            scale * len(ERROR_CUTS) + cut,
            ERROR_CUTS[cut],
            level,
            level * trend,
            damping,
            season * (1 - level),
        )
        for scale in range(scales)
        for cut in range(len(ERROR_CUTS))
        for trend, damping in TRENDS
        for level in LEVEL_GAINS
        for season in season_gains
    ]
    scale, family, cuts, level, trend, damping, season = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    return Grid(scale, family, cuts, level, trend, damping, season)


@dataclass(frozen=True)
class Smoothed:
    """What a grid made of a series: states before each origin and after the last value, and one-step forecasts.

    `levels`, `trends`: (origins + 1, columns); `seasons`: (origins + 1, season, columns), row r for steps with
    t % season == r; `ahead`: (steps, columns), the forecast of each value from those before it; `first`: steps that set
    the first states.
    """

    grid: Grid
    season: int
    first: int
    levels: Floats
    trends: Floats
    seasons: Floats
    ahead: Floats


def _first_states(series: Floats, season: int, cycles: int) -> tuple[int, Floats, Floats, Floats]:
    """Steps used, first level (scales,), season (season, scales) and spread (scales,) of a series (steps, scales)."""
    steps, scales = series.shape
    if season == 1:
        used = min(FIRST_STEPS, steps)
        changes = np.abs(np.diff(series[: max(used, 12)], axis=0))
        spread = changes.mean(axis=0) if len(changes) else np.zeros(scales)
        return used, series[:used].mean(axis=0), np.zeros((1, scales)), spread
    cycles = max(1, min(cycles, steps // season))
    head = series[: cycles * season].reshape(cycles, season, scales)
    means = head.mean(axis=1)
    shape = (head - means[:, None]).mean(axis=0)
    spread = (
        np.abs(head - means[:, None] - shape).mean(axis=(0, 1))
        if cycles > 1
        else np.abs(shape).mean(axis=0) * 0.3
    )
    return cycles * season, means.mean(axis=0), shape, spread


def smooth(series: Floats, season: int, origins: Indices, cycles: int = FIRST_CYCLES) -> Smoothed:
    """Smooth a series of shape (steps, scales) with every column of the grid, keeping the states before each origin."""
    steps, scales = series.shape
    grid = grid_of(scales, season > 1)
    columns = len(grid.scale)
    first, level0, season0, spread0 = _first_states(series, season, cycles)
    level, trend = level0[grid.scale].copy(), np.zeros(columns)
    shape, spread = season0[:, grid.scale].copy(), spread0[grid.scale] + TINY
    kept = {int(step): place for place, step in enumerate(origins)}
    levels, trends = np.empty((2, len(origins) + 1, columns))
    seasons = np.empty((len(origins) + 1, len(shape), columns))
    ahead = np.empty((steps, columns))
    wide = series[:, grid.scale]
    for step in range(steps):
        if step in kept:
            place = kept[step]
            levels[place], trends[place], seasons[place] = level, trend, shape
        row = shape[step % len(shape)]
        trend = trend * grid.damping
        level = level + trend
        ahead[step] = level + row
        error = wide[step] - ahead[step]
        limit = grid.cut * spread
        size = np.abs(error)
        largest = np.maximum(LARGEST_ERROR_SPREADS * spread, LEAST_PART_OF_ERROR * size)
        spread = spread + SPREAD_GAIN * (np.minimum(size, largest) - spread) + TINY
        error = np.minimum(np.maximum(error, -limit), limit)
        level = level + grid.level_gain * error
        trend = trend + grid.trend_gain * error
        row += grid.season_gain * error
    levels[-1], trends[-1], seasons[-1] = level, trend, shape
    return Smoothed(grid, len(shape), first, levels, trends, seasons, ahead)
