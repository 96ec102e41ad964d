"""When work happens: hours of the week, hours of the day, weekdays, and the busiest single hours.

An hour of the week, such as Tuesday from 10 to 11, is averaged over how many such hours the period had on the zone's
clock. Hours before the account's first day and hours that have not come yet do not count, so that neither clock
changes nor a part of a week distort it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runs_analytics.analytics import usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.log_totals import whole_log
from runs_analytics.analytics.plan import quarter_hour_params, selection_shifts
from runs_analytics.selection import Selection
from runs_analytics.zones import local_midnight, quarter_hour_of, zone_named

Floats = NDArray[np.float64]

Measure = Literal["runs", "credits", "cost", "errors", "error_rate", "duration"]
MEASURES: Final[tuple[Measure, ...]] = Measure.__args__  # type: ignore[attr-defined]
SUMS: Final[tuple[Measure, ...]] = ("runs", "credits", "cost", "errors")
"""Measures that add up; the others are levels, which a cell has as a whole."""

LEAST_RUNS: Final = 20
"""Runs below which a level of an hour is too uncertain to be called the highest."""

WINDOW_HOURS: Final = 3
"""Length of the part of the day that holds most of a measure."""

DAYS: Final = 7
HOURS: Final = 24
WEEKEND: Final = (5, 6)
_QUARTERS: Final = 4
_THURSDAY: Final = 3
"""The weekday of 1 January 1970, counted from Monday."""

_COLUMNS: Final = (
    "runs", "credits", "cost", "error_runs", "finished_runs", "duration_us", "duration_runs",
    "unpriced_runs", "uncosted_runs",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The pattern of one measure in a few numbers."""

    measure: Measure
    weekday: int
    """Of the busiest hour of the week, from Monday, 0; for a level that of the highest."""

    hour: int
    average: float
    """What that hour of the week has on average, or its level."""

    window_start: int | None
    """First hour of the three hours of the day that hold most; None for levels and where there is nothing."""

    window_share: float | None
    """The part of the whole in those hours."""

    weekend_ratio: float | None
    """A day of the weekend by a day of the week; None for levels and where the period lacks one of them."""

    overall: float | None
    """The level of all hours together; None for sums."""


def amount_of(measure: Measure) -> pl.Expr:
    """A measure's sum or level from summed columns, as exact as they are; null where a level has no run."""
    if measure == "error_rate":
        return pl.col("error_runs") / pl.when(pl.col("finished_runs") > 0).then(pl.col("finished_runs"))
    if measure == "duration":
        return pl.col("duration_us") / pl.when(pl.col("duration_runs") > 0).then(pl.col("duration_runs"))
    return pl.col("error_runs" if measure == "errors" else measure)


def known_amount_of(measure: Measure) -> pl.Expr:
    """A measure's sum or level; null where a level rests on too few runs to be compared."""
    return pl.when(_is_known(measure)).then(amount_of(measure))


def average_of(measure: Measure, *, per_hours: int = 1) -> pl.Expr:
    """A measure per so many hours as a float, from summed columns and `hours`; levels stay as they are."""
    whole = amount_of(measure).cast(pl.Float64)
    if measure not in SUMS:
        return whole
    return whole * per_hours / pl.when(pl.col("hours") > 0).then(pl.col("hours"))


def hours_of_week(ask: Ask, selection: Selection, now: datetime) -> pl.DataFrame:
    """The 168 hours of the week with the sums of the runs that started in them; the sums add up to the selection's.

    Args:
        ask: who asks.
        selection: what about; its zone tells the clock.
        now: aware; what lies after it does not count as hours of the period.

    Returns:
        `weekday` (0 is Monday), `hour`, `hours` (how many such hours the period had; fractions where a clock change or
        the present cuts one), and the sums `runs`, `credits`, `cost`, `error_runs`, `finished_runs`, `duration_us`,
        `duration_runs`, `unpriced_runs`, `uncosted_runs`.
    """
    found = usage.over_time(ask, selection, "hour")
    counted = counted_hours(ask, selection, now)
    cells = pl.DataFrame(
        {
            "weekday": np.repeat(np.arange(DAYS), HOURS),
            "hour": np.tile(np.arange(HOURS), DAYS),
            "hours": counted.reshape(-1),
        }
    )
    sums = (
        found.group_by(
            (pl.col("bucket").dt.weekday() - 1).cast(pl.Int64).alias("weekday"),
            pl.col("bucket").dt.hour().cast(pl.Int64).alias("hour"),
        )
        .agg(pl.col(_COLUMNS).sum())
        .with_columns(pl.col("credits", "cost").cast(pl.Decimal(38, 9)))
    )
    joined = cells.join(sums, on=["weekday", "hour"], how="left")
    return joined.sort("weekday", "hour").with_columns(pl.col(_COLUMNS).fill_null(0))


