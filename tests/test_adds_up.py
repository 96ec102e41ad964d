"""Every number adds up: parts to the whole, days to the range, rollups to the runs, on both kinds of warehouse."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from runs_analytics.analytics import distribution, history, usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.plan import Facts, Grain, plan, same_days
from runs_analytics.selection import Selection
from runs_analytics.vocabulary import DIMENSIONS, Dimension

pytest_plugins = ("control_fixtures", "warehouse_fixtures")

ZONES = [
    "Europe/Berlin",
    "UTC",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Pacific/Kiritimati",
]
VALUES: dict[Dimension, list[str]] = {
    "project": ["growth", "data", "(none)"],
    "team": ["outbound", "(none)"],
    "member": [f"member {n}" for n in range(40)],
    "service": ["LLM", "Search", "Vision", "nothing"],
    "feature": ["research", "drafting", "crawl", "résumé"],
    "agent": ["Prospector", "(none)"],
    "model": ["large-3", "small-3", "(none)"],
    "kind": ["agent_run", "api_call"],
    "status": ["running", "succeeded", "failed", "timed_out", "blocked"],
    "source": ["sdk", "(none)"],
}
FIRST, LAST = date(2026, 2, 27), date(2026, 11, 8)
EXAMPLES = {"file": 40, "lake": int(os.environ.get("RUNS_TEST_LAKE", "10"))}
"""How often each law is tried: the lake must say what the file says anyhow."""


def law(**drawn: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A law that holds for either kind of warehouse, whatever is drawn."""

    def of(check: Callable[..., None]) -> Callable[..., None]:
        @pytest.mark.parametrize("kind", EXAMPLES)
        def test(request: pytest.FixtureRequest, kind: str) -> None:
            holds = settings(max_examples=EXAMPLES[kind], deadline=None)(given(**drawn)(check))
            holds(ask=request.getfixturevalue(f"{kind}_ask"))

        test.__doc__ = check.__doc__
        return test

    return of


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    start = draw(st.dates(FIRST, LAST))
    if draw(st.booleans()):  # around the clock changes of the account's zone and of others
        start = draw(
            st.sampled_from([date(2026, 3, 27), date(2026, 4, 4), date(2026, 10, 3), date(2026, 10, 24)])
        )
    length = draw(st.sampled_from([0, 1, 6, 29, 250]))
    filters = draw(
        st.lists(st.sampled_from(DIMENSIONS), max_size=2, unique=True).flatmap(
            lambda chosen: st.fixed_dictionaries(
                {d: st.lists(st.sampled_from(VALUES[d]), min_size=1, max_size=3, unique=True) for d in chosen}
            )
        )
    )
    selection = Selection(
        start,
        start + timedelta(days=length),
        draw(st.sampled_from(ZONES)),
        tags=draw(st.sampled_from([(), (), ("env=prod",)])),
    )
    for dimension, values in filters.items():
        selection = selection.with_filter(dimension, values)
    return selection


grains: st.SearchStrategy[Grain] = st.sampled_from(["hour", "day", "week", "month"])
dimensions = st.sampled_from(DIMENSIONS)


def summed(frame: pl.DataFrame) -> dict[str, Any]:
    return {
        "runs": frame["runs"].sum(),
        "credits": frame["credits"].sum() or Decimal(0),
        "cost": frame["cost"].sum() or Decimal(0),
        "unpriced_runs": frame["unpriced_runs"].sum(),
        "error_runs": frame["error_runs"].sum(),
        "input_tokens": frame["input_tokens"].sum(),
        "duration_us": frame["duration_us"].sum(),
    }


def of_totals(totals: usage.Totals) -> dict[str, Any]:
    return {name: getattr(totals, name) for name in summed(EMPTY)}


EMPTY = pl.DataFrame(
    schema={
        "runs": pl.Int64,
        "credits": pl.Decimal(38, 9),
        "cost": pl.Decimal(38, 9),
        "unpriced_runs": pl.Int64,
        "error_runs": pl.Int64,
        "input_tokens": pl.Int64,
        "duration_us": pl.Int64,
    }
)


@law(selection=selections(), dimension=dimensions)
def test_a_breakdown_adds_up_to_the_total(ask: Ask, selection: Selection, dimension: Dimension) -> None:
    parts = usage.by_value(ask, selection, dimension)
    assert summed(parts) == of_totals(usage.totals(ask, selection))


@law(selection=selections(), grain=grains, dimension=st.none() | dimensions)
def test_slots_of_time_add_up_to_the_range(
    ask: Ask, selection: Selection, grain: Grain, dimension: Dimension | None
) -> None:
    parts = usage.over_time(ask, selection, grain, dimension)
    assert summed(parts) == of_totals(usage.totals(ask, selection))


@law(selection=selections())
def test_single_days_add_up_to_the_range(ask: Ask, selection: Selection) -> None:
    short = Selection(
        selection.start,
        min(selection.end, selection.start + timedelta(days=3)),
        selection.zone,
        selection.filters,
    )
    days = [
        usage.totals(ask, Selection(day, day, short.zone, short.filters))
        for day in (short.start + timedelta(days=n) for n in range(short.days))
    ]
    assert sum(d.runs for d in days) == usage.totals(ask, short).runs
    assert sum(d.credits for d in days) == usage.totals(ask, short).credits


