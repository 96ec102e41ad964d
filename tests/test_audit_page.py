"""The Audit page in a real browser, and who may read the trail."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
from playwright.sync_api import Browser, Page, expect
from serving import Server

pytestmark = pytest.mark.alone


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server.start()
    server.command("accounts", "create", "acme")
    for team in ("red", "blue"):
        server.command(
            "limits", "set", team, "--account", "acme", "--on", "team", "--value", team, "--window", "day",
            "--amount", "5",
        )  # fmt: skip
    server.command("limits", "remove", "red", "--account", "acme")
    yield server
    server.kill()


@pytest.fixture
def page() -> Iterator[Page]:
    with browser.started() as chromium:
        page = browser_page(chromium)
        yield page
        page.close()


def browser_page(chromium: Browser) -> Page:
    page = chromium.new_page(viewport={"width": 1440, "height": 1040}, accept_downloads=True)
    page.set_default_timeout(30_000)
    return page


def exported(page: Page) -> list[dict[str, object]]:
    """The acts of the page's JSON export."""
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON").click()
    found: list[dict[str, object]] = json.loads(Path(download.value.path()).read_bytes())["tables"]["audit"]
    return found


def test_the_page_filters_exports_and_verifies(server: Server, page: Page) -> None:
    browser.set_up(page, server)
    page.goto(f"{server.address}/audit?account=acme")
    expect(page.get_by_text("Click on an act for its details and hashes.")).to_be_visible()
    assert browser.metric(page, "Acts") == "6"
    assert browser.metric(page, "Chain") == "verified to 6"
    page.goto(f"{server.address}/audit?account=acme&act=limit.set&find=RED")
    expect(page.get_by_text("The audit trail is for")).to_have_count(0)
    expect(page.locator('[data-testid="stMetricValue"]').first).to_have_text("1")
    (only,) = exported(page)
    assert (only["action"], only["subject_id"], only["number"]) == ("limit.set", "red", 2)
    assert len(str(only["hash"])) == 64
    page.get_by_role("textbox", name="To what").fill("none such")
    page.get_by_role("textbox", name="To what").press("Enter")
    expect(page.get_by_text("No act fits the filter.")).to_be_visible()
    assert "find=none+such" in page.url or "find=none%20such" in page.url


def test_the_page_says_what_was_changed(server: Server, page: Page, tmp_path: Path) -> None:
    server.stop()
    database = sqlite3.connect(tmp_path / "data" / "control.db")
    database.execute("DROP TRIGGER audit_entries_refuse_update")
    database.execute("UPDATE audit_entries SET actor = 'nobody' WHERE account = 'acme' AND number = 3")
    database.commit()
    database.close()
    server.start()
    browser.set_up(page, server)
    page.goto(f"{server.address}/audit?account=acme")
    expect(page.get_by_text("number 3 is not what was recorded")).to_be_visible()
    assert browser.metric(page, "Chain") == "does not verify"
