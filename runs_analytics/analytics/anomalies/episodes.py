"""Episodes: each event in a series told once, from its first unusual step to its last.

What returns with the season is known from the rounds before (`seasons.py`) and taken out: as a factor where values add
up, as a difference where they are means or rates. What is left is followed step by step (`following.py`), on the
scale of square roots, on which the chance of counts is everywhere alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from runs_analytics.analytics.anomalies.following import (
    ACCEPT_ROUNDS,
    ONE_OF_MANY,
    ONE_SERIES,
    Follower,
    Span,
)
from runs_analytics.analytics.anomalies.scale import rooted, squared
from runs_analytics.analytics.anomalies.seasons import seasons_of
from runs_analytics.analytics.anomalies.trailing import (
    before,
    shifted,
    trailing_mean,
    trailing_median,
    trailing_sum,
)

Floats = NDArray[np.float64]
Scale = Literal["sum", "share", "mean"]
"""What adds up; parts of 1; other means."""

Kind = Literal["spike", "drop", "rise", "fall", "leak", "dead"]

JUDGED_ROUNDS: Final = 3
"""Rounds of the shortest season before the first step that is judged."""

SPARSE: Final = 0.5
"""Where fewer steps than this part have usage, one usual run is no event, and no season is known."""

BAND: Final = 3.0
"""Half the width of the expected band, in spreads."""

LEAST_SPREAD: Final = 0.025
"""Part of the usual size that is within what is usual, however regular a series is."""

SMALL: Final = 0.1
"""Values below this part of the usual size differ little from zero."""

_SIZE_ROUNDS: Final = 28
_LEAST_FACTOR: Final = 0.05
_NO_SEASON: Final = 7
_WEIGHT_STEPS: Final = 60
_MOST_BIAS: Final = 8.0


@dataclass(frozen=True, slots=True)
class Episode:
    """One event of a series."""

    first_step: int
    stop_step: int
    """First step that no longer belongs to it."""

    peak_step: int
    actual: float
    """Sum over its steps; of a level the mean, weighted."""

    expected: float
    severity: float
    """Largest difference, in spreads of such differences before."""

    kind: Kind
    is_open: bool
    """Whether it still goes on at the last step."""

    is_per_run: bool = False
    """Whether it is of what a run uses, however many there are (`leaks.py`)."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A series beside what was expected of each step (steps,): NaN before there is enough history."""

    expected: Floats
    lower: Floats
    upper: Floats
    episodes: tuple[Episode, ...]

    def during(
        self, other: Episode, first: int, stop: int, values: Floats, weights: Floats | None
    ) -> Episode:
        """What this series, of such values and weights, shows in the time of an episode of another one."""
        steps = slice(max(first, 0), stop)
        actual, expected = values[steps], self.expected[steps]
        known = ~np.isnan(actual) & ~np.isnan(expected)
        counted = known.astype(float)
        if weights is not None:
            counted = np.where(known, weights[steps], 0.0)
            counted = counted / max(float(counted.sum()), 1e-12)
        return replace(
            other,
            first_step=steps.start,
            stop_step=stop,
            peak_step=steps.start + int(np.argmax(np.abs(np.nan_to_num(actual - expected)))),
            actual=float((np.nan_to_num(actual) * counted).sum()),
            expected=float((np.nan_to_num(expected) * counted).sum()),
        )


