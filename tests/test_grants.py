"""Grants: the order in which they burn, what rolls over, what part of a period costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_analytics.errors import BadRequest
from runs_analytics.money.amounts import nano_to_decimal
from runs_analytics.money.grants import Grant, burn, prorated, rolled_over
from runs_analytics.money.periods import period_of
from runs_analytics.vocabulary import NANO

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def grant(grant_id: str = "g", **changes: Any) -> Grant:
    values: dict[str, Any] = {
        "id": grant_id,
        "kind": "purchase",
        "amount_nano": 10 * NANO,
        "priority": 10,
        "effective_at": NOW - DAY,
        "expires_at": NOW + DAY,
        "created_at": NOW - 2 * DAY,
    }
    return Grant(**(values | changes))


IN_ORDER = [
    grant("f", priority=9, expires_at=None),
    grant("e", expires_at=NOW + timedelta(hours=1)),
    grant("d", kind="promotion"),
    grant("c", effective_at=NOW - 2 * DAY),
    grant("b", created_at=NOW - 3 * DAY),
    grant("a"),
    grant("aa"),
    grant("0", expires_at=None),
    grant("00", priority=11),
]


def test_the_burn_order_is_priority_expiry_promotion_effective_created_id() -> None:
    for some in permutations(IN_ORDER, 3):
        kept = sorted(some, key=IN_ORDER.index)
        found = burn(some, {g.id: NANO for g in some}, 10 * NANO, NOW)
        assert [grant_id for grant_id, _ in found.parts] == [g.id for g in kept]
        assert found.uncovered_nano == 7 * NANO


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        (NOW - DAY - timedelta(microseconds=1), False),
        (NOW - DAY, True),
        (NOW + DAY - timedelta(microseconds=1), True),
        (NOW + DAY, False),
    ],
)
def test_a_grant_is_open_from_its_start_to_just_before_its_expiry(at: datetime, is_open: bool) -> None:
    found = burn([grant()], {"g": 10 * NANO}, NANO, at)
    assert found.parts == ((("g", NANO),) if is_open else ())
    assert found.uncovered_nano == (0 if is_open else NANO)


@given(
    st.lists(st.tuples(st.sampled_from(IN_ORDER), st.integers(0, 10 * NANO)), unique_by=lambda p: p[0].id),
    st.integers(0, 100 * NANO),
)
def test_a_burn_adds_up_and_never_takes_more_than_is_left(
    given_left: list[tuple[Grant, int]], amount_nano: int
) -> None:
    left_nano = {g.id: left for g, left in given_left}
    found = burn([g for g, _ in given_left], left_nano, amount_nano, NOW)
    assert sum(part for _, part in found.parts) + found.uncovered_nano == amount_nano
    assert all(0 < part <= left_nano[grant_id] for grant_id, part in found.parts)
    if found.uncovered_nano:
        assert sum(part for _, part in found.parts) == sum(left_nano.values())


@pytest.mark.parametrize(
    ("left", "minimum", "maximum", "kept"),
    [(7, 0, 0, 0), (7, 0, 5, 5), (3, 0, 5, 3), (0, 2, 5, 2), (7, 9, 9, 9), (7, 0, 10**6, 7)],
)
def test_what_rolls_over_lies_between_a_minimum_and_a_maximum(
    left: int, minimum: int, maximum: int, kept: int
) -> None:
    assert rolled_over(left, minimum_nano=minimum, maximum_nano=maximum) == kept


def test_a_part_of_a_month_costs_by_its_real_days() -> None:
    january = period_of(datetime(2026, 1, 15, tzinfo=UTC), "month", ZoneInfo("UTC"))
    assert nano_to_decimal(prorated(100 * NANO, january, 14)) == Decimal("45.161290323")
    assert prorated(100 * NANO, january, 31) == 100 * NANO
    assert prorated(100 * NANO, january, 0) == 0
    with pytest.raises(BadRequest, match="32 days of a month with 31"):
        prorated(100 * NANO, january, 32)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": "gift"}, "kind is 'gift'; use one of: allowance, purchase, promotion"),
        ({"amount_nano": 0}, "amount is 0; use more than 0"),
        ({"priority": 0}, "priority is 0; use 1 to 255"),
        ({"expires_at": NOW - DAY}, "use a moment after"),
    ],
)
def test_a_grant_that_cannot_be_is_refused_in_words(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        grant(**changes)
