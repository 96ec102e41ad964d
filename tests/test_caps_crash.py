"""Caps hold while the server is killed: two hundred clients over HTTP, seen from outside by plain SQL."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from serving import Server

from runs_analytics.clock import system_clock
from runs_analytics.control.accounts import create_account
from runs_analytics.control.limits import set_limit
from runs_analytics.money.limits import Limit
from runs_analytics.money.price_book import Component, Price, PriceVersion
from runs_analytics.scope import Scope
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NANO

pytest_plugins = ("control_fixtures",)
pytestmark = pytest.mark.alone

ACME = Scope("acme", "test")
REQUESTS = int(os.environ.get("RUNS_TEST_AUTHORIZATIONS", "5000")) // 5
CLIENTS = 200
KILLS = 3
TTL_S = 4
CAPS: tuple[Limit, ...] = (
    Limit("account-month", "account", "", "month", "credits", REQUESTS * 6 * NANO, True),
    Limit("account-day", "account", "", "day", "credits", REQUESTS * 5 * NANO, True),
    Limit("team-month", "team", "red", "month", "credits", REQUESTS * 2 * NANO, True),
    Limit("each-member", "member", None, "day", "credits", REQUESTS // 2 * NANO, True),
)

USED = "SELECT dimension, value, day, credits_nano, held_credits_nano FROM usage_days"
OVERRUN = "SELECT limit_id, value, first_day, overrun_nano FROM limit_uses"


class Watcher(threading.Thread):
    """Reads the control store's tables over and over, as any other program could."""

    def __init__(self, data_dir: Path, url: str) -> None:
        super().__init__(daemon=True)
        self.data_dir, self.url = data_dir, url
        self.stopping = threading.Event()
        self.looks = 0
        self.exceeded: list[str] = []

    def run(self) -> None:
        while not self.stopping.is_set():
            with contextlib.suppress(sqlite3.OperationalError, psycopg.OperationalError):
                self.look(*self.tables())
            time.sleep(0.002)

    def tables(self) -> tuple[list[Any], list[Any]]:
        """Use and overruns, from one moment."""
        if self.url:
            with psycopg.connect(self.url) as connection:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                return connection.execute(USED).fetchall(), connection.execute(OVERRUN).fetchall()
        with contextlib.closing(sqlite3.connect(f"file:{self.data_dir}/control.db?mode=ro", uri=True)) as db:
            db.execute("BEGIN")
            return db.execute(USED).fetchall(), db.execute(OVERRUN).fetchall()

    def look(self, used: list[Any], overrun: list[Any]) -> None:
        past = {(limit_id, value, str(day)): int(nano) for limit_id, value, day, nano in overrun}
        for cap in CAPS:
            counted: dict[tuple[str, str, str], int] = {}
            for dimension, value, day, settled, held in used:
                if dimension == cap.dimension and cap.value in (None, value):
                    first_day = str(day) if cap.window == "day" else f"{str(day)[:7]}-01"
                    key = cap.id, value, first_day
                    counted[key] = counted.get(key, 0) + int(settled) + int(held)
            for key, nano in counted.items():
                if nano - past.get(key, 0) > cap.amount_nano:
                    self.exceeded.append(f"{key}: {nano} - {past.get(key, 0)} > {cap.amount_nano}")
        self.looks += 1


def prepare(data_dir: Path, url: str) -> None:
    """An account with a price of one credit per unit of output, and its caps."""
    now = datetime.now(UTC)
    price = Price("token", 100, (), (Component("output_tokens", Decimal(1)),))
    with Stores.open(Settings(data_dir, control_url=url), system_clock()) as stores:
        stores.control.write(lambda c: create_account(c, ACME, now=now))
        stores.add_price_version(ACME, "credits", PriceVersion(1, now - timedelta(days=90), (price,)))
        for limit in CAPS:
            stores.control.write(lambda c, one=limit: set_limit(c, ACME, one, now=now))


async def answer(http: httpx.AsyncClient, method: str, path: str, **given: Any) -> httpx.Response:
    """Ask until there is an answer, with the same id each time."""
    while True:
        try:
            found = await http.request(method, path, **given)
        except httpx.HTTPError:
            await asyncio.sleep(0.05)
            continue
        if found.status_code not in (500, 503):
            return found
        await asyncio.sleep(0.05)


async def client(http: httpx.AsyncClient, number: int, answers: dict[str, int]) -> None:
    dice = random.Random(number)
    for turn in range(REQUESTS // CLIENTS):
        run_id, tokens = f"{number}-{turn}", dice.randint(1, 40)
        run = {
            "id": run_id,
            "service": "chat",
            "team": dice.choice(["red", "blue"]),
            "member": f"m{turn % 7}",
        }
        if dice.random() < 0.05:
            await send(http, {**run, "id": f"{run_id}-unasked"}, dice.randint(1, 20))
        found = await answer(
            http, "POST", "/api/v1/authorizations", json={**run, "output_tokens": tokens, "ttl_s": TTL_S}
        )
        assert found.status_code in (200, 429), found.text
        answers[run_id] = found.status_code
        if found.status_code == 429:
            why = {name: Decimal(found.json()[name]) for name in ("spent", "held", "wanted", "cap")}
            assert why["spent"] + why["held"] + why["wanted"] > why["cap"]
            continue
        match dice.randrange(4):
            case 0:
                gone = await answer(http, "DELETE", f"/api/v1/authorizations/{run_id}")
                assert gone.status_code == 204, gone.text
            case 1:
                """Abandoned."""
            case _:
                await send(http, run, tokens + dice.randint(-tokens, 10))


async def send(http: httpx.AsyncClient, run: dict[str, Any], tokens: int) -> None:
    """Send a run that is over."""
    now = datetime.now(UTC).isoformat()
    over = {"output_tokens": tokens, "status": "succeeded", "started_at": now, "duration_ms": 1}
    sent = await answer(http, "POST", "/api/v1/runs", json=run | over)
    assert sent.status_code == 200, sent.text
    assert sent.json()["status"] in ("accepted", "duplicate"), sent.text


@pytest.fixture
def server(control_url: str, tmp_path: Path) -> Iterator[Server]:
    prepare(tmp_path / "data", control_url)
    server = Server(tmp_path / "data", RUNS_CONTROL_URL=control_url)
    yield server
    server.kill()


def test_caps_hold_through_kills(server: Server, control_url: str, tmp_path: Path) -> None:
    server.start()
    made = server.command("keys", "create", "--account", "acme", "--scope", "ingest", "--scope", "authorize")
    assert made.returncode == 0, made.stderr
    watcher = Watcher(tmp_path / "data", control_url)
    watcher.start()
    answers: dict[str, int] = {}

    async def all_clients() -> None:
        headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
        limits = httpx.Limits(max_connections=CLIENTS)
        async with httpx.AsyncClient(
            base_url=server.address, headers=headers, limits=limits, timeout=20
        ) as http:
            clients = asyncio.gather(*(client(http, number, answers) for number in range(CLIENTS)))
            for kill in range(KILLS):
                while len(answers) < REQUESTS * (kill + 1) // (KILLS + 1) and not clients.done():
                    await asyncio.sleep(0.005)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
            await clients

    asyncio.run(all_clients())
    time.sleep(TTL_S + 2)
    used, _ = watcher.tables()
    watcher.stopping.set()
    watcher.join()
    assert watcher.exceeded == []
    assert watcher.looks > KILLS
    assert {int(row[4]) for row in used} == {0}, "holds leaked past their time"
    assert {200, 429} <= set(answers.values())
    assert len(answers) == REQUESTS // CLIENTS * CLIENTS
    server.verified()
