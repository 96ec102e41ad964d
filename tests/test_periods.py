"""Periods of plans and limits: days, ISO weeks and months as an account's clocks show them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_analytics.errors import BadRequest
from runs_analytics.money.periods import WINDOWS, following, period_of

BERLIN, LORD_HOWE, SAO_PAULO = map(ZoneInfo, ("Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo"))
ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia")


START = datetime(1990, 1, 2, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("window", "moment", "first", "last", "resets_at"),
    [
        ("day", "2026-11-22T22:59:59Z", "2026-11-22", "2026-11-22", "2026-11-22T23:00Z"),
        ("day", "2026-11-22T23:00:00Z", "2026-11-23", "2026-11-23", "2026-11-23T23:00Z"),
        ("day", "2026-03-29T00:30:00Z", "2026-03-29", "2026-03-29", "2026-03-29T22:00Z"),  # 23 hours
        ("day", "2026-10-25T00:30:00Z", "2026-10-25", "2026-10-25", "2026-10-25T23:00Z"),  # 25 hours
        ("week", "2026-11-22T12:00:00Z", "2026-11-16", "2026-11-22", "2026-11-22T23:00Z"),
        ("week", "2027-01-01T12:00:00Z", "2026-12-28", "2027-01-03", "2027-01-03T23:00Z"),
        ("month", "2026-10-31T23:30:00Z", "2026-11-01", "2026-11-30", "2026-11-30T23:00Z"),
        ("month", "2028-02-29T12:00:00Z", "2028-02-01", "2028-02-29", "2028-02-29T23:00Z"),
        ("month", "2026-12-31T12:00:00Z", "2026-12-01", "2026-12-31", "2026-12-31T23:00Z"),
    ],
)
def test_a_period_follows_from_the_local_day(
    window: str, moment: str, first: str, last: str, resets_at: str
) -> None:
    period = period_of(at(moment), window, BERLIN)  # type: ignore[arg-type]
    assert (period.first_day, period.last_day) == (date.fromisoformat(first), date.fromisoformat(last))
    assert period.resets_at == at(resets_at)


def test_a_day_whose_midnight_is_skipped_starts_when_clocks_resume() -> None:
    period = period_of(at("2018-11-04T12:00:00Z"), "day", SAO_PAULO)
    assert period.starts_at == at("2018-11-04T03:00:00Z")
    assert period.resets_at - period.starts_at == timedelta(hours=23)


def test_clocks_may_change_by_half_an_hour() -> None:
    period = period_of(at("2026-04-04T20:00:00Z"), "day", LORD_HOWE)
    assert period.resets_at - period.starts_at == timedelta(hours=24, minutes=30)


def test_a_day_that_a_zone_left_out_is_no_period() -> None:
    apia = ZoneInfo("Pacific/Apia")
    last = period_of(at("2011-12-30T09:59:59Z"), "day", apia)
    assert (last.last_day, following(last, apia).first_day) == (date(2011, 12, 29), date(2011, 12, 31))
    assert following(last, apia).starts_at == last.resets_at


@given(
    st.integers(0, 100 * 365 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds)),
    st.sampled_from(WINDOWS),
    st.sampled_from(ZONES),
)
def test_periods_hold_their_moment_and_follow_one_another_without_a_gap(moment, window, zone_name) -> None:  # type: ignore[no-untyped-def]
    zone = ZoneInfo(zone_name)
    period = period_of(moment, window, zone)
    assert period.starts_at <= moment < period.resets_at
    after = following(period, zone)
    assert after.starts_at == period.resets_at
    assert period_of(after.starts_at, window, zone) == after
    assert period_of(period.resets_at - timedelta(microseconds=1), window, zone) == period


def test_an_unknown_window_is_refused_by_name() -> None:
    with pytest.raises(BadRequest, match=r"Unknown window 'year'\. Use one of: day, week, month"):
        period_of(datetime(2026, 1, 1, tzinfo=UTC), "year", BERLIN)  # type: ignore[arg-type]
