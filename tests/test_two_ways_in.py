"""A run is priced and counted the same whether it came over HTTP or from a file, and once when it came both ways."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from warehouse_fixtures import CREDITS, DAYS, NOW, START, make_runs

from runs_analytics.control.accounts import create_account
from runs_analytics.ingest.accept import Accepter, TermsCache
from runs_analytics.ingest.files import ImportMapping, columns, default_mapping
from runs_analytics.money.price_book import PriceVersion
from runs_analytics.scope import Scope
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import DIMENSIONS, QUANTITIES
from runs_analytics.warehouse import apply

pytest_plugins = ("control_fixtures", "warehouse_fixtures")

HTTP, FILE = Scope("http", "test"), Scope("file", "test")
COMPARED = [
    "id",
    *DIMENSIONS,
    "started_at",
    "ended_at",
    "duration_us",
    *QUANTITIES,
    "tags",
    "credits_nano",
    "credits_version",
    "credits_price",
    "credits_lines",
    "cost_nano",
    "cost_source",
]


@pytest.fixture
def stores(tmp_path: Path) -> Any:
    with Stores.open(Settings(tmp_path / "data"), lambda: NOW) as opened:
        for scope in (HTTP, FILE):
            opened.control.write(lambda c, scope=scope: create_account(c, scope, now=NOW))
            opened.add_price_version(scope, "credits", PriceVersion.from_json(CREDITS))
        yield opened


def recent_events(rows: int) -> list[dict[str, Any]]:
    """Invented runs of the last days, as a client sends them."""
    moved = NOW.replace(tzinfo=None) - timedelta(days=30) - START
    events = []
    for row in make_runs(rows, seed=5).iter_rows(named=True):
        started_at = START + (row["started_at"] - START) * 29 / DAYS + moved
        event = {
            "id": row["id"],
            "source": row["source"],
            "started_at": started_at.isoformat() + "Z",
            "status": row["status"],
            "kind": row["kind"],
        }
        event |= {k: row[k] for k in ("project", "team", "member", "service", "feature", "agent", "model")}
        event |= {k: row[k] for k in ("input_tokens", "output_tokens", "cached_tokens") if row[k] is not None}
        event |= {k: row[k] for k in ("request_bytes", "response_bytes") if row[k] is not None}
        if row["duration_us"] is not None:
            event["duration_ms"] = row["duration_us"] // 1000
        if row["reported_cost_nano"] is not None:
            event["cost"] = f"{row['reported_cost_nano'] / 10**9:.9f}"
        events.append(event)
    return events


def accepter(stores: Stores) -> Accepter:
    return Accepter(
        stores.control,
        TermsCache(stores.control.changes, stores.account, stores.books),
        stores.imported.lookup,
    )


def as_file(events: list[dict[str, Any]], folder: Path) -> tuple[Path, ImportMapping]:
    """The same runs as a file of JSON lines, and the mapping that reads it."""
    path = folder / "runs.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    mapping = ImportMapping.parse(["duration=duration_ms"], [], ["duration=ms"])
    return path, mapping.over(default_mapping(columns(path)))


def stored(stores: Stores, scope: Scope) -> pl.DataFrame:
    with stores.warehouse.transaction() as connection:
        rows = connection.execute(
            f"SELECT {', '.join(COMPARED)} FROM runs WHERE account = $account ORDER BY id",
            {"account": scope.account},
        )
        return rows.pl()


def rolled_up(stores: Stores, scope: Scope) -> list[tuple[Any, ...]]:
    with stores.warehouse.transaction() as connection:
        return connection.execute(
            'SELECT dimension, "value", sum(runs), sum(credits_whole), sum(duration_us) FROM rollup_day '
            "WHERE account = $account GROUP BY ALL ORDER BY ALL",
            {"account": scope.account},
        ).fetchall()


@pytest.mark.parametrize("few_rows", [apply.FEW_ROWS, 0], ids=["read once", "read by each statement"])
def test_both_ways_store_and_rate_a_run_alike(
    stores: Stores, tmp_path: Path, few_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "FEW_ROWS", few_rows)
    events = recent_events(400)
    answers = accepter(stores).accept(HTTP, list(events), NOW)
    assert {a.status for a in answers} == {"accepted"}
    path, mapping = as_file(events, tmp_path)
    report = stores.import_file(FILE, path, mapping)
    assert (report.accepted, report.rejected) == (400, 0), report.reasons
    stores.apply_waiting()
    assert_frame_equal(stored(stores, HTTP), stored(stores, FILE))
    assert rolled_up(stores, HTTP) == rolled_up(stores, FILE)


@pytest.mark.parametrize("first", ["http", "file"])
def test_a_run_that_comes_both_ways_counts_once(stores: Stores, tmp_path: Path, first: str) -> None:
    events = recent_events(50)
    path, mapping = as_file(events, tmp_path)
    if first == "http":
        accepter(stores).accept(HTTP, list(events), NOW)
        assert stores.import_file(HTTP, path, mapping).duplicates == 50
    else:
        assert stores.import_file(HTTP, path, mapping).accepted == 50
        answers = accepter(stores).accept(HTTP, list(events), NOW)
        assert {a.status for a in answers} == {"duplicate"}
    stores.apply_waiting()
    assert stored(stores, HTTP).height == 50


def test_appliers_at_once_apply_every_run_once(stores: Stores) -> None:
    way_in = accepter(stores)
    for start in range(0, 400, 20):
        way_in.accept(HTTP, list(recent_events(400)[start : start + 20]), NOW)
    with ThreadPoolExecutor(4) as pool:
        applied = sum(pool.map(lambda _: stores.apply_waiting(), range(4)))
    assert applied == 400
    assert stored(stores, HTTP).height == 400
