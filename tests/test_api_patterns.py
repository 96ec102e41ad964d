"""Patterns over HTTP say what the questions of the page answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from api_fixtures import Api
from warehouse_fixtures import NOW

from runs_analytics.analytics import patterns, usage
from runs_analytics.analytics.concurrency import concurrency, concurrency_by_value, peaks_over_time
from runs_analytics.analytics.trends import Trend, trend
from runs_analytics.selection import Selection

pytest_plugins = ["api_fixtures"]

QUERY = {"from_": "2026-06-01", "to": "2026-08-31"}
SUMMER = Selection(date(2026, 6, 1), date(2026, 8, 31), "Europe/Berlin")
TODAY = NOW.date()


@pytest.mark.parametrize("measure", patterns.MEASURES)
def test_hours_of_the_week_are_the_pages_and_add_up(served_api: Api, measure: Any) -> None:
    found = served_api.get("patterns/hours-of-week", measure=measure, **QUERY)
    cells = patterns.hours_of_week(served_api.ask, SUMMER, NOW)
    totals = usage.totals(served_api.ask, SUMMER)
    assert [(h["weekday"], h["hour"], h["runs"]) for h in found["hours"]] == list(
        cells.select("weekday", "hour", "runs").iter_rows()
    )
    assert sum(Decimal(h["credits"]) for h in found["hours"]) == totals.credits
    assert [h["average"] for h in found["hours"]] == cells.select(
        patterns.average_of(measure)
    ).to_series().to_list()
    rhythm = patterns.rhythm(cells, measure)
    # Levels have too few runs an hour here.
    assert (rhythm is None) == (measure not in patterns.SUMS) == (found["rhythm"] is None)
    if rhythm is not None:
        assert (found["rhythm"]["weekday"], found["rhythm"]["hour"]) == (rhythm.weekday, rhythm.hour)
    compared = SUMMER.compared()
    assert compared is not None
    before = patterns.compared_hours(cells, patterns.hours_of_week(served_api.ask, compared, NOW), measure)
    assert [h["before"] for h in found["hours"]] == before["before"].to_list()


def test_nothing_is_compared_when_nothing_shall_be(served_api: Api) -> None:
    found = served_api.get("patterns/hours-of-week", compare="none", **QUERY)
    assert {hour["before"] for hour in found["hours"]} == {None}


def test_peaks_are_the_busiest_hours(served_api: Api) -> None:
    found = served_api.get("patterns/peaks", measure="credits", **QUERY)["peaks"]
    expected = patterns.peak_hours(served_api.ask, SUMMER, "credits")
    assert [peak["start"] for peak in found] == expected["bucket"].dt.strftime("%Y-%m-%dT%H:%M").to_list()
    assert [peak["share"] for peak in found] == expected["share"].to_list()


def test_concurrency_is_that_of_the_page(served_api: Api) -> None:
    found = served_api.get("patterns/concurrency", by="agent", grain="week", **QUERY)
    whole = concurrency(served_api.ask, SUMMER, NOW)
    assert whole.peak_at is not None
    assert (found["peak"], found["peak_at"]) == (whole.peak, f"{whole.peak_at:%Y-%m-%dT%H:%M:%S}")
    assert (found["busy_us"], found["endless_runs"]) == (whole.busy_us, whole.endless_runs)
    values = concurrency_by_value(served_api.ask, SUMMER, "agent", NOW)
    assert [(v["value"], v["peak"]) for v in found["values"]] == list(
        values.select("value", "peak").iter_rows()
    )
    assert sum(value["at_peak"] for value in found["values"]) == whole.peak
    assert [s["peak"] for s in found["slots"]] == peaks_over_time(whole, SUMMER, "week")["peak"].to_list()


@pytest.mark.parametrize("measure", ["runs", "duration"])
def test_seasonality_and_changes_are_those_of_the_page(served_api: Api, measure: Any) -> None:
    found = served_api.get("patterns/seasonality", measure=measure, **QUERY)
    made = trend(served_api.ask, SUMMER, measure, today=TODAY)
    assert isinstance(made, Trend)
    assert found["refused"] is None
    assert found["weekly_strength"] == made.weekly_strength
    assert found["daily_strength"] == made.daily_strength
    assert [day["trend"] for day in found["days"]] == made.days["trend"].to_list()
    assert [day["effect"] for day in found["weekly"]] == made.weekly["effect"].to_list()
    changes = served_api.get("patterns/changes", measure=measure, **QUERY)["changes"]
    assert [change["day"] for change in changes] == [str(change.day) for change in made.changes]


def test_what_is_too_short_is_refused_with_the_reason(served_api: Api) -> None:
    for path in ("patterns", "patterns/seasonality", "patterns/changes"):
        found = served_api.get(path, from_="2026-06-01", to="2026-06-10")
        assert "there are 10" in found["refused"]
        assert found.get("changes", []) == []
        assert found["runs"] == usage.totals(served_api.ask, replace(SUMMER, end=date(2026, 6, 10))).runs


def test_the_overview_holds_the_parts(served_api: Api) -> None:
    found = served_api.get("patterns", measure="errors", **QUERY)
    assert found["rhythm"] == served_api.get("patterns/hours-of-week", measure="errors", **QUERY)["rhythm"]
    assert found["concurrency"]["peak"] == served_api.get("patterns/concurrency", **QUERY)["peak"]
    season = served_api.get("patterns/seasonality", measure="errors", **QUERY)
    assert found["trend_strength"] == season["trend_strength"]


def test_the_calendar_has_every_day_and_adds_up(served_api: Api) -> None:
    days = served_api.get("patterns/calendar", **QUERY)["days"]
    totals = usage.totals(served_api.ask, SUMMER)
    assert len(days) == SUMMER.days
    assert sum(day["runs"] for day in days) == totals.runs
    assert sum(Decimal(day["cost"]) for day in days) == totals.cost


def test_an_unknown_measure_is_refused(served_api: Api) -> None:
    assert served_api.request("GET", "patterns?measure=tokens").status_code == 400
