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

from runs_analytics.analytics.anomalies.scale import rooted, squared
from runs_analytics.analytics.anomalies.usual import ACCEPT_ROUNDS, usual

Floats = NDArray[np.float64]
Kind = Literal["spike", "drop", "rise", "fall", "leak", "dead"]

THRESHOLD: Final = 5.0
"""An event: a sum of differences so many times its own spread."""


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


@dataclass(frozen=True, slots=True)
class _Span:
    """Steps of one direction, as found."""

    first: int
    stop: int
    sign: int
    severity: float


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
    eased = values if level else rooted(values)
    judged = 2 * (seasons[0] if seasons else 7)
    found = usual(eased, seasons)
    spread = np.maximum(found.spread, _least_spread(eased))
    differences = np.nan_to_num((eased - found.expected) / spread)
    if weights is not None:
        differences = differences * np.sqrt(_against_usual(np.asarray(weights, dtype=float)))
    spans = _spans(differences, seasons[0] if seasons else 7, judged)
    known = np.arange(len(values)) >= judged
    back = (lambda scale: scale) if level else squared
    expected, lower, upper = (
        np.where(known, back(found.expected + width * spread), np.nan) for width in (0, -THRESHOLD, THRESHOLD)
    )
    weighted = np.ones(len(values)) if weights is None else np.nan_to_num(np.asarray(weights, dtype=float))
    lasting = ACCEPT_ROUNDS * (seasons[0] if seasons else 7)
    told = [
        _told(span, values, expected, differences, weighted, level=level, lasting=lasting) for span in spans
    ]
    return Watched(expected, lower, upper, tuple(told))


def _least_spread(eased: Floats) -> Floats:
    """Least spread at each step: a twentieth of the usual size, half of the usual size where most are zero."""
    sizes = pl.Series(np.nan_to_num(np.abs(eased))).to_frame("size")
    past = sizes.select(
        mean=(pl.col("size").cum_sum() / pl.int_range(1, pl.len() + 1)).shift(1).fill_null(0.0),
        share=((pl.col("size") > 0).cum_sum() / pl.int_range(1, pl.len() + 1)).shift(1).fill_null(0.0),
    )
    mean, share = past["mean"].to_numpy(), past["share"].to_numpy()
    usual_size = mean / np.maximum(share, 1e-9)
    return np.asarray(np.maximum(np.where(share < 0.5, 0.5, 0.05) * usual_size, 1e-9))


def _against_usual(weights: Floats) -> Floats:
    usual_weight = pl.Series(weights).fill_nan(0.0).rolling_median(60, min_samples=1).shift(1).to_numpy()
    return np.asarray(np.clip(np.nan_to_num(weights / np.maximum(usual_weight, 1.0), nan=1.0), 0, 4))


def _lengths(shortest: int) -> tuple[int, ...]:
    return (1, max(2, shortest // 8), max(3, shortest // 3), shortest, 2 * shortest + shortest // 2)


def _spans(differences: Floats, shortest: int, judged: int) -> list[_Span]:
    sums = np.concatenate([[0.0], np.cumsum(np.clip(differences, -12, 12))])
    spreads = {length: _past_spread(sums, length, shortest) for length in _lengths(shortest)}
    loudest = np.zeros(len(differences))
    for length, spread in spreads.items():
        moved = _moving(sums, length) / spread
        loudest = np.where(np.abs(moved) > np.abs(loudest), moved, loudest)
    spans: list[_Span] = []
    free = judged
    for step in np.flatnonzero(np.abs(loudest) >= THRESHOLD).tolist():
        if step < free:
            continue
        span = _span_at(step, free, differences, sums, spreads, shortest)
        if span is None:
            continue
        if spans and spans[-1].sign == span.sign and span.first - spans[-1].stop <= shortest // 4:
            last = spans.pop()
            span = _Span(last.first, span.stop, span.sign, max(last.severity, span.severity))
        spans.append(span)
        free = span.stop
    return spans


def _moving(sums: Floats, length: int) -> Floats:
    """Sum of the last `length` differences at each step."""
    return np.asarray(sums[1:] - sums[np.maximum(np.arange(len(sums) - 1) + 1 - length, 0)])


def _past_spread(sums: Floats, length: int, shortest: int) -> Floats:
    """How far sums of a length strayed in the steps before each: the middle or the outer part, whichever is wider."""
    sizes = pl.Series(np.abs(_moving(sums, length)))
    window = 28 * shortest
    middle = sizes.rolling_quantile(0.5, window_size=window, min_samples=1).shift(1).fill_null(0.0)
    outer = sizes.rolling_quantile(0.9, window_size=window, min_samples=1).shift(1).fill_null(0.0)
    found = np.maximum(middle.to_numpy() * 1.4826, outer.to_numpy() / 1.645)
    return np.asarray(np.maximum(found, 0.7 * np.sqrt(length)))


def _span_at(
    step: int,
    free: int,
    differences: Floats,
    sums: Floats,
    spreads: dict[int, Floats],
    shortest: int,
) -> _Span | None:
    """The event that is loud at a step, of steps from `free` on."""
    found = {
        length: (sums[step + 1] - sums[max(free, step + 1 - length)]) / spread[step]
        for length, spread in spreads.items()
    }
    length = max(found, key=lambda each: abs(found[each]))
    severity = found[length]
    if abs(severity) < THRESHOLD:
        return None
    sign = 1 if severity > 0 else -1
    start = max(free, step + 1 - length)
    run = sign * sums[start : step + 1]
    first = start + int(np.argmin(run))
    calm, last, at = max(2, shortest // 8), step, step + 1
    while at < len(differences) and at - last <= calm:
        if sign * differences[at] >= 1:
            last = at
        at += 1
    peak = max(
        (sign * (sums[place + 1] - sums[max(first, place + 1 - each)]) / spread[place], place)
        for each, spread in spreads.items()
        for place in range(step, last + 1)
    )
    return _Span(first, last + 1, sign, max(peak[0], abs(severity)))


def _told(
    span: _Span,
    values: Floats,
    expected: Floats,
    differences: Floats,
    weights: Floats,
    *,
    level: bool,
    lasting: int,
) -> Episode:
    steps = slice(span.first, span.stop)
    actual, guess = values[steps], expected[steps]
    known = ~np.isnan(actual) & ~np.isnan(guess)
    weighing = weights[steps][known] if level else np.ones(int(known.sum()))
    share = weighing / max(float(weighing.sum()), 1e-12) if level else weighing
    peak = span.first + int(np.argmax(span.sign * differences[steps]))
    return Episode(
        span.first,
        span.stop,
        peak,
        float((actual[known] * share).sum()),
        float((guess[known] * share).sum()),
        float(span.severity),
        _kind(span, differences[steps], actual, guess, lasting),
        span.stop >= len(values),
    )


def _kind(span: _Span, differences: Floats, actual: Floats, expected: Floats, lasting: int) -> Kind:
    """A change of at least `lasting` steps stays; it is a leak when it grew more than it jumped."""
    if span.sign < 0 and np.nanmean(actual == 0) > 0.7 and np.nanmean(expected) > 0:
        return "dead"
    if span.stop - span.first < lasting:
        return "spike" if span.sign > 0 else "drop"
    third = len(differences) // 3
    early, late = span.sign * np.median(differences[:third]), span.sign * np.median(differences[-third:])
    if span.sign > 0 and early < late / 2:
        return "leak"
    return "rise" if span.sign > 0 else "fall"
