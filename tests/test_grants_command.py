"""Grants, balance and ledger on the command line."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from command_line import CommandLine


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    made = CommandLine(tmp_path)
    assert made("accounts", "create", "acme").code == 0
    return made


def test_what_is_given_is_the_balance_until_it_is_void(command: CommandLine) -> None:
    given = command("grants", "add", "--account", "acme", "--amount", "12.5", "--note", "invoice 7")
    assert (given.code, given.err) == (0, "")
    grant_id = given.out.strip()
    command("grants", "add", "--account", "acme", "--amount", "3", "--kind", "promotion", "--id", "welcome",
            "--expires-at", "2026-12-01T00:00:00Z")  # fmt: skip
    found = command("balance", "--account", "acme", "--json").json
    assert (found["settled"], found["overage"]) == ("15.5", "0")
    assert [(g["id"], g["left"]) for g in found["grants"]] == [("welcome", "3"), (grant_id, "12.5")]
    assert (
        "welcome\tpromotion\t3 of 3\tuntil 2026-12-01 00:00 UTC"
        in command("balance", "--account", "acme").out
    )
    assert command("grants", "void", "welcome", "--account", "acme").err == (
        "Grant welcome is void; 3 credits were left of it.\n"
    )
    lines = command("ledger", "--account", "acme", "--json").json
    assert [(line["kind"], line["amount"]) for line in lines] == [
        ("void", "-3"),
        ("grant", "3"),
        ("grant", "12.5"),
    ]
    assert command("ledger", "--account", "acme", "--limit", "1").out.split("\t")[2:] == [
        "void",
        "welcome",
        "-3\n",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--amount", "0"], 2, "amount is 0; use more than 0"),
        (["--amount", "1.0000000001"], 2, "at most 9 decimals"),
        (["--amount", "1", "--priority", "0"], 2, "priority is 0; use 1 to 255"),
        (["--amount", "1", "--expires-at", "2026-12-01"], 2, "write it as 2026-11-22T00:00:00Z"),
        (["--amount", "1", "--expires-at", "2020-01-01T00:00:00Z"], 2, "use a moment after"),
    ],
)
def test_a_grant_that_cannot_be_is_refused_in_words(
    command: CommandLine, arguments: list[str], code: int, says: str
) -> None:
    done = command("grants", "add", "--account", "acme", *arguments)
    assert done.code == code
    assert says in done.err


def test_an_unknown_account_is_said(command: CommandLine) -> None:
    for arguments in (["balance"], ["ledger"], ["grants", "void", "g"], ["grants", "add", "--amount", "1"]):
        done = command(*arguments, "--account", "nobody")
        assert (done.code, done.out) == (4, "")


def test_verify_finds_a_balance_that_is_not_the_sum_of_its_lines(command: CommandLine) -> None:
    command("grants", "add", "--account", "acme", "--amount", "5")
    assert command("verify").code == 0
    with sqlite3.connect(command.data_dir / "control.db") as connection:
        connection.execute("UPDATE grant_balances SET left_nano = left_nano + 1")
    found = command("verify", "--json")
    assert (found.code, found.json["differences"]) == (
        7,
        ["The balances of 'acme' are not the sums of its ledger."],
    )
