"""Limits and holds on a real store, beside a plain model that sums lists: they never diverge."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from runs_analytics.control.accounts import create_account
from runs_analytics.control.admission import Asked, decide
from runs_analytics.control.authorizations import Authorization, cancel, check_holds, expire_holds
from runs_analytics.control.limit_uses import check_overruns
from runs_analytics.control.limits import LimitStatus, limit_statuses, remove_limit, set_limit
from runs_analytics.control.settlement import UsedRun, settle_runs
from runs_analytics.control.store import ControlStore
from runs_analytics.money.limits import LIMIT_DIMENSIONS, LIMIT_MEASURES, Amounts, Limit, Values
from runs_analytics.money.periods import WINDOWS, period_around
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import NANO, NONE

pytest_plugins = ("control_fixtures",)

MACHINES = int(os.environ.get("RUNS_TEST_LIMITS", "40"))
STEPS = 60
AT_ONCE = 3
"""Limits; with many of them nothing could start."""


@dataclass
class Model:
    """Every hold and every settled run in a list; a limit is asked by adding up."""

    zone: ZoneInfo
    limits: dict[str, Limit] = field(default_factory=dict)
    holds: dict[int, tuple[Values, date, Amounts, datetime]] = field(default_factory=dict)
    settled: list[tuple[Values, date, Amounts]] = field(default_factory=list)
    overrun: dict[tuple[str, str, date], int] = field(default_factory=dict)

    def free_expired(self, now: datetime) -> None:
        self.holds = {n: hold for n, hold in self.holds.items() if hold[3] > now}

    def covering(self, values: Values) -> list[tuple[Limit, str]]:
        each = ((limit, values[LIMIT_DIMENSIONS.index(limit.dimension)]) for limit in self.limits.values())
        return [(limit, value) for limit, value in each if value != NONE and limit.value in (None, value)]

    def sums(self, limit: Limit, value: str, day: date) -> tuple[int, int, int]:
        """Settled, held and overrun of a value in the limit's window around a day."""
        period = period_around(day, limit.window, self.zone)
        place, measure = LIMIT_DIMENSIONS.index(limit.dimension), LIMIT_MEASURES.index(limit.measure)

        def total(rows: Any) -> int:
            return sum(
                amounts[measure]
                for values, at, amounts in rows
                if values[place] == value and period.first_day <= at <= period.last_day
            )

        held = (hold[:3] for hold in self.holds.values())
        return total(self.settled), total(held), self.overrun.get((limit.id, value, period.first_day), 0)

    def may_start(self, values: Values, day: date, wanted: Amounts) -> bool:
        for limit, value in self.covering(values):
            more = wanted[LIMIT_MEASURES.index(limit.measure)]
            if limit.is_hard and more and sum(self.sums(limit, value, day)[:2]) + more > limit.amount_nano:
                return False
        return True

    def settle(self, number: int, values: Values, day: date, used: Amounts) -> None:
        hold = self.holds.pop(number, None)
        day = hold[1] if hold else day
        before = [(limit, value, self.sums(limit, value, day)) for limit, value in self.covering(values)]
        self.settled.append((values, day, used))
        for limit, value, (settled, held, overrun) in before:
            more = used[LIMIT_MEASURES.index(limit.measure)]
            if limit.is_hard and more:
                inside = min(settled - overrun, limit.amount_nano)
                room = max(0, limit.amount_nano - inside - held)
                first_day = period_around(day, limit.window, self.zone).first_day
                self.overrun[limit.id, value, first_day] = settled - inside + more - min(more, room)


def of(values: tuple[str, str, str]) -> Values:
    project, team, member = values
    return Values("", project, team, member, "chat", NONE)


names = st.tuples(
    st.sampled_from(["p", "q", NONE]), st.sampled_from(["red", "blue", NONE]), st.sampled_from(["ana", "bob"])
)
amounts = st.tuples(
    *[st.sampled_from([0, 1, 5, 10, 20, 40])] * 2
)  # few sizes, so that limits are met exactly


