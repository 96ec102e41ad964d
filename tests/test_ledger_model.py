"""The ledger on a real store beside a reference that it never diverges from, while the clock goes on."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from ledger_reference import Reference

from runs_analytics.control.accounts import create_account
from runs_analytics.control.admission import Asked, decide
from runs_analytics.control.authorizations import cancel, expire_holds
from runs_analytics.control.idempotency import once
from runs_analytics.control.ledger import (
    add_grant,
    balance,
    catch_up,
    post_usage,
    refund,
    void_grant,
)
from runs_analytics.control.ledger_lines import check_ledger
from runs_analytics.control.plans import put_plan, subscribe, top_up
from runs_analytics.control.schema import grants
from runs_analytics.control.store import ControlStore
from runs_analytics.control.subscriptions import may_overdraw
from runs_analytics.control.usage_days import held_credits_nano
from runs_analytics.errors import RunsError
from runs_analytics.money.grants import Grant
from runs_analytics.money.limits import Values
from runs_analytics.money.plans import Plan, TopUpRule
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import NONE

pytest_plugins = ("control_fixtures",)

DAY = timedelta(days=1)
MACHINES = int(os.environ.get("RUNS_TEST_LEDGERS", "50"))
STEPS = 200


PLANS = (
    Plan("small", "Small", "month", 310, roll_over_nano=20, price_nano=5),
    Plan("weekly", "Weekly", "week", 73, roll_over_nano=100, allows_overage=True),
    Plan("sold", "Sold", "week", 40, allows_overage=True, overage_price_nano=1_300_000_000),
    Plan("large", "Large", "month", 200, top_up=TopUpRule(15, 20, 90)),
    Plan("bare", "Bare", "month", 0, top_up=TopUpRule(5, 7, 7)),
)

SOLD = sa.select(grants.c.id, grants.c.note).where(
    grants.c.account == sa.bindparam("account"), grants.c.id.endswith(":overage")
)


class LedgerMachine(RuleBasedStateMachine):
    """Acts on a real store and on the reference alike, and compares them in the act's own transaction."""

    examples = itertools.count()

    def __init__(self, store: ControlStore) -> None:
        super().__init__()
        self.store, self.scope = store, Scope(f"m{next(self.examples)}", "cli", "operator")
        self.model, self.now = Reference(), datetime(2026, 3, 27, 22, tzinfo=UTC)
        store.write(self.open)
        self.numbers: list[list[int]] = []
        self.refunded: set[int] = set()
        self.names = itertools.count()

    def open(self, connection: Any) -> None:
        create_account(connection, self.scope, zone="Europe/Berlin", now=self.now)
        for plan in PLANS:
            put_plan(connection, self.scope, plan, now=self.now)

    def step(
        self,
        act: Callable[[Any], Any],
        change: Callable[[], None] = lambda: None,
        *,
        is_refused: bool = False,
    ) -> Any:
        """Act on the store, which must refuse exactly what the reference refuses, and compare."""

        def both(connection: Any) -> Any:
            answer = None
            try:
                with connection.begin_nested():
                    answer = act(connection)
            except RunsError:
                assert is_refused
            else:
                assert not is_refused
                change()
            self.compare(connection)
            return answer

        return self.store.write(both)

    def compare(self, connection: Any) -> None:
        model, scope, now = self.model, self.scope, self.now
        catch_up(connection, scope, now=now)
        expire_holds(connection, scope, now=now)
        check_ledger(connection, scope)
        found = balance(connection, scope, now=now)
        model.catch_up(now)
        model.holds = {name: one for name, one in model.holds.items() if one[1] > now}
        assert [(g.id, left) for g, left in found.left] == model.remaining(now)
        assert found.overage_nano == sum(owed for _, _, owed in model.taken)
        assert held_credits_nano(connection, scope) == sum(nano for nano, _ in model.holds.values())
        sold = dict(connection.execute(SOLD, {"account": scope.account}).all())
        assert sold.keys() == model.charged.keys()
        for name, money in model.charged.items():
            assert Fraction(sold[name].split()[-2]) == Fraction(round(money), 10**9)

    @rule(hours=st.sampled_from([1, 5, 24, 24 * 8, 24 * 31]))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.step(lambda c: None)

    @rule(
        amount=st.integers(1, 60),
        kind=st.sampled_from(["allowance", "purchase", "promotion"]),
        priority=st.sampled_from([1, 2, 49, 50, 100]),
        starts=st.sampled_from([-2, 0, 0, 3]),
        lasts=st.sampled_from([None, 1, 24, 24 * 30]),
    )
    def give(self, amount: int, kind: Any, priority: int, starts: int, lasts: int | None) -> None:
        start = self.now + timedelta(hours=starts)
        end = None if lasts is None else start + timedelta(hours=lasts)
        given = Grant(f"g{next(self.names)}", kind, amount, priority, start, end, self.now)
        self.step(lambda c: add_grant(c, self.scope, given), lambda: self.model.give(given))

    @rule(amount=st.sampled_from([1, 7, 15, 40, 90]))
    def use(self, amount: int) -> None:
        posted = self.step(
            lambda c: post_usage(c, self.scope, amount, now=self.now, first_seq=1, last_seq=1),
            lambda: self.model.use(amount, self.now),
        )
        own = [e.number for e in posted if e.refers_to is None and e.kind in ("usage", "overage")]
        self.numbers.append(own)

    @rule(plan=st.sampled_from(PLANS))
    def subscribe(self, plan: Plan) -> None:
        self.step(
            lambda c: subscribe(c, self.scope, plan.id, now=self.now),
            lambda: self.model.subscribe(plan, self.now),
            is_refused=self.model.plan == plan,
        )

    @rule(key=st.sampled_from("ab"), amount=st.sampled_from([5, 9]))
    def buy(self, key: str, amount: int) -> None:
        before, at = self.model.keys.get(key, (0, self.now - DAY))
        is_kept = self.now - at < DAY
        name, now = f"t{next(self.names)}", self.now

        def act(c: Any) -> dict[str, Any]:
            return {"id": top_up(c, self.scope, name, amount, now=now).id}

        def change() -> None:
            if not is_kept:
                self.model.keys[key] = amount, now
                self.model.give(Grant(name, "purchase", amount, 100, now, None, now))

        is_refused = is_kept and before != amount
        answer = self.step(
            lambda c: once(c, self.scope, key, amount, act, now=now), change, is_refused=is_refused
        )
        assert is_refused or answer[1] is not is_kept

    @rule(amount=st.integers(1, 60), hours=st.sampled_from([1, 24]))
    def hold(self, amount: int, hours: int) -> None:
        number = next(self.names)
        asked = Asked(
            (1, number), f"h{number}", "", 1, Values("", *[NONE] * 5), credits_nano=amount, cost_nano=None,
            price_version=None, now=self.now, ttl=timedelta(hours=hours),
        )  # fmt: skip
        may: list[bool] = []
        ((answer, is_new),) = self.step(
            lambda c: decide(c, self.scope, [asked], may_overdraw=may_overdraw),
            lambda: may.append(
                self.model.hold(f"h{number}", amount, self.now, self.now + timedelta(hours=hours))
            ),
        )
        assert (answer.state, is_new) == ("open" if may[0] else "refused", True)

    @rule()
    def release(self) -> None:
        if self.model.holds:
            name = next(iter(self.model.holds))
            self.step(
                lambda c: cancel(c, self.scope, [((1, int(name[1:])), name)], now=self.now)[0].state,
                lambda: self.model.holds.pop(name) and None,
            )

    @rule(place=st.integers(0, 30))
    def void(self, place: int) -> None:
        name = dict(enumerate(g.id for g in self.model.grants)).get(place, "none")
        self.model.catch_up(self.now)
        self.step(
            lambda c: void_grant(c, self.scope, name, now=self.now),
            lambda: self.model.void.add(name),
            is_refused=not self.model.left.get(name),
        )

    @rule(place=st.integers(0, 30))
    def refund(self, place: int) -> None:
        if place < len(self.numbers):
            numbers = self.numbers[place]
            self.step(
                lambda c: refund(c, self.scope, numbers, now=self.now),
                lambda: self.model.refund(place, self.now),
                is_refused=place in self.refunded,
            )
            self.refunded.add(place)


@pytest.mark.parametrize(("database", "machines"), [("", MACHINES), ("postgresql", max(MACHINES // 10, 1))])
def test_the_ledger_agrees_with_the_reference(
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
