"""Caps hold while the server is killed: two hundred clients over HTTP, seen from outside by plain SQL."""

from __future__ import annotations

import asyncio
import contextlib
import json
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
LOOK_EVERY_S = 0.02
"""Looks share a processor with the clients: more of them would ask less."""

TRY_AGAIN_S = 0.5
"""Two hundred clients that knock more often keep a server that starts from its processor."""

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
            time.sleep(LOOK_EVERY_S)

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


class Client:
    """One connection of its own, by plain sockets: two hundred of them must leave the server a processor."""

    def __init__(self, port: int, key: str) -> None:
        self.port, self.key = port, key
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def answer(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Ask until there is an answer, with the same id each time."""
        while True:
            try:
                async with asyncio.timeout(20):
                    status, found = await self.ask(method, path, body)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                self.close()
                await asyncio.sleep(TRY_AGAIN_S)
                continue
            if status not in (500, 503):
                return status, found
            await asyncio.sleep(0.05)

    async def ask(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        sent = b"" if body is None else json.dumps(body).encode()
        head = f"{method} /api/v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.key}\r\n"
        kind = f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
        writer.write((head + kind).encode() + sent)
        answered = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answered.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        found = await reader.readexactly(length)
        return int(answered[9:12]), json.loads(found) if found else None

    def close(self) -> None:
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


async def requests(client: Client, number: int, answers: dict[str, int]) -> None:
    """All that one client asks, one after the other."""
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
            await send(client, {**run, "id": f"{run_id}-unasked"}, dice.randint(1, 20))
        asked = {**run, "output_tokens": tokens, "ttl_s": TTL_S}
        status, found = await client.answer("POST", "authorizations", asked)
        assert status in (200, 429), found
        answers[run_id] = status
        if status == 429:
            why = {name: Decimal(found[name]) for name in ("spent", "held", "wanted", "cap")}
            assert why["spent"] + why["held"] + why["wanted"] > why["cap"]
            continue
        match dice.randrange(4):
            case 0:
                status, found = await client.answer("DELETE", f"authorizations/{run_id}")
                assert status == 204, found
            case 1:
                """Abandoned."""
            case _:
                await send(client, run, tokens + dice.randint(-tokens, 10))


async def send(client: Client, run: dict[str, Any], tokens: int) -> None:
    """Send a run that is over."""
    now = datetime.now(UTC).isoformat()
    over = {"output_tokens": tokens, "status": "succeeded", "started_at": now, "duration_ms": 1}
    status, sent = await client.answer("POST", "runs", run | over)
    assert status == 200, sent
    assert sent["status"] in ("accepted", "duplicate"), sent


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
        clients = [Client(server.port, made.stdout.strip()) for _ in range(CLIENTS)]
        asking = asyncio.gather(*(requests(one, number, answers) for number, one in enumerate(clients)))
        for kill in range(KILLS):
            while len(answers) < REQUESTS * (kill + 1) // (KILLS + 1) and not asking.done():
                await asyncio.sleep(0.005)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        await asking
        for one in clients:
            one.close()

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
