"""Finds a Chromium for the page tests: on PATH, else by apt-get as root, else by Playwright; never a silent skip.

PYTEST_DONT_REWRITE: test modules import the names below before they load this as a plugin.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect, sync_playwright

if TYPE_CHECKING:
    from serving import Server

PASSWORD = "correct horse battery"
WAIT_MS = 60_000
"""No test is about how long a page takes: the machine may be busy with other tests."""

expect.set_options(timeout=WAIT_MS)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ONLY_IN_TESTS = "--js-flags=--no-opt --no-maglev"
"""A test opens each page once; compiling its scripts for speed costs more than it saves."""

AT_REST = """() => {
    const app = document.querySelector('[data-testid="stApp"]');
    return app && app.dataset.testScriptState === "notRunning"
        && document.querySelector('[data-testid="stMainBlockContainer"] h1')
        && !document.querySelector('[data-testid="stSkeleton"]');
}"""
"""The script has run, and nothing waits for its place to be filled."""


def find() -> str | None:
    """The path of an installed browser, or None."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


@contextmanager
def started(*more: str) -> Iterator[Browser]:
    """A headless browser as people have one, with more arguments if there are any; ended afterwards."""
    path = find()
    assert path, "no Chromium; run `make browser`"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *more])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a file."""
    with started(ONLY_IN_TESTS) as found:
        yield found


def new_page(
    chromium: Browser, width: int = 1440, height: int = 1040, *, known: StorageState | None = None
) -> Page:
    """A page in a window of its own, where nobody is signed in unless what it should know is given."""
    context = chromium.new_context(viewport={"width": width, "height": height}, storage_state=known)
    context.set_default_timeout(WAIT_MS)
    return context.new_page()


def settle(page: Page) -> None:
    """Wait until the script has run and nothing moves any more."""
    page.wait_for_function(AT_REST)
    page.wait_for_timeout(600)
    page.wait_for_function(AT_REST)


def metric(page: Page, label: str) -> str:
    """What a headline card shows whose label begins so."""
    card = page.locator('[data-testid="stMetric"]').filter(has_text=re.compile(rf"^{label}"))
    return card.locator('[data-testid="stMetricValue"]').inner_text()


def set_up(page: Page, server: Server) -> None:
    """Be the first person, who owns every account there is so far, and stay signed in."""
    page.goto(re.findall(r"http://\S+/auth/set-up\?token=\w+", server.tail())[-1])
    page.get_by_label("E-mail").fill("olga@example.com")
    page.get_by_label("Name").fill("Olga")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Create my sign-in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def come_in(page: Page, server: Server) -> None:
    """Be that person, whether the server knows one already or not."""
    page.goto(server.address)
    if page.get_by_role("heading").first.inner_text() != "Sign in":
        set_up(page, server)
        return
    page.get_by_label("E-mail").fill("olga@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def rested_text(page: Page) -> str:
    """What a page says once it says the same for a second."""
    said, same = "", 0
    for _ in range(120):
        page.wait_for_timeout(250)
        now = page.locator("body").inner_text()
        same = same + 1 if now == said and page.evaluate(AT_REST) else 0
        said = now
        if same >= 4:
            return said
    raise AssertionError(f"the page goes on changing: {said[-500:]}")


def install() -> None:
    """Try Debian's package, then Playwright's own browser."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-q"], check=False, stdout=subprocess.DEVNULL)
        done = subprocess.run(
            ["apt-get", "install", "-y", "-q", "chromium"], check=False, stdout=subprocess.DEVNULL
        )
        if done.returncode == 0:
            return
    subprocess.run([sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"], check=False)


def main() -> int:
    """Make sure there is one; 1 with a clear word when there is not."""
    if find() is None:
        install()
    path = find()
    if path is None:
        sys.stderr.write(
            "No Chromium was found or could be installed; the page tests need one. Install the package chromium.\n"
        )
        return 1
    sys.stderr.write(f"Page tests use {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
