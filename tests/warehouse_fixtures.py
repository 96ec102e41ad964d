"""Tiny real stores with a few thousand runs, on a DuckDB file and on DuckLake, for tests of questions.

PYTEST_DONT_REWRITE: test modules import the names below before they load this as a plugin.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import psycopg
import pytest
from prepared import prepared

from runs_analytics.analytics.asking import Ask
from runs_analytics.control.accounts import create_account
from runs_analytics.control.imports import list_imports
from runs_analytics.money.price_book import PriceVersion
from runs_analytics.run_frame import RUN_SCHEMA
from runs_analytics.scope import Scope
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NONE

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SCOPE = Scope("acme", "test")
START = datetime(2026, 3, 1)  # noqa: DTZ001 - run frames hold UTC without a zone
DAYS = 250
"""Long enough for both clock changes of most zones."""

CREDITS = {
    "version": 1,
    "valid_from": "2026-04-01T00:00:00Z",
    "prices": [
        {
            "id": "llm",
            "conditions": {"service": ["LLM"]},
            "components": [
                {"measure": "run", "price": "0.1"},
                {"measure": "input_tokens", "price": "0.37", "per": 1000},
            ],
        },
        {
            "id": "search",
            "conditions": {"service": ["Search"]},
            "components": [{"measure": "duration_s", "price": "0.000123"}],
        },
    ],
}


def make_runs(rows: int, seed: int = 1) -> pl.DataFrame:
    """A run frame of invented runs over `DAYS` days, every dimension in use, some without prices or durations."""
    chance = random.Random(seed)
    pick = chance.choice
    made = []
    for number in range(rows):
        duration_us = pick([None, 0, chance.randrange(1, 10**8)])
        started_at = START + timedelta(microseconds=chance.randrange(DAYS * 86_400_000_000))
        is_running = chance.random() < 0.03
        tokens = pick([None, chance.randrange(10_000)])
        made.append(
            {
                "id": f"run-{number}",
                "source": pick(["sdk", NONE]),
                "parent_id": None,
                "project": pick(["growth", "data", NONE]),
                "team": pick(["outbound", NONE]),
                "member": f"member {chance.randrange(40)}",
                "service": pick(["LLM", "LLM", "Search", "Vision"]),
                "feature": pick(["research", "drafting", "crawl", "résumé"]),
                "agent": pick(["Prospector", NONE]),
                "model": pick(["large-3", "small-3", NONE]),
                "kind": pick(["agent_run", "api_call"]),
                "status": "running"
                if is_running
                else pick(["succeeded"] * 5 + ["failed", "timed_out", "blocked"]),
                "started_at": started_at,
                "ended_at": None if duration_us is None else started_at + timedelta(microseconds=duration_us),
                "duration_us": duration_us,
                "input_tokens": tokens,
                "output_tokens": pick([None, 7]),
                "cached_tokens": None if tokens is None else tokens // 3,
                "request_bytes": pick([None, chance.randrange(10**6)]),
                "response_bytes": pick([None, 0]),
                "units": pick([[], [{"name": "pages", "quantity_nano": 1_500_000_000}]]),
                "tags": pick([[], ["env=prod"], ["env=prod", "region=eu"]]),
                "reported_cost_nano": pick([None, chance.randrange(10**9)]),
                "input": None,
                "output": None,
                "error": pick([None, None, "rate limited by provider"]),
            }
        )
    return pl.DataFrame(made, schema=RUN_SCHEMA).sort("started_at")


def fill(stores: Stores, *, rows: int = 3000, zone: str = "Europe/Berlin") -> None:
    """An account with prices and runs: some replaced by a final one, some undone again."""
    stores.control.write(lambda connection: create_account(connection, SCOPE, now=NOW, zone=zone))
    stores.add_price_version(SCOPE, "credits", PriceVersion.from_json(CREDITS))
    runs = make_runs(rows)
    half = rows // 2
    open_runs = runs.filter(pl.col("status") == "running").head(20)
    ended = open_runs.with_columns(pl.lit("failed").alias("status"), pl.lit(70_000_000).alias("duration_us"))
    undone = make_runs(200, seed=2).with_columns(pl.concat_str(pl.lit("undone-"), "id").alias("id"))
    for number, part in enumerate((runs.head(half), runs.tail(rows - half), ended, undone)):
        stores.load_frames(SCOPE, [part], name=f"part {number}", rows=part.height)
        stores.apply_waiting()
    with stores.control.read() as connection:
        (last,) = (i.id for i in list_imports(connection, SCOPE) if i.file_name == "part 3")
    stores.undo_import(SCOPE, last)
    stores.apply_waiting()


def filled_data(factory: pytest.TempPathFactory, *, rows: int = 3000) -> Path:
    """A closed data folder as `fill` leaves it, to be copied."""

    def make(folder: Path) -> None:
        with Stores.open(Settings(folder), lambda: NOW) as stores:
            fill(stores, rows=rows)

    return prepared(factory, f"{rows}-runs", make)


@pytest.fixture(scope="session")
def file_ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Questions about the runs in a DuckDB file, every one asked anew."""
    folder = tmp_path_factory.mktemp("file") / "data"
    shutil.copytree(filled_data(tmp_path_factory), folder)
    with Stores.open(Settings(folder), lambda: NOW) as stores:
        yield _asked_anew(stores)


@pytest.fixture(scope="session")
def lake_ask(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """The same runs in DuckLake: catalog in PostgreSQL, Parquet in a folder."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE lake_questions")
    folder = tmp_path_factory.mktemp("lake")
    catalog = psycopg.conninfo.make_conninfo(postgres_server, dbname="lake_questions")
    # With more threads one of them waits for the catalog by asking without a pause whether it has answered.
    settings = Settings(
        folder / "data", warehouse="lake", lake_catalog=catalog, lake_data=str(folder / "lake"), threads=1
    )
    with Stores.open(settings, lambda: NOW) as stores:
        fill(stores)
        yield _asked_anew(stores)


@pytest.fixture(scope="session", params=["file", "lake"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Each kind of warehouse, one after the other."""
    found: Ask = request.getfixturevalue(f"{request.param}_ask")
    return found


def _asked_anew(stores: Stores) -> Ask:
    asked = Ask.of(stores, SCOPE)
    return Ask(asked.whole, asked.scope, asked.zone, asked.currency)
