"""Plans and top-ups on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CommandLine


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    made = CommandLine(tmp_path)
    assert made("accounts", "create", "acme").code == 0
    return made


def test_a_plan_is_written_and_given(command: CommandLine) -> None:
    add = ("plans", "add", "team", "--account", "acme", "--allowance", "310")
    assert command(*add, "--price", "49").err == "Plan team is written in version 1.\n"
    assert command("plans", "assign", "team", "--account", "acme").code == 0
    (grant,) = command("balance", "--account", "acme", "--json").json["grants"]
    assert grant["kind"] == "allowance"
    assert command("plans", "list", "--account", "acme").out == (
        "team*\tteam\tversion 1\t310 credits a month\n"
    )
    again = command("plans", "assign", "team", "--account", "acme")
    assert (again.code, "has plan 'team' in version 1 already" in again.err) == (5, True)
    assert command(*add).err == "Plan team is written in version 2.\n"
    assert command("plans", "change", "team", "--account", "acme").code == 0


def test_a_top_up_rule_is_whole(command: CommandLine) -> None:
    add = ("plans", "add", "team", "--account", "acme", "--allowance", "1", "--top-up-below", "5")
    found = command(*add)
    assert found.code == 2
    assert "--top-up-below, --top-up-amount and --top-up-ceiling together" in found.err
    assert command(*add, "--top-up-amount", "10", "--top-up-ceiling", "9").code == 2
    assert command(*add, "--top-up-amount", "10", "--top-up-ceiling", "10").code == 0


def test_the_same_key_buys_once(command: CommandLine) -> None:
    buy = ("credits", "topup", "--account", "acme", "--key", "order-7", "--amount")
    assert command(*buy, "20").out == command(*buy, "20.0").out == "bought-order-7\n"
    assert command("balance", "--account", "acme", "--json").json["settled"] == "20"
    other = command(*buy, "21")
    assert (other.code, "'order-7' was used for another request" in other.err) == (5, True)


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (["grants", "add", "--amount", "5"], ["--amount", "6"]),
        (["plans", "add", "big", "--allowance", "10"], ["--allowance", "11"]),
        (["plans", "assign", "team"], ["--idempotency-key", "k", "big"]),
        (["grants", "void", "gift"], ["--note", "other"]),
    ],
)
def test_the_same_key_acts_once(command: CommandLine, first: list[str], other: list[str]) -> None:
    of = ("--account", "acme")
    command("plans", "add", "team", "--allowance", "310", *of)
    command("grants", "add", "--amount", "3", "--id", "gift", *of)
    act = [*first, *of, "--idempotency-key", "k"]
    answer = command(*act)
    lines = command("ledger", "--json", *of).json
    again = command(*act)
    assert (again.code, again.out, again.err) == (0, answer.out, answer.err)
    assert command("ledger", "--json", *of).json == lines
    changed = [*act[:2], *other[2:], *act[3:]] if other[0] == "--idempotency-key" else [*act, *other]
    refused = command(*changed)
    assert (refused.code, "'k' was used for another request" in refused.err) == (5, True)
