"""Where usage goes: trend, weekly and daily rhythm with their strength, and changes of level, from whole days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from runs_analytics.analytics import decomposition, usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.forecasts import Refusal
from runs_analytics.analytics.levels import Floats, level_changes, level_of
from runs_analytics.analytics.patterns import SUMS, Measure, amount_of
from runs_analytics.selection import Selection

LEAST_DAYS: Final = 28
"""Whole days below which nothing is said: four weeks show a weekly shape four times."""

MOST_DAYS: Final = 1_096
"""Days that are looked at, the newest: three years."""

DAILY_WEEKS: Final = 8
"""Weeks of hours that the rhythm of the day is taken from, the newest."""

MOST_MISSING: Final = 0.1
"""Part of the days that may have no value of a level; they take those between the days around them."""


@dataclass(frozen=True, slots=True)
class LevelChange:
    """A day from which a measure stood on another level, once the weekly rhythm is taken off."""

    day: date
    before: float
    """The level a day until then, as far back as the change before."""

    after: float

    @property
    def factor(self) -> float | None:
        """How many times the level before the one after is; None from nothing."""
        return self.after / self.before if self.before > 0 else None


@dataclass(frozen=True)
class Trend:
    """The whole days of a measure taken apart."""

    measure: Measure
    days: pl.DataFrame
    """`day`, `actual`, `trend`, `season` (of the weekday), `level` (between changes of it)."""

    trend_strength: float
    """From 0 to 1: how much of what is left without the weekly rhythm is trend."""

    weekly_strength: float
    weekly: pl.DataFrame
    """`weekday` (0 is Monday), `effect`: how far such a day is from the trend, on average."""

    daily_strength: float | None
    """None for levels, which single hours have too few runs for."""

    daily: pl.DataFrame | None
    """`hour`, `effect`: how far such an hour is from what the rest says of it, on average."""

    changes: tuple[LevelChange, ...]

    @property
    def typical(self) -> float:
        """An average day."""
        return float(self.days["actual"].mean() or 0.0)  # type: ignore[arg-type]

    @property
    def moved(self) -> float | None:
        """The last day of the trend by its first, less one; None from nothing."""
        first, last = self.days["trend"][0], self.days["trend"][-1]
        return last / first - 1 if first > 0 else None


def trend(ask: Ask, selection: Selection, measure: Measure, *, today: date) -> Trend | Refusal:
    """Take the whole days of a selection apart; today and what is after it are not whole.

    Days without runs count as zero for sums; days before the first run do not count.
    """
    if selection.start >= today:
        return Refusal("The selection begins today or later; choose one with whole days before today.")
    end = min(selection.end, today - timedelta(days=1))
    past = Selection(selection.start, end, selection.zone, selection.filters, selection.tags)
    return ask.kept("trends.trend", past, measure, make=lambda: _trend(ask, past, measure))


def _trend(ask: Ask, past: Selection, measure: Measure) -> Trend | Refusal:
    days = _days(ask, past, measure)
    if isinstance(days, Refusal):
        return days
    values = days["actual"].to_list()
    parts = ask.computed(decomposition.weekly_parts, tuple(values))
    found = days.with_columns(trend=pl.Series(parts.trend), season=pl.Series(parts.season))
    places = level_changes((found["actual"] - found["season"]).to_list())
    levels, changes = _levels(found, places)
    strength, daily = _daily(ask, past, measure, days["day"])
    return Trend(
        measure,
        found.with_columns(level=pl.Series(levels)),
        parts.trend_strength,
        parts.season_strength,
        _shape(
            found.select((pl.col("day").dt.weekday() - 1).cast(pl.Int64).alias("weekday"), effect="season")
        ),
        strength,
        daily,
        changes,
    )


def _days(ask: Ask, past: Selection, measure: Measure) -> pl.DataFrame | Refusal:
    """`day` and `actual` of the newest whole days, without gaps."""
    found = usage.over_time(ask, past, "day")
    if found.is_empty():
        return Refusal("There are no runs in the selection's whole days to learn from.")
    first: date = found["bucket"].min().date()  # type: ignore[union-attr]
    first = max(first, past.end - timedelta(days=MOST_DAYS - 1))
    calendar = pl.date_range(first, past.end, "1d", eager=True).alias("day")
    if len(calendar) < LEAST_DAYS:
        return Refusal(
            f"Trend and rhythm need {LEAST_DAYS} whole days since the first run of the period; there are "
            f"{len(calendar)}. Choose a longer period, or come back on {first + timedelta(days=LEAST_DAYS)}."
        )
    amounts = found.select(day=pl.col("bucket").cast(pl.Date), actual=amount_of(measure).cast(pl.Float64))
    joined = calendar.to_frame().join(amounts, on="day", how="left")
    if measure in SUMS:
        return joined.with_columns(pl.col("actual").fill_null(0.0))
    missing = joined["actual"].null_count()
    if missing > MOST_MISSING * len(calendar):
        return Refusal(
            f"{missing} of {len(calendar)} days have no run that counts for it; use another measure."
        )
    return joined.with_columns(
        pl.col("actual").interpolate().fill_null(strategy="forward").fill_null(strategy="backward")
    )


def _daily(
    ask: Ask, past: Selection, measure: Measure, days: pl.Series
) -> tuple[float, pl.DataFrame] | tuple[None, None]:
    """Strength and shape of the rhythm of the day, from the hours of the newest weeks."""
    if measure not in SUMS:
        return None, None
    first = max(days[0], past.end - timedelta(days=7 * DAILY_WEEKS - 1))
    hours = pl.datetime_range(
        datetime.combine(first, datetime.min.time()),
        datetime.combine(past.end, datetime.min.time()) + timedelta(hours=23),
        "1h",
        eager=True,
    )
    found = usage.over_time(ask, past, "hour").select("bucket", actual=amount_of(measure).cast(pl.Float64))
    joined = hours.alias("bucket").to_frame().join(found, on="bucket", how="left").fill_null(0.0)
    parts = ask.computed(decomposition.daily_parts, tuple(joined["actual"].to_list()))
    effects = joined.select(
        pl.col("bucket").dt.hour().cast(pl.Int64).alias("hour"), effect=pl.Series(parts.season)
    )
    return parts.season_strength, _shape(effects)


def _levels(found: pl.DataFrame, places: tuple[int, ...]) -> tuple[Floats, tuple[LevelChange, ...]]:
    """The level of each day, and the changes between them."""
    adjusted = (found["actual"] - found["season"]).to_numpy()
    edges = [0, *places, found.height]
    # Without its rhythm a day may fall below zero, which nobody would understand of a count.
    least = min(0.0, float(found["actual"].min()))  # type: ignore[arg-type]
    levels = [max(least, level_of(adjusted[a:b])) for a, b in pairwise(edges)]
    changes = tuple(
        LevelChange(found["day"][place], levels[n], levels[n + 1]) for n, place in enumerate(places)
    )
    return np.repeat(levels, np.diff(edges)), changes


def _shape(effects: pl.DataFrame) -> pl.DataFrame:
    """The mean effect of each place in a period."""
    place = effects.columns[0]
    return effects.group_by(place).agg(pl.col("effect").mean()).sort(place)
