"""Plans: allowances by period in the account's zone, roll-over, top-up, change of plan, and keys of requests."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from control_fixtures import ACME, NOW, OTHER

from runs_analytics.control.idempotency import once
from runs_analytics.control.ledger import Balance, add_grant, balance, catch_up, post_usage
from runs_analytics.control.ledger_lines import check_ledger
from runs_analytics.control.plans import Change, put_plan, subscribe
from runs_analytics.control.store import ControlStore
from runs_analytics.control.subscriptions import (
    accounts_with_allowance_due,
    current_subscription,
    may_overdraw,
)
from runs_analytics.errors import BadRequest, Conflict, NotFound
from runs_analytics.money.grants import Grant
from runs_analytics.money.periods import period_around
from runs_analytics.money.plans import Plan, TopUpRule, changed_allowance, changed_price

pytest_plugins = ("control_fixtures",)

BERLIN = ZoneInfo("Europe/Berlin")
MARCH = datetime(2026, 2, 28, 23, tzinfo=UTC)  # midnight in Berlin
APRIL = datetime(2026, 3, 31, 22, tzinfo=UTC)  # the clock went forward in between
MAY = datetime(2026, 4, 30, 22, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def plan(plan_id: str = "team", allowance_nano: int = 310, **changes: Any) -> Plan:
    return Plan(plan_id, plan_id.title(), **({"window": "month"} | changes), allowance_nano=allowance_nano)


def put_on(store: ControlStore, given: Plan, now: datetime = MARCH) -> Change:
    store.write(lambda c: put_plan(c, ACME, given, now=now))
    return store.write(lambda c: subscribe(c, ACME, given.id, now=now))


def use(store: ControlStore, amount_nano: int, now: datetime) -> None:
    store.write(lambda c: post_usage(c, ACME, amount_nano, now=now, first_seq=1, last_seq=1))


def later(store: ControlStore, now: datetime) -> Balance:
    store.write(lambda c: catch_up(c, ACME, now=now))
    with store.read() as connection:
        check_ledger(connection, ACME)
        return balance(connection, ACME, now=now)


def left_of(found: Balance) -> dict[str, int]:
    return {grant.id: left_nano for grant, left_nano in found.left}


def test_each_local_month_brings_its_allowance_and_takes_the_last(control_store: ControlStore) -> None:
    put_on(control_store, plan())
    use(control_store, 10, MARCH)
    assert left_of(later(control_store, APRIL - INSTANT)) == {"plan:1:2026-03-01": 300}
    assert left_of(later(control_store, APRIL)) == {"plan:1:2026-04-01": 310}
    with control_store.read() as connection:
        assert accounts_with_allowance_due(connection, MAY - INSTANT) == ()
        assert accounts_with_allowance_due(connection, MAY) == ("acme",)


def test_weeks_begin_on_the_local_monday(control_store: ControlStore) -> None:
    friday = datetime(2026, 3, 27, 12, tzinfo=UTC)
    assert put_on(control_store, plan(allowance_nano=70, window="week"), friday).given_nano == 30
    monday = datetime(2026, 3, 29, 22, tzinfo=UTC)
    assert left_of(later(control_store, monday)) == {"plan:1:2026-03-30": 70}


@pytest.mark.parametrize(("used", "rolled"), [(0, 50), (270, 40), (310, None)])
def test_what_is_left_rolls_over_up_to_the_cap_and_burns_first(
    control_store: ControlStore, used: int, rolled: int | None
) -> None:
    put_on(control_store, plan(roll_over_nano=50))
    use(control_store, used, MARCH)
    found = left_of(later(control_store, APRIL))
    assert found.get("plan:1:2026-04-01:rolled-over") == rolled
    assert next(iter(found)) == ("plan:1:2026-04-01:rolled-over" if rolled else "plan:1:2026-04-01")


def test_periods_that_nobody_looked_at_end_one_after_the_other(control_store: ControlStore) -> None:
    put_on(control_store, plan(roll_over_nano=400))
    found = left_of(later(control_store, MAY))
    assert found == {"plan:1:2026-05-01": 310, "plan:1:2026-05-01:rolled-over": 400}


def test_a_new_allowance_pays_overage_first(control_store: ControlStore) -> None:
    put_on(control_store, plan())
    use(control_store, 330, MARCH)
    assert later(control_store, MARCH).settled_nano == -20
    assert left_of(later(control_store, APRIL)) == {"plan:1:2026-04-01": 290}


@pytest.mark.parametrize(("used", "given"), [(0, 480), (100, 380), (310, 170)])
def test_a_change_counts_both_plans_by_their_days(control_store: ControlStore, used: int, given: int) -> None:
    """14 of 31 days of 310 and 17 of 31 of 620 are 480, less what was burnt."""
    put_on(control_store, plan())
    use(control_store, used, MARCH)
    the_15th = datetime(2026, 3, 15, 9, tzinfo=UTC)
    assert put_on(control_store, plan("large", 620), the_15th).given_nano == given
    assert left_of(later(control_store, the_15th)) == {"plan:2:2026-03-01": given}
    assert left_of(later(control_store, APRIL)) == {"plan:2:2026-04-01": 620}


def test_changing_to_and_fro_gives_nothing(control_store: ControlStore) -> None:
    put_on(control_store, plan())
    noon = datetime(2026, 3, 15, 12, tzinfo=UTC)
    put_on(control_store, plan("large", 620), noon)
    back = control_store.write(lambda c: subscribe(c, ACME, "team", now=noon))
    assert (back.subscription.version, back.given_nano) == (3, 310)
    with pytest.raises(Conflict, match="plan 'team' in version 1 already"):
        control_store.write(lambda c: subscribe(c, ACME, "team", now=noon))


def test_less_is_never_taken_than_is_left() -> None:
    march = period_around(date(2026, 3, 1), "month", BERLIN)
    small, large = plan("small", 31, price_nano=310), plan("large", 620, price_nano=3100)
    assert changed_allowance(0, large, march, small, march, date(2026, 3, 15)) == 0
    assert changed_price(large, march, small, march, date(2026, 3, 15)) == 170 - 1700


def test_an_account_stays_on_its_version(control_store: ControlStore) -> None:
    put_on(control_store, plan())
    control_store.write(lambda c: put_plan(c, ACME, plan(allowance_nano=1), now=MARCH))
    assert left_of(later(control_store, APRIL)) == {"plan:1:2026-04-01": 310}


@pytest.mark.parametrize(("used", "bought"), [(240, 0), (241, 100), (341, 200), (900, 200)])
def test_topping_up_reaches_the_threshold_under_the_months_ceiling(
    control_store: ControlStore, used: int, bought: int
) -> None:
    put_on(control_store, plan(top_up=TopUpRule(70, 100, 299)))
    use(control_store, used, MARCH)
    assert later(control_store, MARCH).settled_nano == 310 - used + bought


def test_a_new_month_has_a_ceiling_of_its_own(control_store: ControlStore) -> None:
    put_on(control_store, plan(allowance_nano=0, top_up=TopUpRule(1, 10, 10)))
    use(control_store, 10, MARCH)
    use(control_store, 10, APRIL - INSTANT)
    assert later(control_store, APRIL - INSTANT).settled_nano == -10
    use(control_store, 1, APRIL)
    assert later(control_store, APRIL).settled_nano == -1


@pytest.mark.parametrize("allows", [False, True])
def test_only_a_plan_with_overage_lets_work_go_on(control_store: ControlStore, allows: bool) -> None:
    put_on(control_store, plan(allows_overage=allows))
    with control_store.read() as connection:
        assert may_overdraw(connection, ACME) is allows
        assert not may_overdraw(connection, OTHER)
        assert current_subscription(connection, OTHER) is None


def test_ids_of_plans_are_not_given_by_hand(control_store: ControlStore) -> None:
    given = Grant("plan:1:2026-04-01", "purchase", 1, 1, NOW, None, NOW)
    with pytest.raises(BadRequest, match="are made by plans"):
        control_store.write(lambda c: add_grant(c, ACME, given))


def test_plans_are_an_accounts_own(control_store: ControlStore) -> None:
    put_on(control_store, plan())
    with pytest.raises(NotFound, match="no plan 'team'"):
        control_store.write(lambda c: subscribe(c, OTHER, "team", now=MARCH))


@pytest.mark.parametrize("table", ["plan_versions", "subscriptions"])
def test_the_database_keeps_plans_as_they_were(control_store: ControlStore, table: str) -> None:
    put_on(control_store, plan())
    with pytest.raises(sa.exc.DBAPIError, match=f"{table} is append-only"):
        control_store.write(lambda c: c.execute(sa.text(f"DELETE FROM {table}")).rowcount)


def test_a_key_brings_the_first_answer_for_a_day(control_store: ControlStore) -> None:
    acts: list[int] = []

    def ask(key: str, amount: int, now: datetime = NOW, scope: Any = ACME) -> tuple[dict[str, Any], bool]:
        def act(_: sa.Connection) -> dict[str, Any]:
            acts.append(amount)
            return {"number": len(acts)}

        return control_store.write(lambda c: once(c, scope, key, {"amount": amount}, act, now=now))

    assert ask("a", 5) == ({"number": 1}, True)
    assert ask("a", 5) == ({"number": 1}, False)
    with pytest.raises(Conflict, match="key 'a' was used for another request"):
        ask("a", 6)
    assert ask("a", 5, scope=OTHER) == ({"number": 2}, True)
    assert ask("a", 5, NOW + timedelta(days=1) - INSTANT)[1] is False
    assert ask("a", 6, NOW + timedelta(days=1)) == ({"number": 3}, True)


def test_a_key_whose_act_failed_is_free(control_store: ControlStore) -> None:
    def fail(_: sa.Connection) -> dict[str, Any]:
        raise Conflict("no")

    with pytest.raises(Conflict, match="no"):
        control_store.write(lambda c: once(c, ACME, "a", 1, fail, now=NOW))
    assert control_store.write(lambda c: once(c, ACME, "a", 2, lambda _: {}, now=NOW)) == ({}, True)
