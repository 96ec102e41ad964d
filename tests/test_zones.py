"""Local days come out right in any zone, clock changes included."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_analytics.zones import QUARTER_HOUR, local_midnight, quarter_hour_of, shifts

ZONES = [
    "UTC",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Asia/Tehran",
    "America/Havana",
]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
starts = st.integers(
    quarter_hour_of(datetime(1990, 1, 2, tzinfo=UTC)), quarter_hour_of(datetime(2035, 1, 1, tzinfo=UTC))
)


@given(zone=st.sampled_from(ZONES), start=starts, length=st.integers(1, 96 * 400), data=st.data())
def test_shifts_agree_with_the_zone_at_every_quarter_hour(
    zone: str, start: int, length: int, data: st.DataObject
) -> None:
    spans = shifts(zone, start, start + length)
    assert spans[0].start == start
    assert spans[-1].stop == start + length
    assert all(a.stop == b.start for a, b in itertools.pairwise(spans))
    at = data.draw(st.integers(start, start + length - 1))
    span = next(s for s in spans if s.start <= at < s.stop)
    moment = EPOCH + at * QUARTER_HOUR
    wall = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)
    assert wall == moment + span.quarter_hours * QUARTER_HOUR


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23.0),
        ("Europe/Berlin", date(2026, 10, 25), 25.0),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("America/Sao_Paulo", date(2018, 11, 4), 23.0),
        ("Pacific/Apia", date(2011, 12, 30), 0.0),
        ("Asia/Kolkata", date(2026, 3, 29), 24.0),
    ],
)
def test_a_local_day_is_as_long_as_its_clock_says(zone: str, day: date, hours: float) -> None:
    start = local_midnight(day, ZoneInfo(zone))
    stop = local_midnight(day + timedelta(days=1), ZoneInfo(zone))
    assert (stop - start) / timedelta(hours=1) == hours
