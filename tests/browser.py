"""Finds a Chromium for the page tests: on PATH, else by apt-get as root, else by Playwright; never a silent skip."""

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

from playwright.sync_api import Browser, Page, expect, sync_playwright

if TYPE_CHECKING:
    from serving import Server

PASSWORD = "correct horse battery"
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


def find() -> str | None:
    """The path of an installed browser, or None."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


@contextmanager
def started() -> Iterator[Browser]:
    """A headless browser, ended afterwards."""
    path = find()
    assert path, "no Chromium; run `make browser`"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


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
    expect(page.get_by_role("heading", name="Overview")).to_be_visible(timeout=60_000)


def come_in(page: Page, server: Server) -> None:
    """Be that person, whether the server knows one already or not."""
    page.goto(server.address)
    if page.get_by_role("heading").first.inner_text() != "Sign in":
        set_up(page, server)
        return
    page.get_by_label("E-mail").fill("olga@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible(timeout=60_000)


def rested_text(page: Page) -> str:
    """What a page says once it says the same for a second."""
    said, same = "", 0
    for _ in range(120):
        page.wait_for_timeout(250)
        now = page.locator("body").inner_text()
        same = same + 1 if now == said else 0
        said = now
        if same >= 4 and not page.locator('[data-testid="stStatusWidget"]').count():
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
