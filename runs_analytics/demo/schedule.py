"""When each planted thing happens, counted back from the end of the sample in the company's zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from runs_analytics.demo.company import ZONE
from runs_analytics.zones import local_midnight, zone_named

SPIKE_FACTOR: Final = 2.1
DROP_FACTOR: Final = 0.03
SHIFT_FACTOR: Final = 1.7
LEAK_PER_DAY: Final = 0.015
BURST_ERROR_RATE: Final = 0.55
STRUGGLE_FACTOR: Final = 5.0

_TUESDAY, _WEDNESDAY, _THURSDAY, _SATURDAY, _MONDAY = 1, 2, 3, 5, 0
_PRICE_CHANGE_DAYS: Final = 60


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, in aware UTC."""

    start: datetime
    stop: datetime
    """First moment that no longer belongs to it."""

    def to_json(self) -> dict[str, str]:
        """Both moments as ISO texts."""
        return {"from": self.start.isoformat(), "to": self.stop.isoformat()}


@dataclass(frozen=True, slots=True)
class Schedule:
    """Where the sample lies in time, and the window of everything planted in it."""

    whole: Window
    spike: Window
    error_burst: Window
    drop: Window
    level_shift: Window
    slow_leak: Window
    weekend_surge: Window
    unused_since: Window
    retry_loops: Window
    bursts: Window
    struggling: Window
    unpriced: Window
    unlisted: Window
    price_change: datetime
    """First moment of the second version of the credit prices."""


def schedule(until: datetime, days: int) -> Schedule:
    """The schedule of a sample that ends at a moment.

    Args:
        until: the end, aware.
        days: length of the sample; what lies before it is not in the data.
    """
    today = until.astimezone(zone_named(ZONE)).date()

    def rest(back: int, weekday: int | None = None) -> Window:
        return Window(_at(_day(today, back, weekday)), until)

    def hours(back: int, weekday: int, first: int, last: int) -> Window:
        day = _day(today, back, weekday)
        return Window(_at(day, first), _at(day, last))

    def span(back: int, weekday: int, length: int) -> Window:
        day = _day(today, back, weekday)
        return Window(_at(day), _at(day + timedelta(days=length)))

    return Schedule(
        whole=Window(until - timedelta(days=days), until),
        spike=span(20, _WEDNESDAY, 1),
        error_burst=hours(9, _TUESDAY, 10, 15),
        drop=hours(33, _THURSDAY, 10, 16),
        level_shift=rest(75, _MONDAY),
        slow_leak=rest(50),
        weekend_surge=span(13, _SATURDAY, 2),
        unused_since=rest(45),
        retry_loops=rest(40),
        bursts=rest(60),
        struggling=rest(90),
        unpriced=rest(25),
        unlisted=rest(35),
        price_change=_at(_day(today, min(_PRICE_CHANGE_DAYS, days // 2))),
    )


def overlap(first: Window, second: Window) -> Window | None:
    """What two windows share, or None."""
    start, stop = max(first.start, second.start), min(first.stop, second.stop)
    return Window(start, stop) if start < stop else None


def _day(today: date, back: int, weekday: int | None = None) -> date:
    """The local date so many days back, or the last such weekday before it."""
    day = today - timedelta(days=back)
    return day if weekday is None else day - timedelta(days=(day.weekday() - weekday) % 7)


def _at(day: date, hour: int = 0) -> datetime:
    zone = zone_named(ZONE)
    if hour == 0:
        return local_midnight(day, zone)
    return datetime.combine(day, time(hour), zone).astimezone(UTC)