class LimitsMachine(RuleBasedStateMachine):
    """Acts on a real store and on the model alike, while the clock goes on over month ends and DST."""

    examples = itertools.count()

    def __init__(self, store: ControlStore) -> None:
        super().__init__()
        self.store, self.scope = store, Scope(f"m{next(self.examples)}", "test")
        self.now = datetime(2026, 3, 28, 20, tzinfo=UTC)
        self.asked: dict[int, Asked] = {}
        self.over: set[int] = set()
        self.late: set[str] = set()

    @initialize(zone=st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"]))
    def open(self, zone: str) -> None:
        self.store.write(lambda c: create_account(c, self.scope, zone=zone, now=self.now))
        self.model = Model(ZoneInfo(zone))

    @property
    def day(self) -> date:
        return self.now.astimezone(self.model.zone).date()

    @rule(minutes=st.sampled_from([1, 20, 59, 600, 60 * 24 * 7]))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(
        place=st.integers(0, 5),
        each=st.booleans(),
        window=st.sampled_from(WINDOWS),
        measure=st.sampled_from(LIMIT_MEASURES),
        amount=st.sampled_from([20, 40, 50, 100, 0]),
        is_hard=st.sampled_from([True, True, False]),
    )
    def limit(self, place: int, each: bool, window: Any, measure: Any, amount: int, is_hard: bool) -> None:
        dimension = LIMIT_DIMENSIONS[place]
        value = {"account": "", "project": "p", "team": "red", "member": "ana", "service": "chat"}.get(
            dimension
        )
        if each and dimension != "account":
            value = None
        amount_nano = amount * NANO // 10 if measure == "runs" else amount
        limit_id = f"{dimension}-{value}-{window}-{measure}"
        if len(self.model.limits) == AT_ONCE and limit_id not in self.model.limits:
            return
        limit = Limit(limit_id, dimension, value, window, measure, amount_nano, is_hard)
        self.store.write(lambda c: set_limit(c, self.scope, limit, now=self.now))
        self.model.limits[limit_id] = limit
        if self.model.settled or self.model.holds:
            self.late.add(limit_id)

    @rule(place=st.integers(0, 8))
    def remove(self, place: int) -> None:
        if place < len(self.model.limits):
            limit_id = list(self.model.limits)[place]
            self.store.write(lambda c: remove_limit(c, self.scope, limit_id, now=self.now))
            del self.model.limits[limit_id]

    @rule(values=names, wanted=amounts, count=st.integers(1, 4), ttl_m=st.sampled_from([1, 30, 1440]))
    def ask(self, values: tuple[str, str, str], wanted: tuple[int, int], count: int, ttl_m: int) -> None:
        self.model.free_expired(self.now)
        first = len(self.asked) + 1
        batch = [self.new(first + place, values, wanted, ttl_m) for place in range(count)]
        expected = []
        for place, one in enumerate(batch):
            may = self.model.may_start(of(values), self.day, one.amounts)
            if may:
                held = of(values), self.day, one.amounts, self.now + one.ttl
                self.model.holds[first + place] = held
            expected.append("open" if may else "refused")
        answers = self.store.write(lambda c: decide(c, self.scope, batch))
        assert [a.state for a, _ in answers if isinstance(a, Authorization)] == expected
        again = self.store.write(lambda c: decide(c, self.scope, batch))
        assert [a.state for a, _ in again if isinstance(a, Authorization)] == expected
        assert not any(is_new for _, is_new in again)

    def new(self, number: int, values: tuple[str, str, str], wanted: tuple[int, int], ttl_m: int) -> Asked:
        asked = Asked(
            (number, number),
            f"r{number}",
            NONE,
            number,
            Values("", *values, "chat", NONE),
            wanted[0],
            wanted[1],
            1,
            self.now,
            timedelta(minutes=ttl_m),
        )
        self.asked[number] = asked
        return asked

    @rule(
        place=st.integers(1, 60),
        used=amounts,
        values=st.none() | names,
        hours_ago=st.sampled_from([0, 0, 30]),
    )
    def settle(
        self, place: int, used: tuple[int, int], values: tuple[str, str, str] | None, hours_ago: int
    ) -> None:
        """A run is sent: authorized or not, with the names it gave before or with others, on time or late."""
        asked = self.asked.get(place)
        place += 0 if asked else 1_000
        if place in self.over:
            return
        self.over.add(place)
        self.model.free_expired(self.now)
        said = values or (asked.values[1:4] if asked else ("p", "red", "ana"))
        started_at = self.now - timedelta(hours=hours_ago)
        run = UsedRun(
            (place, place), f"r{place}", NONE, started_at, *said, "chat", NONE, used[0], used[1], seq=place
        )
        self.store.write(lambda c: settle_runs(c, self.scope, [run], now=self.now))
        day = started_at.astimezone(self.model.zone).date()
        self.model.settle(place, of(said), day, run.amounts)

    @rule(place=st.integers(1, 60))
    def cancel(self, place: int) -> None:
        self.model.free_expired(self.now)
        if place in self.model.holds:
            self.store.write(lambda c: cancel(c, self.scope, [((place, place), "x")], now=self.now)[0].state)
            del self.model.holds[place]

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "model"):
            return
        self.model.free_expired(self.now)
        self.store.write(lambda c: expire_holds(c, self.scope, now=self.now))
        with self.store.read() as connection:
            check_holds(connection, self.scope)
            check_overruns(connection, self.scope)
            statuses = limit_statuses(connection, self.scope, now=self.now)
        for status in statuses:
            self.check(status)

    def check(self, status: LimitStatus) -> None:
        settled, held, overrun = self.model.sums(status.limit, status.value, self.day)
        use = status.use
        assert (use.settled_nano, use.held_nano, use.overrun_nano) == (settled, held, overrun)
        if status.limit.is_hard and status.limit.id not in self.late:
            assert settled - overrun + held <= status.limit.amount_nano


@pytest.mark.parametrize(("database", "machines"), [("", MACHINES), ("postgresql", max(MACHINES // 10, 1))])
def test_limits_agree_with_the_model(
    request: pytest.FixtureRequest, tmp_path: Path, database: str, machines: int
) -> None:
    address = request.getfixturevalue("postgres_url") if database else ""
    with ControlStore.open(tmp_path / "data", address) as store:
        run_state_machine_as_test(
            lambda: LimitsMachine(store),
            settings=settings(
                max_examples=machines,
                stateful_step_count=STEPS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