def watch(
    values: Floats,
    *,
    seasons: tuple[int, ...],
    scale: Scale = "sum",
    weights: Floats | None = None,
    lump: float = 0.0,
    is_one_of_many: bool = False,
) -> Watched:
    """Judge each step of an evenly spaced series (steps,) by those before it.

    Args:
        values: one for each step, NaN where nothing is known.
        seasons: lengths in steps, shortest first.
        scale: what values are.
        weights: runs behind each share or mean; more of them make it more certain.
        lump: what sums come in: their variance by chance alone is so many times their mean (1: counts of runs).
        is_one_of_many: whether it is one of many series that are watched, so that chance must be rarer.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        nothing = np.full(len(values), np.nan)
        return Watched(nothing, nothing, nothing, ())
    runs = np.ones(len(values)) if weights is None else np.nan_to_num(np.asarray(weights, dtype=float))
    season = seasons[0] if seasons else _NO_SEASON
    judged_from = max(JUDGED_ROUNDS * season, *seasons, 1)
    usual_runs = _usual_weights(runs) if weights is not None else runs
    flat = _flat(values, seasons or (_NO_SEASON,), scale, lump, usual_runs)
    sureness = ONE_OF_MANY if is_one_of_many else ONE_SERIES
    follower = Follower(season, judged_from, sureness, is_rooted=scale == "sum")
    certainty = np.sqrt(np.clip(runs / usual_runs, 0.01, 4)) if weights is not None else runs
    follower.follow(flat.values, flat.factors, flat.least, flat.doubt, certainty)
    middle, spread = np.array(follower.levels), np.array(follower.spreads)
    steps = np.arange(len(values))
    bands = tuple(
        np.where(steps >= judged_from, flat.back(middle + width * spread, scale), np.nan)
        for width in (0, -BAND, BAND)
    )
    expected, lower, upper = bands if scale == "mean" else _unbiased(bands, values, runs, season, scale)
    distances = np.nan_to_num((flat.values - middle) / spread)
    told = [
        _told(each, values, expected, distances, runs, season, is_mean=scale != "sum")
        for each in follower.spans
    ]
    return Watched(expected, lower, upper, tuple(told))


@dataclass(frozen=True, slots=True)
class _Flat:
    """A series (steps,) without its seasons, on the scale on which chance is everywhere alike."""

    values: Floats
    parts: Floats
    """What the seasons add; of sums they multiply instead."""

    factors: Floats
    least: Floats
    doubt: Floats

    def back(self, scaled: Floats, scale: Scale) -> Floats:
        """Values of that scale (steps,) as those of the series."""
        if scale == "sum":
            return np.asarray(self.factors * squared(scaled))
        whole = scaled + self.parts
        return np.asarray(np.sin(np.clip(whole, 0, np.pi / 2)) ** 2 if scale == "share" else whole)


def _flat(values: Floats, seasons: tuple[int, ...], scale: Scale, lump: float, usual_runs: Floats) -> _Flat:
    if scale == "sum":
        size, busy = _usual_size(values, seasons[0])
        known = seasons_of(_eased(values, SMALL * size), seasons)
        is_sparse = busy < SPARSE
        factors = np.where(is_sparse, 1.0, np.maximum(np.exp(known.parts), _LEAST_FACTOR))
        reach = np.sqrt(size / busy)
        least = np.maximum(np.where(is_sparse, 1.0, LEAST_SPREAD) * reach, 0.5 * np.sqrt(lump / factors))
        return _Flat(rooted(values / factors), known.parts, factors, least, known.doubt * reach / 2)
    eased = np.arcsin(np.sqrt(np.clip(values, 0, 1))) if scale == "share" else values
    size, _ = _usual_size(eased, seasons[0])
    known = seasons_of(eased, seasons)
    least = LEAST_SPREAD * size
    if scale == "share":
        # The spread of a share on this scale, whatever it is: Anscombe, 1948.
        least = np.maximum(least, 0.5 / np.sqrt(usual_runs))
    return _Flat(eased - known.parts, known.parts, np.ones(len(values)), least, known.doubt)


def _unbiased(
    bands: tuple[Floats, ...], values: Floats, weights: Floats, season: int, scale: Scale
) -> tuple[Floats, Floats, Floats]:
    """Expectation and its band, so that what was expected of the last weeks adds up to what there was.

    What is level on the scale of square roots lies below the mean where values differ much. Values outside the band
    count as its edge. Of sums the expectation grows by a part of it, of shares by an amount.
    """
    expected, lower, upper = bands
    known = ~np.isnan(values * expected)
    actual, guessed, weight = (
        np.nan_to_num(before(trailing_sum(np.where(known, one, np.nan), _SIZE_ROUNDS * season, season)))
        for one in (np.clip(values, lower, upper) * weights, expected * weights, weights)
    )
    if scale == "share":
        moved = (actual - guessed) / np.maximum(weight, 1e-9)
    else:
        is_known = (actual > 0) & (guessed > 0)
        growth = np.where(is_known, actual / np.where(is_known, guessed, 1.0), 1.0)
        moved = (np.clip(growth, 1 / _MOST_BIAS, _MOST_BIAS) - 1) * expected
    return expected + moved, lower + moved, upper + moved


def _usual_size(values: Floats, season: int) -> tuple[Floats, Floats]:
    """Mean size of the last weeks before each step (steps,), never zero, and the share of them that are not zero."""
    sizes = np.abs(values)
    is_busy = np.where(np.isnan(sizes), np.nan, (sizes != 0).astype(float))
    mean, busy = (before(trailing_mean(one, _SIZE_ROUNDS * season, 1)) for one in (sizes, is_busy))
    first = np.flatnonzero(~np.isnan(mean))[:1]
    for past in (mean, busy):
        past[np.isnan(past)] = past[first[0]] if len(first) else 0.0
    return np.maximum(mean, 1e-9), np.maximum(busy, 1e-3)


def _eased(values: Floats, small: Floats) -> Floats:
    """Logarithms, straight around zero: what multiplies adds up, and nothing is endlessly far from zero."""
    return np.asarray(np.arcsinh(values / (2 * small)) + np.log(small))


def _usual_weights(weights: Floats) -> Floats:
    usual_weight = shifted(trailing_median(weights, _WEIGHT_STEPS, 1))
    usual_weight[0] = 1.0
    return np.asarray(np.maximum(usual_weight, 1.0))


def _told(
    span: Span,
    values: Floats,
    expected: Floats,
    distances: Floats,
    runs: Floats,
    season: int,
    *,
    is_mean: bool,
) -> Episode:
    steps = slice(span.first, span.stop)
    actual, guess, part = (
        values[steps],
        expected[steps],
        runs[steps] if is_mean else np.ones(span.stop - span.first),
    )
    known = ~np.isnan(actual) & ~np.isnan(guess)
    counted = np.where(known, part, 0.0) / (max(float(part[known].sum()), 1e-12) if is_mean else 1.0)
    return Episode(
        span.first,
        span.stop,
        span.first + int(np.argmax(span.sign * distances[steps])),
        float((np.nan_to_num(actual) * counted).sum()),
        float((np.nan_to_num(guess) * counted).sum()),
        float(span.severity),
        _kind(span, distances[steps], actual[known], guess[known], season),
        span.stop >= len(values),
    )


def _kind(span: Span, distances: Floats, actual: Floats, expected: Floats, season: int) -> Kind:
    """A change of some rounds of the season stays; it is a leak when it grew more than it jumped."""
    if span.sign < 0 and len(actual) and np.mean(actual == 0) > 0.7 and expected.mean() > 0:
        return "dead"
    if span.stop - span.first < ACCEPT_ROUNDS * season:
        return "spike" if span.sign > 0 else "drop"
    third = len(distances) // 3
    early, late = np.median(distances[:third]), np.median(distances[-third:])
    if span.sign > 0 and early < late / 2:
        return "leak"
    return "rise" if span.sign > 0 else "fall"
