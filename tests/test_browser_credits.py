"""Credits in a real browser: bought, voided and refunded in forms, and the balance that follows."""

from __future__ import annotations

from collections.abc import Iterator

import browser
import pytest
from browser import metric
from playwright.sync_api import Browser, Page, expect
from serving import Server

pytest_plugins = ("browser",)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two accounts with a plan that gives nothing."""
    started = Server(tmp_path_factory.mktemp("credits") / "data")
    started.start()
    for account in ("acme", "other"):
        started.ask("accounts", "create", account)
        started.ask("plans", "add", "none", "--account", account, "--allowance", "0")
    yield started
    started.kill()


@pytest.fixture(scope="module")
def page(chromium: Browser, server: Server) -> Page:
    """A page of the owner of both."""
    opened = browser.new_page(chromium)
    browser.set_up(opened, server)
    return opened


def test_credits_are_bought_once_they_are_an_amount(server: Server, page: Page) -> None:
    page.goto(f"{server.address}/credits?account=acme")
    expect(page.get_by_text("This account keeps no ledger yet")).to_be_visible()
    page.get_by_role("button", name="Buy credits").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Credits").fill("many")
    form.get_by_role("button", name="Buy", exact=True).click()
    expect(form.get_by_text("many")).to_be_visible()
    form.get_by_label("Credits").fill("1234.5")
    form.get_by_role("button", name="Buy", exact=True).click()
    expect(form).to_be_hidden()
    expect(page.get_by_text("Settled balance")).to_be_visible()
    assert metric(page, "Settled balance") == "1,234"
    assert "\t1234.5\n" in server.ask("balance", "--account", "acme")


def test_what_was_given_or_charged_by_mistake_is_taken_back(server: Server, page: Page) -> None:
    given = ("--account", "other", "--amount", "100", "--kind", "promotion")
    server.ask("grants", "add", "--id", "right", *given)
    server.ask("grants", "add", "--id", "twice", *given)
    page.goto(f"{server.address}/credits?account=other")
    browser.settle(page)
    assert metric(page, "Settled balance") == "200"
    _click_row(page, 2)
    page.get_by_role("button", name="Void this grant").click()
    form = page.get_by_role("dialog")
    form.get_by_role("button", name="Void 100 credits").click()
    expect(form.get_by_text("The reason has 0 characters")).to_be_visible()
    form.get_by_label("Reason").fill("Given twice")
    form.get_by_role("button", name="Void 100 credits").click()
    expect(form).to_be_hidden()
    expect(page.get_by_text("Nothing is left of grant")).to_be_visible()
    assert metric(page, "Settled balance") == "100"
    assert "\tvoid\tright\t-100\n" in server.ask("ledger", "--account", "other")


def _click_row(page: Page, number: int) -> None:
    """Click on the first cell of a row of the table that is seen; the grid is one picture to the browser."""
    table = page.locator('[data-testid="stDataFrame"]:visible').first
    table.scroll_into_view_if_needed()
    table.click(position={"x": 40, "y": 35 * number + 17})
