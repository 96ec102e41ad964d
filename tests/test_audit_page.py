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

pytest_plugins = ("browser",)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two accounts in which the same was done."""
    server = Server(tmp_path_factory.mktemp("audit") / "data")
    server.start()
    for account in ("acme", "changed"):
        server.ask("accounts", "create", account)
        for team in ("red", "blue"):
            server.ask(
                "limits", "set", team, "--account", account, "--on", "team", "--value", team, "--window", "day",
                "--amount", "5",
            )  # fmt: skip
        server.ask("limits", "remove", "red", "--account", account)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def page(chromium: Browser, server: Server) -> Page:
    """A page of the owner of both."""
    opened = browser.new_page(chromium)
    browser.set_up(opened, server)
    return opened


def exported(page: Page) -> list[dict[str, object]]:
    """The acts of the page's JSON export."""
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON").click()
    found: list[dict[str, object]] = json.loads(Path(download.value.path()).read_bytes())["tables"]["audit"]
    return found


def test_the_page_filters_exports_and_verifies(server: Server, page: Page) -> None:
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


def test_the_page_says_what_was_changed(server: Server, page: Page) -> None:
    server.stop()
    database = sqlite3.connect(Path(server.environment["RUNS_DATA_DIR"]) / "control.db")
    database.execute("DROP TRIGGER audit_entries_refuse_update")
    database.execute("UPDATE audit_entries SET actor = 'nobody' WHERE account = 'changed' AND number = 3")
    database.commit()
    database.close()
    server.start()
    page.goto(f"{server.address}/audit?account=changed")
    expect(page.get_by_text("number 3 is not what was recorded")).to_be_visible()
    assert browser.metric(page, "Chain") == "does not verify"
