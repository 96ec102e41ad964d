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
    `column`, `family`: (candidates,); `mean`, `slope`: (origins + 1, candidates); `stay`, `grow`:
    (candidates, horizon).
    """

    column: Indices
    family: Indices
    mean: Floats
    slope: Floats
    stay: Floats
    grow: Floats

    def only(self, rows: Indices) -> Candidates:
        """The candidates in some rows."""
        return Candidates(
            self.column[rows],
            self.family[rows],
            self.mean[:, rows],
            self.slope[:, rows],
            self.stay[rows],
            self.grow[rows],
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
    columns = len(grid.scale)
    flat = np.flatnonzero(grid.trend_gain == 0)
    ones, none = np.ones((len(flat), horizon)), np.zeros((len(flat), horizon))
    stay = [np.ones((columns, horizon)), ones]
    grow = [np.cumsum(grid.damping[:, None] ** steps, axis=1), np.tile(steps, (len(flat), 1))]
    slope = [smoothed.trends, 0.5 * slopes[:, grid.scale[flat]]]
    for cycles in RETURN_CYCLES:
        stay.append(np.tile(0.5 ** (steps / (cycles * cycle)), (len(flat), 1)))
        grow.append(none)
        slope.append(np.zeros((len(means), len(flat))))
    column = np.concatenate([np.arange(columns), *[flat] * (1 + len(RETURN_CYCLES))])
    rows = np.argsort(grid.family[column], kind="stable")
    column = column[rows]
    return Candidates(
        column,
        grid.family[column],
        means[:, grid.scale[column]],
        np.concatenate(slope, axis=1)[:, rows],
        np.concatenate(stay)[rows],
        np.concatenate(grow)[rows],
    )


def paths(smoothed: Smoothed, candidates: Candidates, ends: Indices, steps: Indices) -> Floats:
    """Forecasts (origins + 1, steps, candidates) on the smoothed scale, `steps` counting from 1 after each end.

    Candidates, of which there are most, lie side by side in memory, and sums are made in place.
    """
    at = steps - 1
    mean, slope = candidates.mean[:, None], candidates.slope[:, None]
    stay, grow = candidates.stay.T[at], candidates.grow.T[at]
    out = (smoothed.levels[:, None, candidates.column] - mean) * stay
    out += mean
    if grow.any():
        out += slope * grow
    if smoothed.season > 1:
        # Whole rows of neighbouring columns first: picking single columns from the states is five times as slow.
        first, last = int(candidates.column.min()), int(candidates.column.max())
        phase = (ends[:, None] + at) % smoothed.season
        rows = smoothed.seasons[:, :, first : last + 1][np.arange(len(ends))[:, None], phase]
        out += np.take(rows, candidates.column - first, axis=2)
    return np.asarray(out)
