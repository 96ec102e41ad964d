"""A person brings a real log in on the Data page: columns chosen by hand, checked, imported, undone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import pytest
from command_line import SHARED
from playwright.sync_api import Browser, Page, expect
from serving import Server
from test_real_logs import EXACT, reference

LOG = SHARED / "data/alibaba_gentd26_requests.parquet"
COLUMNS = {
    "Service (required)": "predict_type",
    "Started at (required)": "gmt_create",
    "Status": "predict_status",
    "Member": "groupId",
    "Model": "checkpoint_model_version_id",
    "Duration": "exec_time_seconds",
}
STATUSES = {"SUCCEED": "succeeded", "FAILED": "failed", "PENDING": "running"}

pytestmark = pytest.mark.skipif(not LOG.exists(), reason="the real logs are not beside this checkout")
pytest_plugins = ("browser",)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "data")
    started.start()
    started.ask("accounts", "create", "acme")
    yield started
    started.kill()


@pytest.fixture
def page(chromium: Browser) -> Page:
    return browser.new_page(chromium, height=2400)


def totals_of(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.ask("totals", "--account", "acme", "--json"))
    return found


def totals_with(server: Server, rows: int) -> dict[str, Any]:
    """The totals once the worker has caught up to that many rows; pages promise two seconds."""
    for _ in range(100):
        if (found := totals_of(server))["rows"] == rows:
            return found
    raise AssertionError(f"{found['rows']} rows instead of {rows}")


def choose(page: Page, label: str, option: str) -> None:
    """Pick an option of a select box by its first words."""
    box = page.get_by_role("combobox", name=re.compile(rf"^(Selected .*)?{re.escape(label)}"))
    box.click()
    box.fill(option)
    page.get_by_role("option", name=re.compile(rf"^{re.escape(option)}", re.I)).first.click()
    rest(page)


def rest(page: Page) -> None:
    browser.settle(page)


def test_a_real_log_comes_in_by_hand_and_its_totals_agree(server: Server, page: Page, tmp_path: Path) -> None:
    browser.set_up(page, server)
    page.goto(f"{server.address}/data?account=acme")
    page.locator('input[type="file"]').set_input_files(LOG)
    page.get_by_text("Which column is what").wait_for()
    for label, column in COLUMNS.items():
        choose(page, label, column)
    page.get_by_role("radio", name="seconds", exact=True).click()
    for theirs, ours in STATUSES.items():
        choose(page, theirs, ours)

    page.get_by_role("button", name="Check without storing").click()
    page.get_by_text("A check: nothing was stored.").wait_for()
    assert (browser.metric(page, "Would be accepted"), browser.metric(page, "Rejected")) == ("13,767", "0")
    totals_with(server, 0)

    page.get_by_role("button", name="Import into acme").click()
    page.get_by_text("Imported. The runs are on the pages").wait_for()
    assert (browser.metric(page, "Accepted"), browser.metric(page, "Rejected")) == ("13,767", "0")
    totals, expected = totals_with(server, 13_767), reference(tmp_path)
    assert {k: totals[k] for k in EXACT} == {k: expected[k] for k in EXACT}
    assert totals["duration"] == pytest.approx(expected["duration"], rel=0.01)

    page.get_by_role("button", name="Import into acme").click()
    page.get_by_text("Nothing new: no row of this file became a run.").wait_for()
    assert (browser.metric(page, "Accepted"), browser.metric(page, "Duplicates")) == ("0", "13,767")

    page.get_by_role("tab", name="Past imports").click()
    past = page.get_by_role("tabpanel", name="Past imports")
    expect(past.get_by_text(LOG.name)).to_have_count(2)
    past.get_by_role("button", name="Undo").click()
    page.get_by_role("dialog").get_by_role("button", name="Undo").click()
    expect(past.get_by_text("undone", exact=True)).to_be_visible()
    totals_with(server, 0)
