"""Limits on the command line, over HTTP and on their page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import browser
import httpx
import pytest
from command_line import CommandLine
from playwright.sync_api import Browser, expect
from serving import Server

pytest_plugins = ("browser",)


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    made = CommandLine(tmp_path)
    assert made("accounts", "create", "acme").code == 0
    return made


def test_a_limit_on_the_command_line(command: CommandLine) -> None:
    put = ("limits", "set", "red", "--account", "acme", "--on", "team", "--value", "red", "--window", "day")
    assert command(*put, "--amount", "2.5", "--threshold", "90").out == "red\n"
    (found,) = command("limits", "list", "--account", "acme", "--json").json
    assert {name: found[name] for name in ("id", "of", "amount", "left", "hard", "thresholds")} == {
        "id": "red",
        "of": "red",
        "amount": "2.5",
        "left": "2.5",
        "hard": True,
        "thresholds": [90],
    }
    assert command("limits", "list", "--account", "acme").out.startswith(
        "red\tteam red\thard\t2.5 credits a day\tspent 0\theld 0\toverrun 0\tleft 2.5\tresets at "
    )
    assert command("limits", "remove", "red", "--account", "acme").err == "Limit red no longer holds.\n"
    assert command("limits", "remove", "red", "--account", "acme").code == 4
    assert command("limits", "list", "--account", "acme", "--json").json == []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on which each test has an account of its own."""
    server = Server(tmp_path_factory.mktemp("limits") / "data")
    server.start()
    yield server
    server.kill()


def client(server: Server, account: str, *scopes: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {server.key(account, *scopes)}"}
    return httpx.Client(base_url=server.address, headers=headers, timeout=60, verify=False)


def test_limits_and_authorizations_over_http(server: Server) -> None:
    admin, asking = client(server, "by-http", "admin"), client(server, "by-http", "authorize")
    wrong = {"dimension": "team", "window": "day", "amount": "5", "colour": "red"}
    assert admin.put("/api/v1/limits/red", json=wrong).json()["detail"].startswith("There is no such field.")
    body = {"dimension": "team", "value": "red", "window": "day", "amount": "5"}
    assert admin.put("/api/v1/limits/red", json=body).status_code == 200
    assert asking.put("/api/v1/limits/red", json=body).status_code == 403
    ask = {"id": "a", "service": "chat", "team": "red", "credits": "4"}
    allowed = asking.post("/api/v1/authorizations", json=ask)
    assert (allowed.status_code, allowed.json()["status"]) == (200, "allowed")
    refused = asking.post("/api/v1/authorizations", json={**ask, "id": "b"})
    assert (refused.status_code, refused.json()["code"]) == (429, "limit_reached")
    (standing,) = admin.get("/api/v1/limits").json()["limits"]
    assert (standing["spent"], standing["held"], standing["left"]) == ("0", "4", "1")
    assert asking.delete("/api/v1/authorizations/a").status_code == 204
    assert admin.get("/api/v1/limits").json()["limits"][0]["left"] == "5"
    assert admin.delete("/api/v1/limits/red").status_code == 204
    assert admin.delete("/api/v1/limits/red").status_code == 404
    run = {"id": "c", "service": "chat", "status": "succeeded", "started_at": datetime.now(UTC).isoformat()}
    assert asking.post("/api/v1/runs", json=run).status_code == 403


def test_a_revoked_key_is_refused_at_once(server: Server) -> None:
    asking = client(server, "revoking", "authorize")
    assert asking.get("/api/v1/limits").status_code == 200
    prefix = asking.headers["authorization"].split("_")[1]
    assert server.command("keys", "revoke", prefix, "--account", "revoking").returncode == 0
    assert asking.get("/api/v1/limits").status_code == 401


def test_a_limit_set_on_the_page_blocks_the_next_authorization(server: Server, chromium: Browser) -> None:
    asking = client(server, "on-a-page", "authorize")
    ask = {"service": "chat", "team": "red", "credits": "4"}
    assert asking.post("/api/v1/authorizations", json={**ask, "id": "a"}).status_code == 200
    page = browser.new_page(chromium)
    browser.set_up(page, server)
    page.goto(f"{server.address}/limits?account=on-a-page")
    expect(page.get_by_text("This account has no limit yet.")).to_be_visible()
    page.get_by_role("button", name="New limit").click()
    page.get_by_role("textbox", name="Amount").fill("5")
    page.get_by_role("textbox", name="Amount").press("Tab")
    page.get_by_role("button", name="Put it up").click()
    expect(page.get_by_text("Limits on credits")).to_be_visible()
    refused = asking.post("/api/v1/authorizations", json={**ask, "id": "b"})
    assert (refused.status_code, refused.json()["cap"], refused.json()["held"]) == (429, "5", "4")
    page.reload()
    browser.settle(page)
    assert browser.metric(page, "Refused today") == "1"
    assert re.fullmatch(r"80\s?%", browser.metric(page, "Closest: Account"))
    page.close()
