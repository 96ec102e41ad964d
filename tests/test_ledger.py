"""The credit ledger: what each act posts, what is left, and a model that it never diverges from."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from control_fixtures import ACME, NOW, OTHER
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from runs_analytics.control.accounts import create_account
from runs_analytics.control.admission import Asked, decide
from runs_analytics.control.authorizations import cancel, expire_holds, held_nano
from runs_analytics.control.idempotency import once
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
from runs_analytics.control.plans import put_plan, subscribe, top_up
from runs_analytics.control.store import ControlStore
from runs_analytics.control.subscriptions import may_overdraw
from runs_analytics.errors import Conflict, NotFound, RunsError
from runs_analytics.money.grants import Grant
from runs_analytics.money.plans import Plan, TopUpRule
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import NONE

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


# -- the model ----------------------------------------------------------------------------------------


def span(now: datetime, window: str) -> tuple[int, int, datetime, date]:
    """Of the local week or month around a moment: its days, those from today on, its end and its first day."""
    today = now.astimezone(BERLIN).date()
    first = today.replace(day=1) if window == "month" else today - timedelta(days=today.weekday())
    last = (first + timedelta(days=32)).replace(day=1) if window == "month" else first + timedelta(days=7)
    end = datetime(last.year, last.month, last.day, tzinfo=BERLIN).astimezone(UTC)
    return (last - first).days, (last - today).days, end, first


@dataclass
class Model:
    """What the ledger must say, the plain way: lists of grants, usage, holds and answered keys."""

    grants: dict[str, Grant] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    void: set[str] = field(default_factory=set)
    taken: list[tuple[datetime, dict[str, int], int]] = field(default_factory=list)
    """By use: when, from which grants, and what is still owed."""
    holds: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    keys: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    bought: dict[str, list[int]] = field(default_factory=dict)
    plan: Plan | None = None
    version: int = 0
    next_at: datetime = NOW

    def catch_up(self, now: datetime) -> None:
        while self.plan and self.next_at <= now:
            start = self.next_at
            kept = min(self.settle(start), self.plan.roll_over_nano)
            _, _, self.next_at, first = span(start, self.plan.window)
            self.give_allowance(f"plan:{self.version}:{first}:rolled-over", kept, 49, start)
            self.give_allowance(f"plan:{self.version}:{first}", self.plan.allowance_nano, 50, start)
        self.settle(now)

    def settle(self, now: datetime) -> int:
        order = sorted(self.grants.values(), key=lambda g: g.burn_order)
        for place, (at, parts, owed) in enumerate(self.taken):
            for g in order:
                if owed and g.effective_at <= now and (g.expires_at is None or g.expires_at > at):
                    owed = self._take(g.id, parts, owed)
            self.taken[place] = at, parts, owed
        lost = 0
        for g in order:
            if g.id in self.void or (g.expires_at is not None and g.expires_at <= now):
                lost += self.left[g.id] if g.id.startswith("plan:") else 0
                self.left[g.id] = 0
        return lost

    def give_allowance(self, name: str, amount: int, priority: int, start: datetime) -> None:
        if amount:
            self.grants[name] = Grant(name, "allowance", amount, priority, start, self.next_at, start)
            self.left[name] = amount

    def give(self, g: Grant) -> None:
        self.catch_up(g.created_at)
        self.grants[g.id], self.left[g.id] = g, g.amount_nano
        self.settle(g.created_at)

    def use(self, amount: int, now: datetime) -> None:
        self.catch_up(now)
        parts: dict[str, int] = {}
        for g in sorted(self.grants.values(), key=lambda g: g.burn_order):
            if g.is_open(now):
                amount = self._take(g.id, parts, amount)
        self.taken.append((now, parts, amount))
        rule = self.plan.top_up if self.plan else None
        month = f"{now.astimezone(BERLIN):%Y-%m}"
        before, bought = self.bought.setdefault(month, []), 0
        while rule and self.settled(now) + bought < rule.threshold_nano:
            if sum(before) + bought + rule.amount_nano > rule.ceiling_nano:
                break
            bought += rule.amount_nano
        if bought:
            before.append(bought)
            self.give(Grant(f"auto:{month}:{len(before)}", "purchase", bought, 100, now, None, now))

    def subscribe(self, plan: Plan, now: datetime) -> None:
        self.catch_up(now)
        parts = [
            round(Fraction(p.allowance_nano * left, days)) if p else 0
            for p in (self.plan, plan)
            for days, left, *_ in [span(now, (p or plan).window)]
        ]
        old = [
            name for name in self.grants if name.startswith(f"plan:{self.version}:") and name[-4:] != "over"
        ]
        amount = max(sum(self.left[name] for name in old) - parts[0] + parts[1], 0)
        for name in [name for name in old if self.left[name]]:
            self.void_grant(name, now)
        self.plan, self.version = plan, self.version + 1
        _, _, self.next_at, first = span(now, plan.window)
        self.give_allowance(f"plan:{self.version}:{first}", amount, 50, now)
        self.settle(now)

    def settled(self, now: datetime) -> int:
        there = sum(self.left[g.id] for g in self.grants.values() if g.is_open(now))
        return there - sum(owed for _, _, owed in self.taken)

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
        self.settle(now)

    def _take(self, grant_id: str, parts: dict[str, int], wanted: int) -> int:
        part = min(wanted, self.left[grant_id])
        self.left[grant_id] -= part
        if part:
            parts[grant_id] = parts.get(grant_id, 0) + part
        return wanted - part


PLANS = (
    Plan("small", "Small", "month", 310, roll_over_nano=20, price_nano=5),
    Plan("weekly", "Weekly", "week", 73, roll_over_nano=100, allows_overage=True),
    Plan("large", "Large", "month", 200, top_up=TopUpRule(15, 20, 90)),
    Plan("bare", "Bare", "month", 0, top_up=TopUpRule(5, 7, 7)),
)


class LedgerMachine(RuleBasedStateMachine):
    """Acts on a real store and on the model alike, while the clock goes on."""

    examples = itertools.count()

    def __init__(self, store: ControlStore) -> None:
        super().__init__()
        self.store, self.scope = store, Scope(f"m{next(self.examples)}", "cli", "operator")
        self.model, self.now = Model(), datetime(2026, 3, 27, 22, tzinfo=UTC)
        store.write(lambda c: create_account(c, self.scope, zone="Europe/Berlin", now=self.now))
        for plan in PLANS:
            store.write(lambda c, plan=plan: put_plan(c, self.scope, plan, now=self.now))
        self.numbers: list[list[int]] = []
        self.refunded: set[int] = set()
        self.names = itertools.count()

    def act(self, act: Callable[[Any], Any], *, is_refused: bool = False) -> Any:
        """Act on the store, which must refuse exactly what the model refuses."""
        if not is_refused:
            return self.store.write(act)
        with pytest.raises(RunsError):
            self.store.write(act)
        return None

    @rule(hours=st.sampled_from([1, 5, 24, 24 * 8, 24 * 31]))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(
        amount=st.integers(1, 60),
        kind=st.sampled_from(["allowance", "purchase", "promotion"]),
        priority=st.sampled_from([1, 2, 49, 50, 100]),
        starts=st.sampled_from([-2, 0, 0, 3]),
        lasts=st.sampled_from([None, 1, 24, 24 * 30]),
    )
    def give(self, amount: int, kind: str, priority: int, starts: int, lasts: int | None) -> None:
        start = self.now + timedelta(hours=starts)
        given = grant(
            f"g{next(self.names)}",
            amount,
            kind=kind,
            priority=priority,
            effective_at=start,
            created_at=self.now,
            expires_at=None if lasts is None else start + timedelta(hours=lasts),
        )
        self.act(lambda c: add_grant(c, self.scope, given))
        self.model.give(given)

    @rule(amount=st.sampled_from([1, 7, 15, 40, 90]))
    def use(self, amount: int) -> None:
        posted = self.act(lambda c: post_usage(c, self.scope, amount, now=self.now, first_seq=1, last_seq=1))
        self.model.use(amount, self.now)
        self.numbers.append(
            [e.number for e in posted if e.refers_to is None and e.kind in ("usage", "overage")]
        )

    @rule(plan=st.sampled_from(PLANS))
    def subscribe(self, plan: Plan) -> None:
        is_refused = self.model.plan == plan
        self.act(lambda c: subscribe(c, self.scope, plan.id, now=self.now), is_refused=is_refused)
        if not is_refused:
            self.model.subscribe(plan, self.now)

    @rule(key=st.sampled_from("ab"), amount=st.sampled_from([5, 9]))
    def buy(self, key: str, amount: int) -> None:
        before, at = self.model.keys.get(key, (0, self.now - DAY))
        is_kept = self.now - at < DAY
        name, now = f"t{next(self.names)}", self.now

        def act(c: Any) -> dict[str, Any]:
            return {"id": top_up(c, self.scope, name, amount, now=now).id}

        is_refused = is_kept and before != amount
        answer = self.act(lambda c: once(c, self.scope, key, amount, act, now=now), is_refused=is_refused)
        if not is_kept:
            self.model.keys[key] = amount, now
            self.model.give(grant(name, amount, priority=100, effective_at=now, created_at=now))
        assert is_refused or answer[1] is not is_kept

    @rule(amount=st.integers(1, 60), hours=st.sampled_from([1, 24]))
    def hold(self, amount: int, hours: int) -> None:
        name, model = f"h{next(self.names)}", self.model
        asked = Asked(
            (1, int(name[1:])), name, "", 1, *[NONE] * 5, credits_nano=amount, cost_nano=None,
            price_version=None, now=self.now, ttl=timedelta(hours=hours),
        )  # fmt: skip
        ((answer, is_new),) = self.act(lambda c: decide(c, self.scope, [asked], may_overdraw=may_overdraw))
        is_free = not (model.grants or model.taken) or (model.plan is not None and model.plan.allows_overage)
        held = sum(nano for nano, _ in model.holds.values())
        is_allowed = is_free or amount <= model.settled(self.now) - held
        assert (answer.state, is_new) == ("open" if is_allowed else "refused", True)
        if is_allowed:
            model.holds[name] = amount, self.now + timedelta(hours=hours)

    @rule()
    def release(self) -> None:
        if self.model.holds:
            name = next(iter(self.model.holds))
            self.act(lambda c: cancel(c, self.scope, (1, int(name[1:])), name, now=self.now))
            del self.model.holds[name]

    @rule(place=st.integers(0, 30))
    def void(self, place: int) -> None:
        name = dict(enumerate(self.model.grants)).get(place, "none")
        self.model.catch_up(self.now)
        is_refused = not self.model.left.get(name)
        self.act(lambda c: void_grant(c, self.scope, name, now=self.now), is_refused=is_refused)
        if not is_refused:
            self.model.void_grant(name, self.now)

    @rule(place=st.integers(0, 30))
    def refund(self, place: int) -> None:
        if place < len(self.numbers):
            is_refused = place in self.refunded
            numbers = self.numbers[place]
            self.act(lambda c: refund(c, self.scope, numbers, now=self.now), is_refused=is_refused)
            self.refunded.add(place)
            if not is_refused:
                self.model.refund(place, self.now)

    @invariant()
    def agrees(self) -> None:
        def look(c: Any) -> tuple[Balance, int]:
            catch_up(c, self.scope, now=self.now)
            expire_holds(c, self.scope, now=self.now)
            check_ledger(c, self.scope)
            return balance(c, self.scope, now=self.now), held_nano(c, self.scope)

        found, held = self.store.write(look)
        model = self.model
        model.catch_up(self.now)
        model.holds = {name: one for name, one in model.holds.items() if one[1] > self.now}
        assert {g.id: left for g, left in found.left} == {
            g.id: model.left[g.id] for g in model.grants.values() if g.is_open(self.now) and model.left[g.id]
        }
        assert found.overage_nano == sum(owed for _, _, owed in model.taken)
        assert held == sum(nano for nano, _ in model.holds.values())


@pytest.mark.parametrize(("database", "machines"), [("", MACHINES), ("postgresql", max(MACHINES // 10, 1))])
def test_the_ledger_agrees_with_the_model(
    request: pytest.FixtureRequest, tmp_path: Path, database: str, machines: int
) -> None:
    address = request.getfixturevalue("postgres_url") if database else ""
    with ControlStore.open(tmp_path / "data", address) as store:
        run_state_machine_as_test(
            lambda: LedgerMachine(store),
            settings=settings(
                max_examples=machines,
                stateful_step_count=STEPS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
