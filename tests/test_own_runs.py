"""A member's questions are answered as if only their runs were there, on both kinds of warehouse."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from warehouse_fixtures import NOW

import runs_analytics
from runs_analytics.analytics import history, usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.concurrency import concurrency_by_value
from runs_analytics.analytics.log_totals import whole_log
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection
from runs_analytics.warehouse import queries

pytest_plugins = ("control_fixtures", "warehouse_fixtures")

ANA = "member 7"
WHOLE = Selection(date(2026, 2, 27), date(2026, 11, 8), "Europe/Berlin")
ELSEWHERE = replace(WHOLE, zone="Asia/Kolkata")


def as_member(ask: Ask, member: str = ANA) -> Ask:
    return replace(ask, scope=Scope(ask.scope.account, "person:ana@x.org", "member", member))


def rows(found: Any) -> pl.DataFrame:
    if isinstance(found, pl.DataFrame):
        return found.sort(found.columns[0], maintain_order=True)
    values = found if isinstance(found, dict) else asdict(found)
    return pl.DataFrame([{name: str(value) for name, value in values.items()}])


@pytest.mark.parametrize("selection", [WHOLE, ELSEWHERE], ids=["account's zone", "another zone"])
@pytest.mark.parametrize(
    "question",
    [
        lambda a, s: usage.totals(a, s),
        lambda a, s: usage.by_value(a, s, "service"),
        lambda a, s: usage.by_value(a, s, "feature"),
        lambda a, s: usage.by_value(a, s, "member"),
        lambda a, s: usage.over_time(a, s, "day"),
        lambda a, s: usage.over_time(a, s, "hour"),
        lambda a, s: history.quarter_hours(a, s),
        lambda a, s: history.page(a, s, 1, rows=500),
        lambda a, s: history.bounds(a, s),
        lambda a, s: concurrency_by_value(a, s, "service", NOW),
    ],
)
def test_a_member_gets_what_the_filter_by_their_name_gives(
    ask: Ask, question: Callable[[Ask, Selection], Any], selection: Selection
) -> None:
    own = rows(question(as_member(ask), selection))
    assert own.height
    assert_frame_equal(own, rows(question(ask, selection.with_filter("member", [ANA]))), check_dtypes=False)
    assert not own.equals(rows(question(ask, selection)))


def test_naming_someone_else_finds_nothing(ask: Ask) -> None:
    assert usage.totals(as_member(ask), WHOLE.with_filter("member", ["member 8"])).runs == 0
    assert usage.totals(as_member(ask, "nobody"), WHOLE).runs == 0
    assert whole_log(as_member(ask, "nobody")) is None


def test_the_values_offered_are_those_of_own_runs(ask: Ask) -> None:
    found = ask.warehouse.frame("values/by_dimension", {"account": ask.scope.account})
    own = as_member(ask).warehouse.frame("values/by_dimension", {"account": ask.scope.account})
    assert found.filter(pl.col("dimension") == "member").height == 40
    assert own.filter(pl.col("dimension") == "member")["value"].to_list() == [ANA]


def test_the_id_of_another_members_run_is_as_unknown_as_no_id(ask: Ask) -> None:
    others = history.page(ask, WHOLE, 1, rows=500).filter(pl.col("member") != ANA).row(0, named=True)
    assert history.find(ask, others["id"]).height
    assert history.find(as_member(ask), others["id"]).is_empty()
    assert history.find(as_member(ask), "no such run").is_empty()


def test_a_question_about_another_account_reads_ones_own(ask: Ask) -> None:
    own = {"account": ask.scope.account}
    assert_frame_equal(
        ask.warehouse.frame("values/account", {"account": "other"}),
        ask.warehouse.frame("values/account", own),
    )


def test_every_table_that_queries_read_is_narrowed() -> None:
    narrowed = queries.OWN_RUNS.read_text()
    read = {
        word.strip("(),;")
        for name in queries.names()
        for line in queries.text(name).splitlines()
        for before, word in zip(line.split(), line.split()[1:], strict=False)
        if before in ("FROM", "JOIN")
    }
    tables = {table for table in read if table.replace("_", "").isalpha()} & {
        line.split()[5] for line in _tables().splitlines() if line.startswith("CREATE TABLE IF NOT EXISTS")
    }
    assert len(tables) >= 6
    assert not [table for table in tables if f"{table} AS (" not in narrowed]


def test_nothing_but_the_asker_reads_the_whole_warehouse() -> None:
    package = Path(runs_analytics.__file__).parent
    found = []
    for part in ("analytics", "charts", "exports", "ui", "api"):
        for path in (package / part).rglob("*.py"):
            if path.name in ("seen.py", "asking.py"):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and node.attr in ("frame", "batches"):
                    owner = ast.unparse(node.value)
                    if "warehouse" in owner and not owner.endswith("ask.warehouse"):
                        found.append(f"{path.name}: {ast.unparse(node)}")
                if (
                    isinstance(node, ast.Attribute)
                    and node.attr == "whole"
                    and "ask" in ast.unparse(node.value)
                ):
                    found.append(f"{path.name}: {ast.unparse(node)}")
    assert found == []


def _tables() -> str:
    return (Path(queries.__file__).with_name("tables.sql")).read_text()