def by_hour(cells: pl.DataFrame) -> pl.DataFrame:
    """Hours of the week as the 24 hours of the day: `hour`, `hours` and the sums."""
    return cells.group_by("hour").agg(pl.col("hours", *_COLUMNS).sum()).sort("hour")


def by_weekday(cells: pl.DataFrame) -> pl.DataFrame:
    """Hours of the week as the seven weekdays: `weekday`, `hours` and the sums."""
    return cells.group_by("weekday").agg(pl.col("hours", *_COLUMNS).sum()).sort("weekday")


def peak_hours(ask: Ask, selection: Selection, measure: Measure, *, top: int = 10) -> pl.DataFrame:
    """The single hours of the period with most of a measure, or the highest level among those with enough runs.

    Returns:
        `bucket` (Datetime on the zone's clock), `amount` (as exact as its sums), `share` (of the whole; null for
        levels), `runs`; largest first.
    """
    found = usage.over_time(ask, selection, "hour").with_columns(amount_of(measure).alias("amount"))
    if measure not in SUMS:
        known = found.filter(_is_known(measure))
        return (
            known.sort("amount", "bucket", descending=[True, False])
            .head(top)
            .select("bucket", "amount", pl.lit(None, pl.Float64).alias("share"), "runs")
        )
    whole = pl.col("amount").cast(pl.Float64).sum()
    shared = found.with_columns(
        (pl.col("amount").cast(pl.Float64) / pl.when(whole > 0).then(whole)).alias("share")
    )
    ranked = shared.filter(pl.col("amount") > 0).sort("amount", "bucket", descending=[True, False])
    return ranked.head(top).select("bucket", "amount", "share", "runs")


def compared_hours(cells: pl.DataFrame, before: pl.DataFrame, measure: Measure) -> pl.DataFrame:
    """Hours of the week of a period beside those of another, by what each has on average.

    Args:
        cells: as `hours_of_week` of the period.
        before: of the one that it is compared with.
        measure: what is compared; a level only where both have enough runs.

    Returns:
        `weekday`, `hour`, `hours`, `amount`, `before` and `difference` (floats; null where one lacks such an hour).
    """
    named = [
        side.select(
            "weekday", "hour", "hours", pl.when(_is_known(measure)).then(average_of(measure)).alias(name)
        )
        for side, name in ((cells, "amount"), (before, "before"))
    ]
    joined = named[0].join(named[1].drop("hours"), on=["weekday", "hour"]).sort("weekday", "hour")
    return joined.with_columns((pl.col("amount") - pl.col("before")).alias("difference"))


def calendar(ask: Ask, selection: Selection, now: datetime) -> pl.DataFrame:
    """Every local day of the period from the account's first to today, with its sums; they add up to the selection's.

    Returns:
        `day` (Date) and the sums as of `hours_of_week`; zeros where a day has no runs.
    """
    found = usage.over_time(ask, selection, "day").select(pl.col("bucket").dt.date().alias("day"), *_COLUMNS)
    today = now.astimezone(zone_named(selection.zone)).date()
    last = max([min(selection.end, today), *found["day"].tail(1)])
    whole = everything(ask)
    first = min([max(selection.start, whole.start if whole else selection.start), *found["day"].head(1)])
    days = pl.date_range(first, max(first, last), "1d", eager=True).alias("day").to_frame()
    return days.join(found, on="day", how="left").sort("day").with_columns(pl.col(_COLUMNS).fill_null(0))


