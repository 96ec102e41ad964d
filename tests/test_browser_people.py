"""Signing in and out in a real browser, over a real server: who sees what, and what nobody sees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import browser
import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from serving import Server

pytest_plugins = ("browser",)

WORDS = "correct horse battery"
RUNS = """{"id":"%s","service":"%s","member":"%s","started_at":"2026-11-22T08:00:00Z","status":"succeeded"}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Accounts acme, with runs of ana and bob, and other; Olga owns both."""
    folder = tmp_path_factory.mktemp("people")
    (folder / "clock").write_text("2026-11-22T09:30:00+00:00")
    server = Server(folder / "data", RUNS_CLOCK_FILE=str(folder / "clock"))
    server.start()
    try:
        for account, lines in (
            ("acme", [("a1", "search", "ana"), ("b1", "billing", "bob")]),
            ("other", [("o1", "secret-service", "zoe")]),
        ):
            sent = httpx.post(
                f"{server.address}/api/v1/runs",
                headers={
                    "authorization": f"Bearer {server.key(account)}",
                    "content-type": "application/x-ndjson",
                },
                content="\n".join(RUNS % line for line in lines),
            )
            assert sent.status_code in (200, 202, 207), sent.text
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def owner(server: Server, chromium: Browser) -> Page:
    """Olga, who has set the server up."""
    page = browser.new_page(chromium)
    page.goto(server.address)
    expect(page.get_by_role("heading")).to_have_text("Set up Runs first")
    link = re.search(r"http://\S+/auth/set-up\?token=\w+", server.tail())
    assert link
    page.goto(link[0])
    page.get_by_label("E-mail").fill("olga@x.org")
    page.get_by_label("Name").fill("Olga")
    _choose(page, "Create my sign-in")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    return page


def _choose(page: Page, button: str) -> None:
    page.get_by_label("New password").fill(WORDS)
    page.get_by_label("The same again").fill(WORDS)
    page.get_by_role("button", name=button).click()


def joined(server: Server, chromium: Browser, email: str, *role: str) -> Page:
    """A person who has accepted an invitation into acme."""
    page = browser.new_page(chromium)
    page.goto(server.ask("people", "invite", email, *role, "--account", "acme").strip())
    page.get_by_label("Name").fill(email.partition("@")[0])
    _choose(page, "Join")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    return page


def test_signing_out_ends_the_other_tab_and_back_shows_nothing(
    server: Server, chromium: Browser, owner: Page
) -> None:
    page = joined(server, chromium, "ines@x.org", "analyst")
    other = page.context.new_page()
    other.goto(f"{server.address}/usage")
    expect(other.get_by_role("heading", name="Usage")).to_be_visible()
    page.get_by_role("button", name="ines").click()
    page.get_by_role("button", name="Sign out", exact=False).first.click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    # The other tab refreshes by itself every few seconds.
    expect(other.get_by_role("heading", name="You are signed out")).to_be_visible()
    expect(other.get_by_text("billing")).to_have_count(0)
    page.goto(f"{server.address}/costs")
    expect(page.get_by_role("heading")).to_have_text("Sign in")
    page.go_back()
    expect(page.get_by_text("billing")).to_have_count(0)
    page.goto(f"{server.address}/auth/sign-in?next=%2Fusage")
    page.get_by_label("E-mail").fill("ines@x.org")
    page.get_by_label("Password").fill("wrong password 1")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The e-mail address or the password is wrong.")
    page.get_by_label("Password").fill(WORDS)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Usage")).to_be_visible()


def test_who_is_removed_sees_nothing_at_the_next_rerun(
    server: Server, chromium: Browser, owner: Page
) -> None:
    page = joined(server, chromium, "remo@x.org", "analyst")
    server.ask("people", "remove", "remo@x.org", "--account", "acme")
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    expect(page.get_by_text("billing")).to_have_count(0)


def test_a_member_sees_own_runs_on_every_page_and_no_other_account(
    server: Server, chromium: Browser, owner: Page
) -> None:
    page = joined(server, chromium, "ana@x.org", "member", "--member", "ana")
    for path, heading in (
        ("", "Overview"),
        ("usage", "Usage"),
        ("costs", "Costs"),
        ("run_history", "Run history"),
    ):
        page.goto(f"{server.address}/{path}?account=acme&by=service")
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        expect(page.get_by_text("1 run", exact=False).first).to_be_visible()
        words = browser.rested_text(page)
        assert "billing" not in words, path
        assert "bob" not in words, path
    for path in ("credits", "limits", "data"):
        page.goto(f"{server.address}/{path}?account=acme")
        expect(page.get_by_role("heading", name="Not for your role")).to_be_visible()
    answers = []
    for account in ("other", "nowhere"):
        page.goto(f"{server.address}/usage?account={account}")
        expect(page.get_by_text(f"There is no account '{account}'")).to_be_visible()
        expect(page.get_by_text("share of runs").first).to_be_visible()
        words = browser.rested_text(page)
        assert "secret-service" not in words
        answers.append(re.sub(r"updated [^\n]*", "", words).replace(f"'{account}'", "'X'"))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {"accept": "text/html"}, 303),
        ("/usage?account=acme", {"accept": "text/html"}, 303),
        ("/_stcore/host-config", {}, 401),
        ("/_stcore/stream", {}, 401),
        ("/_stcore/upload_file/x/y", {}, 401),
        ("/media/x.csv", {}, 401),
        ("/_stcore/agent/v1", {}, 404),
        ("/auth/login", {}, 404),
        ("/_stcore/health", {}, 200),
        ("/auth/sign-in", {}, 200),
    ],
)
def test_no_path_answers_without_a_session(
    server: Server, owner: Page, path: str, headers: dict[str, str], status: int
) -> None:
    assert httpx.get(f"{server.address}{path}", headers=headers, verify=False).status_code == status


@pytest.mark.parametrize("cookie", [{}, {"cookie": "runs_session=" + "0" * 64}])
@pytest.mark.parametrize("origin", [None, "same", "https://evil.example", "null"])
def test_a_websocket_needs_a_session_and_this_origin(
    server: Server, owner: Page, cookie: dict[str, str], origin: str | None
) -> None:
    headers = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
        **cookie,
    }
    if origin is not None:
        headers["origin"] = server.address if origin == "same" else origin
    assert httpx.get(f"{server.address}/_stcore/stream", headers=headers, verify=False).status_code == 403


def test_a_websocket_from_another_site_is_refused_with_a_session(server: Server, owner: Page) -> None:
    (token,) = [c["value"] for c in owner.context.cookies() if c["name"] == "runs_session"]
    headers = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "cookie": f"runs_session={token}",
    }
    stream = f"{server.address}/_stcore/stream"
    assert httpx.get(stream, headers={**headers, "origin": "https://evil.example"}).status_code == 403
    assert httpx.get(stream, headers={**headers, "origin": server.address}).status_code == 101


def _sign_in(page: Page, email: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(WORDS)
    page.get_by_role("button", name="Sign in").click()


def test_a_form_of_another_site_is_refused_and_guessing_is_slowed(
    server: Server, chromium: Browser, owner: Page
) -> None:
    with httpx.Client(base_url=server.address) as client:
        page = client.get("/auth/sign-in").text
        (mark,) = re.findall(r'name="form" value="(\w+)"', page)
        given = {"form": mark, "email": "olga@x.org", "password": "x" * 12}
        assert client.post("/auth/sign-in", data={**given, "form": "0" * 64}).status_code == 403
        foreign = client.post("/auth/sign-in", data=given, headers={"origin": "https://evil.example"})
        assert foreign.status_code == 403
        for email in ("olga@x.org", "nobody@x.org"):
            answers = [
                client.post("/auth/sign-in", data={**given, "email": email}).status_code for _ in range(11)
            ]
            assert answers == [401] * 10 + [429]
    # In a browser that nobody knows, the right password has to wait as well, and the page says for how long.
    stranger = browser.new_page(chromium)
    stranger.goto(f"{server.address}/auth/sign-in")
    _sign_in(stranger, "olga@x.org")
    expect(stranger.get_by_role("alert")).to_have_text("Too many tries. Try again in 6 min.")
    clock = Path(server.environment["RUNS_CLOCK_FILE"])
    clock.write_text("2026-11-22T09:36:00+00:00")
    _sign_in(stranger, "olga@x.org")
    expect(stranger.get_by_role("heading", name="Overview")).to_be_visible()
    # The owner's own browser is known, and gets in all the same.
    page = owner.context.new_page()
    page.goto(f"{server.address}/auth/sign-in")
    _sign_in(page, "olga@x.org")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
