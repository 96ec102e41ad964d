"""Times of any column type as UTC: text with or without an offset, typed times, and numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from runs_analytics.errors import BadRequest
from runs_analytics.ingest.files.decimals import scaled
from runs_analytics.ingest.files.rowhash import as_text
from runs_analytics.run_frame import UTC_US
from runs_analytics.zones import zone_named

TIME_UNITS: Final = {"s": 6, "ms": 3, "us": 0}
"""Decimal places between a unit and a microsecond."""

_ISO: Final = (
    r"^(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<clock>\d{2}:\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s?(?P<offset>Z|z|UTC|[+-]\d{2}:?\d{2}|[+-]\d{2})?)?$"
)
_LOG: Final = r"^(?P<date>\d{2}/[A-Z][a-z]{2}/\d{4}):(?P<clock>\d{2}:\d{2}:\d{2})(?: (?P<offset>[+-]\d{4}))?$"
_PLAIN_NUMBER: Final = r"^[+-]?\d+(?:\.\d*)?$"
_DAY_US: Final = 86_400_000_000
_FAR_US: Final = 60 * 366 * 4 * _DAY_US
"""About 240 years around 1970: beyond it no run can have started."""


def utc_moments(given: pl.Series, *, zone: str, time_unit: str | None, origin: datetime | None) -> pl.Series:
    """The moment of each value as UTC microseconds without a zone; null where it is no time.

    A local time that the clocks skipped moves forward by the gap; one that happened twice is the first.

    Args:
        given: a column of any type.
        zone: IANA zone of times that carry no offset.
        time_unit: s, ms or us of times that are numbers; without it numbers are no times.
        origin: aware moment that numbers count from; 1970 without it.

    Raises:
        BadRequest: when the column is typed as numbers and no unit is given.
    """
    if given.dtype in (pl.Datetime, pl.Date):
        moments = _from_typed(given)
        return moments if getattr(given.dtype, "time_zone", None) else _in_utc(moments, zone)
    if given.dtype.is_numeric():
        if time_unit is None:
            example = given.drop_nulls().head(1).to_list()
            raise BadRequest(
                f"The times in column {given.name!r} are numbers, such as {example}. Give their unit with "
                "--time-unit s, ms or us, and --origin when they do not count from 1970.",
                field="started_at",
            )
        return _from_numbers(given, time_unit, origin)
    texts = as_text(given).str.strip_chars()
    moments = _from_text(texts, zone)
    if time_unit is None:
        return moments
    numbers = texts.set(~texts.str.contains(_PLAIN_NUMBER), None)
    return moments.fill_null(_from_numbers(numbers, time_unit, origin))


def _from_typed(given: pl.Series) -> pl.Series:
    """Typed times as microseconds; far ones become null, because polars cannot print or convert them."""
    stored = given.to_physical().cast(pl.Int64)
    unit = "day" if given.dtype == pl.Date else getattr(given.dtype, "time_unit", "us")
    if unit == "ns":
        return (stored // 1_000).cast(UTC_US)
    microseconds = {"us": 1, "ms": 1_000, "day": _DAY_US}[unit]
    return (_within(stored, _FAR_US // microseconds) * microseconds).cast(UTC_US)


def _from_numbers(given: pl.Series, time_unit: str, origin: datetime | None) -> pl.Series:
    microseconds = scaled(given, TIME_UNITS[time_unit]).values
    start_us = 0
    if origin is not None:
        start_us = round((origin - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)
    return (_within(microseconds, _FAR_US) + start_us).cast(UTC_US)


def _within(numbers: pl.Series, limit: int) -> pl.Series:
    return numbers.set(~numbers.is_between(-limit, limit), None)


def _from_text(texts: pl.Series, zone: str) -> pl.Series:
    moments = _from_iso(texts, zone)
    rest = moments.is_null() & texts.is_not_null()
    return moments.fill_null(_from_log(texts.set(~rest, None), zone)) if rest.any() else moments


def _from_iso(texts: pl.Series, zone: str) -> pl.Series:
    parts = texts.str.extract_groups(_ISO).struct
    clock = parts["clock"].fill_null("00:00") + ":" + parts["second"].fill_null("00")
    local = _parsed(parts["day"] + " " + clock, "%Y-%m-%d %H:%M:%S")
    fraction = parts["fraction"]
    if fraction.null_count() < len(fraction):
        part_us = fraction.str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64).fill_null(0)
        local = (local.cast(pl.Int64) + part_us).cast(UTC_US)
    return _placed(local, parts["offset"], zone)


def _from_log(texts: pl.Series, zone: str) -> pl.Series:
    parts = texts.str.extract_groups(_LOG).struct
    local = _parsed(parts["date"] + " " + parts["clock"], "%d/%b/%Y %H:%M:%S")
    return _placed(local, parts["offset"], zone)


def _placed(local: pl.Series, offset: pl.Series, zone: str) -> pl.Series:
    """Local times moved to UTC by their own offset, or in the zone where they have none."""
    if offset.null_count() == len(offset):
        return _in_utc(local, zone)
    with_offset = (local.cast(pl.Int64) - _offset_us(offset)).cast(UTC_US)
    return with_offset.fill_null(_in_utc(local.set(offset.is_not_null(), None), zone))


def _parsed(texts: pl.Series, pattern: str) -> pl.Series:
    return texts.str.to_datetime(pattern, time_unit="us", strict=False)


def _offset_us(offsets: pl.Series) -> pl.Series:
    """Microseconds east of UTC; null where there is no offset or it is beyond a day."""
    digits = offsets.str.replace(":", "", literal=True).str.pad_end(5, "0")
    hours = digits.str.slice(1, 2).cast(pl.Int64, strict=False)
    minutes = digits.str.slice(3, 2).cast(pl.Int64, strict=False)
    size = (hours * 60 + minutes) * 60_000_000
    known = (hours < 24) & (minutes < 60)
    frame = pl.DataFrame({"offset": offsets, "size": size, "known": known})
    return frame.select(
        pl.when(pl.col("offset").is_in(["Z", "z", "UTC"]))
        .then(0)
        .when(~pl.col("known"))
        .then(None)
        .when(pl.col("offset").str.starts_with("-"))
        .then(-pl.col("size"))
        .otherwise(pl.col("size"))
    ).to_series()


def _in_utc(local: pl.Series, zone: str) -> pl.Series:
    """Local times as UTC by Python's zone database: whole days of one offset at once, others one by one."""
    if zone == "UTC":
        return local
    place = zone_named(zone)
    near = _within(local.cast(pl.Int64), _FAR_US).cast(UTC_US)
    days = near.dt.date()
    offsets = {day: _offset_of_day(day, place) for day in days.unique().drop_nulls()}
    if not offsets:
        return near
    offset_us = days.replace_strict(offsets, default=None, return_dtype=pl.Int64)
    result = (near.cast(pl.Int64) - offset_us).cast(UTC_US)
    changing = (offset_us.is_null() & near.is_not_null()).arg_true()
    if not len(changing):
        return result
    moved = [
        moment.replace(tzinfo=place).astimezone(UTC).replace(tzinfo=None) for moment in near.gather(changing)
    ]
    return result.scatter(changing, pl.Series(moved, dtype=UTC_US))


def _offset_of_day(day: date, place: ZoneInfo) -> int | None:
    """Microseconds east of UTC all through a local day, or None when the clocks change in it."""
    # PEP 495: with fold 0 a skipped time takes the offset before the gap and so moves forward by it.
    first = datetime.combine(day, time(), place).utcoffset()
    last = datetime.combine(day + timedelta(days=1), time(), place).utcoffset()
    assert first is not None
    return first // timedelta(microseconds=1) if first == last else None
