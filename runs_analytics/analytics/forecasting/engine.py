"""Forecast one series: back-test a field of models at rolling origins, combine them, and put bands around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from runs_analytics.analytics.forecasting.bands import Misses, bands, misses_of
from runs_analytics.analytics.forecasting.combination import combined, family_weights
from runs_analytics.analytics.forecasting.field import ORIGINS, Field, Trial, trial_of
from runs_analytics.analytics.forecasting.smoothing import Indices
from runs_analytics.analytics.forecasting.totals import Totals, totals_of
from runs_analytics.analytics.forecasting.transforms import Floats
from runs_analytics.errors import BadRequest

# Below this no back-test says anything.
LEAST_STEPS = 8
LARGEST_HORIZON = 1100


@dataclass(frozen=True)
class Accuracy:
    """What the back-test showed.

    `error` and `naive_error` are mean absolute errors over the same steps, in the unit of the series; `wape` is the
    absolute error as a part of the actual; `coverage` is the part of steps inside the band of each level in percent,
    each origin judged by a band made without it.
    """

    error: float
    naive_error: float
    wape: float | None
    coverage: Mapping[int, float]
    origins: int


@dataclass(frozen=True)
class Model:
    """A family of models and its weight in the combined forecast, from 0 to 1."""

    name: str
    weight: float


@dataclass(frozen=True)
class Forecast:
    """A forecast: `point` and `naive` have shape (horizon,), `bands` go by level in percent, models by weight."""

    point: Floats
    bands: Mapping[int, tuple[Floats, Floats]]
    naive: Floats
    models: tuple[Model, ...]
    accuracy: Accuracy
    totals: Totals

    def first(self, steps: int) -> Forecast:
        """The same forecast of its first steps; its accuracy stays that of all of them."""
        bands = {level: (low[:steps], high[:steps]) for level, (low, high) in self.bands.items()}
        totals = self.totals.first(steps)
        return replace(self, point=self.point[:steps], bands=bands, naive=self.naive[:steps], totals=totals)


def forecast(
    values: Floats | Sequence[float],
    horizon: int,
    season: int,
    levels: Sequence[int] = (80, 95),
    *,
    most_origins: int = ORIGINS,
) -> Forecast:
    """Forecast `horizon` further steps of an evenly spaced series (steps,); a season of 1 step means none.

    Fewer origins of the back-test than there are by default take less time; the bands know less then.

    Raises BadRequest for fewer than LEAST_STEPS values, for values that are not finite, and for a horizon out of range.
    """
    values = np.asarray(values, dtype=float)
    _check(values, horizon, season)
    trial = trial_of(values, horizon, season, most_origins)
    families = Field(trial, season).families()
    weights = family_weights(families)
    forecasts = np.maximum(combined(families, weights), trial.floor)
    misses = misses_of(trial, forecasts)
    point = forecasts[-1]
    naive = seasonal_naive(values, trial.ends, horizon, season)
    models = sorted(
        (Model(family.name, float(weight)) for family, weight in zip(families, weights, strict=True)),
        key=lambda model: -model.weight,
    )
    return Forecast(
        point,
        bands(misses, point, levels),
        naive[-1],
        tuple(models),
        _accuracy(trial, forecasts, naive, misses, levels),
        totals_of(trial, forecasts),
    )


def point_forecast(values: Floats, horizon: int, season: int, *, most_origins: int = ORIGINS) -> Floats:
    """The point (horizon,) of a forecast alone, in a fraction of its time; refuses what that refuses."""
    _check(values, horizon, season)
    trial = trial_of(values, horizon, season, most_origins)
    families = Field(trial, season, last=True).families()
    return np.asarray(np.maximum(combined(families, family_weights(families))[-1], trial.floor))


def seasonal_naive(values: Floats, ends: Indices, horizon: int, season: int) -> Floats:
    """The last cycle before each end repeated, shape (ends, horizon); the last value where no whole cycle is there."""
    at = ends[:, None]
    back = at + np.arange(horizon) % season - season
    return values[np.where(at >= season, back, at - 1)]


def _check(values: Floats, horizon: int, season: int) -> None:
    if len(values) < LEAST_STEPS:
        raise BadRequest(
            f"a forecast needs at least {LEAST_STEPS} values of history, and there are {len(values)}"
        )
    if not np.isfinite(values).all():
        raise BadRequest("a forecast needs a finite value for every step of its history; fill gaps first")
    if not 1 <= horizon <= LARGEST_HORIZON:
        raise BadRequest(f"horizon {horizon} must be between 1 and {LARGEST_HORIZON} steps")
    if season < 1:
        raise BadRequest(f"season {season} must be at least 1 step; 1 means no season")


def _accuracy(
    trial: Trial, forecasts: Floats, naive: Floats, misses: Misses, levels: Sequence[int]
) -> Accuracy:
    known = trial.weight > 0
    actual = trial.actual[known]
    missed = np.abs(actual - forecasts[:-1][known])
    size = float(np.abs(actual).sum())
    covered = dict.fromkeys(levels, 0.0)
    for place in range(len(trial.origins)):
        inside = known[place]
        for level, (low, high) in bands(misses.without(place), forecasts[place], levels).items():
            hit = (trial.actual[place] >= low) & (trial.actual[place] <= high)
            covered[level] += float(hit[inside].sum())
    coverage = {level: hits / len(actual) for level, hits in covered.items()}
    return Accuracy(
        float(missed.mean()),
        float(np.abs(actual - naive[:-1][known]).mean()),
        float(missed.sum()) / size if size else None,
        coverage,
        len(trial.origins),
    )