@law(selection=selections(), dimension=dimensions)
def test_a_rollup_says_what_the_runs_say(ask: Ask, selection: Selection, dimension: Dimension) -> None:
    key = ["value"]
    quick = usage.by_value(ask, selection, dimension).sort(key)
    assert_frame_equal(quick, usage.by_value(ask, selection, dimension, only="runs").sort(key))


@law(selection=selections(), grain=grains, dimension=dimensions)
def test_a_rollup_says_over_time_what_the_runs_say(
    ask: Ask, selection: Selection, grain: Grain, dimension: Dimension
) -> None:
    quick = usage.over_time(ask, selection, grain, dimension)
    assert_frame_equal(quick, usage.over_time(ask, selection, grain, dimension, only="runs"))


@settings(max_examples=EXAMPLES["file"], deadline=None)
@given(selection=selections(), dimension=dimensions, grain=grains)
def test_a_lake_says_what_a_file_says(
    file_ask: Ask, lake_ask: Ask, selection: Selection, dimension: Dimension, grain: Grain
) -> None:
    assert usage.totals(file_ask, selection) == usage.totals(lake_ask, selection)
    assert_frame_equal(
        usage.over_time(file_ask, selection, grain, dimension),
        usage.over_time(lake_ask, selection, grain, dimension),
    )
    assert_frame_equal(
        distribution.percentiles(file_ask, selection, "duration_us", dimension).sort("value"),
        distribution.percentiles(lake_ask, selection, "duration_us", dimension).sort("value"),
    )


@law(selection=selections(), measure=st.sampled_from(distribution.MEASURES), dimension=dimensions)
def test_the_buckets_of_parts_are_those_of_the_whole(
    ask: Ask, selection: Selection, measure: distribution.Measure, dimension: Dimension
) -> None:
    parts = distribution.buckets(ask, selection, measure, dimension)
    whole = distribution.buckets(ask, selection, measure, None)
    assert_frame_equal(
        parts.group_by("bucket").agg(pl.col("runs").sum()).sort("bucket"),
        whole.select("bucket", "runs").sort("bucket"),
        check_dtypes=False,
    )


@law(selection=selections(), rows=st.sampled_from([7, 50]))
def test_pages_and_export_hold_every_run_once(ask: Ask, selection: Selection, rows: int) -> None:
    short = Selection(
        selection.start,
        min(selection.end, selection.start + timedelta(days=20 if rows == 50 else 3)),
        selection.zone,
        selection.filters,
        selection.tags,
    )
    total = usage.totals(ask, short)
    assert history.count(ask, short) == total.runs
    pages = [history.page(ask, short, n + 1, rows=rows) for n in range(-(-total.runs // rows))]
    ids = [i for page in pages for i in page["id"]]
    assert len(ids) == len(set(ids)) == total.runs
    exported = pl.concat([*history.export_batches(ask, short, ask.warehouse.applied_seq)])
    assert exported["id"].to_list() == ids
    assert (exported["credits_nano"].sum() or 0) == total.credits * 10**9


FACTS: list[Facts] = ["quarter_hour", "day", "day_cube", "day_cube_and_edges", "runs"]


@pytest.mark.parametrize(
    ("zone", "dimension", "filtered", "grain", "expected"),
    [
        ("Europe/Berlin", None, [], "total", "day"),
        ("Europe/Berlin", "member", [], "day", "day"),
        ("Europe/Berlin", "service", ["service"], "month", "day"),
        ("Europe/Berlin", "service", ["project"], "day", "day_cube"),
        ("Europe/Paris", "member", [], "day", "day"),
        ("Asia/Kolkata", "service", ["status"], "day", "quarter_hour"),
        ("Asia/Kolkata", "member", [], "total", "day_cube_and_edges"),
        ("Asia/Kolkata", "member", [], "day", "runs"),
        ("Europe/Berlin", "service", [], "hour", "quarter_hour"),
        ("Europe/Berlin", "feature", [], "hour", "runs"),
    ],
)
def test_the_smallest_rollup_that_covers_a_question_answers_it(
    zone: str, dimension: Dimension | None, filtered: list[Dimension], grain: Grain, expected: Facts
) -> None:
    selection = Selection(date(2026, 5, 1), date(2026, 8, 1), zone)
    for name in filtered:
        selection = selection.with_filter(name, [VALUES[name][0]])
    assert plan(selection, "acme", "Europe/Berlin", dimension=dimension, grain=grain).facts == expected


def test_zones_share_days_only_while_their_clocks_agree() -> None:
    summer = Selection(date(2026, 5, 1), date(2026, 5, 31), "Africa/Cairo")
    assert same_days(summer, "Europe/Helsinki")
    assert not same_days(Selection(date(2026, 3, 25), date(2026, 4, 30), "Africa/Cairo"), "Europe/Helsinki")
