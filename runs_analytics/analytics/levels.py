"""Where a daily series moves to another level and stays there.

The series is cut into parts of constant level by optimal partitioning (Jackson et al. 2005, "An algorithm for optimal
partitioning of data on an interval") of the squared distance, at 3 σ² ln n for each cut (the leading term of the
modified BIC, Zhang & Siegmund 2007). Single odd days are cut off first, σ is that of weekly means where it is larger,
so that noise which lasts for days is no change, and a cut that a slow drift explains as well is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]

LEAST_DAYS: Final = 14
"""Days that a level holds at least; less is an episode and no level."""

NEWEST_DAYS: Final = 7
"""Days that the newest level holds at least: how long it will is not known yet."""

LEAST_FACTOR: Final = 1.2
"""How many times larger the higher of two levels is at least."""

_PENALTY: Final = 3.0
_WINDOW_DAYS: Final = 15
_ODD_SIGMAS: Final = 3.0
_LEAST_STEP: Final = 0.5
"""Part of the difference of two levels that is left, at least, once a straight line through both is taken off."""

_NORMAL_MAD: Final = 1.4826
"""Standard deviation of a normal distribution by its median absolute deviation."""


def level_changes(values: Sequence[float]) -> tuple[int, ...]:
    """The places at which a new level begins, first to last.

    Args:
        values: one per day, without gaps; a weekly rhythm is taken off before.
    """
    given = np.asarray(values, np.float64)
    if given.size < LEAST_DAYS + NEWEST_DAYS:
        return ()
    usual = _without_odd_days(given)
    sigma = _sigma(usual)
    # The rounding of floats must not make levels of a constant series.
    cuts = _partition(usual, _PENALTY * max(sigma, 1e-9 * float(np.abs(usual).max() or 1.0)) ** 2)
    return tuple(_lasting(usual, given, cuts))


def level_of(values: Sequence[float] | Floats) -> float:
    """The level of a part: its median."""
    return float(np.median(np.asarray(values, np.float64)))


def _without_odd_days(values: Floats) -> Floats:
    """Values no further from the median of the days around them than is usual (a Hampel filter)."""
    half = _WINDOW_DAYS // 2
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, half, mode="reflect"), _WINDOW_DAYS)
    middle = np.median(windows, axis=1)
    reach = _ODD_SIGMAS * _NORMAL_MAD * float(np.median(np.abs(values - middle)))
    return np.clip(values, middle - reach, middle + reach)


def _sigma(values: Floats) -> float:
    """Standard deviation of a day's noise, the larger of two readings that neither levels nor drift reach.

    Differences of neighbouring days, and of neighbouring weeks' means, which noise that lasts for days makes larger.
    """
    steps = np.diff(values)
    daily = _spread(steps) / np.sqrt(2)
    weeks = values[: values.size // 7 * 7].reshape(-1, 7).mean(axis=1)
    weekly = _spread(np.diff(weeks)) * np.sqrt(7 / 2) if weeks.size > 2 else 0.0
    return float(max(daily, weekly))


def _spread(values: Floats) -> float:
    return float(_NORMAL_MAD * np.median(np.abs(values - np.median(values))))


def _partition(values: Floats, penalty_per_log: float) -> list[int]:
    """The cuts that make squared distance and penalties together smallest."""
    count = values.size
    penalty = penalty_per_log * float(np.log(count))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    squares = np.concatenate([[0.0], np.cumsum(values**2)])
    best = np.full(count + 1, np.inf)
    best[0] = -penalty
    before = np.zeros(count + 1, np.int64)
    for stop in range(LEAST_DAYS, count + 1):
        least = NEWEST_DAYS if stop == count else LEAST_DAYS
        starts = np.arange(stop - least + 1)
        length = stop - starts
        cost = squares[stop] - squares[starts] - (sums[stop] - sums[starts]) ** 2 / length
        whole = best[starts] + cost + penalty
        before[stop] = int(np.argmin(whole))
        best[stop] = whole[before[stop]]
    cuts, stop = [], count
    while (stop := int(before[stop])) > 0:
        cuts.append(stop)
    return cuts[::-1]


def _lasting(usual: Floats, given: Floats, cuts: list[int]) -> list[int]:
    """The cuts left when those that are no change of level are taken out, the least one first."""
    kept = list(cuts)
    while kept:
        edges = [0, *kept, given.size]
        weights = [_weight(usual, given, *edges[place : place + 3]) for place in range(len(kept))]
        least = int(np.argmin(weights))
        if weights[least] >= 1:
            return kept
        del kept[least]
    return kept


def _weight(usual: Floats, given: Floats, start: int, cut: int, stop: int) -> float:
    """How far a cut is above what is asked of it, as the lesser of two ratios; from 1 on it holds."""
    before, after = level_of(given[start:cut]), level_of(given[cut:stop])
    high, low = max(abs(before), abs(after)), min(abs(before), abs(after))
    share = (1 - low / high) if high and before * after >= 0 else 1.0
    days = np.arange(start, stop, dtype=np.float64)
    columns = np.column_stack([np.ones(days.size), days - days.mean(), days >= cut])
    step = float(np.linalg.lstsq(columns, usual[start:stop], rcond=None)[0][2])
    moved = float(usual[cut:stop].mean() - usual[start:cut].mean())
    left = step / moved if moved else 0.0
    return min(share / (1 - 1 / LEAST_FACTOR), left / _LEAST_STEP)
