"""How many runs were in progress at once: the highest number, when it was, by time slot and by a dimension.

A run is in progress from its start to just before its end, so that one that ends when another starts does not overlap
it. Runs without an end count for a day while they are still running, else not at all; no run counts for over a month.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final

import polars as pl

from runs_analytics.analytics import usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.patterns import counted_quarter_hours, everything
from runs_analytics.analytics.plan import Grain, filter_params, selection_shifts
from runs_analytics.analytics.sweep import QUARTER_US, SLOTS, Ints, Sweep, slots
from runs_analytics.selection import Selection
from runs_analytics.vocabulary import Dimension

LONGEST_DAYS: Final = 31
"""Days for which a run counts as in progress at most; what began longer ago need not be looked at."""

OPEN_HOURS: Final = 24
"""Hours for which a run that is still running counts: its end may have been lost."""

STRETCH_RUNS: Final = 2_000_000
"""About how many runs are read at a time; bounds memory, and lets progress be told."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, as the warehouse stores moments

Tell = Callable[[float], None]


@dataclass(frozen=True)
class Concurrency:
    """How many of the selected runs were in progress at once; a run of another period counts while it reaches in."""

    peak: int
    peak_at: datetime | None
    """The first moment of the peak, on the zone's clock; None where no run was in progress."""

    peak_us: int
    """How long the peak lasted then."""

    busy_us: int
    """Time that runs were in progress, added up."""

    length_us: int
    """Length of the part of the period that has come."""

    endless_runs: int
    """Runs that began in the period and have no end, not counted."""

    instant_runs: int
    """Runs that ended when they began, in progress at no moment."""

    slots: pl.DataFrame
    """`quarter_hour` (since 1970 UTC), `peak`, `peak_us` (microseconds since 1970 UTC when it was first reached)."""

    @property
    def mean(self) -> float:
        """Runs in progress on average."""
        return self.busy_us / self.length_us if self.length_us else 0.0


def concurrency(
    ask: Ask, selection: Selection, now: datetime, *, tell: Tell = lambda share: None
) -> Concurrency:
    """How many of the selected runs were in progress at once.

    Args:
        ask: who asks.
        selection: what about.
        now: aware; later moments have not come.
        tell: called with the share that is done, where the question takes several steps.
    """
    span = _span(ask, selection, now)
    return ask.kept("concurrency.all", selection, span, make=lambda: _concurrency(ask, selection, span, tell))


def concurrency_by_value(
    ask: Ask, selection: Selection, dimension: Dimension, now: datetime, *, tell: Tell = lambda share: None
) -> pl.DataFrame:
    """How many runs of each value of a dimension were in progress at once, highest first.

    Returns:
        `value`, `peak`, `peak_at` (Datetime on the zone's clock), `busy_us` (time in progress, added up), and
        `at_peak`: how many were in progress at the moment of the peak of all, which add up to it.
    """
    span = _span(ask, selection, now)
    whole = concurrency(ask, selection, now, tell=tell)

    def make() -> pl.DataFrame:
        return _by_value(ask, selection, dimension, span, whole, tell)

    return ask.kept("concurrency.by_value", selection, span, dimension, make=make)


def peaks_over_time(found: Concurrency, selection: Selection, grain: Grain) -> pl.DataFrame:
    """The highest number in each local slot.

    Returns:
        `bucket` (Datetime, the slot's start on the zone's clock), `peak`, `peak_at` (Datetime on that clock).
    """
    local = _local(found.slots, selection)
    every = {"hour": "1h", "day": "1d", "week": "1w", "month": "1mo"}[grain]
    first = pl.col("peak").arg_max()
    return (
        local.group_by(pl.col("slot_at").dt.truncate(every).alias("bucket"), maintain_order=True)
        .agg(pl.col("peak").max(), pl.col("peak_at").get(first))
        .sort("bucket")
    )


def _span(ask: Ask, selection: Selection, now: datetime) -> tuple[int, int]:
    """The quarter-hours that are looked at, the second exclusive; none of an account without runs."""
    start, stop = counted_quarter_hours(ask, selection, now)
    return (start, stop) if everything(ask) else (start, start)


def _concurrency(ask: Ask, selection: Selection, span: tuple[int, int], tell: Tell) -> Concurrency:
    whole, parts, endless, instant = Sweep(), [], 0, 0
    for start, stop, rows in _stretches(ask, selection, span, "", tell):
        begun = rows["started_us"] >= start * QUARTER_US
        endless += int((rows["ended_us"].is_null() & begun).sum())
        instant += int((rows["ended_us"] == rows["started_us"]).sum())
        started, ended = _sorted(rows)
        whole.add(started, ended, stop * QUARTER_US)
        parts.append(slots(started, ended, start, stop))
    found = pl.concat(parts) if parts else pl.DataFrame(schema=SLOTS)
    return Concurrency(
        whole.peak,
        _moment(whole.peak_us, selection) if whole.peak else None,
        whole.lasted_us,
        whole.busy_us,
        (span[1] - span[0]) * QUARTER_US,
        endless,
        instant,
        found,
    )


