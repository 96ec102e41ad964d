"""Tables on a phone: the amounts that a table is about are in sight before anything is scrolled to the side."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import browser
import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from serving import Server

pytest_plugins = ("browser",)

WIDTH = 390
PRICES = ("0.5", "0.75")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An account with a row in every table of the Credits, Pricing and Limits pages."""
    folder = tmp_path_factory.mktemp("narrow")
    (folder / "clock").write_text("2026-11-22T09:30:00+00:00")
    server = Server(folder / "data", RUNS_CLOCK_FILE=str(folder / "clock"))
    server.start()
    try:
        _fill(server, server.key("acme", "admin"))
        yield server
    finally:
        server.stop()


def _fill(server: Server, key: str) -> None:
    with httpx.Client(base_url=f"{server.address}/api/v1", timeout=30) as client:

        def send(method: str, path: str, body: Any, *statuses: int) -> None:
            headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": str(uuid.uuid4())}
            done = client.request(method, path, json=body, headers=headers)
            assert done.status_code in statuses, done.text

        for number, price in enumerate(PRICES):
            components = [
                {"measure": "input_tokens", "per": 1000, "price": price},
                {"measure": "run", "price": "1"},
            ]
            prices = [{"id": "search-with-a-longer-name", "components": components}]
            body = {"valid_from": f"2026-0{number + 1}-01T00:00:00Z", "credit_rate": "0.01", "prices": prices}
            send("POST", "/prices/credits", body, 200, 201)
        for grant in ("order-of-the-year-2026-number-0001", "small"):
            send("POST", "/grants", {"id": grant, "credits": "123456.5", "note": "A note"}, 200, 201)
        tight = {"dimension": "member", "value": "ana", "window": "month", "amount": "2"}
        send("PUT", "/limits/tight", tight, 200, 201)
        runs = [
            {"id": f"run-{n}", "service": "search", "member": "ana", "project": "p", "input_tokens": 5000 * n}
            | {"started_at": "2026-11-21T08:00:00Z", "status": "succeeded"}
            for n in range(1, 4)
        ]
        send("POST", "/runs", runs, 200)
        asked = {"id": "refused", "service": "search", "member": "ana", "credits": "1"}
        send("POST", "/authorizations", asked, 429)


@pytest.fixture(scope="module")
def page(chromium: Browser, server: Server) -> Page:
    """A phone, on which the owner of the account is signed in."""
    opened = browser.new_page(chromium, WIDTH, 1400)
    browser.set_up(opened, server)
    return opened


def columns_in_sight(table: Locator) -> list[str]:
    """The titles of the columns of a table that are seen whole.

    The grid is one picture; it lists the columns in its view for screen readers, of which the last may be cut.
    """
    table.scroll_into_view_if_needed()
    table.locator("canvas").first.focus()
    table.locator("canvas").first.press("ArrowRight")
    heads = table.locator('[role="columnheader"]')
    expect(heads.first).to_be_attached()
    names = [str(name) for name in heads.all_text_contents()]
    count = int(table.locator('[role="grid"]').get_attribute("aria-colcount") or 0)
    return names if len(names) == count else names[:-1]


def tables(page: Page) -> list[Locator]:
    """The tables that are seen, from top to bottom."""
    browser.settle(page)
    found = page.locator('[data-testid="stDataFrame"]:visible')
    expect(found.first).to_be_visible()
    return found.all()


def check(page: Page, *amounts: tuple[str, ...]) -> None:
    """Each visible table shows these columns, in the order of the tables."""
    found = tables(page)
    assert len(found) == len(amounts)
    for table, wanted in zip(found, amounts, strict=True):
        seen = columns_in_sight(table)
        assert set(wanted) <= set(seen), f"{wanted} are not all in sight; these are: {seen}"


def test_grants_and_statement_show_their_credits(server: Server, page: Page) -> None:
    page.goto(f"{server.address}/credits?account=acme")
    check(page, ("Left", "Given"))
    page.get_by_role("tab", name="Statement").click()
    check(page, ("Credits", "Posted"))


def test_the_price_book_and_the_calculator_show_their_prices(server: Server, page: Page) -> None:
    page.goto(f"{server.address}/pricing?account=acme")
    check(page, ("Credits", "Per"), ("One credit is worth",))
    page.goto(f"{server.address}/pricing?account=acme&part=calculator")
    check(page, ("Credits",))


def test_a_re_rate_shows_the_difference_before_and_after_it_is_posted(server: Server, page: Page) -> None:
    page.goto(f"{server.address}/pricing?account=acme&part=rerate&version=1")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_text("What changes by member")).to_be_visible()
    check(page, ("Difference",), ("Difference",))
    page.get_by_role("button", name="Post corrections").click()
    page.get_by_role("button", name="Post them").click()
    expect(page.get_by_text("Posted as re-rate 1.")).to_be_visible()
    check(page, ("Difference", "After", "Posted credits"))


def test_limits_show_what_is_left_and_what_was_wanted(server: Server, page: Page) -> None:
    page.goto(f"{server.address}/limits?account=acme")
    check(page, ("Left",), ("Wanted",))
    page.get_by_role("tab", name="Overruns").click()
    check(page, ("Left",), ("Overrun",))
    page.get_by_role("tab", name="Thresholds crossed").click()
    check(page, ("Left",), ("Spent then",))
