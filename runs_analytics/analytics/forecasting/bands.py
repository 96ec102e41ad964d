"""Bands around a forecast, as wide as the combined forecast missed at the rolling origins of its back-test.

Split-conformal in kind (Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, *Distribution-free predictive inference for
regression*, 2018): misses are made comparable across steps and levels, and their weighted quantiles are put around the
forecast. How misses grow with the step (a power of it) and with the level (its power 0, a half or 1) is
chosen by likelihood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from runs_analytics.analytics.forecasting.field import Trial
from runs_analytics.analytics.forecasting.transforms import Floats

LEVEL_POWERS = (0.0, 0.5, 1.0)
LARGEST_STEP_POWER = 0.6
# Below this part of the mean size a level counts as this part, so that quiet hours keep a band.
LEAST_LEVEL = 0.05
# The weights of models were chosen on the same origins, and misses of one horizon go together: the fewer horizons the
# back-test covers, the more it flatters, and the tails most. One of four settings tried (docs/forecasts.md).
FREEDOM_PER_WINDOW = 0.65
WINDOWS_POWER = 1.5
LEAST_WINDOWS = 0.5
# How far the band leans to both sides alike: 1 is symmetric, 0 follows the misses of each side.
SYMMETRY = 0.75
# A band reaches to one side at most so many times the range of all values, or more beyond as many steps as they have.
WIDEST_RANGES = 2.0
TINY = 1e-12


@dataclass(frozen=True)
class Misses:
    """How a combined forecast missed.

    `scaled` and `weight` have shape (origins, horizon), `step_spread` and `widest`, the most that a band reaches to one
    side, (horizon,); `windows` are the horizons that the back-test covers, and `flattery` is how much more than single
    steps the misses are to be widened for these being few.
    """

    scaled: Floats
    weight: Floats
    step_spread: Floats
    level_power: float
    size: float
    windows: float
    flattery: float
    floor: float
    widest: Floats

    def spread(self, point: Floats) -> Floats:
        """The typical miss of each step of a forecast (horizon,), in its unit."""
        return self.step_spread * _level(point, self.size) ** self.level_power

    def widening(self, level: float) -> float:
        """What misses are to be multiplied with for a band of a level in percent.

        The quantile of Student's t over that of the normal distribution, to the first order (Abramowitz and Stegun,
        *Handbook of Mathematical Functions*, 26.7.5), with degrees of freedom that grow with the windows.
        """
        freedom = FREEDOM_PER_WINDOW * (self.windows + LEAST_WINDOWS) ** WINDOWS_POWER
        normal = NormalDist().inv_cdf((1 + level / 100) / 2)
        return float(1 + self.flattery * (normal**2 + 1) / (4 * freedom))

    def first(self, steps: int) -> Misses:
        """The same misses, for forecasts of the first steps only."""
        return replace(self, step_spread=self.step_spread[:steps], widest=self.widest[:steps])

    def without(self, origin: int) -> Misses:
        """The misses of the other origins, to see what a band made of them covers here."""
        if len(self.weight) == 1:
            return self
        weight = self.weight.copy()
        weight[origin] = 0.0
        return replace(self, weight=weight) if weight.any() else self


def _level(point: Floats, size: float) -> Floats:
    return np.maximum(np.abs(point), LEAST_LEVEL * size) / size


def _step_spread(missed: Floats, weight: Floats, largest_power: float) -> Floats:
    """Mean absolute miss by step as a power of the step, fitted by weighted least squares on logarithms."""
    horizon = missed.shape[1]
    steps = np.arange(1, horizon + 1, dtype=float)
    mass = weight.sum(axis=0)
    mean = (np.abs(missed) * weight).sum(axis=0) / np.maximum(mass, TINY)
    good = (mean > 0) & (mass > 0)
    if good.sum() < 3:
        flat = float((mean * mass).sum() / max(float(mass.sum()), TINY))
        return np.full(horizon, flat)
    x, z, w = np.log(steps[good]), np.log(mean[good]), mass[good]
    x_mean, z_mean = np.average(x, weights=w), np.average(z, weights=w)
    power = (w * (x - x_mean) * (z - z_mean)).sum() / ((w * (x - x_mean) ** 2).sum() + TINY)
    power = float(np.clip(power, 0.0, largest_power))
    return np.asarray(np.exp(z_mean + power * (np.log(steps) - x_mean)))


def misses_of(trial: Trial, forecasts: Floats, *, largest_step_power: float = LARGEST_STEP_POWER) -> Misses:
    """The misses of a combined forecast (origins + 1, horizon) at the origins of its trial."""
    weight = trial.weight
    known = weight > 0
    size = float(np.mean(np.abs(trial.values))) + TINY
    before = forecasts[:-1]
    missed = np.where(known, np.nan_to_num(trial.actual) - before, 0.0)
    best: tuple[float, float, Floats, Floats] | None = None
    for power in LEVEL_POWERS:
        level = _level(before, size) ** power
        by_step = _step_spread(missed / level, weight, largest_step_power) + TINY * size
        scaled = missed / level / by_step
        fit = -float(((np.log(level * by_step) + np.abs(scaled)) * weight)[known].sum())
        if best is None or fit > best[0]:
            best = (fit, power, by_step, scaled)
    assert best is not None
    windows = float((len(trial.values) - trial.origins[0]) / trial.actual.shape[1])
    return Misses(best[3], weight, best[2], best[1], size, windows, 1.0, trial.floor, _widest(trial))


def _widest(trial: Trial) -> Floats:
    """Misses by a jump to a thousand times the level are no measure of the misses at that level."""
    times = np.maximum(1.0, np.arange(1, trial.actual.shape[1] + 1) / len(trial.values))
    return np.asarray(WIDEST_RANGES * np.ptp(trial.values) * times)


def _quantile(values: Floats, weights: Floats, part: float) -> float:
    order = np.argsort(values)
    mass = np.cumsum(weights[order])
    return float(np.interp(part, (mass - 0.5 * weights[order]) / mass[-1], values[order]))


def bands(misses: Misses, point: Floats, levels: Sequence[int]) -> Mapping[int, tuple[Floats, Floats]]:
    """Lower and upper bounds (horizon,) for each level in percent, around a forecast (horizon,)."""
    known = misses.weight > 0
    scaled, weight = misses.scaled[known], misses.weight[known]
    found = {}
    for level in levels:
        spread = misses.spread(point) * misses.widening(level)
        tail = (1 - level / 100) / 2
        both = _quantile(np.abs(scaled), weight, level / 100)
        low = -SYMMETRY * both + (1 - SYMMETRY) * _quantile(scaled, weight, tail)
        high = SYMMETRY * both + (1 - SYMMETRY) * _quantile(scaled, weight, 1 - tail)
        lower = np.maximum(point - np.minimum(max(-low, 0.0) * spread, misses.widest), misses.floor)
        upper = point + np.minimum(max(high, 0.0) * spread, misses.widest)
        found[level] = (np.minimum(lower, point), upper)
    return found
