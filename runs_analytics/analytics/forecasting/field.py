"""The field of models: families of smoothed candidates and seasonal naive means, with their back-test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runs_analytics.analytics.forecasting.paths import Candidates, candidates_of, paths
from runs_analytics.analytics.forecasting.smoothing import ERROR_CUTS, FIRST_CYCLES, Indices, Smoothed, smooth
from runs_analytics.analytics.forecasting.transforms import Floats, Scale, scales_for

ORIGINS = 24
# Steps of the horizon at which candidates are compared; the whole path is made for those that count.
COMPARED_STEPS = 12
# Weight of a step that lies a whole history back, as a power of a half.
HALF_LIVES_IN_HISTORY = 2.5
ONE_STEP_PART = 0.25
SHARPNESS_WITHIN = 30.0
LEAST_WEIGHT = 2e-3
NAIVE_CYCLES = (1, 2, 4)
# A longer season that people and calendars bring, and the cycles of it that must be there.
LONG_SEASONS = {24: (168, 1.5), 1: (52, 3.0), 7: (364, 3.0)}


@dataclass(frozen=True)
class Family:
    """One family: name, `forecasts` (origins + 1, horizon) or the last row of them alone, log of its error against the
    reference, and `windows`, the horizons of back-test that it was compared over."""

    name: str
    forecasts: Floats
    log_error: float
    windows: float


@dataclass(frozen=True)
class Trial:
    """The back-test that all families share.

    `origins`: (origins,), how many values came before; `actual`: (origins, horizon), nan after the end;
    `weight`: the same shape, 0 where there is no value; `step_weight`: (steps,); `floor`: the least value that a
    forecast may have; `ceiling`: (origins + 1, horizon), the largest one.
    """

    values: Floats
    origins: Indices
    actual: Floats
    weight: Floats
    step_weight: Floats
    floor: float
    ceiling: Floats

    @property
    def ends(self) -> Indices:
        """The origins and the end of the series."""
        return np.append(self.origins, len(self.values))


def trial_of(values: Floats, horizon: int, season: int, most_origins: int = ORIGINS) -> Trial:
    """Rolling origins over a series, spread evenly over all but its first steps."""
    steps = len(values)
    first = max(4, min(3 * season, steps // 2)) if season > 1 else max(6, steps // 4)
    first = min(first, steps - 1)
    origins = np.unique(
        np.linspace(first, steps - 1, min(most_origins, steps - first)).round().astype(np.intp)
    )
    target = origins[:, None] + np.arange(horizon)
    known = target < steps
    actual = np.where(known, values[np.minimum(target, steps - 1)], np.nan)
    weight = 0.5 ** (HALF_LIVES_IN_HISTORY * (steps - origins) / steps)
    step_weight = 0.5 ** (HALF_LIVES_IN_HISTORY * (1 - np.arange(steps) / steps))
    floor = 0.0 if (values >= 0).all() else -np.inf
    ceiling = _ceiling(values, np.append(origins, steps), horizon)
    return Trial(values, origins, actual, weight[:, None] * known, step_weight, floor, ceiling)


def _ceiling(values: Floats, ends: Indices, horizon: int) -> Floats:
    """The largest value that a forecast from each end may have, shape (ends, horizon).

    In as many steps as there were a series grows at most by the range it had: a trend on the scale of logarithms,
    fitted to a few steps after a jump, would reach any number.
    """
    largest, least = np.maximum.accumulate(values)[ends - 1], np.minimum.accumulate(values)[ends - 1]
    times = np.maximum(1.0, np.arange(1, horizon + 1) / ends[:, None])
    return np.asarray(largest[:, None] + (largest - least)[:, None] * times)


def seasons_for(steps: int, season: int) -> tuple[int, ...]:
    """The seasons to try: none, the one given when two cycles are there, and a longer one that usually goes with it."""
    found = [1]
    if season > 1 and steps >= 2 * season:
        found.append(season)
    longer, cycles = LONG_SEASONS.get(season, (0, 0.0))
    if longer and steps >= cycles * longer:
        found.append(longer)
    return tuple(found)


@dataclass(frozen=True)
class _Reference:
    """What errors are divided by, cell by cell: a good quantile of a plain family's errors."""

    ahead: Floats
    steps: Floats
    tiny: float


