"""The Settings page in a real browser: a key that works from now on until it is revoked, and people."""

from __future__ import annotations

import re
from collections.abc import Iterator

import browser
import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from serving import Server

pytest_plugins = ("browser",)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("settings") / "data")
    server.start()
    server.ask("accounts", "create", "acme")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def page(chromium: Browser, server: Server) -> Page:
    """A page of the owner."""
    opened = browser.new_page(chromium)
    browser.set_up(opened, server)
    return opened


def asks(server: Server, key: str, run_id: str) -> int:
    answer = httpx.post(
        f"{server.address}/api/v1/authorizations",
        json={"id": run_id, "service": "chat", "credits": "1"},
        headers={"Authorization": f"Bearer {key}"},
    )
    return answer.status_code


def test_a_key_made_on_the_page_works_until_it_is_revoked_there(server: Server, page: Page) -> None:
    page.goto(f"{server.address}/settings?account=acme")
    page.get_by_role("button", name="New key").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Label").fill("billing service")
    form.get_by_label("Label").press("Tab")
    form.get_by_role("button", name="Make the key").click()
    expect(form.get_by_text("The key works from now on.")).to_be_visible()
    key = form.locator("code").inner_text().strip()
    assert re.fullmatch(r"runs_[a-z0-9]{8}_[0-9a-f]{64}", key)
    assert asks(server, key, "a") == 200
    form.get_by_role("button", name="Done").click()
    expect(form).to_be_hidden()
    assert key not in page.content()
    page.get_by_role("button", name="Revoke a key").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke it").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert asks(server, key, "b") == 401


def test_an_invitation_is_made_and_ended_and_the_last_owner_stays(server: Server, page: Page) -> None:
    page.goto(f"{server.address}/settings?account=acme")
    page.get_by_role("tab", name="People").click()
    page.get_by_role("button", name="Invite").click()
    form = page.get_by_role("dialog")
    form.get_by_label("E-mail").fill("ana@example.com")
    form.get_by_label("E-mail").press("Tab")
    form.get_by_role("button", name="Make the link").click()
    expect(form.get_by_text("Send this link to ana@example.com; it works once.")).to_be_visible()
    link = form.locator("code").inner_text().strip()
    assert httpx.get(link).status_code == 200
    form.get_by_role("button", name="Done").click()
    page.get_by_role("tab", name="People").click()
    page.get_by_role("button", name="End an invitation").click()
    page.get_by_role("dialog").get_by_role("button", name="End it").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert httpx.get(link).status_code == 404
    page.get_by_role("tab", name="People").click()
    page.get_by_role("button", name="Change a person").click()
    form = page.get_by_role("dialog")
    form.get_by_text("Remove", exact=True).click()
    form.get_by_role("button", name="Remove from the account").click()
    expect(form.get_by_text("is the last owner of account")).to_be_visible()
