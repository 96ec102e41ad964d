"""Forecasts of month ends as they were made day by day, beside what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from runs_analytics.analytics import usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.forecasts import (
    LEAST_DAYS,
    LEVELS,
    MEASURES,
    NANO,
    Measure,
    Refusal,
    learned_from,
    usage_forecast,
)
from runs_analytics.control.kept_forecasts import KeptForecast, keep_forecasts, kept_days, list_kept
from runs_analytics.money.periods import period_around
from runs_analytics.roles import require
from runs_analytics.selection import Selection
from runs_analytics.stores import Stores

AHEAD_DAYS: Final = 31
SHOWN_MONTHS: Final = 12
MADE_LATER_MONTHS: Final = 2
"""Finished months of which forecasts are made later, where the server was not there or the runs came from a file."""

LEAD_DAYS: Final = (28, 21, 14, 7, 3, 1)
"""Days before a finished month's end on which forecasts are made later; those of its own days are kept on every day."""

_NEAREST: Final = (1, 4, 8, 15, 22)
"""Where groups of days before the end begin: 1 to 3, 4 to 7, a week more each."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A kept forecast, and what its month came to."""

    forecast: KeptForecast
    days_before: int
    """Days before the month's last, of which 0 is that day itself."""

    actual: Decimal | None
    """None while the month goes on; `miss` and `is_within` too."""

    miss: float | None
    """(Forecast - actual) / actual; None where the actual is zero as well."""

    is_within_80: bool | None
    is_within_95: bool | None


@dataclass(frozen=True, slots=True)
class Lead:
    """Forecasts of finished months that were made so many days before the end."""

    first_day: int
    last_day: int
    forecasts: int
    mean_miss: float | None
    """Mean of the sizes of misses."""

    within_80: float
    within_95: float
    """The parts that came within their band."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Every kept forecast of a measure, newest month last."""

    measure: Measure
    rows: tuple[Compared, ...]
    leads: tuple[Lead, ...]
    """Nearest to the end first; none before a month has finished."""

    first_due: date
    """The day after the present month: when its forecasts can be compared."""

    @property
    def finished(self) -> tuple[Compared, ...]:
        """Those whose month has ended."""
        return tuple(row for row in self.rows if row.actual is not None)

    def of_month(self, month: date) -> tuple[Compared, ...]:
        """Those of the month that begins on a day."""
        return tuple(row for row in self.rows if row.forecast.month == month)


def kept(ask: Ask, stores: Stores, measure: Measure, *, today: date) -> Kept:
    """The kept forecasts of the account's last months, those of finished ones beside what came.

    Raises:
        NotAllowed: to those who see their own runs only, as these are of the whole account.
    """
    require(ask.scope, "credits.read")
    month = period_around(today, "month", ask.local)
    first = _months_before(month.first_day, SHOWN_MONTHS)
    with stores.control.read() as connection:
        found = list_kept(connection, ask.scope, measure, first)
    actual = _actual(ask, measure, first, month.first_day) if found else {}
    rows = tuple(_compared(one, actual.get(one.month, Decimal(0)), month.first_day) for one in found)
    ended = [row for row in rows if row.actual is not None]
    return Kept(measure, rows, _leads(ended), month.last_day + timedelta(days=1))


def missing_days(ask: Ask, stores: Stores, measure: Measure, *, today: date) -> tuple[date, ...]:
    """The days whose forecast is still to be made, today first, then the newest."""
    month = period_around(today, "month", ask.local).first_day
    wanted = [today - timedelta(days=step) for step in range((today - month).days + 1)]
    for _ in range(MADE_LATER_MONTHS):
        last = month - timedelta(days=1)
        month = last.replace(day=1)
        wanted += [last - timedelta(days=lead) for lead in sorted(LEAD_DAYS) if lead <= (last - month).days]
    with stores.control.read() as connection:
        known = kept_days(connection, ask.scope, measure, min(wanted), today)
    return tuple(day for day in wanted if day not in known)


