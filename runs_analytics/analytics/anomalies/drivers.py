"""Whose event it is: the value of a dimension that the watched series themselves say drives it.

What a value would have had is the mean of the like steps of the rounds before (the same hours of the days before, the
same days of the weeks before), brought half of the way to the level of the last round: a level of one round is
uncertain, and one of all rounds is old. Which value explains the change of all is ranked as causes are (`causes.rank`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runs_analytics.analytics.anomalies.causes import LEAST_SHARE, NARROWEST, Cause, ranked
from runs_analytics.analytics.anomalies.segments import STEP, Grain, Series

Floats = NDArray[np.float64]

ROUNDS: Final[dict[Grain, tuple[int, int]]] = {"hour": (24, 7), "day": (7, 4), "week": (1, 8)}
"""Steps of a round of the season, and how many rounds before an event say what was usual."""

OTHERS_LIKE_IT: Final = 0.6
"""A value does not stand out where the others changed by such a part of its change, on the scale of logarithms."""

_MOST_GROWTH: Final = 10.0
_LEAST_PART: Final = 1e-3


def drivers(lead: Series, first: int, stop: int, beside: Iterable[Series]) -> tuple[Cause, ...]:
    """The values that may drive what a series shows in its steps from `first` to before `stop`, the best one first.

    Args:
        lead: the series that shows it best.
        first: first step of it.
        stop: first step after it.
        beside: the other watched series; those of other measures and lengths of steps do not count.
    """
    rows: list[tuple[str, str, float, float]] = []
    for series in beside:
        if (series.measure, series.grain) != (lead.measure, lead.grain) or not series.segment.dimension:
            continue
        later = (series.first - lead.first) // STEP[series.grain]
        if first - later >= 1:
            rows.append(
                (
                    series.segment.dimension,
                    series.segment.value,
                    *amounts(series, first - later, stop - later),
                )
            )
    causes = ranked((*row, 1.0) for row in rows)
    found = [one for one in causes if one.share >= LEAST_SHARE and _stands_out(one, rows)]
    return tuple(sorted(found, key=lambda one: _place(one, found[0])))


def _stands_out(cause: Cause, rows: Sequence[tuple[str, str, float, float]]) -> bool:
    """Whether the other values of its dimension did not change like it, all in all."""
    others = [row for row in rows if row[0] == cause.dimension and row[1] != cause.value]
    change = _change(sum(row[2] for row in others), sum(row[3] for row in others))
    own = _change(cause.actual, cause.expected)
    return not others or OTHERS_LIKE_IT * abs(own) > (change if own > 0 else -change)


def _change(actual: float, expected: float) -> float:
    return math.log(max(actual, _LEAST_PART) / max(expected, _LEAST_PART))


def _place(cause: Cause, first: Cause) -> int:
    """Of values that have the same runs as the first, the narrowest comes first; the others follow as they were."""
    is_same = math.isclose(cause.actual, first.actual) and math.isclose(cause.expected, first.expected)
    return NARROWEST.index(cause.dimension) if is_same else len(NARROWEST)


def amounts(series: Series, first: int, stop: int, since: int | None = None) -> tuple[float, float]:
    """What there was in some steps, and what would have been; of levels, times the runs that have them.

    Args:
        series: whose.
        first: first step.
        stop: first step after them.
        since: only steps before this one say what was usual; those before `first` if None.
    """
    season, rounds = ROUNDS[series.grain]
    since = max(first if since is None else since, 1)
    values = series.array()
    if not series.weights:
        return float(values[first:stop].sum()), usual_before(values, first, stop, season, rounds, since)
    values, runs = np.nan_to_num(values), np.frombuffer(series.weights)
    usual, usual_runs = (
        usual_before(each, first, stop, season, rounds, since) for each in (values * runs, runs)
    )
    now = float(runs[first:stop].sum())
    return float((values * runs)[first:stop].sum()), now * usual / max(usual_runs, _LEAST_PART)


def usual_before(values: Floats, first: int, stop: int, season: int, rounds: int, since: int) -> float:
    """What the steps from `first` to before `stop` would have had by the rounds before `since`.

    Args:
        values: amounts of each step (steps,).
        first: of them.
        stop: after `first`.
        season: steps of a round.
        rounds: how many of them count.
        since: at least 1, at most `first`.
    """
    clear = -(-(stop - since) // season)
    like = _mean_before(values, first, stop, season, range(clear, clear + rounds))
    last_from = max(since - season, 0)
    last = float(values[last_from:since].sum())
    if like is None:
        return last / (since - last_from) * (stop - first)
    before = _mean_before(values, last_from, since, season, range(1, 1 + rounds))
    if before is None:
        return like
    least = _LEAST_PART * max(last, before)
    growth = (last + least) / (before + least) if least > 0 else 1.0
    return like * math.sqrt(min(max(growth, 1 / _MOST_GROWTH), _MOST_GROWTH))


def _mean_before(values: Floats, first: int, stop: int, season: int, lags: range) -> float | None:
    sums = [
        float(values[first - lag * season : stop - lag * season].sum())
        for lag in lags
        if first - lag * season >= 0
    ]
    return sum(sums) / len(sums) if sums else None
