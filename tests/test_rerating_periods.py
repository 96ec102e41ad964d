"""A re-rate by a price over a period: from zero over whole periods, in the order the runs started."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_rerating import ACME, DAYS, NOW, Workspace, version
from warehouse_fixtures import make_runs

from runs_analytics.analytics import history, rerating
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.history import RunRef
from runs_analytics.control.rerates import lines_of
from runs_analytics.money.periods import period_of
from runs_analytics.money.price_book import Component, Price, PriceBook, PriceVersion
from runs_analytics.money.price_parts import Tier
from runs_analytics.money.rating import metered, rate
from runs_analytics.scope import Scope
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NANO

pytest_plugins = ("control_fixtures",)

BERLIN = ZoneInfo("Europe/Berlin")
LATE = replace(DAYS, start=date(2026, 11, 20))


def over_month(
    number: int, *, window: Any = "month", dear: str = "0.02", cheap: str = "0.01"
) -> PriceVersion:
    """The first 150 output tokens of each period cost `dear`, all further ones `cheap`."""
    tiers = (Tier(150, Decimal(dear)), Tier(None, Decimal(cheap)))
    charged = Component("output_tokens", form="graduated", tiers=tiers, over=window)
    return PriceVersion(number, datetime(2026, number, 1, tzinfo=UTC), (Price("a", 100, (), (charged,)),))


@pytest.fixture
def workspace(control_url: str, tmp_path: Path) -> Iterator[Workspace]:
    with Stores.open(Settings(tmp_path / "data", control_url=control_url), lambda: NOW) as stores:
        found = Workspace(stores)
        found.grant("g", 100)
        yield found


def stored(workspace: Workspace, found: PriceVersion) -> PriceVersion:
    return workspace.stores.add_price_version(workspace.scope, "credits", found)


def changes(workspace: Workspace, run_id: str) -> list[tuple[int | None, int | None]]:
    """What each re-rate made of one run."""
    run = history.find(Ask.of(workspace.stores, workspace.scope), run_id).row(0, named=True)
    ref = RunRef(run["started_at"].replace(tzinfo=UTC), run["id_hash"])
    found = rerating.changes_of(workspace.stores, workspace.scope, ref, "credits")
    return [(one.old_nano, one.new_nano) for one in found]


def test_runs_before_the_selected_ones_were_used_before_them(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rerating, "BATCH_RUNS", 1)
    # 100 tokens each. Sent last, the first one of November still comes first.
    workspace.send(
        {"started_at": "2026-11-20T10:00:00Z"}, {"started_at": "2026-11-20T10:00:00Z", "member": "ana"}
    )
    workspace.send({"started_at": "2026-10-31T23:00:00Z"}, {"started_at": "2026-10-31T22:59:59Z"})
    found = workspace.preview(stored(workspace, over_month(2)), LATE)
    assert (found.runs, found.old_nano, found.new_nano) == (2, 4 * NANO, 25 * NANO // 10)
    workspace.confirm(found)
    assert changes(workspace, "r1") == [(2 * NANO, 15 * NANO // 10)]
    assert changes(workspace, "r2") == [(2 * NANO, NANO)]
    assert changes(workspace, "r3") == []
    assert workspace.balance_nano() == (100 - 8) * NANO + 15 * NANO // 10
    assert workspace.differences() == ()


def test_filters_select_what_is_corrected_not_what_was_used(workspace: Workspace) -> None:
    workspace.send({"member": "ana"}, {"member": "ben"}, {"member": "caz"})
    only_ben = replace(DAYS, filters=(("member", ("ben",)),))
    found = workspace.preview(stored(workspace, over_month(2)), only_ben)
    assert (found.runs, found.new_nano) == (1, 15 * NANO // 10)
    workspace.confirm(found)
    assert [(line.amount_nano, line.note) for line in workspace.corrections()] == [
        (NANO // 2, "re-rate 1 · 2026-11-20 · (none) · ben")
    ]
    assert workspace.differences() == ()


def test_runs_that_come_later_do_not_move_an_earlier_re_rate(workspace: Workspace) -> None:
    workspace.send({}, {})
    workspace.confirm(workspace.preview(stored(workspace, over_month(2))))
    workspace.send({"started_at": "2026-11-02T10:00:00Z"})
    assert changes(workspace, "r2") == [(2 * NANO, 15 * NANO // 10)]
    again = workspace.preview(stored(workspace, over_month(3, dear="0.04")), LATE)
    # Now the late run's 100 come first: 50 at 0.04 and 150 at 0.01.
    assert (again.old_nano, again.new_nano) == (35 * NANO // 10, 35 * NANO // 10)


def test_imported_runs_count_by_themselves(workspace: Workspace) -> None:
    workspace.send({}, {})
    runs = make_runs(2).with_columns(
        pl.lit("succeeded").alias("status"),
        pl.lit(100, pl.Int64).alias("output_tokens"),
        pl.lit(datetime(2026, 11, 18)).dt.cast_time_unit("us").alias("started_at"),  # noqa: DTZ001
    )
    workspace.stores.load_frames(ACME, [runs], name="file", rows=2)
    workspace.stores.apply_waiting()
    found = workspace.preview(stored(workspace, over_month(2)))
    assert (found.runs, found.new_nano) == (4, 2 * (2 * NANO + 15 * NANO // 10))


@pytest.mark.parametrize("window", ["day", "week", "month"])
def test_the_same_version_again_changes_no_whole_period(workspace: Workspace, window: Any) -> None:
    """However the runs came: each period costs what its sum costs."""
    now = stored(
        workspace, replace(over_month(2, window=window), valid_from=datetime(2026, 1, 2, tzinfo=UTC))
    )
    starts = ["2026-11-20T10:00:00Z", "2026-11-02T10:00:00Z", "2026-11-20T09:00:00Z", "2026-11-03T00:00:00Z"]
    for start in starts:
        workspace.send({"started_at": start})
    assert workspace.preview(now).rerate.posted_nano == 0


_RUN = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["a", "b", "free"]),
        "member": st.sampled_from(["ana", "ben"]),
        "output_tokens": st.integers(0, 200),
        "status": st.sampled_from(["succeeded", "failed", "running"]),
        "started_at": st.integers(0, 21 * 24).map(
            lambda hours: f"{datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"
        ),
    }
)
_VERSION = st.one_of(
    st.builds(
        over_month,
        st.just(2),
        window=st.sampled_from(["day", "week", "month"]),
        cheap=st.sampled_from(["0.01", "0.03"]),
    ),
    st.builds(version, st.just(2), a=st.sampled_from(["0.01", "0.05"])),
)


def in_order(runs: Sequence[dict[str, Any]], book_version: PriceVersion) -> dict[str, int | None]:
    """What a version makes of runs, from zero, in order of their start and id."""
    book = PriceBook("credits", (replace(book_version, valid_from=datetime(2000, 1, 1, tzinfo=UTC)),))
    used: dict[Any, int] = {}
    amounts: dict[str, int | None] = {}
    for run in sorted(runs, key=lambda one: (one["started_at"], one["id"])):
        if run["status"] == "running":
            continue
        moment = datetime.fromisoformat(run["started_at"])
        row = run | {"started_at": moment}
        counts = metered(book, PriceBook("cost"), row)
        keys = {meter: (meter, period_of(moment, meter.over, BERLIN).first_day) for meter in counts}
        before = {meter: used.get(key, 0) for meter, key in keys.items()}
        amounts[run["id"]] = rate(book, row, moment, before).total_nano
        for meter, key in keys.items():
            used[key] = used.get(key, 0) + counts[meter]
    return amounts


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(_RUN, min_size=1, max_size=12),
    st.lists(
        st.tuples(_VERSION, st.integers(1, 21), st.integers(0, 20), st.sampled_from(["", "ana"])),
        min_size=1,
        max_size=3,
    ),
)
def test_a_preview_is_what_the_runs_cost_one_by_one_and_what_is_posted(
    workspace: Workspace, runs: list[dict[str, Any]], rerates: list[tuple[PriceVersion, int, int, str]]
) -> None:
    own = Workspace(workspace.stores, Scope(f"a{secrets.token_hex(4)}", "test", "operator"))
    own.grant("g", 100)
    runs = [run | {"id": f"r{number}"} for number, run in enumerate(runs, 1)]
    own.send(*runs)
    costs = in_order(runs, version(1, a="0.02"))
    steps: dict[str, list[tuple[int | None, int | None]]] = {run["id"]: [] for run in runs}
    for made, first, length, member in rerates:
        days = replace(DAYS, start=date(2026, 11, first), end=date(2026, 11, min(first + length, 30)))
        selection = replace(days, filters=(("member", (member,)),) if member else ())
        wanted = in_order(runs, made)
        covered = [
            run["id"]
            for run in runs
            if run["id"] in wanted
            and days.start <= datetime.fromisoformat(run["started_at"]).astimezone(BERLIN).date() <= days.end
            and member in ("", run["member"])
        ]
        number = max(one.version for one in own.stores.books(own.scope).credits.versions) + 1
        found = own.preview(stored(own, replace(made, version=number)), selection)
        assert found.old_nano == sum(costs[run_id] or 0 for run_id in covered)
        assert found.new_nano == sum(wanted[run_id] or 0 for run_id in covered)
        if not found.runs_changed:
            continue
        balance = own.balance_nano()
        posted = own.confirm(found)
        assert own.balance_nano() - balance == found.old_nano - found.new_nano
        with own.stores.control.read() as connection:
            assert tuple(one.line for one in lines_of(connection, own.scope, posted)) == found.rerate.lines
        for run_id in covered:
            steps[run_id].append((costs[run_id], wanted[run_id]))
            costs[run_id] = wanted[run_id]
    assert {run["id"]: changes(own, run["id"]) for run in runs} == steps
    assert own.differences() == ()
