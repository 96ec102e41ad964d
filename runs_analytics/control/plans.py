"""Acts on plans: write one, put an account on it or on another, and buy credits."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from runs_analytics.control import ledger
from runs_analytics.control.accounts import get_account
from runs_analytics.control.audit import record
from runs_analytics.control.guards import checked_text
from runs_analytics.control.ledger_lines import Entry, entries, grants_with_left, head
from runs_analytics.control.subscriptions import (
    PlanVersion,
    Subscription,
    current_subscription,
    get_plan,
    insert_plan,
    insert_subscription,
    list_plans,
)
from runs_analytics.errors import Conflict
from runs_analytics.money.grants import Grant, prorated
from runs_analytics.money.periods import period_of
from runs_analytics.money.plans import (
    Plan,
    changed_allowance,
    changed_price,
    days_left,
    first_allowance,
    overage_money,
)
from runs_analytics.roles import require
from runs_analytics.scope import Scope
from runs_analytics.zones import zone_named


@dataclass(frozen=True, slots=True)
class Change:
    """What a new subscription brought."""

    subscription: Subscription
    given_nano: int
    """Credits that may be burnt until the period's end."""

    taken_nano: int
    """Credits that were left of the old plan's allowance and went into what is given."""

    price_nano: int
    """Money for the days left, less the old plan's; below zero when there is money to return."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a change of plan would bring, line by line."""

    change: Change
    entries: tuple[Entry, ...]
    """Every line that it would post, in their order."""

    overage_nano: int
    """Credits of overage that it would sell."""

    overage_money_nano: int
    """Money for these."""

    before_nano: int
    """The settled balance as it is."""

    after_nano: int


def put_plan(connection: sa.Connection, scope: Scope, plan: Plan, *, now: datetime) -> PlanVersion:
    """Write a plan, or its next version; accounts stay on the version that they were put on.

    Raises:
        NotFound: when the account does not exist.
    """
    require(scope, "credits.manage")
    get_account(connection, scope)
    plan = replace(plan, id=checked_text(plan.id, "id"), name=checked_text(plan.name, "name"))
    before = {found.plan.id: found.version for found in list_plans(connection, scope)}
    version = PlanVersion(plan, before.get(plan.id, 0) + 1, now, scope.actor)
    insert_plan(connection, scope, version)
    detail = asdict(plan) | {"version": version.version}
    record(connection, scope, action="plan.write", subject=plan.id, detail=detail, now=now)
    return version


def subscribe(connection: sa.Connection, scope: Scope, plan_id: str, *, now: datetime) -> Change:
    """Put the account on the newest version of a plan, at once.

    The plan gives its part for the days left, today included. From another plan, `changed_allowance` says what is
    left; that plan's allowance is void. Rolled-over and bought credits stay.

    Raises:
        NotFound: when the account or the plan does not exist.
        Conflict: when the account has this version already.
    """
    require(scope, "credits.manage")
    zone = zone_named(get_account(connection, scope).zone)
    new = get_plan(connection, scope, plan_id)
    ledger.catch_up(connection, scope, now=now)
    before = current_subscription(connection, scope)
    today, period = now.astimezone(zone).date(), period_of(now, new.plan.window, zone)
    taken_nano = 0
    if before is None:
        given_nano = first_allowance(new.plan, period, today)
        price_nano = prorated(new.plan.price_nano or 0, period, days_left(period, today))
    else:
        if (before.plan.id, before.plan_version) == (plan_id, new.version):
            raise Conflict(
                f"The account has plan {plan_id!r} in version {new.version} already.",
                field="plan",
                value=plan_id,
            )
        old_period = period_of(now, before.plan.window, zone)
        ledger.charge_overage(connection, scope, before, old_period, at=now, now=now)
        old_ids = [
            (grant.id, left)
            for grant, left in grants_with_left(connection, scope)
            if ledger.is_allowance_of(grant, before)
        ]
        for grant_id, left_nano in old_ids:
            ledger.void_grant(connection, scope, grant_id, now=now, note=f"change to plan {plan_id}")
            taken_nano += left_nano
        given_nano = changed_allowance(taken_nano, before.plan, old_period, new.plan, period, today)
        price_nano = changed_price(before.plan, old_period, new.plan, period, today)
    made = insert_subscription(connection, scope, new, starts_at=now, next_at=period.resets_at)
    ledger.give_allowance(connection, scope, made, period, given_nano, effective_at=now, now=now)
    ledger.catch_up(connection, scope, now=now)
    detail = {
        "version": new.version,
        "before": before.plan.id if before else None,
        "given_nano": given_nano,
        "price_nano": price_nano,
    }
    record(connection, scope, action="plan.assign", subject=plan_id, detail=detail, now=now)
    return Change(made, given_nano, taken_nano, price_nano)


def rehearse_subscription(
    connection: sa.Connection, scope: Scope, plan_id: str, *, now: datetime
) -> Rehearsal:
    """What `subscribe` would do now; it is done and undone, so that both are one and the same.

    Args:
        connection: one that writes.

    Raises:
        NotFound, Conflict: as `subscribe` does.
    """
    before = current_subscription(connection, scope)
    before_nano = ledger.balance(connection, scope, now=now).settled_nano
    savepoint = connection.begin_nested()
    try:
        first_number, _ = head(connection, scope)
        change = subscribe(connection, scope, plan_id, now=now)
        last_number, _ = head(connection, scope)
        posted = entries(connection, scope, limit=last_number - first_number)[::-1]
        after_nano = ledger.balance(connection, scope, now=now).settled_nano
    finally:
        savepoint.rollback()
    sold_nano = [one.amount_nano for one in posted if ledger.is_overage_sold(one)]
    price_nano = (before.plan.overage_price_nano if before else None) or 0
    money_nano = sum(overage_money(nano, price_nano) for nano in sold_nano)
    return Rehearsal(change, posted, sum(sold_nano), money_nano, before_nano, after_nano)


def top_up(
    connection: sa.Connection,
    scope: Scope,
    grant_id: str,
    amount_nano: int,
    *,
    now: datetime,
    expires_at: datetime | None = None,
    note: str = "",
) -> Grant:
    """Buy credits for the account.

    Raises:
        NotFound: when the account does not exist.
        Conflict: when a grant of that id exists.
    """
    require(scope, "credits.manage")
    grant = Grant(grant_id, "purchase", amount_nano, 100, now, expires_at, now)
    ledger.add_grant(connection, scope, grant, note=note)
    return grant
