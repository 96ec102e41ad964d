"""Re-rates on the command line, as their documentation shows them, and on the Pricing page in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import browser
import pytest
from command_line import CommandLine
from playwright.sync_api import Browser, expect
from serving import Server
from test_rerating import NOW, Workspace

from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.ui import format as fmt

pytest_plugins = ("browser",)
DOC = Path(__file__).parents[1] / "docs" / "rerating.md"
RERATE = ("prices", "rerate", "--account", "acme", "--from", "2026-11-01", "--to", "2026-11-21")


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    """An account with the two runs of the documentation."""
    with Stores.open(Settings(tmp_path), lambda: NOW) as stores:
        workspace = Workspace(stores)
        workspace.grant("g", 100)
        workspace.send({"member": "ana"}, {"member": "ben", "project": "growth", "output_tokens": 50})
        workspace.add(a="0.03")
    return CommandLine(tmp_path)


def test_the_documentation_shows_what_the_command_says(command: CommandLine) -> None:
    lines = [line[4:] for line in DOC.read_text().splitlines() if line.startswith("    ")]
    look, *shown, post = lines
    done = command(*look.split()[3:])
    assert (done.code, (done.out + done.err).splitlines()) == (0, shown)
    assert command(*post.split()[3:]).err.endswith("Posted as re-rate 1.\n")
    assert command("balance", "--account", "acme", "--json").json["settled"] == "95.5"
    again = command(*post.split()[3:])
    assert (again.code, "nothing to post" in again.err) == (2, True)
    assert command("verify").code == 0


def test_what_a_program_reads(command: CommandLine) -> None:
    found = command(*RERATE, "--version", "2", "--query", "member=ana", "--json").json
    assert {name: found[name] for name in ("runs", "old", "new", "change", "balance_change", "rerate")} == {
        "runs": 1,
        "old": "2",
        "new": "3",
        "change": "1",
        "balance_change": "-1",
        "rerate": None,
    }
    assert [row["member"] for row in found["by_member"]] == ["ana"]


def test_what_is_wrong_is_said(command: CommandLine, tmp_path: Path) -> None:
    assert "one of them" in command(*RERATE).err
    missing = command(*RERATE, "--version", "9")
    assert (missing.code, "no version 9; it has 1, 2" in missing.err) == (4, True)
    draft = tmp_path / "draft.json"
    draft.write_text('{"version": 3, "valid_from": "2026-01-01T00:00:00Z", "prices": []}')
    emptied = command(*RERATE, "--draft", draft)
    assert "2 runs have no price in this version and would cost nothing." in emptied.err
    refused = command(*RERATE, "--draft", draft, "--confirm")
    assert (refused.code, "draft cannot be posted" in refused.err) == (2, True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server.start()
    server.ask("demo", "--runs", "2000")
    yield server
    server.kill()


def test_a_re_rate_on_the_page_ends_in_the_ledger(server: Server, chromium: Browser) -> None:
    server.ask("grants", "add", "--account", "sample", "--amount", "100000")
    page = browser.new_page(chromium)
    page.goto(f"{server.address}/pricing?account=sample")
    expect(page.get_by_text("Prices of version 2")).to_be_visible()
    page.goto(f"{server.address}/pricing?account=sample&part=rerate&version=1")
    page.get_by_text("Correct imported runs in the ledger too").click()
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_text("What changes by member")).to_be_visible()
    told = browser.metric(page, "Balance changes by")
    assert re.fullmatch(r"\+[\d,.]+", told), told
    page.get_by_role("button", name="Post corrections").click()
    page.get_by_role("button", name="Post them").click()
    expect(page.get_by_text("Posted as re-rate 1.")).to_be_visible()
    expect(page.get_by_text("Confirmed re-rates")).to_be_visible()
    lines = json.loads(server.ask("ledger", "--account", "sample", "--limit", "100000", "--json"))
    posted = [line for line in lines if line["kind"] == "correction"]
    assert {line["note"].split(" · ")[0] for line in posted} == {"re-rate 1"}
    total = sum(Decimal(line["amount"]) for line in posted)
    assert fmt.credits(total) == told.removeprefix("+")
    server.verified()
    page.close()
