"""An online detector: how improbable each value of a series is, seen in several ways, by the values before it.

Each view turns the series into one whose large values are unusual: the distance from the usual level, that of
short, middle
and long means, and how much the values scatter over the same lengths. A value's improbability in a view is the negative
decimal logarithm of its tail probability among the earlier values of the view: empirical below their 95th
percentile, above
it an exponential tail fitted to the excesses (the peaks-over-threshold idea of Siffer, Fouque, Termier and Largouet,
*Anomaly detection in streams with extreme value theory*, 2017). The score is the mean over the views.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

USUAL_STEPS: Final = 600
"""The usual level is the median of so many values before."""

LENGTHS: Final = (6, 24, 72)
LEAST_HISTORY: Final = 50
"""Values before the first one that is judged."""

TAIL: Final = 0.05
LARGEST: Final = 5.0
"""Improbability in one view counts up to 1 in 100,000, so that no view decides alone."""

THRESHOLD: Final = 2.0
"""An alarm: over the views, on the mean of logarithms, at most 1 in 100."""

REST_STEPS: Final = 200
"""Steps after an alarm without another one: one event is told once."""

_LARGEST_BLOCK: Final = 50


@dataclass(frozen=True)
class Judged:
    """Scores (steps,), 0 before there is enough history, and whether each step starts an alarm."""

    scores: Floats
    alarms: NDArray[np.bool_]


def judge(values: Floats, threshold: float = THRESHOLD) -> Judged:
    """Judge each value of an evenly spaced series (steps,) by those before it.

    No value's score depends on a later one.
    """
    values = np.asarray(values, dtype=float)
    if len(values) <= LEAST_HISTORY:
        return Judged(np.zeros(len(values)), np.zeros(len(values), dtype=bool))
    improbable = [improbability(view) for view in views(values).values()]
    scores = np.asarray(np.mean(improbable, axis=0))
    return Judged(scores, alarms_of(scores, threshold))


def views(values: Floats) -> Mapping[str, Floats]:
    """The views of a series, each (steps,), by name."""
    series = pl.Series(values)
    median = series.rolling_median(USUAL_STEPS, min_samples=1).to_numpy()
    usual = np.concatenate([values[:1], median[:-1]])
    found = {"level": np.abs(values - usual)}
    for length in LENGTHS:
        mean = series.rolling_mean(length, min_samples=1).to_numpy()
        scatter = series.rolling_std(length, min_samples=2, ddof=0).fill_null(0.0)
        found[f"mean of {length}"] = np.abs(mean - usual)
        found[f"scatter of {length}"] = scatter.fill_nan(0.0).to_numpy()
    return found


def improbability(view: Floats) -> Floats:
    """How improbable each value of a view (steps,) is by the values before it: 2 is 1 in 100; at most LARGEST.

    What is known of the past is brought up to date every few steps, at least every 50.
    """
    found = np.zeros(len(view))
    start = LEAST_HISTORY
    while start < len(view):
        end = min(len(view), start + int(np.clip(start // 40, 1, _LARGEST_BLOCK)))
        found[start:end] = _by_past(view[start:end], np.sort(view[:start]))
        start = end
    return np.minimum(found, LARGEST)


def _by_past(values: Floats, past: Floats) -> Floats:
    """Improbability of values against the sorted past."""
    edge = past[int((1 - TAIL) * (len(past) - 1))]
    excess = past[past > edge] - edge
    mean_excess = max(float(excess.mean()) if len(excess) else 0.0, 1e-9 * (abs(float(edge)) + 1e-12))
    at_least = len(past) - np.searchsorted(past, values, side="left")
    inside = np.minimum(-np.log10((at_least + 1) / (len(past) + 1)), -np.log10(TAIL))
    outside = -np.log10(TAIL) + (values - edge) / mean_excess / np.log(10)
    return np.asarray(np.where(values > edge, outside, inside))


def alarms_of(scores: Floats, threshold: float = THRESHOLD, rest: int = REST_STEPS) -> NDArray[np.bool_]:
    """Where an alarm starts: a score at the threshold or above, and none in the steps of rest before it."""
    alarms = np.zeros(len(scores), dtype=bool)
    free_from = 0
    for step in np.flatnonzero(scores >= threshold).tolist():
        if step >= free_from:
            alarms[step] = True
            free_from = step + rest + 1
    return alarms
