"""A detector that may follow that of `episodes`: finds more of what is planted, and more by chance in small segments.

What returns with the season is known from the rounds before (`seasons.py`) and taken out: as a factor where values add
up, as a difference where they are means or rates. What is left is followed step by step (`following.py`), on the
scale of square roots, on which the chance of counts is everywhere alike. Only `benchmarks.planted` asks it so far.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runs_analytics.analytics.anomalies.episodes import Episode, Kind, Watched
from runs_analytics.analytics.anomalies.following import ACCEPT_ROUNDS, Follower, Span
from runs_analytics.analytics.anomalies.scale import rooted, squared
from runs_analytics.analytics.anomalies.seasons import seasons_of

Floats = NDArray[np.float64]

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
    judged_from = max(JUDGED_ROUNDS * season, *seasons, 1)
    size, busy = _usual_size(values, season)
    known = seasons_of(values if level else _eased(values, SMALL * size), seasons or (_NO_SEASON,))
    runs = None if weights is None else np.nan_to_num(np.asarray(weights, dtype=float))
    usual_runs = np.ones(len(values)) if runs is None else _usual_weights(runs)
    certainty = np.ones(len(values)) if runs is None else np.sqrt(np.clip(runs / usual_runs, 0.01, 4))
    is_sparse = (busy < SPARSE) & (not level)
    factors = np.where(is_sparse | level, 1.0, np.maximum(np.exp(known.parts), _LEAST_FACTOR))
    flat = values - known.parts if level else rooted(values / factors)
    reach = size if level else np.sqrt(size / busy)
    follower = Follower(season, judged_from, is_rooted=not level)
    doubt = known.doubt if level else known.doubt * reach / 2
    least = np.where(is_sparse, 1.0, LEAST_SPREAD) * reach
    if level and runs is not None and not np.nanmax(np.abs(values), initial=0.0) > 1:
        least = np.maximum(least, _least_of_shares(size, usual_runs))
    follower.follow(flat, factors, least, doubt, certainty)
    middle, spread = np.array(follower.levels), np.array(follower.spreads)
    expected, lower, upper = (
        np.where(
            np.arange(len(values)) >= judged_from,
            scale + known.parts if level else factors * squared(scale),
            np.nan,
        )
        for scale in (middle, middle - BAND * spread, middle + BAND * spread)
    )
    distances = np.nan_to_num((flat - middle) / spread)
    shares = runs if level and runs is not None else np.ones(len(values))
    told = [_told(each, values, expected, distances, shares, season, level=level) for each in follower.spans]
    return Watched(expected, lower, upper, tuple(told))


def _usual_size(values: Floats, season: int) -> tuple[Floats, Floats]:
    """Mean size of the last weeks before each step (steps,), never zero, and the share of them that are not zero."""
    sizes = pl.Series(np.abs(values)).fill_nan(None)
    past = pl.DataFrame({"mean": sizes, "busy": (sizes != 0).cast(pl.Float64)}).select(
        pl.all().rolling_mean(_SIZE_ROUNDS * season, min_samples=1).shift(1).forward_fill().backward_fill()
    )
    mean, busy = (past[name].fill_null(0.0).to_numpy() for name in ("mean", "busy"))
    return np.maximum(mean, 1e-9), np.maximum(busy, 1e-3)


def _eased(values: Floats, small: Floats) -> Floats:
    """Logarithms, straight around zero: what multiplies adds up, and nothing is endlessly far from zero."""
    return np.asarray(np.arcsinh(values / (2 * small)) + np.log(small))


def _usual_weights(weights: Floats) -> Floats:
    usual_weight = pl.Series(weights).fill_nan(0.0).rolling_median(60, min_samples=1).shift(1)
    return np.asarray(np.maximum(usual_weight.fill_null(1.0).to_numpy(), 1.0))


def _least_of_shares(size: Floats, usual_weights: Floats) -> Floats:
    """Spread of a share by chance alone (binomial) at each step, by the usual share and the runs behind it."""
    share = np.clip(size, 1 / 500, 0.5)
    return np.asarray(np.sqrt(share * (1 - share) / usual_weights))


def _told(
    span: Span,
    values: Floats,
    expected: Floats,
    distances: Floats,
    shares: Floats,
    season: int,
    *,
    level: bool,
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
