"""Through SIGKILL, the counters of prices over periods equal the runs, and the runs cost what their sum costs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from serving import Server
from test_nothing_lost import ACME, Client, finish, send_until

from runs_analytics.clock import system_clock
from runs_analytics.control.accounts import create_account
from runs_analytics.control.price_counters import counters
from runs_analytics.ingest.verification import verify_stores
from runs_analytics.money.price_book import Component, Price, PriceBook, PriceVersion
from runs_analytics.money.price_parts import Tier
from runs_analytics.money.rating import compile_book
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores

pytest_plugins = ("control_fixtures",)

KILLS = int(os.environ.get("RUNS_TEST_KILLS", "20")) // 10
ROUND_RUNS = 240
TIERS = (Tier(2_000, Decimal("0.3")), Tier(5_000, Decimal("0.2"), Decimal(7)), Tier(None, Decimal("0.1")))
BY_TOKEN = Price(
    "t", 100, (), (Component("input_tokens", per=7, form="graduated", tiers=TIERS, over="month"),)
)
BOOK = PriceBook("credits", (PriceVersion(1, datetime(2026, 1, 1, tzinfo=UTC), (BY_TOKEN,)),))


@pytest.fixture
def server(control_url: str, tmp_path: Path) -> Iterator[Server]:
    now = datetime.now(UTC)
    with Stores.open(Settings(tmp_path / "data", control_url=control_url), system_clock()) as stores:
        stores.control.write(lambda c: create_account(c, ACME, now=now))
        version = PriceVersion(1, now - timedelta(days=60), (BY_TOKEN,))
        stores.add_price_version(ACME, "credits", version)
    server = Server(tmp_path / "data", RUNS_CONTROL_URL=control_url, RUNS_ARCHIVE_SECONDS="0.3")
    yield server
    server.kill()


def send_some(server: Server, key: str, clients: list[Client]) -> list[Client]:
    """Go on with what the clients left until so many more runs are acknowledged; the clients go on sending."""
    fresh = send_until(server, key, clients, 0)
    deadline = time.monotonic() + 120
    while sum(len(client.acknowledged) for client in fresh) < ROUND_RUNS:
        assert time.monotonic() < deadline, server.tail()
        time.sleep(0.005)
    return fresh


def test_counters_equal_the_runs_through_kills(server: Server, control_url: str, tmp_path: Path) -> None:
    server.start()
    key, acknowledged = server.key("acme"), list[str]()
    clients: list[Client] = []
    for _ in range(KILLS):
        clients = send_some(server, key, clients)
        server.kill()
        finish(clients, acknowledged)
        server.start()
    clients = send_some(server, key, clients)
    finish(clients, acknowledged)
    server.stop()
    with Stores.open(Settings(tmp_path / "data", control_url=control_url), system_clock()) as stores:
        stores.apply_waiting()
        assert verify_stores(stores.control, stores.warehouse, stores.archive).differences == ()
        with stores.control.read() as connection:
            used = list(counters(connection, ACME).values())
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "SELECT count(*), sum(input_tokens), sum(credits_nano) FROM runs"
        ).fetchall()
    (term,) = compile_book(BOOK).versions[0].prices[0][1].terms
    assert rows == [(sum(used) // 10, sum(used), sum(map(term.amount_nano, used)))]
    assert sum(used) // 10 >= len(set(acknowledged)) >= (KILLS + 1) * ROUND_RUNS
