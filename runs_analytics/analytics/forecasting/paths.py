"""Forecast paths from smoothed states: by the smoothed trend, half the long trend, or back to the long mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runs_analytics.analytics.forecasting.smoothing import Indices, Smoothed
from runs_analytics.analytics.forecasting.transforms import Floats

# Half-lives, in cycles, with which a level goes back to the mean of all values so far.
RETURN_CYCLES = (1.0, 4.0)
LEAST_STEPS_FOR_SLOPE = 8


@dataclass(frozen=True)
class Candidates:
    """Ways to go on from smoothed states; one row a candidate, sorted by family.

    A path is level * stay[h] + mean * (1 - stay[h]) + slope * grow[h] + season.
    `column`, `family`, `way`: (candidates,); `mean`, `slope`: (origins + 1, candidates); `stay`, `grow`:
    (ways, horizon).
    """

    column: Indices
    family: Indices
    way: Indices
    mean: Floats
    slope: Floats
    stay: Floats
    grow: Floats

    def only(self, rows: Indices) -> Candidates:
        """The candidates in some rows."""
        return Candidates(
            self.column[rows],
            self.family[rows],
            self.way[rows],
            self.mean[:, rows],
            self.slope[:, rows],
            self.stay,
            self.grow,
        )


def _means_and_slopes(series: Floats, ends: Indices) -> tuple[Floats, Floats]:
    """Mean and slope of a straight line through all values before each end, for a series (steps, scales)."""
    times = np.arange(len(series), dtype=float)
    last = ends - 1
    count = ends.astype(float)
    sums, moments = np.cumsum(series, axis=0)[last], np.cumsum(times[:, None] * series, axis=0)[last]
    time_sum, time_moment = np.cumsum(times)[last], np.cumsum(times**2)[last]
    spread = np.maximum(count * time_moment - time_sum**2, 1e-9)
    slopes = (count[:, None] * moments - time_sum[:, None] * sums) / spread[:, None]
    return sums / count[:, None], np.where((ends >= LEAST_STEPS_FOR_SLOPE)[:, None], slopes, 0.0)


def candidates_of(
    smoothed: Smoothed, series: Floats, origins: Indices, horizon: int, cycle: int
) -> Candidates:
    """Every way to go on from a smoothed series (steps, scales); `cycle` is what a half-life of return counts in."""
    grid = smoothed.grid
    steps = np.arange(1, horizon + 1, dtype=float)
    means, slopes = _means_and_slopes(series, np.append(origins, len(series)))
    flat = np.flatnonzero(grid.trend_gain == 0)
    dampings, damped = np.unique(grid.damping, return_inverse=True)
    returning = [np.zeros((len(means), len(flat)))] * len(RETURN_CYCLES)
    slope = np.concatenate([smoothed.trends, 0.5 * slopes[:, grid.scale[flat]], *returning], axis=1)
    ways = 1 + len(RETURN_CYCLES)
    column = np.concatenate([np.arange(len(grid.scale)), *[flat] * ways])
    way = np.concatenate([damped, *[np.full(len(flat), len(dampings) + number) for number in range(ways)]])
    rows = np.argsort(grid.family[column], kind="stable")
    column = column[rows]
    return Candidates(
        column,
        grid.family[column],
        way[rows],
        means[:, grid.scale[column]],
        slope[:, rows],
        np.stack(
            [np.ones(horizon)] * (len(dampings) + 1)
            + [0.5 ** (steps / (cycles * cycle)) for cycles in RETURN_CYCLES]
        ),
        np.stack(
            [np.cumsum(damping**steps) for damping in dampings]
            + [steps]
            + [np.zeros(horizon)] * len(RETURN_CYCLES)
        ),
    )


def paths(
    smoothed: Smoothed,
    candidates: Candidates,
    ends: Indices,
    steps: Indices,
    kept: slice = slice(None),
) -> Floats:
    """Forecasts (kept ends, steps, candidates) on the smoothed scale, `steps` counting from 1 after each end.

    Candidates, of which there are most, lie side by side in memory, and sums are made in place.
    """
    at, ends = steps - 1, ends[kept]
    mean, slope = candidates.mean[kept, None], candidates.slope[kept, None]
    stay, grow = (
        np.take(table.T[at], candidates.way, axis=1) for table in (candidates.stay, candidates.grow)
    )
    out = (smoothed.levels[kept, None, candidates.column] - mean) * stay
    out += mean
    if grow.any():
        out += slope * grow
    if smoothed.season > 1:
        # Whole rows of neighbouring columns first: picking single columns from the states is five times as slow.
        first, last = int(candidates.column.min()), int(candidates.column.max())
        phase = (ends[:, None] + at) % smoothed.season
        seasons = smoothed.seasons[kept, :, first : last + 1]
        out += np.take(seasons[np.arange(len(ends))[:, None], phase], candidates.column - first, axis=2)
    return np.asarray(out)
