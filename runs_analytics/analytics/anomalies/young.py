"""The first days of an account, of which no week is known yet: what the online detector finds improbable is told.

How improbable a step is follows from all steps before it (`online.py`). A step that is also far from the median of the
same hours of the days before is told, with the steps around it that are off on the same side.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from runs_analytics.analytics.anomalies import online
from runs_analytics.analytics.anomalies.episodes import BAND, Episode, Kind, Scale, Watched
from runs_analytics.analytics.anomalies.following import BACK
from runs_analytics.analytics.anomalies.scale import MEDIAN_DISTANCES
from runs_analytics.analytics.anomalies.trailing import filled

Floats = NDArray[np.float64]

LEAST_DAYS: Final = 2
"""Days before it that say what is usual at an hour."""

LEAST_SPREAD: Final = 0.1
"""Part of what is usual that a step may always be off, as few days say little."""

REST_STEPS: Final = 24
"""One alarm a day is enough while little is known."""

_DAY: Final = 24


def watch_first_days(
    values: Floats, *, scale: Scale = "sum", weights: Floats | None = None, lump: float = 0.0
) -> Watched:
    """Judge each hour of an account's first days (steps,) by those before it.

    Args:
        values: one for each hour, NaN where nothing is known.
        scale: what values are.
        weights: runs behind each share.
        lump: of sums: variance by chance alone in means.
    """
    expected = _usual(values)
    spread = _spread(values, expected, scale, weights, lump)
    known = np.nan_to_num(filled(values))
    scores = online.judge(known).scores
    distances = np.nan_to_num((values - expected) / spread)
    told: list[Episode] = []
    for step in np.flatnonzero(online.alarms_of(scores, rest=REST_STEPS)).tolist():
        if abs(distances[step]) >= BAND and (not told or told[-1].stop_step <= step):
            told.append(_episode(step, values, expected, distances, weights))
    lower = expected - BAND * spread
    return Watched(expected, np.maximum(lower, 0.0), expected + BAND * spread, tuple(told))


def _usual(values: Floats) -> Floats:
    """Median of the same hours of the days before each step (steps,), NaN in the first days."""
    days = -(-len(values) // _DAY)
    padded = np.full(days * _DAY, np.nan)
    padded[: len(values)] = values
    by_day = padded.reshape(days, _DAY)
    usual = np.full((days, _DAY), np.nan)
    for day in range(LEAST_DAYS, days):
        before = by_day[:day]
        enough = (~np.isnan(before)).sum(axis=0) >= LEAST_DAYS
        usual[day, enough] = np.nanmedian(before[:, enough], axis=0)
    return usual.ravel()[: len(values)]


def _spread(values: Floats, expected: Floats, scale: Scale, weights: Floats | None, lump: float) -> Floats:
    """How far steps usually lie from what is usual at their hour (steps,), by those before each."""
    size = np.abs(np.nan_to_num(expected))
    if weights is None:
        chance = np.sqrt(lump * np.maximum(size, lump))
    else:
        share = np.clip(size, 0.01, 0.99)
        chance = np.sqrt(share * (1 - share) / np.maximum(np.nan_to_num(weights), 1.0))
    least = np.maximum(chance, LEAST_SPREAD * size)
    apart = np.abs(values - expected) / np.maximum(least, 1e-12)
    times = np.ones(len(values))
    for step in range(len(values)):
        seen = apart[:step][~np.isnan(apart[:step])]
        if len(seen) >= _DAY // 2:
            times[step] = max(1.0, MEDIAN_DISTANCES * float(np.median(seen)))
    return np.asarray(np.maximum(least * times, 1e-12))


def _episode(
    step: int, values: Floats, expected: Floats, distances: Floats, weights: Floats | None
) -> Episode:
    """The steps around an alarm that are off on the same side."""
    sign = 1 if distances[step] > 0 else -1
    off = sign * distances >= BACK
    first = step
    while first > 0 and off[first - 1]:
        first -= 1
    stop = step + 1
    while stop < len(values) and off[stop]:
        stop += 1
    steps = slice(first, stop)
    counted = np.ones(stop - first) if weights is None else weights[steps] / max(weights[steps].sum(), 1e-12)
    actual, guess = (float((np.nan_to_num(one[steps]) * counted).sum()) for one in (values, expected))
    peak = first + int(np.argmax(sign * distances[steps]))
    kind: Kind = "spike" if sign > 0 else "dead" if actual == 0 else "drop"
    return Episode(first, stop, peak, actual, guess, float(sign * distances[peak]), kind, stop >= len(values))
