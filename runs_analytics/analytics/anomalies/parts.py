"""What made an event: each value's part of it, against the like windows of the weeks or days before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from runs_analytics.analytics.anomalies.causes import NARROWEST, Cause, rank
from runs_analytics.analytics.anomalies.seen import Seen
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.plan import plan
from runs_analytics.analytics.usage import nano_amount
from runs_analytics.control.anomalies import Measure
from runs_analytics.selection import FIRST_DAY, Selection
from runs_analytics.vocabulary import NONE
from runs_analytics.zones import quarter_hour_of, zone_named

WEEK: Final = timedelta(weeks=1)
DAY: Final = timedelta(days=1)
LONGEST: Final = WEEK
"""Of a longer event its last week is looked at, where it shows most."""

WEEKS_BEFORE, DAYS_BEFORE = 4, 7
MOST_CAUSES: Final = 5

_ALL: Final = 0.9
_MOST: Final = 0.5
"""Of what runs use: a value with less of it has few runs, which chance moves as much."""

_MOVED_MORE: Final = 1.1
_LEAST_EXPECTED: Final = 1e-9

_AMOUNTS: Final[dict[Measure, str]] = {
    "credits": "credits",
    "cost": "cost",
    "runs": "runs",
    "error_rate": "error_runs",
    "duration": "log_duration",
}
_COUNTED: Final[dict[Measure, str]] = {"error_rate": "finished_runs", "duration": "duration_runs"}


@dataclass(frozen=True, slots=True)
class _Window:
    event: int
    is_during: bool
    start: datetime
    stop: datetime


def causes_of(ask: Ask, selection: Selection, events: Sequence[Seen]) -> tuple[tuple[Cause, ...], ...]:
    """The causes of each event within its segment, largest first; the segment's own value is not among them.

    Args:
        ask: who asks.
        selection: whose filters and zone count.
        events: each by the episode that shows it best.
    """
    windows = [window for number, one in enumerate(events) for window in _windows(number, one)]
    if not windows:
        return ()
    zone = zone_named(selection.zone)
    first, last = min(w.start for w in windows).date(), max(w.stop for w in windows).date()
    planned = plan(
        replace(selection, start=max(first, FIRST_DAY), end=last, period=None),
        ask.scope.account,
        ask.zone,
        only="runs",
    )

    def at(moment: datetime) -> int:
        return quarter_hour_of(moment.replace(tzinfo=zone))

    found = ask.frame(
        "anomalies/parts",
        planned,
        window_event=[w.event for w in windows],
        window_is_during=[w.is_during for w in windows],
        window_from_quarter_hour=[at(w.start) for w in windows],
        window_until_quarter_hour=[at(w.stop) for w in windows],
        segment_event=list(range(len(events))),
        segment_dimension=[one.segment.dimension or "" for one in events],
        segment_value=[one.segment.value for one in events],
    )
    found = found.with_columns(credits=nano_amount("credits_nano"), cost=nano_amount("cost_nano"))
    before = {
        number: sum(not w.is_during for w in windows if w.event == number) for number in range(len(events))
    }
    return tuple(
        causes_among(found.filter(pl.col("event") == number), one, before[number])
        for number, one in enumerate(events)
    )


def _windows(number: int, one: Seen) -> list[_Window]:
    """The event's own window, and the like ones of the weeks before it began, or of the days where there is none."""
    start = max(one.start, one.stop - LONGEST)
    before: list[_Window] = []
    for round_, most in ((WEEK, WEEKS_BEFORE), (DAY, DAYS_BEFORE)):
        clear = -(-(one.stop - one.start) // round_)
        shifts = [round_ * times for times in range(clear, clear + most)]
        before = [_Window(number, False, start - shift, one.stop - shift) for shift in shifts]
        before = [window for window in before if window.start >= one.series.first]
        if before:
            break
    return [_Window(number, True, start, one.stop), *before]


def causes_among(found: pl.DataFrame, one: Seen, windows_before: int) -> tuple[Cause, ...]:
    """The causes of one event, largest first.

    Args:
        found: rows of `anomalies/parts` for it, with amounts instead of billionths.
        one: the episode that shows it best.
        windows_before: how many windows say what was usual.
    """
    columns = [*_AMOUNTS.values(), *_COUNTED.values()]
    sides = [
        found.filter(pl.col("is_during") == side).select(
            "dimension", "value", *(pl.col(c).cast(pl.Float64).alias(f"{c}{end}") for c in columns)
        )
        for side, end in ((True, ""), (False, "_before"))
    ]
    both = sides[0].join(sides[1], on=["dimension", "value"], how="full", coalesce=True).fill_null(0.0)
    own, measure = pl.lit(one.segment.dimension or ""), one.series.measure
    parts = both.filter(pl.col("dimension") != own).select(
        "dimension",
        "value",
        actual=pl.col(_AMOUNTS[measure]),
        expected=_expected(measure, "runs" if one.is_per_run else _COUNTED.get(measure), windows_before),
    )
    least = _MOST if one.is_per_run else 0.0
    causes = [cause for cause in rank(parts) if cause.share >= least and _moved_more(cause, parts)]
    return tuple(sorted(causes, key=_place)[:MOST_CAUSES])


def _place(cause: Cause) -> int:
    """Of values that explain all of it the narrowest comes first; the others follow as they were ranked."""
    explains_all = cause.share >= _ALL and cause.value != NONE
    return NARROWEST.index(cause.dimension) if explains_all else len(NARROWEST)


def _moved_more(cause: Cause, parts: pl.DataFrame) -> bool:
    """Whether a value changed by more than the whole did; what only moved with it explains nothing."""
    whole = parts.filter(pl.col("dimension") == cause.dimension).select(pl.col("actual", "expected").sum())
    actual, expected = (float(amount) for amount in whole.row(0))
    rose = actual > expected
    own, all_of_it = (
        a / max(e, _LEAST_EXPECTED) for a, e in ((cause.actual, cause.expected), (actual, expected))
    )
    return own > all_of_it * _MOVED_MORE if rose else own < all_of_it / _MOVED_MORE


def _expected(measure: Measure, counted: str | None, windows_before: int) -> pl.Expr:
    """What was usual: the mean of the windows before, or the level before times how many there are now."""
    before = pl.col(f"{_AMOUNTS[measure]}_before")
    if counted is None:
        return before / max(windows_before, 1)
    runs = pl.col(f"{counted}_before")
    overall = before.sum().over("dimension") / pl.max_horizontal(runs.sum().over("dimension"), pl.lit(1.0))
    own = pl.when(runs > 0).then(before / runs).otherwise(overall)
    return own * pl.col(counted)
