"""Runs in progress at once: as many as counting moment by moment finds, in whatever parts they are read."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from warehouse_fixtures import NOW, SCOPE

from runs_analytics.analytics import concurrency as module
from runs_analytics.analytics import history
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.concurrency import concurrency, concurrency_by_value, peaks_over_time
from runs_analytics.analytics.sweep import QUARTER_US, Sweep, slots
from runs_analytics.control.accounts import create_account
from runs_analytics.run_frame import RUN_SCHEMA
from runs_analytics.selection import Selection
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NONE

pytest_plugins = ["warehouse_fixtures"]

TENTH = Selection(date(2026, 11, 10), date(2026, 11, 10))
LAST_DAYS = Selection(date(2026, 11, 19), date(2026, 11, 22))


def at(text: str) -> datetime:
    """A moment of November 2026: `10 09:00:00`."""
    return datetime.strptime(f"2026-11-{text}", "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - as runs are stored


CASES: dict[str, tuple[list[tuple[str, str | None]], int, str | None, float]] = {
    # Runs by start and end; the peak, when it was first reached, and for how many seconds.
    "one": ([("10 09:00:00", "10 09:00:30")], 1, "10 09:00:00", 30),
    "one after the other": (
        [("10 09:00:00", "10 09:00:30"), ("10 09:00:30", "10 09:01:00")],
        1,
        "10 09:00:00",
        30,
    ),
    "overlapping": ([("10 09:00:00", "10 09:00:30"), ("10 09:00:20", "10 09:01:00")], 2, "10 09:00:20", 10),
    "one inside the other": (
        [("10 09:00:00", "10 10:00:00"), ("10 09:30:00", "10 09:31:00")],
        2,
        "10 09:30:00",
        60,
    ),
    "at the same moment": ([("10 09:00:00", "10 09:00:05")] * 3, 3, "10 09:00:00", 5),
    "the first of equal peaks": (
        [
            ("10 09:00:00", "10 09:02:00"),
            ("10 09:01:00", "10 09:03:00"),
            ("10 12:00:00", "10 12:02:00"),
            ("10 12:01:00", "10 12:03:00"),
        ],
        2,
        "10 09:01:00",
        60,
    ),
    "of no length": ([("10 09:00:00", "10 09:00:00")], 0, None, 0),
    "without an end": ([("10 09:00:00", None), ("10 09:10:00", "10 09:20:00")], 1, "10 09:10:00", 600),
    "since the day before": (
        [("09 23:00:00", "10 00:10:00"), ("10 00:05:00", "10 00:06:00")],
        2,
        "10 00:05:00",
        60,
    ),
    "for the whole day": ([("08 00:00:00", "12 00:00:00")], 1, "10 00:00:00", 2 * 86_400),
    "for too long": ([("01 00:00:00", "10 09:00:00")], 1, "10 00:00:00", 9 * 3_600),
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The runs of each case in a service of its own; `open` has runs that still run."""
    rows = [
        run(case, at(start), end and at(end)) for case, (spans, *_) in CASES.items() for start, end in spans
    ]
    rows += [run("open", at("20 06:00:00"), None, "running"), run("open", at("22 11:00:00"), None, "running")]
    frame = pl.DataFrame([r | {"id": str(n)} for n, r in enumerate(rows)], schema=RUN_SCHEMA)
    with Stores.open(Settings(tmp_path_factory.mktemp("cases") / "data"), lambda: NOW) as stores:
        stores.control.write(lambda c: create_account(c, SCOPE, now=NOW, zone="UTC"))
        stores.load_frames(SCOPE, [frame], name="cases", rows=frame.height)
        stores.apply_waiting()
        yield Ask.of(stores, SCOPE)


def run(service: str, start: datetime, end: datetime | None, status: str = "succeeded") -> dict[str, Any]:
    names = ("source", "project", "team", "member", "feature", "agent", "model")
    times = {
        "started_at": start,
        "ended_at": end,
        "duration_us": end and (end - start) // timedelta(microseconds=1),
    }
    fixed = {"kind": "api_call", "status": status, "units": [], "tags": [], "service": service}
    return dict.fromkeys(RUN_SCHEMA) | dict.fromkeys(names, NONE) | fixed | times


@pytest.mark.parametrize("case", CASES)
def test_runs_are_in_progress_from_their_start_to_just_before_their_end(cases: Ask, case: str) -> None:
    _, peak, first, seconds = CASES[case]
    found = concurrency(cases, TENTH.with_filter("service", [case]), NOW)
    assert (found.peak, found.peak_at) == (peak, first and at(first))
    assert found.peak_us == seconds * 1_000_000


def test_what_cannot_count_is_named(cases: Ask) -> None:
    assert concurrency(cases, TENTH.with_filter("service", ["of no length"]), NOW).instant_runs == 1
    assert concurrency(cases, TENTH.with_filter("service", ["without an end"]), NOW).endless_runs == 1


