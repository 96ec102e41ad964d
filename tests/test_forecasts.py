"""The coming days of an account: parts that add up, days that are whole, and refusals with their reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from api_fixtures import Api
from hypothesis import given
from hypothesis import strategies as st

from runs_analytics.analytics import usage
from runs_analytics.analytics.forecasts import Refusal, UsageForecast, split_nano, usage_forecast
from runs_analytics.errors import BadRequest
from runs_analytics.selection import Selection

pytest_plugins = ["api_fixtures"]

TODAY = date(2026, 6, 10)
SPRING = Selection(date(2026, 3, 1), date(2026, 6, 30), "Europe/Berlin")


def made(api: Api, **about: Any) -> UsageForecast:
    given = {"selection": SPRING, "measure": "credits", "days": 30, "today": TODAY} | about
    found = usage_forecast(api.ask, **given)
    assert isinstance(found, UsageForecast), found
    return found


@pytest.mark.parametrize("measure", ["runs", "credits", "cost"])
def test_the_days_from_today_on_are_forecast_with_bands_around_them(served_api: Api, measure: str) -> None:
    found = made(served_api, measure=measure)
    assert found.days["day"].to_list() == [TODAY + timedelta(days=step) for step in range(30)]
    row = found.days.select(
        low95=(pl.col("lower_95") <= pl.col("lower_80")).all(),
        low80=(pl.col("lower_80") <= pl.col("point")).all(),
        high80=(pl.col("point") <= pl.col("upper_80")).all(),
        high95=(pl.col("upper_80") <= pl.col("upper_95")).all(),
        never=(pl.col("lower_95") >= 0).all(),
    ).row(0)
    assert all(row)
    assert found.total == sum(found.days["point"])


def test_the_history_is_what_the_usage_question_says_without_today(served_api: Api) -> None:
    found = made(served_api)
    past = replace(SPRING, end=TODAY - timedelta(days=1))
    assert found.history["day"].max() == past.end
    assert found.history["actual"].sum() == usage.totals(served_api.ask, past).credits


@pytest.mark.parametrize("by", ["service", "member", "model"])
def test_the_parts_of_each_day_add_up_to_the_billionth(served_api: Api, by: Any) -> None:
    found = made(served_api, by=by)
    assert found.parts is not None
    sums = found.parts.group_by("day").agg(pl.col("point").sum()).sort("day")
    assert sums["point"].to_list() == found.days["point"].to_list()
    assert found.parts["point"].min() >= 0
    assert found.parts["value"].n_unique() <= 21


@pytest.mark.parametrize(
    ("selection", "today", "words"),
    [
        (SPRING, SPRING.start, "begins today or later"),
        (Selection(date(2020, 1, 1), date(2020, 3, 1)), TODAY, "no runs"),
        (Selection(date(2026, 6, 1), date(2026, 6, 30)), TODAY, "needs 14 whole days"),
    ],
)
def test_what_cannot_be_forecast_is_refused_with_the_reason(
    served_api: Api, selection: Selection, today: date, words: str
) -> None:
    found = usage_forecast(served_api.ask, selection, "runs", days=7, today=today)
    assert isinstance(found, Refusal)
    assert words in found.reason


@pytest.mark.parametrize(("name", "value"), [("days", 0), ("days", 367), ("measure", "tokens")])
def test_what_is_no_question_is_refused(served_api: Api, name: str, value: Any) -> None:
    with pytest.raises(BadRequest, match=name):
        made(served_api, **{name: value})


@given(whole=st.integers(0, 10**20), shares=st.lists(st.floats(0, 1e9), min_size=1, max_size=8))
def test_a_split_adds_up_whatever_the_shares(whole: int, shares: list[float]) -> None:
    if sum(shares) <= 0:
        shares = [1.0] * len(shares)
    parts = split_nano(whole, shares)
    assert sum(parts) == whole
    assert len(parts) == len(shares)


def test_a_split_gives_what_remains_to_the_largest_fractions() -> None:
    assert split_nano(10, [1, 1, 1]) == [4, 3, 3]
    assert split_nano(7, [0, 1, 0]) == [0, 7, 0]
    assert sum(Decimal(part) for part in split_nano(10**19 + 1, [1, 2, 3])) == 10**19 + 1
