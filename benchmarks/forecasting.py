"""Forecasts of a served account: how long the page takes, and what ingest feels while others forecast."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx
import numpy as np
import polars as pl
import psutil
from playwright.sync_api import Error, Page

from benchmarks import senders
from benchmarks.bodies import BATCH, new_batches
from benchmarks.ingest import client_process
from benchmarks.report import Figure, Say
from benchmarks.starting import USABLE
from benchmarks.workspace import ACCOUNT, Workspace
from tests import browser
from tests.serving import Server

SECTION: Final = "forecasting"
COLD_MS: Final = 1_500
CACHED_MS: Final = 200
MOST_TIMES: Final = 2.0

MEASURES: Final = ("Credits", "Spend", "Runs")
HORIZONS: Final = {"7 days": 7, "30 days": 30, "90 days": 90, "1 year": 365}
SHOWN: Final = """([title, days]) => {
    const app = document.querySelector('[data-testid="stApp"]');
    const text = document.body.innerText;
    return app && app.dataset.testScriptState === 'notRunning' && document.querySelector('.vega-embed')
        && text.includes(title + ' per day') && text.includes('Next ' + days + ' days');
}"""
"""Whether the page shows a measure and a horizon, and its script has come to its end."""

FORECASTERS: Final = 5
"""Clients that ask for forecasts at once."""

BATCHES: Final = 100
BATCHES_PER_SECOND: Final = 5.0
ROUNDS: Final = 6
REST_MS: Final = 500
REST_LOOK_S, REST_MOST_S = 5.0, 180.0
IDLE: Final = 0.05
"""Part of a core that a server at rest works at most."""

WAIT_MS: Final = 180_000


@dataclass(frozen=True)
class Looked:
    """Views of the page: milliseconds of each, and what the server's processes worked for one of them."""

    ms: list[float]
    cpu_ms: float


def measure(workspace: Workspace, say: Say) -> list[Figure]:
    """Look at every measure and horizon twice in a browser, then send runs with and without forecasts beside."""
    server = Server(workspace.data_dir, RUNS_API_REQUESTS="1000000")
    server.start()
    try:
        first, cold, cached = _page_ms(server, say)
        without, beside, forecasts = _answer_ms(server, workspace, say)
    finally:
        server.stop()
    return [*page_figures(first, cold, cached), ingest_figure(without, beside, forecasts)]


def page_figures(first_ms: float, cold: Looked, cached: Looked) -> list[Figure]:
    """The rows about the page, with what the server's processes worked beside the time in the browser."""
    return [
        _page_figure("made anew", cold, COLD_MS, f"; the first of the server {first_ms:,.0f} ms"),
        _page_figure("from the cache", cached, CACHED_MS, ""),
    ]


def ingest_figure(without: Sequence[float], beside: Sequence[float], forecasts: int) -> Figure:
    """The row about ingest, from the milliseconds of answers without forecasts and beside them."""
    (alone,), (busy,) = np.percentile(without, (99,)), np.percentile(beside, (99,))
    return Figure(
        SECTION,
        f"ingest p99 beside {FORECASTERS} forecasts ÷ without",
        float(busy / alone),
        "",
        MOST_TIMES,
        beside=f"{busy:.1f} ms beside {forecasts} forecasts, {alone:.1f} ms without; medians "
        f"{statistics.median(beside):.1f} and {statistics.median(without):.1f} ms",
    )


def _page_figure(how: str, looked: Looked, target_ms: float, more: str) -> Figure:
    slowest = f"slowest of {len(looked.ms)}: {max(looked.ms):,.0f} ms"
    beside = f"{slowest}; {looked.cpu_ms:,.0f} ms of the server's CPU each{more}"
    name, median = f"page {how}, in the browser", statistics.median(looked.ms)
    return Figure(SECTION, name, median, "ms", target_ms, beside=beside)


def _page_ms(server: Server, say: Say) -> tuple[float, Looked, Looked]:
    """Milliseconds until the page stands for the first time; then each view made anew, then each seen before."""
    with browser.started() as chromium:
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})
        browser.come_in(page, server)
        page.goto(f"{server.address}/?account={ACCOUNT}")
        page.wait_for_selector(USABLE, timeout=WAIT_MS)
        started = time.perf_counter()
        page.get_by_role("link", name="Forecast").click()
        page.wait_for_function(SHOWN, arg=["Credits", 30], timeout=WAIT_MS)
        first_ms = (time.perf_counter() - started) * 1000
        cold, cached = _looked_through(page, server), _looked_through(page, server)
    say(
        f"Page: made anew {statistics.median(cold.ms):,.0f} ms, from the cache {statistics.median(cached.ms):,.0f} ms"
    )
    return first_ms, cold, cached


