"""What the forecast means for money: where the month ends, which limits will be reached, when the credits run out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

from runs_analytics.analytics import credits as credit
from runs_analytics.analytics import limits, usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.forecasts import (
    Measure,
    Refusal,
    UsageForecast,
    decimal_of,
    learned_from,
    usage_forecast,
)
from runs_analytics.control.limits import LimitStatus
from runs_analytics.money.periods import period_around
from runs_analytics.money.run_out import course
from runs_analytics.roles import require
from runs_analytics.selection import Selection
from runs_analytics.stores import Stores

AHEAD_DAYS: Final = 31
"""No window is longer."""

RUN_OUT_DAYS: Final = 92
"""Days that are forecast for the date the credits run out; what follows goes on like their last four weeks."""

MOST_LIMITS: Final = 12
LEVEL: Final = 80
_LAST_WEEKS: Final = 28


@dataclass(frozen=True, slots=True)
class MonthEnd:
    """What a month will have used when it ends."""

    first_day: date
    last_day: date
    used: Decimal
    """Up to now."""

    expected: Decimal
    lower: Decimal
    upper: Decimal
    """Between these with a chance of LEVEL percent."""


@dataclass(frozen=True, slots=True)
class LimitOutlook:
    """Where a limit will stand when its window ends."""

    status: LimitStatus
    expected: Decimal | None
    """None, as all that follows, where nothing can be forecast; `reason` says why."""

    lower: Decimal | None
    upper: Decimal | None
    chance: float | None
    """Of reaching the limit before the window ends, from 0 to 1."""

    reached_on: date | None
    """The first day by which more than the limit is expected; None: not in this window."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class RunOut:
    """When the credits will be used up by the forecast; None: not within a year."""

    expected: datetime | None
    earliest: datetime | None
    """If usage is as high as the upper end of the band of LEVEL percent."""

    latest: datetime | None


def month_end(ask: Ask, selection: Selection, measure: Measure, *, today: date) -> MonthEnd | Refusal:
    """What a selection's filters will have used when the present month ends."""
    made = usage_forecast(ask, learned_from(selection, today), measure, days=AHEAD_DAYS, today=today)
    if isinstance(made, Refusal) or made.running is None:
        return made if isinstance(made, Refusal) else Refusal("The history ends before yesterday.")
    month = period_around(today, "month", ask.local)
    used = _used(ask, replace(selection, period=None), measure, month.first_day, today)
    expected, lower, upper = _at_end(made, sum(used[:-1], Decimal(0)), (month.last_day - today).days)
    whole = sum(used, Decimal(0))
    return MonthEnd(
        month.first_day, month.last_day, whole, max(expected, whole), max(lower, whole), max(upper, whole)
    )


def limit_outlooks(ask: Ask, stores: Stores, now: datetime) -> tuple[LimitOutlook, ...]:
    """Where the limits of the scope's account will stand, likeliest to be reached first.

    Of limits that every value has, those that are fullest are looked at; MOST_LIMITS in all.
    """
    require(ask.scope, "credits.read")
    today = now.astimezone(ask.local).date()
    statuses = limits.standing(stores, ask.scope, now).statuses
    fullest = sorted(statuses, key=lambda s: s.use.settled_nano / max(s.limit.amount_nano, 1), reverse=True)
    found = [limit_outlook(ask, status, today) for status in fullest[:MOST_LIMITS]]
    return tuple(sorted(found, key=lambda one: one.chance or 0.0, reverse=True))


def limit_outlook(ask: Ask, status: LimitStatus, today: date) -> LimitOutlook:
    """Where one limit will stand when its window ends; what is spent already can only grow."""
    limit, period = status.limit, status.period
    selection = Selection(today, today, ask.zone)
    if limit.dimension != "account":
        selection = selection.with_filter(limit.dimension, [status.value])
    made = usage_forecast(ask, learned_from(selection, today), limit.measure, days=AHEAD_DAYS, today=today)
    if isinstance(made, Refusal) or made.running is None:
        reason = made.reason if isinstance(made, Refusal) else ""
        return LimitOutlook(status, None, None, None, None, None, reason)
    spent = Decimal(status.use.settled_nano).scaleb(-9)
    cap = Decimal(limit.amount_nano).scaleb(-9)
    # Runs that files brought in are used and do not count in limits.
    before_today = max(spent - _used(ask, selection, limit.measure, today, today)[-1], Decimal(0))
    last = (period.last_day - today).days
    expected, lower, upper = (max(spent, amount) for amount in _at_end(made, before_today, last))
    room = np.full(len(made.running.point), float(cap - before_today))
    chance = 1.0 if spent >= cap else float(made.running.chance_above(room)[last])
    crossed = np.flatnonzero(made.running.point[: last + 1] > float(cap - before_today))
    reached_on = today if spent >= cap else today + timedelta(days=int(crossed[0])) if len(crossed) else None
    return LimitOutlook(status, expected, lower, upper, chance, reached_on)


def run_out(ask: Ask, stores: Stores, now: datetime) -> RunOut | Refusal:
    """When the account's credits are used up if usage goes as forecast, its plan's next allowances included."""
    today = now.astimezone(ask.local).date()
    whole = learned_from(Selection(today, today, ask.zone), today)
    made = usage_forecast(ask, whole, "credits", days=RUN_OUT_DAYS, today=today)
    if isinstance(made, Refusal) or made.running is None:
        return made if isinstance(made, Refusal) else Refusal("The history ends before yesterday.")
    low, high = made.running.bands((LEVEL,))[LEVEL]
    paths = {
        "expected": np.asarray(made.days["point"].cast(float).to_numpy()),
        "earliest": np.diff(high, prepend=0.0),
        "latest": np.diff(low, prepend=0.0),
    }
    left, overage_nano, plan = credit.what_is_left(stores, ask.scope, now)
    found = {}
    for name, path in paths.items():
        later = float(np.mean(path[-_LAST_WEEKS:]))
        per_day_nano = [max(0, int(decimal_of(float(day)).scaleb(9))) for day in (*path, later)]
        found[name] = course(left, overage_nano, per_day_nano, now, ask.local, plan)[1]
    return RunOut(**found)


def _at_end(made: UsageForecast, before: Decimal, last: int) -> tuple[Decimal, Decimal, Decimal]:
    """What was used before today and is forecast up to a step: expected, lower and upper."""
    assert made.running is not None
    low, high = made.running.bands((LEVEL,))[LEVEL]
    coming: Sequence[float] = (made.running.point[last], low[last], high[last])
    expected, lower, upper = (before + decimal_of(float(amount)) for amount in coming)
    return expected, lower, upper


def _used(ask: Ask, selection: Selection, measure: Measure, first: date, last: date) -> list[Decimal]:
    """What each of these days used."""
    found = usage.over_time(ask, replace(selection, start=first, end=last), "day")
    by_day = {
        bucket.date(): Decimal(amount) for bucket, amount in found.select("bucket", measure).iter_rows()
    }
    return [by_day.get(first + timedelta(days=step), Decimal(0)) for step in range((last - first).days + 1)]
