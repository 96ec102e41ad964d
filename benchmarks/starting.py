"""Start: from the command to the first page that can be used, with the stores present."""

from __future__ import annotations

import statistics
import time
from typing import Final

import httpx
from playwright.sync_api import BrowserContext, Error

from benchmarks.report import Figure, Say
from benchmarks.workspace import ACCOUNT, Workspace
from tests import browser
from tests.serving import Server

SECTION: Final = "start"
STARTS: Final = 3
TARGET_S: Final = 5.0
WAIT_SECONDS: Final = 60
POLL_SECONDS: Final = 0.02

USABLE: Final = '[data-testid="stApp"][data-test-script-state="notRunning"] h1'
"""The page's title, once the script that draws the page has come to its end."""


def measure(workspace: Workspace, say: Say) -> list[Figure]:
    """Start the server `STARTS` times; a browser that is open and signed in already looks at its first page."""
    with browser.started() as chromium:
        visitor = chromium.new_context(viewport={"width": 1440, "height": 900})
        _come_in(workspace, visitor)
        starts = [_start(workspace, visitor, say) for _ in range(STARTS)]
    ready, usable = zip(*starts, strict=True)
    return [
        Figure(
            SECTION, "both stores answer", statistics.median(ready), "s", beside=f"slowest {max(ready):.2f} s"
        ),
        Figure(
            SECTION,
            "first page usable",
            statistics.median(usable),
            "s",
            target=TARGET_S,
            beside=f"slowest {max(usable):.2f} s of {STARTS}",
        ),
    ]


def _come_in(workspace: Workspace, visitor: BrowserContext) -> None:
    server = Server(workspace.data_dir)
    server.start()
    try:
        page = visitor.new_page()
        browser.come_in(page, server)
        page.close()
    finally:
        server.stop()


def _start(workspace: Workspace, visitor: BrowserContext, say: Say) -> tuple[float, float]:
    """Seconds until `/health/ready` says so, and until the first page is drawn in the browser."""
    server = Server(workspace.data_dir)
    page = visitor.new_page()
    started = time.perf_counter()
    server.start(wait=False)
    try:
        _until_ready(server)
        ready = time.perf_counter() - started
        page.goto(f"{server.address}/?account={ACCOUNT}", wait_until="commit")
        page.wait_for_selector(USABLE, timeout=WAIT_SECONDS * 1000)
        usable = time.perf_counter() - started
        say(f"Ready after {ready:.2f} s, {page.inner_text('h1')!r} usable after {usable:.2f} s")
        return ready, usable
    except Error as problem:
        raise RuntimeError(f"The page did not come up: {problem.message}\n{server.tail()}") from problem
    finally:
        page.close()
        server.stop()


def _until_ready(server: Server) -> None:
    deadline = time.perf_counter() + WAIT_SECONDS
    while time.perf_counter() < deadline:
        try:
            if httpx.get(f"{server.address}/health/ready", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"The server was not ready in {WAIT_SECONDS} s:\n{server.tail()}")
