"""Hours of the week: they add up to the whole in every zone, and are averaged over the hours that there were."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from warehouse_fixtures import NOW, SCOPE

from runs_analytics.analytics import patterns, usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.patterns import (
    average_of,
    compared_hours,
    hours_of_week,
    peak_hours,
    rhythm,
)
from runs_analytics.control.accounts import create_account
from runs_analytics.run_frame import RUN_SCHEMA
from runs_analytics.selection import Selection
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NONE

pytest_plugins = ["warehouse_fixtures"]

AUTUMN = Selection(date(2026, 9, 1), date(2026, 11, 15), "Europe/Berlin")
BERLIN_CHANGES = Selection(date(2026, 10, 19), date(2026, 11, 1), "Europe/Berlin")
"""Two weeks with the night in which two o'clock comes twice."""


@pytest.mark.parametrize(
    "zone",
    ["Europe/Berlin", "UTC", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Chatham"],
)
@pytest.mark.parametrize("filters", [(), (("service", ("LLM",)),), (("member", ("member 3", "member 9")),)])
def test_the_cells_add_up_to_the_whole_in_every_zone(file_ask: Ask, zone: str, filters: Any) -> None:
    selection = replace(AUTUMN, zone=zone, filters=filters)
    cells = hours_of_week(file_ask, selection, NOW)
    totals = usage.totals(file_ask, selection)
    assert cells.height == 168
    assert cells["runs"].sum() == totals.runs > 0
    assert cells["credits"].sum() == totals.credits
    assert cells["cost"].sum() == totals.cost
    assert cells["error_runs"].sum() == totals.error_runs
    assert cells["duration_us"].sum() == totals.duration_us
    assert cells.filter((pl.col("hours") == 0) & (pl.col("runs") > 0)).is_empty()


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        ("Europe/Berlin", 14 * 24 + 1),
        ("UTC", 14 * 24),
        ("Asia/Kolkata", 14 * 24),
        ("America/Denver", 14 * 24 + 1),
    ],
)
def test_the_hours_counted_are_those_that_the_period_had(file_ask: Ask, zone: str, hours: float) -> None:
    cells = hours_of_week(file_ask, replace(BERLIN_CHANGES, zone=zone), NOW)
    assert cells["hours"].sum() == hours


def test_an_hour_that_comes_twice_counts_twice_and_one_that_is_skipped_less(file_ask: Ask) -> None:
    autumn = hours_of_week(file_ask, BERLIN_CHANGES, NOW)
    spring = hours_of_week(
        file_ask, replace(BERLIN_CHANGES, start=date(2026, 3, 16), end=date(2026, 3, 29)), NOW
    )
    two_on_sunday = (pl.col("weekday") == 6) & (pl.col("hour") == 2)
    assert autumn.filter(two_on_sunday)["hours"].item() == 3
    assert spring.filter(two_on_sunday)["hours"].item() == 1
    assert set(autumn.filter(~two_on_sunday)["hours"]) == {2.0}