class Field:
    """Makes the families of one series; the first season made gives the reference of the errors.

    Families that know their `last` forecasts only take far less time: those at the origins have one row instead of all.
    """

    def __init__(self, trial: Trial, season: int, *, last: bool = False) -> None:
        self._trial = trial
        self._kept = slice(-1, None) if last else slice(None)
        self._season = season
        self._scales = scales_for(trial.values)
        self._series = np.stack([scale.to(trial.values) for scale in self._scales], axis=1)
        self._horizon = trial.actual.shape[1]
        count = min(COMPARED_STEPS, self._horizon)
        self._compared = np.unique(np.linspace(1, self._horizon, count).round().astype(np.intp))
        self._reference: _Reference | None = None

    def families(self) -> list[Family]:
        """All families, plain first, then of each season, then the seasonal naive means."""
        seasons = seasons_for(len(self._trial.values), self._season)
        made = [family for season in seasons for family in self._smoothed(season)]
        return made + [family for season in seasons if season > 1 for family in self._naive(season)]

    def _back(self, scale: Scale, values: Floats) -> Floats:
        """The values themselves from a scale, made in place."""
        found = scale.back(values)
        return np.maximum(found, self._trial.floor, out=found)

    def _smoothed(self, season: int) -> list[Family]:
        trial = self._trial
        cycles = FIRST_CYCLES if season <= self._season else 1
        smoothed = smooth(self._series, season, trial.origins, cycles)
        cycle = season if season > 1 else max(self._season, 4) if self._season > 1 else 13
        candidates = candidates_of(smoothed, self._series, trial.origins, self._horizon, cycle)
        made = []
        for number in range(len(self._scales) * len(ERROR_CUTS)):
            rows = np.flatnonzero(candidates.family == number)
            found = self._family(smoothed, candidates.only(rows), number, season)
            if found:
                made.append(found)
        return made

    def _family(self, smoothed: Smoothed, candidates: Candidates, number: int, season: int) -> Family | None:
        trial, scale = self._trial, self._scales[number // len(ERROR_CUTS)]
        weight = trial.weight * (trial.origins >= smoothed.first)[:, None]
        if not weight.any():
            return None
        at = self._compared - 1
        missed = self._back(scale, paths(smoothed, candidates, trial.ends, self._compared)[:-1])
        missed -= np.nan_to_num(trial.actual[:, at])[:, :, None]
        np.abs(missed, out=missed)
        columns = np.flatnonzero(smoothed.grid.family == number)
        ahead = np.abs(self._back(scale, smoothed.ahead[:, columns]) - trial.values[:, None])
        if self._reference is None:
            tiny = float(np.mean(np.abs(trial.values))) * 1e-6 + 1e-12
            self._reference = _Reference(
                np.quantile(missed, 0.25, axis=2), np.quantile(ahead, 0.25, axis=1), tiny
            )
        log_error = self._log_error(missed, self._reference.ahead, weight[:, at])
        step_weight = trial.step_weight * (np.arange(len(trial.values)) >= smoothed.first)
        if step_weight.any():
            one = _relative(
                step_weight @ ahead,
                float(step_weight @ self._reference.steps),
                float(step_weight.sum()),
                self._reference.tiny,
            )
            log_error = (1 - ONE_STEP_PART) * log_error + ONE_STEP_PART * one[candidates.column - columns[0]]
        weights = np.exp(-SHARPNESS_WITHIN * (log_error - log_error.min()))
        chosen = np.flatnonzero(weights > LEAST_WEIGHT)
        weights = weights[chosen] / weights[chosen].sum()
        steps, kept = np.arange(1, self._horizon + 1), self._kept
        whole = paths(smoothed, candidates.only(chosen), trial.ends, steps, kept)
        forecasts = np.minimum(self._back(scale, whole), trial.ceiling[kept, :, None]) @ weights
        cut = ERROR_CUTS[number % len(ERROR_CUTS)]
        name = f"smoothing, season {season}, {scale.name}, cut {cut:g}"
        return Family(name, forecasts, float(weights @ log_error[chosen]), self._windows(weight))

    def _naive(self, season: int) -> list[Family]:
        trial = self._trial
        ends = trial.ends
        means = []
        for cycles in NAIVE_CYCLES:
            at = (
                ends[:, None, None]
                + np.arange(self._horizon) % season
                - season * np.arange(1, cycles + 1)[:, None]
            )
            there = at >= 0
            sums = np.where(there, trial.values[np.maximum(at, 0)], 0.0).sum(axis=1)
            if cycles == 1 or len(trial.values) >= (cycles + 1) * season:
                means.append(sums / np.maximum(there.sum(axis=1), 1))
        forecasts = np.stack(means, axis=2)
        weight = trial.weight * (trial.origins >= season)[:, None]
        if not weight.any() or self._reference is None:
            return []
        at = self._compared - 1
        missed = np.abs(forecasts[:-1][:, at] - np.nan_to_num(trial.actual[:, at])[:, :, None])
        log_error = self._log_error(missed, self._reference.ahead, weight[:, at])
        weights = np.exp(-SHARPNESS_WITHIN * (log_error - log_error.min()))
        weights /= weights.sum()
        combined = forecasts[self._kept] @ weights
        return [
            Family(
                f"seasonal naive, season {season}",
                combined,
                float(weights @ log_error),
                self._windows(weight),
            )
        ]

    def _log_error(self, missed: Floats, reference: Floats, weight: Floats) -> Floats:
        tiny = self._reference.tiny if self._reference else 1e-12
        return _relative(
            weight.ravel() @ missed.reshape(weight.size, -1),
            float((reference * weight).sum()),
            float(weight.sum()),
            tiny,
        )

    def _windows(self, weight: Floats) -> float:
        tested = len(self._trial.values) - self._trial.origins[weight.any(axis=1)][0]
        return float(tested / self._horizon)


def _relative(error: Floats, reference: float, weight: float, tiny: float) -> Floats:
    return np.log((error + tiny * weight) / (reference + tiny * weight))
