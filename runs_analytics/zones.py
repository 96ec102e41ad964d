"""Local days in any IANA zone, from one source: Python's zone database.

Stores never convert between zones by themselves: polars and DuckDB carry databases of their own, which may be
of another year. They get the clock changes of a range as a few rows instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from runs_analytics.errors import BadSelection

QUARTER_HOUR = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shift:
    """A span in which a zone's offset stays the same, in quarter-hours since 1970 UTC."""

    start: int
    stop: int
    """First quarter-hour that no longer belongs to the span."""

    quarter_hours: int
    """What to add to a quarter-hour UTC to get the local one."""


def zone_named(name: str) -> ZoneInfo:
    """The IANA zone of that name.

    Raises:
        BadSelection: when no such zone is known.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise BadSelection(
            f"Unknown time zone {name!r}. Use an IANA name such as Europe/Berlin or UTC.",
            field="zone",
            value=name,
        ) from problem


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a local day, as an aware UTC datetime.

    Where clocks skip midnight the day starts when they resume: a time in a gap maps forward (PEP 495, fold 0).
    """
    return datetime.combine(day, time(), zone).astimezone(UTC)


def quarter_hour_of(moment: datetime) -> int:
    """Quarter-hours since 1970 UTC, rounded down."""
    return (moment - _EPOCH) // QUARTER_HOUR


@lru_cache(maxsize=512)
def shifts(zone_name: str, start: int, stop: int) -> tuple[Shift, ...]:
    """The spans of constant offset that make up a range of quarter-hours, in order.

    Args:
        zone_name: an IANA name.
        start: first quarter-hour since 1970 UTC.
        stop: first quarter-hour no longer in the range.
    """
    zone = zone_named(zone_name)
    result: list[Shift] = []
    span_start, offset, at = start, _offset(zone, start), start
    while at < stop - 1:
        probe = min(at + 96, stop - 1)
        if _offset(zone, probe) != offset:
            low, high = at, probe
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone, middle) == offset else (low, middle)
            result.append(Shift(span_start, high, offset))
            span_start, offset, probe = high, _offset(zone, high), high
        at = probe
    result.append(Shift(span_start, stop, offset))
    return tuple(result)


def _offset(zone: ZoneInfo, quarter_hour: int) -> int:
    offset = (_EPOCH + quarter_hour * QUARTER_HOUR).astimezone(zone).utcoffset()
    assert offset is not None  # a ZoneInfo always knows its offset
    return offset // QUARTER_HOUR
