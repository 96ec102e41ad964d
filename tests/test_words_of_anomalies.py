"""The words for anomalies: what people would say of their length, direction and measure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runs_analytics.control.anomalies import Anomaly
from runs_analytics.ui import anomaly_words as words
from runs_analytics.vocabulary import NANO

START = datetime(2026, 11, 2, tzinfo=UTC)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)


def an_event(
    kind: str, lasted: timedelta, measure: str = "runs", actual: float = 300, expected: float = 100
) -> Anomaly:
    direction = "down" if actual < expected else "up"
    return Anomaly(
        "id", measure, "", "", "hour", kind, direction, START, START + lasted, START, False,
        round(actual * NANO), round(expected * NANO), 9.0, None, None,
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "lasted", "measure", "is_more", "expected"),
    [
        ("spike", HOUR, "runs", True, "spike"),
        ("spike", 24 * HOUR, "cost", True, "spike"),
        ("spike", 25 * HOUR, "credits", True, "spike"),  # A day on which clocks were set back.
        ("spike", 2 * DAY, "runs", True, "increase"),
        ("spike", 3 * DAY, "error_rate", True, "increase"),
        ("spike", 20 * DAY, "runs", True, "increase"),
        ("spike", 3 * WEEK, "runs", True, "lasting increase"),
        ("spike", 7 * WEEK, "error_rate", True, "lasting increase"),
        ("rise", 5 * HOUR, "runs", True, "spike"),  # Whether it stays is not seen yet.
        ("rise", 2 * DAY, "runs", True, "lasting increase"),
        ("rise", 8 * WEEK, "cost", True, "lasting increase"),
        ("leak", 2 * DAY, "credits", True, "slow increase"),
        ("leak", 6 * WEEK, "credits", True, "slow increase"),
        ("drop", 6 * HOUR, "runs", False, "drop"),
        ("drop", 4 * DAY, "credits", False, "decrease"),
        ("drop", 4 * WEEK, "credits", False, "lasting decrease"),
        ("fall", 16 * DAY, "runs", False, "lasting decrease"),
        ("dead", 6 * HOUR, "runs", False, "pause"),
        ("dead", 17 * DAY, "cost", False, "standstill"),
        ("dead", 5 * WEEK, "credits", False, "lasting standstill"),
        ("dead", 5 * HOUR, "error_rate", False, "drop"),
        ("dead", 5 * DAY, "error_rate", False, "decrease"),
        ("spike", DAY, "duration", True, "slowdown"),
        ("rise", 9 * DAY, "duration", True, "lasting slowdown"),
        ("drop", 4 * DAY, "duration", False, "speed-up"),
        ("fall", 4 * WEEK, "duration", False, "lasting speed-up"),
    ],
)
def test_an_event_is_called_what_people_would_call_it(
    kind: str, lasted: timedelta, measure: str, is_more: bool, expected: str
) -> None:
    assert words.kind(an_event(kind, lasted, measure, actual=300 if is_more else 10)) == expected


@pytest.mark.parametrize(
    ("actual", "expected_amount", "text"),
    [
        (32, 10, "×3.2"),
        (352, 10, "×35"),
        (12_340, 20, "×617"),
        (4, 100, "×0.04"),
        (9.6, 100, "×0.1"),
        (0.1, 100, "×0"),
        (0, 100, "×0"),
        (0, 0, "×0"),
        (5, 0, "from almost nothing"),
        (5_000_000, 10, "from almost nothing"),
    ],
)
def test_a_factor_has_two_digits_that_say_something(actual: float, expected_amount: float, text: str) -> None:
    assert words.factor(an_event("spike", HOUR, actual=actual, expected=expected_amount)) == text