def test_a_run_that_still_runs_counts_for_a_day(cases: Ask) -> None:
    found = concurrency(cases, LAST_DAYS.with_filter("service", ["open"]), NOW)
    by_day = peaks_over_time(found, LAST_DAYS, "day")
    assert by_day["peak"].to_list() == [0, 1, 1, 1]
    # 24 hours of the first and the quarter-hours from 11:00 to 12:15 of the second.
    assert found.mean == pytest.approx((24 + 1.25) / (3 * 24 + 12.25))
    assert found.endless_runs == 0


def test_the_mean_is_the_time_in_progress_by_the_time_there_was(cases: Ask) -> None:
    found = concurrency(cases, TENTH.with_filter("service", ["overlapping"]), NOW)
    assert found.mean == pytest.approx(70 / 86_400)


AUTUMN = Selection(date(2026, 9, 1), date(2026, 11, 15), "Europe/Berlin")


def spans_of(ask: Ask, selection: Selection) -> list[tuple[datetime, datetime]]:
    """Start and end of every run that the rule counts, by plain Python, from a month before the selection on."""
    wider = replace(selection, start=selection.start - timedelta(days=32))
    rows = history.page(ask, wider, 1, rows=10_000)
    found = []
    for start, end, status in rows.select("started_at", "ended_at", "status").iter_rows():
        if status == "running" and end is None:
            end = start + timedelta(days=1)
        if end is not None and end > start:
            found.append((start, min(end, start + timedelta(days=31))))
    return found


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Chatham"])
@pytest.mark.parametrize("filters", [(), (("service", ("LLM",)),), (("member", ("member 3",)),)])
def test_the_peak_is_what_counting_at_every_start_finds(file_ask: Ask, zone: str, filters: Any) -> None:
    selection = replace(AUTUMN, zone=zone, filters=filters)
    spans = spans_of(file_ask, selection)
    low, high = (m.replace(tzinfo=None) for m in (selection.start_at, selection.stop_at))
    moments = [low, *(start for start, _ in spans if low <= start < high)]
    starts, ends = (np.array(times, "datetime64[us]") for times in zip(*spans, strict=True))
    counts = [
        int(((starts <= moment) & (moment < ends)).sum()) for moment in np.array(moments, "datetime64[us]")
    ]
    found = concurrency(file_ask, selection, NOW)
    assert found.peak == max(counts) >= 1
    assert found.slots["peak"].max() == found.peak
    by_day = peaks_over_time(found, selection, "day")
    assert by_day.height == selection.days
    assert by_day["peak"].max() == found.peak
    assert by_day.sort("peak", "peak_at", descending=[True, False])["peak_at"][0] == found.peak_at


def test_parts_are_read_as_the_whole(file_ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = concurrency(file_ask, AUTUMN, NOW), concurrency_by_value(file_ask, AUTUMN, "service", NOW)
    monkeypatch.setattr(module, "STRETCH_RUNS", 50)
    told: list[float] = []
    parts = concurrency(file_ask, AUTUMN, NOW, tell=told.append)
    assert len(told) > 5
    assert told == sorted(told)
    assert parts.slots.equals(whole[0].slots)
    assert replace(parts, slots=whole[0].slots) == whole[0]
    assert concurrency_by_value(file_ask, AUTUMN, "service", NOW).equals(whole[1])


@pytest.mark.parametrize("dimension", ["service", "agent", "member", "status", "source"])
def test_values_at_the_peak_add_up_to_it(file_ask: Ask, dimension: Any) -> None:
    whole = concurrency(file_ask, AUTUMN, NOW)
    parts = concurrency_by_value(file_ask, AUTUMN, dimension, NOW)
    assert parts["at_peak"].sum() == whole.peak
    assert parts["busy_us"].sum() == whole.busy_us
    assert whole.peak >= parts["peak"].max() >= parts["at_peak"].max()  # type: ignore[operator]


def test_without_runs_nothing_is_in_progress(file_ask: Ask) -> None:
    nobody = AUTUMN.with_filter("service", ["nobody's"])
    found = concurrency(file_ask, nobody, NOW)
    assert (found.peak, found.peak_at, found.mean) == (0, None, 0.0)
    assert concurrency_by_value(file_ask, nobody, "service", NOW).is_empty()


SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30)), max_size=25)


@given(SPANS, st.integers(1, 3))
def test_a_sweep_finds_what_counting_finds(spans: list[tuple[int, int]], hours: int) -> None:
    # A step is a tenth of a quarter-hour.
    step, stop = QUARTER_US // 10, 4 * hours
    started = np.array(sorted(s * step for s, _ in spans if s < stop * 10), np.int64)
    ended = np.array(sorted((s + d) * step for s, d in spans if s < stop * 10), np.int64)
    counts = [sum(s <= moment < s + d for s, d in spans if s < stop * 10) for moment in range(stop * 10)]
    found = slots(started, ended, 0, stop)
    expected = [max(counts[10 * n : 10 * n + 10]) for n in range(stop)]
    assert found["peak"].to_list() == expected
    assert found["peak_us"].to_list() == [counts.index(p, 10 * n) * step for n, p in enumerate(expected)]
    swept = Sweep()
    swept.add(started, ended, stop * QUARTER_US)
    assert swept.peak == max(expected)
    assert swept.busy_us == sum(counts) * step
