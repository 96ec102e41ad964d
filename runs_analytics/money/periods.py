"""Periods of plans and limits: calendar day, ISO week and month in an account's zone.

They follow from a moment alone. Nothing is ever reset: a new period has counters of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from runs_analytics.errors import BadRequest
from runs_analytics.zones import local_midnight

Window = Literal["day", "week", "month"]
WINDOWS: Final[tuple[Window, ...]] = get_args(Window)
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Period:
    """One day, week or month of an account."""

    window: Window
    first_day: date
    last_day: date
    """Local, included."""

    starts_at: datetime
    resets_at: datetime
    """First moment of the next period; both aware, UTC."""

    @property
    def days(self) -> int:
        """Local days in it."""
        return (self.last_day - self.first_day).days + 1


def local_days(moments: Sequence[datetime], zone: ZoneInfo) -> list[date]:
    """The local day of each aware moment, in their order; many moments close to each other cost little."""
    if not moments:
        return []
    first, last = min(moments).astimezone(zone), max(moments).astimezone(zone)
    # No zone changes its offset and changes it back within an hour.
    if last - first < _HOUR and first.utcoffset() == last.utcoffset() and first.date() == last.date():
        return [first.date()] * len(moments)
    return [moment.astimezone(zone).date() for moment in moments]


def period_of(moment: datetime, window: Window, zone: ZoneInfo) -> Period:
    """The period that an aware moment lies in.

    Raises:
        BadRequest: when there is no such window.
    """
    return period_around(moment.astimezone(zone).date(), window, zone)


@lru_cache(maxsize=4_096)
def period_around(day: date, window: Window, zone: ZoneInfo) -> Period:
    """The period that a local day lies in; weeks begin on Monday (ISO 8601).

    Raises:
        BadRequest: when there is no such window.
    """
    match window:
        case "day":
            first = last = day
        case "week":
            first = day - timedelta(days=day.weekday())
            last = first + timedelta(days=6)
        case "month":
            first = day.replace(day=1)
            last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        case _:
            raise BadRequest(
                f"Unknown window {window!r}. Use one of: {', '.join(WINDOWS)}.", field="window", value=window
            )
    following = last + timedelta(days=1)
    return Period(window, first, last, local_midnight(first, zone), local_midnight(following, zone))


def following(period: Period, zone: ZoneInfo) -> Period:
    """The period after this one; a day that a zone left out, as Samoa did in 2011, is none."""
    return period_of(period.resets_at, period.window, zone)
