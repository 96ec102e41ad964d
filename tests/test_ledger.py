"""The credit ledger: what each act posts, and what is left."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from control_fixtures import ACME, NOW, OTHER

from runs_analytics.control.ledger import (
    Balance,
    add_grant,
    balance,
    catch_up,
    post_usage,
    refund,
    void_grant,
)
from runs_analytics.control.ledger_lines import Entry, check_ledger, entries
from runs_analytics.control.store import ControlStore
from runs_analytics.errors import Conflict, NotFound
from runs_analytics.money.grants import Grant
from runs_analytics.scope import Scope

pytest_plugins = ("control_fixtures",)

DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
MACHINES = int(os.environ.get("RUNS_TEST_LEDGERS", "50"))
STEPS = 200


def grant(grant_id: str, amount_nano: int, **changes: Any) -> Grant:
    values: dict[str, Any] = {
        "kind": "purchase",
        "priority": 10,
        "effective_at": NOW,
        "expires_at": None,
        "created_at": NOW,
    }
    return Grant(grant_id, amount_nano=amount_nano, **(values | changes))


def give(store: ControlStore, given: Grant, scope: Scope = ACME) -> None:
    store.write(lambda c: add_grant(c, scope, given))


def use(store: ControlStore, amount_nano: int, now: datetime = NOW, seq: int = 1) -> tuple[Entry, ...]:
    return store.write(lambda c: post_usage(c, ACME, amount_nano, now=now, first_seq=seq, last_seq=seq))


def balance_of(store: ControlStore, now: datetime = NOW, scope: Scope = ACME) -> Balance:
    with store.read() as connection:
        check_ledger(connection, scope)
        return balance(connection, scope, now=now)


def left_of(store: ControlStore, now: datetime = NOW) -> dict[str, int]:
    return {given.id: left_nano for given, left_nano in balance_of(store, now).left}


def short(posted: tuple[Entry, ...]) -> list[tuple[str, str | None, int]]:
    return [(entry.kind, entry.grant_id, entry.amount_nano) for entry in posted]


def test_usage_burns_grants_in_order_and_names_its_runs(control_store: ControlStore) -> None:
    give(control_store, grant("late", 50, priority=20))
    give(control_store, grant("first", 30))
    posted = use(control_store, 40, seq=7)
    assert short(posted) == [("usage", "first", -30), ("usage", "late", -10)]
    assert {(e.first_seq, e.last_seq, e.actor) for e in posted} == {(7, 7, "cli")}
    assert left_of(control_store) == {"late": 40}
    assert balance_of(control_store).settled_nano == 40


def test_what_no_grant_covers_is_overage_that_the_next_grant_pays(control_store: ControlStore) -> None:
    assert short(use(control_store, 70)) == [("overage", None, -70)]
    assert balance_of(control_store).settled_nano == -70
    give(control_store, grant("small", 30))
    assert balance_of(control_store).settled_nano == -40
    give(control_store, grant("large", 100))
    assert (left_of(control_store), balance_of(control_store).overage_nano) == ({"large": 60}, 0)


def test_a_grant_expires_to_the_moment_and_is_posted_later(control_store: ControlStore) -> None:
    give(control_store, grant("g", 30, expires_at=NOW + DAY))
    just_before = NOW + DAY - timedelta(microseconds=1)
    assert balance_of(control_store, just_before).settled_nano == 30
    assert balance_of(control_store, NOW + DAY).settled_nano == 0
    assert short(use(control_store, 5, NOW + DAY)) == [("overage", None, -5)]
    with control_store.read() as connection:
        assert [e.kind for e in entries(connection, ACME)] == ["overage", "expiry", "grant"]


def test_a_grant_counts_from_its_start(control_store: ControlStore) -> None:
    give(control_store, grant("next", 30, effective_at=NOW + DAY))
    assert (balance_of(control_store).settled_nano, balance_of(control_store).later_nano) == (0, 30)
    use(control_store, 10)
    control_store.write(lambda c: catch_up(c, ACME, now=NOW + DAY))
    assert balance_of(control_store, NOW + DAY).settled_nano == 20


def test_a_void_takes_what_is_left_and_no_more(control_store: ControlStore) -> None:
    give(control_store, grant("g", 30))
    use(control_store, 10)
    posted = control_store.write(lambda c: void_grant(c, ACME, "g", now=NOW, note="ordered twice"))
    assert (posted.kind, posted.amount_nano, posted.note) == ("void", -20, "ordered twice")
    with pytest.raises(Conflict, match="Nothing is left of grant 'g'"):
        control_store.write(lambda c: void_grant(c, ACME, "g", now=NOW))


@pytest.mark.parametrize(
    ("before", "left"),
    [
        ([("give", 30), ("use", 10)], 30),
        ([("use", 10), ("give", 30)], 30),
        ([("give", 30), ("use", 10), ("void", 0)], 0),
        ([("use", 10)], 0),
    ],
)
def test_a_refund_returns_what_was_taken_once(
    control_store: ControlStore, before: list[tuple[str, int]], left: int
) -> None:
    number = 0
    for act, amount_nano in before:
        if act == "give":
            give(control_store, grant("g", amount_nano))
        elif act == "void":
            control_store.write(lambda c: void_grant(c, ACME, "g", now=NOW))
        else:
            number = use(control_store, amount_nano)[0].number
    control_store.write(lambda c: refund(c, ACME, [number], now=NOW))
    assert balance_of(control_store).settled_nano == left
    with pytest.raises(Conflict, match=f"Entry {number} was refunded by entry"):
        control_store.write(lambda c: refund(c, ACME, [number], now=NOW))


def test_what_belongs_together_returns_before_it_pays_anything_else(control_store: ControlStore) -> None:
    give(control_store, grant("g", 6, priority=20))
    together = [entry.number for entry in use(control_store, 12)]
    give(control_store, grant("paid", 1))
    use(control_store, 1)
    control_store.write(lambda c: refund(c, ACME, together, now=NOW))
    assert left_of(control_store) == {"g": 6}
    assert balance_of(control_store).settled_nano == 6


def test_only_usage_itself_is_refunded(control_store: ControlStore) -> None:
    use(control_store, 10)
    give(control_store, grant("g", 30))
    for number, says in ((2, "Entry 2 is grant;"), (3, "Entry 3 is usage for entry 1;")):
        with pytest.raises(Conflict, match=says):
            control_store.write(lambda c, n=number: refund(c, ACME, [n], now=NOW))


def test_accounts_are_apart(control_store: ControlStore) -> None:
    give(control_store, grant("g", 30))
    assert balance_of(control_store, scope=OTHER).settled_nano == 0
    give(control_store, grant("g", 5), OTHER)
    assert balance_of(control_store, scope=OTHER).settled_nano == 5
    for act in (
        lambda c: void_grant(c, OTHER, "h", now=NOW),
        lambda c: refund(c, OTHER, [9], now=NOW),
        lambda c: add_grant(c, Scope("nobody", "cli"), grant("g", 1)),
    ):
        with pytest.raises(NotFound):
            control_store.write(act)


@pytest.mark.parametrize("table", ["grants", "ledger_entries"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET note = 'x'", "DELETE FROM {}"])
def test_the_database_refuses_to_change_what_was_posted(
    control_store: ControlStore, table: str, statement: str
) -> None:
    give(control_store, grant("g", 30))
    with pytest.raises(sa.exc.DBAPIError, match=f"{table} is append-only"):
        control_store.write(lambda c: c.execute(sa.text(statement.format(table))).rowcount)
    assert left_of(control_store) == {"g": 30}