def rhythm(cells: pl.DataFrame, measure: Measure) -> Rhythm | None:
    """The pattern of a measure in a few numbers; None where no hour has any of it."""
    averages = cells.with_columns(average_of(measure).alias("average"))
    known = averages.filter(pl.col("average").is_not_null() & _is_known(measure))
    if known.is_empty() or not known["average"].max():
        return None
    weekday, hour, average = (
        known.sort("average", "weekday", "hour", descending=[True, False, False])
        .select("weekday", "hour", "average")
        .row(0)
    )
    if measure not in SUMS:
        overall = cells.select(pl.col(_COLUMNS).sum()).select(amount_of(measure).cast(pl.Float64)).item()
        return Rhythm(measure, weekday, hour, average, None, None, None, overall)
    start, share = _fullest_window(by_hour(cells), measure)
    return Rhythm(measure, weekday, hour, average, start, share, _weekend_ratio(cells, measure), None)


def counted_hours(ask: Ask, selection: Selection, now: datetime) -> np.ndarray:
    """How many of each hour of the week the period had, by weekday (0 is Monday) and hour on the zone's clock."""
    start, stop = counted_quarter_hours(ask, selection, now)
    counted = np.zeros(DAYS * HOURS)
    for span in selection_shifts(selection):
        first, last = max(span.start, start), min(span.stop, stop)
        if first < last:
            local_hours = np.arange(first + span.quarter_hours, last + span.quarter_hours) // _QUARTERS
            of_week = (local_hours + _THURSDAY * HOURS) % (DAYS * HOURS)
            counted += np.bincount(of_week, minlength=DAYS * HOURS)
    return (counted / _QUARTERS).reshape(DAYS, HOURS)


def counted_quarter_hours(ask: Ask, selection: Selection, now: datetime) -> tuple[int, int]:
    """The quarter-hours of the selection from the account's first day to the present one, the second exclusive."""
    bounds = quarter_hour_params(selection)
    start, stop = bounds["start_quarter_hour"], bounds["stop_quarter_hour"]
    whole = everything(ask)
    if whole is not None:
        start = max(start, quarter_hour_of(local_midnight(whole.start, zone_named(ask.zone))))
    return start, max(start, min(stop, quarter_hour_of(_until(ask, selection, now)) + 1))


def everything(ask: Ask) -> Selection | None:
    """The account's whole history in its own zone; None when there are no runs."""
    return ask.kept("patterns.everything", make=lambda: whole_log(ask))


def _until(ask: Ask, selection: Selection, now: datetime) -> datetime:
    """Now, or the end of the last hour that has runs, where the clock of a sender was ahead."""
    last = usage.over_time(ask, selection, "hour")["bucket"].max()
    if not isinstance(last, datetime):
        return now
    begun = last.replace(tzinfo=zone_named(selection.zone), fold=1)
    return begun + timedelta(minutes=59) if begun > now else now


def _is_known(measure: Measure) -> pl.Expr:
    """Whether a slot has runs enough to be compared by a measure."""
    runs = {"error_rate": "finished_runs", "duration": "duration_runs"}.get(measure)
    return pl.lit(value=True) if runs is None else pl.col(runs) >= LEAST_RUNS


def window_share(cells: pl.DataFrame, measure: Measure, start: int) -> float | None:
    """The part of a measure's amount in the window that begins at an hour of the day; None where there is none."""
    sums, whole = _windows(by_hour(cells), measure)
    return float(sums[start] / whole) if whole > 0 else None


def _fullest_window(hours: pl.DataFrame, measure: Measure) -> tuple[int | None, float | None]:
    sums, whole = _windows(hours, measure)
    if whole <= 0:
        return None, None
    start = int(np.argmax(sums))
    return start, float(sums[start] / whole)


def _windows(hours: pl.DataFrame, measure: Measure) -> tuple[Floats, float]:
    """What the window from each hour of the day on has, past midnight too (24,), and what the day has."""
    amounts = hours.select(amount_of(measure).cast(pl.Float64)).to_series().to_numpy()
    return np.sum([np.roll(amounts, -step) for step in range(WINDOW_HOURS)], axis=0), float(amounts.sum())


def _weekend_ratio(cells: pl.DataFrame, measure: Measure) -> float | None:
    is_weekend = pl.col("weekday").is_in(WEEKEND)
    parts = [
        cells.filter(part).select(pl.col("hours", *_COLUMNS).sum()) for part in (is_weekend, ~is_weekend)
    ]
    weekend, week = (part.select(average_of(measure)).item() for part in parts)
    return weekend / week if week and weekend is not None else None
