"""The credit ledger: what each act posts, what is left, and a model that it never diverges from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from control_fixtures import ACME, NOW, OTHER
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from runs_analytics.control.accounts import create_account
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
from runs_analytics.errors import Conflict, NotFound, RunsError
from runs_analytics.money.grants import Grant
from runs_analytics.scope import Scope

pytest_plugins = ("control_fixtures",)

DAY = timedelta(days=1)
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


# -- the model ----------------------------------------------------------------------------------------


@dataclass
class Model:
    """What the ledger must say, the plain way: one list of grants, one of usage."""

    grants: dict[str, Grant] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    void: set[str] = field(default_factory=set)
    taken: list[tuple[datetime, dict[str, int], int]] = field(default_factory=list)
    """By use: when, from which grants, and what is still owed."""

    def catch_up(self, now: datetime) -> None:
        order = sorted(self.grants.values(), key=lambda g: g.burn_order)
        for place, (at, parts, owed) in enumerate(self.taken):
            for g in order:
                if owed and g.effective_at <= now and (g.expires_at is None or g.expires_at > at):
                    owed = self._take(g.id, parts, owed)
            self.taken[place] = at, parts, owed
        for g in order:
            if g.id in self.void or (g.expires_at is not None and g.expires_at <= now):
                self.left[g.id] = 0

    def give(self, g: Grant) -> None:
        self.grants[g.id], self.left[g.id] = g, g.amount_nano
        self.catch_up(g.created_at)

    def use(self, amount: int, now: datetime) -> None:
        self.catch_up(now)
        parts: dict[str, int] = {}
        for g in sorted(self.grants.values(), key=lambda g: g.burn_order):
            if g.is_open(now):
                amount = self._take(g.id, parts, amount)
        self.taken.append((now, parts, amount))

    def void_grant(self, grant_id: str, now: datetime) -> None:
        self.catch_up(now)
        self.void.add(grant_id)
        self.left[grant_id] = 0

    def refund(self, place: int, now: datetime) -> None:
        self.catch_up(now)
        at, parts, _ = self.taken[place]
        for grant_id, part in parts.items():
            self.left[grant_id] += 0 if grant_id in self.void else part
        self.taken[place] = at, {}, 0
        self.catch_up(now)

    def _take(self, grant_id: str, parts: dict[str, int], wanted: int) -> int:
        part = min(wanted, self.left[grant_id])
        self.left[grant_id] -= part
        if part:
            parts[grant_id] = parts.get(grant_id, 0) + part
        return wanted - part


class LedgerMachine(RuleBasedStateMachine):
    """Acts on a real store and on the model alike, while the clock goes on."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="runs-ledger-")
        self.store = ControlStore.open(Path(self.folder.name) / "data")
        self.store.write(lambda c: create_account(c, ACME, zone="Europe/Berlin", now=NOW))
        self.model, self.now = Model(), datetime(2026, 3, 27, 22, tzinfo=UTC)
        self.numbers: list[list[int]] = []
        self.refunded: set[int] = set()

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def act(self, act: Callable[[Any], Any], *, is_refused: bool = False) -> Any:
        """Act on the store, which must refuse exactly what the model refuses."""
        if not is_refused:
            return self.store.write(act)
        with pytest.raises(RunsError):
            self.store.write(act)
        return None

    @rule(hours=st.sampled_from([0, 1, 5, 24, 24 * 31]))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(
        amount=st.integers(1, 60),
        kind=st.sampled_from(["allowance", "purchase", "promotion"]),
        priority=st.integers(1, 3),
        starts=st.sampled_from([-2, 0, 0, 3]),
        lasts=st.sampled_from([None, 1, 24, 24 * 30]),
    )
    def give(self, amount: int, kind: str, priority: int, starts: int, lasts: int | None) -> None:
        start = self.now + timedelta(hours=starts)
        given = grant(
            f"g{len(self.model.grants)}",
            amount,
            kind=kind,
            priority=priority,
            effective_at=start,
            created_at=self.now,
            expires_at=None if lasts is None else start + timedelta(hours=lasts),
        )
        self.act(lambda c: add_grant(c, ACME, given))
        self.model.give(given)

    @rule(amount=st.integers(1, 90))
    def use(self, amount: int) -> None:
        posted = self.act(lambda c: post_usage(c, ACME, amount, now=self.now, first_seq=1, last_seq=1))
        self.model.use(amount, self.now)
        self.numbers.append([entry.number for entry in posted if entry.refers_to is None])

    @rule(place=st.integers(0, 30))
    def void(self, place: int) -> None:
        name = f"g{place}"
        self.model.catch_up(self.now)
        is_refused = not self.model.left.get(name)
        self.act(lambda c: void_grant(c, ACME, name, now=self.now), is_refused=is_refused)
        if not is_refused:
            self.model.void_grant(name, self.now)

    @rule(place=st.integers(0, 30))
    def refund(self, place: int) -> None:
        if place < len(self.numbers):
            is_refused = place in self.refunded
            numbers = self.numbers[place]
            self.act(lambda c: refund(c, ACME, numbers, now=self.now), is_refused=is_refused)
            self.refunded.add(place)
            self.model.refund(place, self.now)

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "store"):
            return
        self.store.write(lambda c: catch_up(c, ACME, now=self.now))
        found = self.store.write(lambda c: (check_ledger(c, ACME), balance(c, ACME, now=self.now))[1])
        self.model.catch_up(self.now)
        assert {g.id: left for g, left in found.left} == {
            g.id: self.model.left[g.id]
            for g in self.model.grants.values()
            if g.is_open(self.now) and self.model.left[g.id]
        }
        assert found.overage_nano == sum(owed for _, _, owed in self.model.taken)


LedgerMachine.TestCase.settings = settings(
    max_examples=MACHINES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestLedger = LedgerMachine.TestCase