def month_end_on(
    ask: Ask, measure: Measure, day: date, *, now: datetime, is_made_later: bool
) -> KeptForecast | Refusal:
    """What the month around a day is forecast to come to, from the whole days before that day alone."""
    selection = Selection(day, day, ask.zone)
    made = usage_forecast(
        ask, learned_from(selection, day), measure, days=AHEAD_DAYS, today=day, levels=LEVELS
    )
    if isinstance(made, Refusal):
        return made
    assert made.running is not None
    month = period_around(day, "month", ask.local)
    before = made.history.filter(made.history["day"] >= month.first_day)["actual"]
    used_nano = int(sum(before.to_list(), Decimal(0)) * NANO)
    last = (month.last_day - day).days
    bands = made.running.bands(LEVELS)
    low, high = ([used_nano + _nano(bands[level][side][last]) for level in LEVELS] for side in (0, 1))
    return KeptForecast(
        measure,
        month.first_day,
        day,
        now,
        used_nano,
        used_nano + _nano(made.running.point[last]),
        low[0],
        high[0],
        low[1],
        high[1],
        made.history.height,
        tuple((model.name, round(model.weight, 4)) for model in made.models if model.weight >= 0.0001),
        is_made_later,
    )


def keep_day(ask: Ask, stores: Stores, day: date, *, today: date, now: datetime) -> bool:
    """Make and keep the forecasts of a day that are not kept yet; False where its history is too short for any."""
    with stores.control.read() as connection:
        wanted = [m for m in MEASURES if day not in kept_days(connection, ask.scope, m, day, day)]
    made = [month_end_on(ask, one, day, now=now, is_made_later=day < today) for one in wanted]
    rows = [one for one in made if isinstance(one, KeptForecast)]
    if rows:
        stores.control.write(lambda connection: keep_forecasts(connection, ask.scope, rows))
    return bool(rows)


def first_learnable(ask: Ask, today: date) -> date | None:
    """The first day with enough whole days of runs before it; None: no run of the last two years."""
    found = usage.over_time(ask, learned_from(Selection(today, today, ask.zone), today), "day")
    if found.is_empty():
        return None
    first: datetime = found["bucket"].min()  # type: ignore[assignment]
    return first.date() + timedelta(days=LEAST_DAYS)


def _compared(one: KeptForecast, actual: Decimal, present_month: date) -> Compared:
    following = (one.month + timedelta(days=32)).replace(day=1)
    before = (following - one.made_on).days - 1
    if one.month >= present_month:
        return Compared(one, before, None, None, None, None)
    nano = int(actual * NANO)
    miss = (one.point_nano - nano) / nano if nano else 0.0 if not one.point_nano else None
    return Compared(
        one,
        before,
        actual,
        miss,
        one.lower_80_nano <= nano <= one.upper_80_nano,
        one.lower_95_nano <= nano <= one.upper_95_nano,
    )


def _leads(rows: Sequence[Compared]) -> tuple[Lead, ...]:
    found = []
    for first, following in zip((0, *_NEAREST), (*_NEAREST, 32), strict=True):
        part = [row for row in rows if first <= row.days_before < following]
        misses = [abs(row.miss) for row in part if row.miss is not None]
        if part:
            found.append(
                Lead(
                    first,
                    min(following - 1, 30),
                    len(part),
                    sum(misses) / len(misses) if misses else None,
                    sum(bool(row.is_within_80) for row in part) / len(part),
                    sum(bool(row.is_within_95) for row in part) / len(part),
                )
            )
    return tuple(found)


def _actual(ask: Ask, measure: Measure, first: date, following: date) -> dict[date, Decimal]:
    """What each month from the first on came to, before the one that begins on `following`."""
    selection = Selection(first, following - timedelta(days=1), ask.zone)
    found = usage.over_time(ask, replace(selection, period=None), "month")
    return {bucket.date(): Decimal(amount) for bucket, amount in found.select("bucket", measure).iter_rows()}


def _months_before(month: date, count: int) -> date:
    for _ in range(count):
        month = (month - timedelta(days=1)).replace(day=1)
    return month


def _nano(amount: float) -> int:
    return round(float(amount) * NANO)
