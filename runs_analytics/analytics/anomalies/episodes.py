"""Episodes: each event in a series told once, from its first unusual step to its last.

Each step is held against what is usual there (`usual.py`). Sums of the differences over several lengths are each held
against how far such sums strayed before, so that one step far off, some hours a little off and a slow leak over days
are all seen, in noise of any kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runs_analytics.analytics.anomalies.following import ACCEPT_ROUNDS, ALARM, Follower, Span
from runs_analytics.analytics.anomalies.usual import seasons_of

Floats = NDArray[np.float64]
Kind = Literal["spike", "drop", "rise", "fall", "leak", "dead"]

JUDGED_ROUNDS: Final = 3
"""Rounds of the shortest season before the first step that is judged."""

SMALL: Final = 0.1
"""Values below this part of the usual size differ little from zero."""

_SIZE_ROUNDS: Final = 28
_LEAST_FACTOR: Final = 0.05
_NO_SEASON: Final = 7


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


@dataclass(frozen=True, slots=True)
class Watched:
    """A series beside what was expected of each step (steps,): NaN before there is enough history."""

    expected: Floats
    lower: Floats
    upper: Floats
    episodes: tuple[Episode, ...]


def watch(
    values: Floats, *, seasons: tuple[int, ...], weights: Floats | None = None, level: bool = False
) -> Watched:
    """Judge each step of an evenly spaced series (steps,) by those before it.

    Args:
        values: one for each step, NaN where nothing is known.
        seasons: lengths in steps, shortest first.
        weights: runs behind each value of a level; more of them make it more certain.
        level: whether values are means or rates, which do not add up.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        nothing = np.full(len(values), np.nan)
        return Watched(nothing, nothing, nothing, ())
    season = seasons[0] if seasons else _NO_SEASON
    usual_size = _usual_size(values, season)
    known = seasons_of(values if level else _eased(values, SMALL * usual_size), seasons or (_NO_SEASON,))
    judged_from = max(JUDGED_ROUNDS * season, *seasons, 1)
    follower = Follower(season, judged_from, is_squared=not level)
    runs = None if weights is None else np.nan_to_num(np.asarray(weights, dtype=float))
    certainty = np.ones(len(values)) if runs is None else np.sqrt(_against_usual(runs))
    factor = np.ones(len(values)) if level else np.clip(np.exp(known.parts), _LEAST_FACTOR, None)
    flat = values - known.parts if level else _root(values / factor)
    doubt = known.doubt if level else known.doubt * np.sqrt(usual_size) / 2
    follower.follow(flat, doubt, np.full(len(values), 1e-9), certainty, factor)
    middle, spread = np.array(follower.levels), np.array(follower.spreads)
    judged = np.arange(len(values)) >= judged_from
    expected, lower, upper = (
        np.where(judged, scale + known.parts if level else factor * _squared(scale), np.nan)
        for scale in (middle, middle - ALARM * spread, middle + ALARM * spread)
    )
    distances = np.nan_to_num((flat - middle) / spread)
    shares = runs if level and runs is not None else np.ones(len(values))
    told = [
        _told(span, values, expected, distances, shares, season, level=level) for span in follower.spans
    ]
    return Watched(expected, lower, upper, tuple(told))


def _usual_size(values: Floats, season: int) -> Floats:
    """Mean size of the last weeks before each step (steps,), never zero."""
    sizes = pl.Series(np.abs(values)).fill_nan(None)
    mean = sizes.rolling_mean(_SIZE_ROUNDS * season, min_samples=1).shift(1).forward_fill().backward_fill()
    return np.maximum(mean.fill_null(0.0).to_numpy(), 1e-9)


def _eased(values: Floats, small: Floats) -> Floats:
    """Logarithms, straight around zero: what multiplies adds up, and nothing is endlessly far from zero."""
    return np.asarray(np.arcsinh(values / (2 * small)) + np.log(small))


def _root(values: Floats) -> Floats:
    return np.asarray(np.sign(values) * np.sqrt(np.abs(values)))


def _squared(values: Floats) -> Floats:
    return np.asarray(np.sign(values) * values**2)


def _against_usual(weights: Floats) -> Floats:
    usual_weight = pl.Series(weights).fill_nan(0.0).rolling_median(60, min_samples=1).shift(1).to_numpy()
    return np.asarray(np.clip(np.nan_to_num(weights / np.maximum(usual_weight, 1.0), nan=1.0), 0, 4))


def _told(
    span: Span, values: Floats, expected: Floats, distances: Floats, shares: Floats, season: int, *, level: bool
) -> Episode:
    steps = slice(span.first, span.stop)
    actual, guess, part = values[steps], expected[steps], shares[steps]
    known = ~np.isnan(actual) & ~np.isnan(guess)
    counted = np.where(known, part, 0.0) / (max(float(part[known].sum()), 1e-12) if level else 1.0)
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
