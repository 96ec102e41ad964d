"""Asking whether runs may start: in this process, and over HTTP beside a bare route with the same group commit."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import asking_clients
from benchmarks.ingest import client_process
from benchmarks.report import Figure, Say
from benchmarks.workspace import Workspace
from runs_analytics.clock import system_clock
from runs_analytics.control.accounts import create_account
from runs_analytics.control.limits import set_limit
from runs_analytics.ingest.accept import TermsCache
from runs_analytics.ingest.authorize import Authorizer
from runs_analytics.money.limits import Limit
from runs_analytics.money.price_book import RUN, Component, Price, PriceVersion
from runs_analytics.scope import Scope
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NANO
from tests.serving import Server

SECTION: Final = "authorize"
ACME: Final = Scope("acme", "benchmark")
IN_PROCESS, AT_ONCE = 40_000, 512
NAIVE = 2_000
OVER_HTTP, CLIENTS = 20_000, 100
PER_SECOND, SECONDS = 400, 20
LIMITS: Final = (
    Limit("account-month", "account", "", "month", "credits", 10**9 * NANO, True),
    Limit("account-day", "account", "", "day", "credits", 10**9 * NANO, True),
    Limit("each-team", "team", None, "day", "credits", 10**8 * NANO, True),
    Limit("each-member", "member", None, "month", "credits", 10**7 * NANO, True),
)


def measure(workspace: Workspace, say: Say) -> list[Figure]:
    """Four nested limits; every request holds and is synced before it is answered."""
    with tempfile.TemporaryDirectory(prefix="authorize-", dir=workspace.folder) as folder:
        say(f"Asking {IN_PROCESS:,} times in this process, {AT_ONCE} at once")
        together, alone = _in_process(Path(folder) / "process")
        say(
            f"Asking {OVER_HTTP:,} times over HTTP with {CLIENTS} clients, then {PER_SECOND}/s for {SECONDS} s"
        )
        bare = _bare(Path(folder))
        closed, paced = _served(Path(folder) / "served")
    rate, bare_rate = (asked.statuses[200] / asked.seconds for asked in (closed, bare))
    return [
        Figure(
            SECTION,
            "in this process, synced",
            together,
            "/s",
            target=8_000,
            at_least=True,
            beside=f"one commit each {alone:,.0f}/s",
        ),
        Figure(
            SECTION,
            f"over HTTP, {CLIENTS} clients",
            rate,
            "/s",
            beside=f"bare route with the same group commit {bare_rate:,.0f}/s",
        ),
        Figure(
            SECTION,
            "of the bare route",
            100 * rate / bare_rate,
            "%",
            target=50,
            at_least=True,
            beside="one run, the same clients",
        ),
        Figure(
            SECTION,
            f"answer p99 at {PER_SECOND}/s, open loop",
            float(np.percentile(paced.answer_ms, 99)),
            "ms",
            target=60,
            beside=f"p50 {np.percentile(paced.answer_ms, 50):.1f} ms, {paced.statuses[200]:,} allowed",
        ),
    ]


def _prepared(data_dir: Path) -> Stores:
    now = datetime.now(UTC)
    stores = Stores.open(Settings(data_dir), system_clock())
    price = Price(
        "all", 100, (), (Component(RUN, Decimal("0.5")), Component("input_tokens", Decimal("0.02"), 1_000))
    )
    stores.control.write(lambda c: create_account(c, ACME, zone="Europe/Berlin", now=now))
    stores.add_price_version(ACME, "credits", PriceVersion(1, datetime(2026, 1, 1, tzinfo=UTC), (price,)))
    for limit in LIMITS:
        stores.control.write(lambda c, one=limit: set_limit(c, ACME, one, now=now))
    return stores


def _in_process(data_dir: Path) -> tuple[float, float]:
    """Authorizations a second by many callers at once, and by one after the other."""
    with _prepared(data_dir) as stores:
        terms = TermsCache(stores.control.changes, stores.account, stores.books)
        authorizer = Authorizer(stores.control, terms, stores.imported.lookup)

        def body(number: int, prefix: str) -> dict[str, Any]:
            names = {"service": "search", "team": f"t{number % 10}", "member": f"m{number % 200}"}
            return {"id": f"{prefix}{number}", **names, "input_tokens": 800}

        async def all_at_once() -> None:
            numbers = iter(range(IN_PROCESS))

            async def caller() -> None:
                for number in numbers:
                    answer = await authorizer.authorize_async(ACME, body(number, "a"), datetime.now(UTC))
                    assert answer.state == "open"

            await asyncio.gather(*(caller() for _ in range(AT_ONCE)))

        started = time.perf_counter()
        asyncio.run(all_at_once())
        together = IN_PROCESS / (time.perf_counter() - started)
        started = time.perf_counter()
        for number in range(NAIVE):
            authorizer.authorize(ACME, body(number, "n"), datetime.now(UTC))
        return together, NAIVE / (time.perf_counter() - started)


def _bare(folder: Path) -> asking_clients.Asked:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare", str(folder / "bare.sqlite"), str(port)]
    )
    try:
        _wait_for(port)
        with client_process() as clients:
            return clients.submit(asking_clients.closed_loop, port, "none", "r", OVER_HTTP, CLIENTS).result()
    finally:
        process.terminate()
        process.wait()


def _served(data_dir: Path) -> tuple[asking_clients.Asked, asking_clients.Asked]:
    _prepared(data_dir).close()
    server = Server(data_dir)
    server.start()
    try:
        key = server.key("acme")
        with client_process() as clients:
            closed = clients.submit(
                asking_clients.closed_loop, server.port, key, "r", OVER_HTTP, CLIENTS
            ).result()
            paced = clients.submit(
                asking_clients.open_loop, server.port, key, "p", PER_SECOND, SECONDS
            ).result()
    finally:
        server.stop()
    return closed, paced


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")