def _by_value(
    ask: Ask,
    selection: Selection,
    dimension: Dimension,
    span: tuple[int, int],
    whole: Concurrency,
    tell: Tell,
) -> pl.DataFrame:
    swept: dict[str, Sweep] = {}
    at_peak: dict[str, int] = {}
    peak_us = _first_peak_us(whole)
    for start, stop, rows in _stretches(ask, selection, span, dimension, tell):
        for (value,), part in rows.partition_by("value", as_dict=True).items():
            started, ended = _sorted(part)
            swept.setdefault(value, Sweep()).add(started, ended, stop * QUARTER_US)
            if start <= peak_us // QUARTER_US < stop:
                at_peak[value] = int((started <= peak_us).sum() - (ended <= peak_us).sum())
    rows_made = [
        (value, one.peak, _moment(one.peak_us, selection), one.busy_us, at_peak.get(value, 0))
        for value, one in swept.items()
        if one.peak
    ]
    made = pl.DataFrame(rows_made, _VALUES, orient="row")
    return made.sort("peak", "busy_us", "value", descending=[True, True, False])


_VALUES: Final = pl.Schema(
    {
        "value": str,
        "peak": int,
        "peak_at": datetime,
        "busy_us": int,
        "at_peak": int,
    }
)


def _stretches(
    ask: Ask, selection: Selection, span: tuple[int, int], dimension: Dimension | str, tell: Tell
) -> Iterator[tuple[int, int, pl.DataFrame]]:
    """The runs in progress stretch by stretch: first quarter-hour, the first one after, and the runs' rows."""
    bounds = _bounds(ask, selection, span)
    params = filter_params(selection, ask.scope.account) | {
        "dimension": dimension,
        "open_hours": OPEN_HOURS,
        "longest_days": LONGEST_DAYS,
    }
    for number, (start, stop) in enumerate(bounds):
        tell(number / len(bounds))
        start_at, stop_at = (_EPOCH + timedelta(minutes=15 * n) for n in (start, stop))
        days = {
            "start_utc_day": max((start_at - timedelta(days=LONGEST_DAYS)).date(), date(1990, 1, 1)),
            "stop_utc_day": stop_at.date(),
        }
        own = params | days | {"start_at": start_at, "stop_at": stop_at}
        yield start, stop, ask.warehouse.frame("patterns/in_progress", own, facts="run_spans")
    tell(1.0)


def _bounds(ask: Ask, selection: Selection, span: tuple[int, int]) -> list[tuple[int, int]]:
    """A span of quarter-hours in parts of about as many runs as are read at a time."""
    hours = usage.over_time(ask, selection, "day").select("bucket", "runs")
    upto = (
        hours.with_columns(pl.col("runs").cum_sum() // STRETCH_RUNS)
        .group_by("runs")
        .agg(pl.col("bucket").min())
    )
    cuts = [(bucket - _EPOCH) // timedelta(minutes=15) for bucket in upto["bucket"].sort()[1:]]
    edges = sorted({*span, *(cut for cut in cuts if span[0] < cut < span[1])})
    return list(pairwise(edges))


def _sorted(rows: pl.DataFrame) -> tuple[Ints, Ints]:
    timed = rows.filter(pl.col("ended_us") > pl.col("started_us"))
    return timed["started_us"].sort().to_numpy(), timed["ended_us"].sort().to_numpy()


def _first_peak_us(whole: Concurrency) -> int:
    found = whole.slots
    return int(found["peak_us"][int(found["peak"].arg_max() or 0)]) if found.height else 0


def _local(found: pl.DataFrame, selection: Selection) -> pl.DataFrame:
    """Quarter-hours with `slot_at` and `peak_at` on the zone's clock."""
    spans = selection_shifts(selection)
    shifts = pl.DataFrame(
        {"quarter_hour": [s.start for s in spans], "shift_us": [s.quarter_hours * QUARTER_US for s in spans]},
        schema={"quarter_hour": pl.Int64, "shift_us": pl.Int64},
    )
    joined = found.join_asof(shifts, on="quarter_hour")
    clock = {"slot_at": pl.col("quarter_hour") * QUARTER_US, "peak_at": pl.col("peak_us")}
    return joined.with_columns(
        (at + pl.col("shift_us")).cast(pl.Datetime("us")).alias(n) for n, at in clock.items()
    )


def _moment(moment_us: int, selection: Selection) -> datetime:
    """A moment on the zone's clock."""
    quarter = moment_us // QUARTER_US
    shift = next((s.quarter_hours for s in selection_shifts(selection) if s.start <= quarter < s.stop), 0)
    return _EPOCH + timedelta(microseconds=moment_us + shift * QUARTER_US)
