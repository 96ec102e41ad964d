"""Whatever is acknowledged is stored, once: through SIGKILL at any moment, and at the moments that hurt most."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import httpx
import pytest
from serving import Server

from runs_analytics.clock import system_clock
from runs_analytics.control import ledger, ledger_lines
from runs_analytics.control.accounts import create_account
from runs_analytics.money.grants import Grant
from runs_analytics.money.price_book import RUN, Component, Price, PriceVersion
from runs_analytics.scope import Scope
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NANO

pytestmark = pytest.mark.alone

ACME = Scope("acme", "test")
SEEDS = int(os.environ.get("RUNS_TEST_KILLS", "20"))
PASSES = 1 if SEEDS <= 20 else 3
CLIENTS = 8
BATCH = 20
POINTS = (
    "after_commit",
    "mid_apply",
    "mid_checkpoint",
    "after_checkpoint",
    "between_segment_and_prune",
    "after_prune",
)


class Client(threading.Thread):
    """Sends batches one after the other; what was answered with 200 is written down, the rest kept to resend."""

    def __init__(
        self, server: Server, key: str, name: str, unanswered: list[list[dict[str, object]]]
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.server, self.key = server, key
        self.waiting = unanswered
        self.acknowledged: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        number = 0
        headers = {"Authorization": f"Bearer {self.key}"}
        with httpx.Client(base_url=self.server.address, headers=headers, timeout=10, verify=False) as http:
            while not self.stopping.is_set():
                number += 1
                batch = self.waiting[0] if self.waiting else self.new_batch(number)
                if not self.waiting:
                    self.waiting.append(batch)
                try:
                    answer = http.post("/api/v1/runs", json=batch)
                except httpx.HTTPError:
                    time.sleep(0.02)
                    continue
                if answer.status_code == 200:
                    states = {item["status"] for item in answer.json()["items"]}
                    assert states <= {"accepted", "duplicate"}, answer.text
                    self.acknowledged += [str(run["id"]) for run in batch]
                    self.waiting.pop(0)

    def new_batch(self, number: int) -> list[dict[str, object]]:
        now = datetime.now(UTC).isoformat()
        stamp = time.monotonic_ns()
        return [
            {
                "id": f"{self.name}-{stamp}-{number}-{i}",
                "service": "LLM",
                "started_at": now,
                "duration_ms": i,
                "input_tokens": 10,
            }
            for i in range(BATCH)
        ]


def stored_ids(data_dir: Path) -> Counter[str]:
    """Every id in the warehouse file, read by DuckDB alone while no server runs."""
    with duckdb.connect(str(data_dir / "warehouse.duckdb"), read_only=True) as connection:
        return Counter(row[0] for row in connection.execute("SELECT id FROM runs").fetchall())


def price_a_run(data_dir: Path) -> None:
    """An account whose runs cost half a credit each, and a grant that soon is used up."""
    now = datetime.now(UTC)
    half = Price("run", 100, (), (Component(RUN, Decimal("0.5")),))
    given = Grant("given", "purchase", 100 * NANO, 10, now, None, now)
    with Stores.open(Settings(data_dir), system_clock()) as stores:
        stores.control.write(lambda c: create_account(c, ACME, now=now))
        stores.add_price_version(ACME, "credits", PriceVersion(1, datetime(2026, 1, 1, tzinfo=UTC), (half,)))
        stores.control.write(lambda c: ledger.add_grant(c, ACME, given))


def check_ledger(data_dir: Path, runs: int) -> None:
    """The ledger holds half a credit for each stored run, to the billionth, and its sums are right."""
    with Stores.open(Settings(data_dir), system_clock()) as stores, stores.control.read() as connection:
        ledger_lines.check_ledger(connection, ACME)
        found = ledger.balance(connection, ACME, now=datetime.now(UTC))
    assert found.settled_nano == 100 * NANO - runs * NANO // 2


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    price_a_run(tmp_path / "data")
    server = Server(tmp_path / "data", RUNS_ARCHIVE_SECONDS="0.3")
    yield server
    server.kill()


def send_until(server: Server, key: str, clients: list[Client], seconds: float) -> list[Client]:
    """Let as many new clients go on with what the earlier ones left, for a while or until the server dies."""
    left = [client.waiting for client in clients] or [[] for _ in range(CLIENTS)]
    fresh = [Client(server, key, f"client{i}", waiting) for i, waiting in enumerate(left)]
    for client in fresh:
        client.start()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.process is not None and server.process.poll() is None:
        time.sleep(0.01)
    return fresh


def finish(clients: list[Client], acknowledged: list[str]) -> None:
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join(15)
        acknowledged += client.acknowledged


def check(server: Server, acknowledged: list[str], clients: list[Client]) -> None:
    """Stop in order, then count: nothing acknowledged is missing, nothing is there twice."""
    server.stop()
    stored = stored_ids(Path(server.environment["RUNS_DATA_DIR"]))
    assert not [i for i in acknowledged if i not in stored], "acknowledged runs are missing"
    assert not [i for i, n in stored.items() if n > 1], "runs are stored twice"
    sent = set(acknowledged) | {str(run["id"]) for c in clients for batch in c.waiting for run in batch}
    assert set(stored) <= sent
    check_ledger(Path(server.environment["RUNS_DATA_DIR"]), len(stored))


def test_a_kill_at_any_moment_loses_and_doubles_nothing(server: Server) -> None:
    server.start()
    key = server.key("acme")
    chance = random.Random(20261122)
    acknowledged: list[str] = []
    clients: list[Client] = []
    for _ in range(SEEDS):
        clients = send_until(server, key, clients, chance.uniform(0.02, 0.9))
        server.kill()
        finish(clients, acknowledged)
        server.start()
    clients = send_until(server, key, clients, 0.5)
    finish(clients, acknowledged)
    server.verified()
    check(server, acknowledged, clients)
    assert len(acknowledged) > SEEDS * BATCH


def test_a_crash_at_each_of_the_worst_moments_loses_and_doubles_nothing(server: Server) -> None:
    server.start()
    key = server.key("acme")
    server.stop()
    acknowledged: list[str] = []
    clients: list[Client] = []
    for nth in range(1, PASSES + 1):
        for point in POINTS:
            # The first commits of a start are the server's own.
            passes = nth + 2 if point == "after_commit" else nth
            server.start(wait=False, RUNS_CRASH_AT=f"{point}:{passes}")
            clients = send_until(server, key, clients, 30)
            assert server.process is not None
            assert server.process.wait(10) == 137, f"{point} was not reached:\n{server.tail()}"
            server.process = None
            finish(clients, acknowledged)
    server.start()
    clients = send_until(server, key, clients, 0.5)
    finish(clients, acknowledged)
    server.verified()
    check(server, acknowledged, clients)


def test_an_orderly_stop_leaves_nothing_behind(server: Server) -> None:
    server.start()
    key = server.key("acme")
    acknowledged: list[str] = []
    clients = send_until(server, key, [], 0.5)
    server.stop()
    finish(clients, acknowledged)
    stored = stored_ids(Path(server.environment["RUNS_DATA_DIR"]))
    assert set(acknowledged) <= set(stored)
