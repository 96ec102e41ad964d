"""Slow leaks: what a run uses grows week after week, in none of them by enough to be an event.

The number of runs moves the sums of a small segment more than such a growth does. So the amount per run is followed,
by week, on the scale of logarithms. A leak is a ramp above the weeks before it that is unlike chance, and more like a
ramp than like a step, which new prices make and other work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from runs_analytics.analytics.anomalies.episodes import BAND, LEAST_SPREAD, Episode, Watched
from runs_analytics.analytics.anomalies.following import BACK
from runs_analytics.analytics.anomalies.scale import MEDIAN_DISTANCES
from runs_analytics.analytics.anomalies.trailing import median_of_known

Floats = NDArray[np.float64]

LEAST_USUAL_WEEKS, MOST_USUAL_WEEKS = 6, 13
"""Weeks before a leak that say what was usual."""

SHORTEST, LONGEST = 4, 13
"""Weeks that a leak has grown for when it is seen."""

UNLIKE_CHANCE: Final = 5.5
"""A leak is so many standard errors from no growth, as each week of hundreds of series is tried, with many starts."""

LEAST_GROWTH: Final = 1.2
"""A smaller factor above what was usual is no news."""

CALM: Final = 2
"""Weeks that are as usual again end a leak."""

ACCEPTED: Final = 8
"""Weeks after a leak was seen in which what it has grown to becomes usual."""

_STEP_FITS_BY: Final = 2.0
"""What a step gains by chance alone, as where it is is free: Akaike, 1974."""

_OUTLYING: Final = 4.0


@dataclass(frozen=True, slots=True)
class Leak:
    """Steps of a leak: the first, and the first no longer in it."""

    first: int
    stop: int
    usual: float
    """Amount per run before it."""

    spread: float
    """How far single runs stray from that, as a part of it."""

    severity: float
    """Standard errors from no growth, at most."""


@dataclass(frozen=True, slots=True)
class _Usual:
    """The logarithms before each step (steps,); their level is NaN where too few are known."""

    level: Floats
    spread: Floats
    error: Floats
    """Variance of the level."""


def with_leaks(watched: Watched, amounts: Floats, runs: Floats, lump: float) -> Watched:
    """What the detector made of amounts by week, with their slow leaks, in which what so many runs used is expected.

    Args:
        watched: of the amounts.
        amounts: used in each week (steps,).
        runs: that used it (steps,).
        lump: what the amounts come in, as `watch` has it.
    """
    each = float(amounts.sum()) / max(float(runs.sum()), 1.0)
    chance = math.sqrt(max(lump / each - 1, 0.0)) if each > 0 else 0.0
    for leak in leaks_in(amounts, runs, chance):
        watched = _with_leak(watched, leak, amounts, runs)
    return watched


def leaks_in(amounts: Floats, runs: Floats, chance: float) -> tuple[Leak, ...]:
    """The slow leaks of a series by week, each week judged by those before it.

    Args:
        amounts: used in each week (steps,).
        runs: that used it (steps,).
        chance: least spread of what single runs use, as a part of what they use on average.
    """
    is_known = (amounts > 0) & (runs > 0)
    rates = np.full(len(amounts), np.nan)
    rates[is_known] = np.log(amounts[is_known] / runs[is_known])
    runs = np.maximum(runs, 1.0)
    found: list[Leak] = []
    since = 0
    while leak := _first_leak(rates[since:], runs[since:], chance):
        found.append(replace(leak, first=leak.first + since, stop=leak.stop + since))
        since += leak.stop
    return tuple(found)


def _with_leak(watched: Watched, leak: Leak, amounts: Floats, runs: Floats) -> Watched:
    steps = slice(leak.first, leak.stop)
    usual = leak.usual * runs[steps]
    width = BAND * leak.spread / np.sqrt(np.maximum(runs[steps], 1.0))
    expected, lower, upper = (each.copy() for each in (watched.expected, watched.lower, watched.upper))
    expected[steps], lower[steps], upper[steps] = usual, usual * np.exp(-width), usual * np.exp(width)
    told = Episode(
        leak.first,
        leak.stop,
        leak.first + int(np.argmax(amounts[steps] - usual)),
        float(amounts[steps].sum()),
        float(usual.sum()),
        leak.severity,
        "leak",
        leak.stop >= len(amounts),
        is_per_run=True,
    )
    others = [one for one in watched.episodes if not _is_told_by(leak, one, runs)]
    episodes = sorted([*others, told], key=lambda one: one.first_step)
    return Watched(expected, lower, upper, tuple(episodes))


def _is_told_by(leak: Leak, one: Episode, runs: Floats) -> bool:
    """Whether an episode is in the time of a leak, and for the larger part not of how many runs there are."""
    usual = leak.usual * float(runs[one.first_step : one.stop_step].sum())
    is_within = leak.first <= one.first_step and one.stop_step <= leak.stop
    return is_within and one.actual > one.expected and one.actual - usual >= (one.actual - one.expected) / 2


def _first_leak(rates: Floats, runs: Floats, chance: float) -> Leak | None:
    if len(rates) < LEAST_USUAL_WEEKS + SHORTEST:
        return None
    usual = _usual(rates, runs, chance)
    unlikely = _ramps(rates, runs, usual)
    starts, columns = np.nonzero(unlikely >= UNLIKE_CHANCE)
    ends = starts + columns
    for place in np.lexsort((-unlikely[starts, columns], ends)):
        first, at = int(starts[place]), int(ends[place])
        away = rates - usual.level[first]
        spread = float(usual.spread[first])
        if _is_ramp(away[first : at + 1] / spread, runs[first : at + 1]):
            stop = _stop(away * np.sqrt(runs) / spread, at)
            severity = float(unlikely[first, at - first : stop - first].max())
            return Leak(first, stop, math.exp(usual.level[first]), spread, severity)
    return None


def _usual(rates: Floats, runs: Floats, chance: float) -> _Usual:
    past, past_runs = (
        sliding_window_view(np.concatenate([np.full(MOST_USUAL_WEEKS, filler), each[:-1]]), MOST_USUAL_WEEKS)
        for each, filler in ((rates, np.nan), (runs, 1.0))
    )
    known = ~np.isnan(past)
    count = known.sum(axis=1)
    counted = np.maximum(count, 1)
    middle = median_of_known(past)[:, None]
    most = _OUTLYING * MEDIAN_DISTANCES * median_of_known(np.abs(past - middle))[:, None]
    cut = np.where(known, np.clip(past, middle - most, middle + most), 0.0)
    level = cut.sum(axis=1) / counted
    strayed = np.where(known, (cut - level[:, None]) ** 2 * past_runs, 0.0).sum(axis=1)
    usual_runs = np.maximum(np.where(known, past_runs, 0.0).sum(axis=1) / counted, 1.0)
    least = np.maximum(chance, LEAST_SPREAD * np.sqrt(usual_runs))
    spread = np.maximum(np.sqrt(strayed / np.maximum(count - 1, 1)), least)
    return _Usual(
        np.where(count >= LEAST_USUAL_WEEKS, level, np.nan), spread, spread**2 / usual_runs / counted
    )


def _ramps(rates: Floats, runs: Floats, usual: _Usual) -> Floats:
    """Standard errors from no growth of the ramp that begins at each step and takes so many more (steps, LONGEST).

    0 where it is too short, grew too little, or a week of it or what was usual is not known.
    """
    away, weights = (
        sliding_window_view(np.concatenate([each, np.full(LONGEST - 1, np.nan)]), LONGEST)
        for each in (rates, runs)
    )
    ramp = np.arange(1.0, LONGEST + 1)
    risen = np.cumsum(ramp * weights * (away - usual.level[:, None]), axis=1)
    squares, sums = np.cumsum(ramp**2 * weights, axis=1), np.cumsum(ramp * weights, axis=1)
    spread = usual.spread[:, None]
    unlikely = risen / spread / np.sqrt(squares + (sums / spread) ** 2 * usual.error[:, None])
    is_large = risen * ramp >= math.log(LEAST_GROWTH) * squares
    return np.asarray(np.where(is_large & (ramp >= SHORTEST), unlikely, 0.0))


def _is_ramp(away: Floats, runs: Floats) -> bool:
    """Whether what lies above the usual (steps,), in spreads, is at least as like a ramp as it is like a step."""
    ramp = np.arange(1.0, len(away) + 1)
    weighted = runs * away
    by_ramp = (weighted @ ramp) ** 2 / (runs @ ramp**2)
    after, its_runs = np.cumsum(weighted[::-1]), np.cumsum(runs[::-1])
    return bool(by_ramp + _STEP_FITS_BY >= (np.maximum(after, 0) ** 2 / its_runs).max())


def _stop(distances: Floats, at: int) -> int:
    """First step after a leak that is seen at a step: it ends when weeks are as usual, or its height is usual."""
    last = at
    for step in range(at + 1, len(distances)):
        if distances[step] >= BACK:
            last = step
        if step - last >= CALM:
            return last + 1
        if step - at >= ACCEPTED:
            return step + 1
    return len(distances)
