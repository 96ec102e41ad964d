"""Numbers, times and ranges read as the interface promises."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_analytics.charts.units import bytes_text, duration_text
from runs_analytics.ui import format as text

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (None, "–"),
        ("0", "0.0"),
        ("3.4", "3.4"),
        ("0.04", "<0.1"),
        ("-0.04", "-<0.1"),
        ("0.05", "<0.1"),
        ("0.06", "0.1"),
        ("99.94", "99.9"),
        ("99.96", "100"),
        ("382410.4", "382,410"),
        ("-1234.5", "-1,234"),
        ("99999999999999999999999999999.5", "100,000,000,000,000,000,000,000,000,000"),
    ],
)
def test_credits_have_one_decimal_below_a_hundred(amount: str | None, expected: str) -> None:
    assert text.credits(None if amount is None else Decimal(amount)) == expected


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("7648.2", "USD", "$7,648.20"),
        ("0", "EUR", "€0.00"),
        ("-3.2", "GBP", "-£3.20"),
        ("0.0042", "USD", "$0.0042"),
        ("0.000000001", "USD", "$0.0000000010"),
        ("12.3", "CHF", "CHF 12.30"),
        ("1234.4", "JPY", "¥1,234"),
    ],
)
def test_money_shows_its_currency_and_never_hides_a_small_amount(
    amount: str, currency: str, expected: str
) -> None:
    assert text.money(Decimal(amount), currency) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("–", "–"),
        ("6.5 %", "6.5 %"),
        ("589,240,917", "589,240,917"),
        ("5,892,409,173", "5.89 B"),
        ("$123,456.78", "$123,456.78"),
        ("$1,234,567.89", "$1.23 M"),
        ("CHF 123,456.78", "CHF 123.46 k"),
        ("-$1,234,567.89", "-$1.23 M"),
        ("5,892,409,173,000,000,000", "5,892,409.17 T"),
        ("less than nothing", "less than nothing"),
    ],
)
def test_only_a_long_number_is_shortened_to_fit_a_card(number: str, expected: str) -> None:
    assert text.fitted(number) == expected


@pytest.mark.parametrize(
    ("duration_us", "expected"),
    [
        (0, "0 s"),
        (450, "450 µs"),
        (8_200, "8.2 ms"),
        (820_000, "820 ms"),
        (999_600, "1.0 s"),
        (4_210_000, "4.2 s"),
        (59_960_000, "1 m"),
        (192_000_000, "3 m 12 s"),
        (3_580_000_000, "59 m 40 s"),
        (3_599_900_000, "1 h"),
        (7_500_000_000, "2 h 5 m"),
        (273_600_000_000, "3 d 4 h"),
        (-4_200_000, "-4.2 s"),
    ],
)
def test_durations_read_as_people_say_them(duration_us: int, expected: str) -> None:
    assert text.duration(duration_us) == duration_text(duration_us) == expected


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [
        (0, "0 B"),
        (640, "640 B"),
        (1_200, "1.2 kB"),
        (999_960, "1.0 MB"),
        (34_000_000, "34.0 MB"),
        (340_000_000, "340 MB"),
        (5 * 10**18, "5,000 PB"),
    ],
)
def test_sizes_have_decimal_prefixes(size_bytes: int, expected: str) -> None:
    assert text.size(size_bytes) == bytes_text(size_bytes) == expected


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (112.4, 100, "+12.4 %"),
        (97, 100, "-3.0 %"),
        (100.01, 100, "0.0 %"),
        (Decimal("1.5"), Decimal("1"), "+50.0 %"),
        (-50, -100, "+50.0 %"),
        (5, 0, None),
        (5, None, None),
        (None, 5, None),
    ],
)
def test_a_change_has_its_sign_and_needs_something_to_compare_with(
    now: float | None, before: float | None, expected: str | None
) -> None:
    assert text.change(now, before) == expected


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [(0.0231, 0.0189, "+0.42 pp"), (0.01, 0.02, "-1.00 pp"), (0.5, 0.5, "0.00 pp"), (None, 0.5, None)],
)
def test_rates_change_by_percentage_points(
    now: float | None, before: float | None, expected: str | None
) -> None:
    assert text.rate_change(now, before) == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (date(2026, 10, 24), date(2026, 11, 22), "24 Oct – 22 Nov 2026"),
        (date(2026, 11, 1), date(2026, 11, 30), "1 – 30 Nov 2026"),
        (date(2025, 12, 24), date(2026, 1, 22), "24 Dec 2025 – 22 Jan 2026"),
        (date(2026, 11, 22), date(2026, 11, 22), "22 Nov 2026"),
    ],
)
def test_date_ranges_say_each_part_once(start: date, end: date, expected: str) -> None:
    assert text.date_range(start, end) == expected


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=12), "12 s ago"),
        (timedelta(minutes=59, seconds=59), "59 min ago"),
        (timedelta(hours=1), "22 Nov 2026, 12:00:00"),
        (timedelta(minutes=-1), "22 Nov 2026, 13:01:00"),
    ],
)
def test_only_the_last_hour_is_told_by_its_age(age: timedelta, expected: str) -> None:
    assert text.when(NOON - age, NOON, BERLIN) == expected


def test_whole_numbers_percent_and_shares() -> None:
    assert text.integer(1_284_310) == "1,284,310"
    assert text.percent(0.0231) == "2.3 %"
    assert text.share(Decimal(1), Decimal(3)) == "33.3 %"
    assert text.share(0, 0) == text.percent(None) == text.integer(None) == text.duration(None) == "–"


@given(st.integers(-(10**27), 10**27))
def test_an_exact_amount_keeps_every_billionth(amount_nano: int) -> None:
    shown = text.exact(text.from_nano(amount_nano))
    assert Decimal(shown.replace(",", "")) * 10**9 == amount_nano