def _looked_through(page: Page, server: Server) -> Looked:
    """Each view but the one it begins and ends with."""
    found, shown, cpu = [], ("Credits", "30 days"), _cpu_seconds(server)
    for view in [*itertools.product(MEASURES, HORIZONS), shown]:
        for name in (new for new, old in zip(view, shown, strict=True) if new != old):
            # A page that just came to rest may still be drawn; nobody clicks again within that time.
            page.wait_for_timeout(REST_MS)
            started = time.perf_counter()
            page.get_by_role("radio", name=name, exact=True).check()
            shown = (name, shown[1]) if name in MEASURES else (shown[0], name)
            try:
                page.wait_for_function(SHOWN, arg=[shown[0], HORIZONS[shown[1]]], timeout=WAIT_MS)
            except Error as problem:
                raise RuntimeError(f"{shown} was not shown: {problem.message}; at {page.url}") from problem
            found.append((time.perf_counter() - started) * 1000)
    return Looked(found, (_cpu_seconds(server) - cpu) * 1000 / len(found))


def _cpu_seconds(server: Server) -> float:
    assert server.process is not None
    head = psutil.Process(server.process.pid)
    times = [one.cpu_times() for one in (head, *head.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def _answer_ms(server: Server, workspace: Workspace, say: Say) -> tuple[list[float], list[float], int]:
    """Milliseconds of every answer to a batch without forecasts and beside them, in turns; how many were made."""
    key = server.key(ACCOUNT)
    reading = server.command("keys", "create", "--account", ACCOUNT, "--scope", "read").stdout.strip()
    batches = new_batches(workspace, BATCHES * 2 * ROUNDS)
    questions = _questions(workspace)
    _wait_for_rest(server, say)
    without: list[float] = []
    beside: list[float] = []
    made = 0
    with client_process() as clients:

        def sent(number: int) -> list[float]:
            part = batches[number * BATCHES : (number + 1) * BATCHES]
            return (
                clients.submit(senders.send_paced, server.port, key, part, BATCHES_PER_SECOND)
                .result()
                .answer_ms
            )

        for number in range(ROUNDS):
            without += sent(2 * number)
            with _forecasting(server, reading, questions) as counted:
                beside += sent(2 * number + 1)
            made += sum(counted)
    say(f"{len(batches) * BATCH:,} runs sent, {made} forecasts made beside half of them")
    return without, beside, made


def _wait_for_rest(server: Server, say: Say) -> None:
    """Wait until the server has made up what an import and the pages left it to do, which is no forecast's doing."""
    started = time.monotonic()
    while time.monotonic() - started < REST_MOST_S:
        before = _cpu_seconds(server)
        time.sleep(REST_LOOK_S)
        if _cpu_seconds(server) - before < IDLE * REST_LOOK_S:
            break
    say(f"The server came to rest after {time.monotonic() - started:.0f} s")


def _questions(workspace: Workspace) -> Iterator[dict[str, str]]:
    """Forecasts that were not asked for before, without end: of every measure by every value over ever fewer days."""
    runs = pl.scan_parquet(workspace.source)
    values = [
        (name, value)
        for name in ("member", "feature", "service", "model")
        for value in runs.select(pl.col(name).unique().sort()).collect()[name].to_list()
        if value is not None
    ]
    return (
        {"measure": measure, name: value, "days": str(days)}
        for days in range(366, 0, -1)
        for measure in ("credits", "cost", "runs")
        for name, value in values
    )


@contextmanager
def _forecasting(server: Server, key: str, questions: Iterator[dict[str, str]]) -> Iterator[list[int]]:
    """FORECASTERS clients who ask for one forecast after the other until the block ends; how many each got."""
    is_over, taking = threading.Event(), threading.Lock()

    def ask() -> int:
        got = 0
        with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
            while not is_over.is_set():
                with taking:
                    question = next(questions)
                client.get(f"{server.address}/api/v1/forecasts", params=question).raise_for_status()
                got += 1
        return got

    counted: list[int] = []
    with ThreadPoolExecutor(FORECASTERS) as pool:
        asking = [pool.submit(ask) for _ in range(FORECASTERS)]
        try:
            yield counted
        finally:
            is_over.set()
            counted += [one.result() for one in asking]