def test_half_an_hour_is_half_an_hour(file_ask: Ask) -> None:
    lord_howe = Selection(date(2026, 4, 5), date(2026, 4, 5), "Australia/Lord_Howe")
    cells = hours_of_week(file_ask, lord_howe, NOW)
    assert cells["hours"].sum() == 24.5
    assert cells.filter(pl.col("hour") == 1)["hours"].sum() == 1.5


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        # Before the account's first day (1 March) there was nothing to count.
        (date(2026, 1, 1), date(2026, 3, 2), 48),
        # It is 13:00 in Berlin: the hours of the evening have not come.
        (date(2026, 11, 22), date(2026, 11, 30), 13.25),
    ],
)
def test_hours_before_the_first_day_and_after_now_do_not_count(
    file_ask: Ask, start: date, end: date, hours: float
) -> None:
    assert hours_of_week(file_ask, Selection(start, end, "Europe/Berlin"), NOW)["hours"].sum() == hours


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Four weeks of an office: 8 runs on weekdays at 9, 10 and 11 each, 1 at 20; 5 on Saturdays at 10.

    Tuesdays at 10 have 16, of which every fourth fails.
    """
    rows = []
    for day in (datetime(2026, 6, 1, tzinfo=UTC) + timedelta(n) for n in range(28)):
        for hour in range(24):
            if day.weekday() < 5:
                count = {9: 8, 10: 16 if day.weekday() == 1 else 8, 11: 8, 20: 1}.get(hour, 0)
            else:
                count = 5 if day.weekday() == 5 and hour == 10 else 0
            rows += [
                run(day + timedelta(hours=hour, minutes=n), day.weekday() == 1 and n % 4 == 3)
                for n in range(count)
            ]
    frame = pl.DataFrame([r | {"id": str(n)} for n, r in enumerate(rows)], schema=RUN_SCHEMA)
    with Stores.open(Settings(tmp_path_factory.mktemp("office") / "data"), lambda: NOW) as stores:
        stores.control.write(lambda c: create_account(c, SCOPE, now=NOW, zone="UTC"))
        stores.load_frames(SCOPE, [frame], name="office", rows=frame.height)
        stores.apply_waiting()
        yield Ask.of(stores, SCOPE)


def run(started_at: datetime, failed: bool) -> dict[str, Any]:
    """A run of two minutes."""
    names = ("source", "project", "team", "member", "service", "feature", "agent", "model")
    return (
        dict.fromkeys(RUN_SCHEMA)
        | dict.fromkeys(names, NONE)
        | {
            "kind": "api_call",
            "status": "failed" if failed else "succeeded",
            "started_at": started_at.replace(tzinfo=None),
            "ended_at": (started_at + timedelta(minutes=2)).replace(tzinfo=None),
            "duration_us": 120_000_000,
            "units": [],
            "tags": [],
        }
    )


JUNE = Selection(date(2026, 6, 1), date(2026, 6, 28))


def test_the_rhythm_names_busiest_hour_fullest_window_and_weekend(office: Ask) -> None:
    found = rhythm(hours_of_week(office, JUNE, NOW), "runs")
    assert found is not None
    assert (found.weekday, found.hour, found.average) == (1, 10, 16.0)
    whole = 4 * (25 * 5 + 8 + 5)
    assert (found.window_start, found.window_share) == (9, pytest.approx((whole - 4 * 5) / whole))
    assert found.weekend_ratio == pytest.approx((5 / 2) / (133 / 5))


def test_a_level_is_highest_only_where_it_rests_on_runs_enough(office: Ask) -> None:
    cells = hours_of_week(office, JUNE, NOW)
    found = rhythm(cells, "error_rate")
    assert found is not None
    # Tuesdays at 20 have four runs and say nothing.
    assert (found.weekday, found.average, found.overall) == (1, 0.25, pytest.approx(32 / 552))
    duration = rhythm(cells, "duration")
    assert duration is not None
    assert (duration.average, duration.overall, duration.window_share) == (120e6, 120e6, None)


def test_peak_hours_are_single_hours_with_their_share(office: Ask) -> None:
    found = peak_hours(office, JUNE, "runs", top=5)
    assert found["bucket"].dt.strftime("%a %H").to_list()[:4] == ["Tue 10"] * 4
    assert found["share"].to_list()[0] == pytest.approx(16 / 552)
    assert found["amount"].to_list() == [16, 16, 16, 16, 8]


def test_without_runs_there_is_no_rhythm_and_no_peak(office: Ask) -> None:
    empty = replace(JUNE, filters=(("service", ("nobody's",)),))
    cells = hours_of_week(office, empty, NOW)
    assert cells["runs"].sum() == 0
    assert {rhythm(cells, measure) for measure in patterns.MEASURES} == {None}
    assert all(peak_hours(office, empty, measure).is_empty() for measure in patterns.MEASURES)


def test_hours_of_the_day_and_weekdays_are_sums_of_the_cells(office: Ask) -> None:
    cells = hours_of_week(office, JUNE, NOW)
    hours, weekdays = patterns.by_hour(cells), patterns.by_weekday(cells)
    assert hours["runs"].sum() == weekdays["runs"].sum() == 552
    assert hours.filter(pl.col("hour") == 10).select(average_of("runs")).item() == (4 * (48 + 5)) / 28
    assert weekdays.select(average_of("runs", per_hours=24))["runs"].to_list() == [25, 33, 25, 25, 25, 5, 0]


def test_a_period_beside_itself_does_not_differ(office: Ask) -> None:
    cells = hours_of_week(office, JUNE, NOW)
    found = compared_hours(cells, cells, "runs")
    assert found.height == 168
    assert set(found["difference"]) == {0.0}


def test_hours_are_compared_by_what_they_have_on_average(office: Ask) -> None:
    # Three weeks against one: sums would differ threefold.
    three, one = (
        hours_of_week(office, replace(JUNE, start=start, end=end), NOW)
        for start, end in ((date(2026, 6, 8), date(2026, 6, 28)), (date(2026, 6, 1), date(2026, 6, 7)))
    )
    assert set(compared_hours(three, one, "credits")["difference"]) == {0.0}
    without_a_sunday = hours_of_week(office, replace(JUNE, end=date(2026, 6, 6)), NOW)
    found = compared_hours(three, without_a_sunday, "runs")
    assert found.filter(pl.col("difference").is_null())["weekday"].unique().to_list() == [6]


def test_levels_are_compared_only_where_both_have_enough_runs(office: Ask) -> None:
    four, one = (
        hours_of_week(office, replace(JUNE, end=end), NOW) for end in (date(2026, 6, 28), date(2026, 6, 7))
    )
    tuesdays = (pl.col("weekday") == 1) & (pl.col("hour") == 10)
    assert compared_hours(four, four, "error_rate").filter(tuesdays)["difference"].item() == 0.0
    assert compared_hours(four, one, "error_rate")["difference"].null_count() == 168


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns"])
def test_the_calendar_has_every_day_that_has_come_and_adds_up(file_ask: Ask, zone: str) -> None:
    selection = replace(AUTUMN, zone=zone)
    found = patterns.calendar(file_ask, selection, NOW)
    totals = usage.totals(file_ask, selection)
    assert found["day"].to_list() == [selection.start + timedelta(n) for n in range(selection.days)]
    assert (found["runs"].sum(), found["credits"].sum()) == (totals.runs, totals.credits)


def test_the_calendar_begins_with_the_account_and_ends_today(file_ask: Ask) -> None:
    found = patterns.calendar(file_ask, Selection(date(2020, 1, 1), date(2030, 1, 1), "Europe/Berlin"), NOW)
    assert (found["day"][0], found["day"][-1]) == (date(2026, 3, 1), NOW.date())
    empty = patterns.calendar(file_ask, AUTUMN.with_filter("service", ["nobody's"]), NOW)
    assert empty.height == AUTUMN.days
    assert empty["runs"].sum() == 0
