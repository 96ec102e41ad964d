"""Forecasts over HTTP say what the questions answer, and refuse with the reason."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from api_fixtures import Api
from warehouse_fixtures import NOW

from runs_analytics.analytics.forecasts import UsageForecast, learned_from, usage_forecast
from runs_analytics.selection import Selection
from runs_analytics.worker.keeper import Keeper

pytest_plugins = ["api_fixtures"]


@pytest.mark.parametrize("measure", ["credits", "cost", "runs"])
def test_the_answer_is_the_questions_own(served_api: Api, measure: str) -> None:
    found = served_api.get("forecasts", measure=measure, days=10, by="service")
    today = NOW.astimezone(served_api.ask.local).date()
    learned = learned_from(Selection(today, today, served_api.ask.zone), today)
    made = usage_forecast(served_api.ask, learned, measure, days=10, today=today, by="service")  # type: ignore[arg-type]
    assert isinstance(made, UsageForecast)
    assert Decimal(found["total"]) == made.total
    assert [Decimal(day["point"]) for day in found["days"]] == made.days["point"].to_list()
    assert [day["day"] for day in found["days"]] == [str(today + timedelta(days=step)) for step in range(10)]
    assert sum(Decimal(part["point"]) for part in found["parts"]) == made.total
    assert found["refused"] is None
    assert Decimal(found["total_80"]["lower"]) <= made.total <= Decimal(found["total_80"]["upper"])
    assert sum(model["weight"] for model in found["models"]) == pytest.approx(1)


def test_filters_narrow_it_and_dates_are_no_parameters(served_api: Api) -> None:
    whole, part = (Decimal(served_api.get("forecasts", **q)["total"]) for q in ({}, {"service": "Search"}))
    assert part < whole
    assert served_api.request("GET", "forecasts?period=30d").status_code == 400
    assert served_api.request("GET", "forecasts?days=0").status_code == 400
    assert served_api.request("GET", "forecasts?days=367").status_code == 400


def test_what_cannot_be_forecast_says_why(served_api: Api) -> None:
    found = served_api.get("forecasts", service="never used")
    assert "no runs" in found["refused"]
    assert (found["total"], found["days"], found["accuracy"]) == (None, [], None)


def test_limits_and_run_out_have_answers(served_api: Api) -> None:
    body = {"dimension": "account", "window": "month", "amount": "1"}
    assert served_api.act("PUT", "limits/ahead", body).status_code == 200
    (limit,) = [x for x in served_api.get("forecasts/limits")["limits"] if x["limit"]["id"] == "ahead"]
    assert 0 <= limit["chance"] <= 1
    assert Decimal(limit["lower_80"]) <= Decimal(limit["expected"]) <= Decimal(limit["upper_80"])
    assert served_api.get("forecasts/run-out").keys() == {"refused", "expected", "earliest", "latest"}


def test_kept_forecasts_are_answered_as_they_were_made(served_api: Api) -> None:
    keeper = Keeper(served_api.stores)
    assert keeper.step()
    found = served_api.get("forecasts/kept", measure="runs")
    (row,) = found["forecasts"]
    today = NOW.astimezone(served_api.ask.local).date()
    assert (row["month"], row["made_on"], row["is_made_later"]) == (f"{today:%Y-%m}", str(today), False)
    assert Decimal(row["lower_95"]) <= Decimal(row["lower_80"]) <= Decimal(row["expected"])
    assert (row["actual"], row["miss"], found["leads"]) == (None, None, [])
    assert found["first_due"] == "2026-12-01"
    assert served_api.request("GET", "forecasts/kept?measure=tokens").status_code == 400
