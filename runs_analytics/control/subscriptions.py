"""Which plan an account has, and from when on its next allowance is due; the acts are in `plans`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from runs_analytics.control.schema_plans import plan_versions, subscription_heads, subscriptions
from runs_analytics.errors import NotFound
from runs_analytics.money.plans import Plan, TopUpRule
from runs_analytics.scope import Scope


@dataclass(frozen=True, slots=True)
class PlanVersion:
    """A plan as it stood from a moment on."""

    plan: Plan
    version: int
    created_at: datetime
    created_by: str


_heads, _subs, _plans = subscription_heads.c, subscriptions.c, plan_versions.c
_CURRENT: Final = (
    sa.select(plan_versions, _subs.version.label("number"), _subs.starts_at, _heads.next_at)
    .select_from(subscription_heads)
    .join(subscriptions, (_subs.account == _heads.account) & (_subs.version == _heads.version))
    .join(
        plan_versions,
        (_plans.account == _subs.account)
        & (_plans.id == _subs.plan_id)
        & (_plans.version == _subs.plan_version),
    )
    .where(_heads.account == sa.bindparam("account"))
)
_DUE: Final = sa.select(_heads.account).where(
    _heads.account == sa.bindparam("account"), _heads.next_at <= sa.bindparam("now")
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """The plan that an account has."""

    version: int
    """From 1; each change makes a new one."""

    plan: Plan
    plan_version: int
    starts_at: datetime
    next_at: datetime
    """Start of the first period whose allowance is not given yet."""


def current_subscription(connection: sa.Connection, scope: Scope) -> Subscription | None:
    """The scope's account's newest subscription, or None."""
    row = connection.execute(_CURRENT, {"account": scope.account}).one_or_none()
    if row is None:
        return None
    return Subscription(row.number, _read_plan(row), row.version, row.starts_at, row.next_at)


def may_overdraw(connection: sa.Connection, scope: Scope) -> bool:
    """Whether the account's plan lets new work start when the credits are used up; without a plan it does not."""
    found = current_subscription(connection, scope)
    return found is not None and found.plan.allows_overage


def due_subscription(connection: sa.Connection, scope: Scope, now: datetime) -> Subscription | None:
    """The account's subscription when a period has begun whose allowance was not given."""
    if connection.execute(_DUE, {"account": scope.account, "now": now}).one_or_none() is None:
        return None
    return current_subscription(connection, scope)


def accounts_with_allowance_due(connection: sa.Connection, now: datetime) -> tuple[str, ...]:
    """The accounts whose next period has begun, in the order of their ids; for the operator's round."""
    query = sa.select(subscription_heads.c.account).where(subscription_heads.c.next_at <= now)
    return tuple(connection.execute(query.order_by(subscription_heads.c.account)).scalars())


def move_next(connection: sa.Connection, scope: Scope, next_at: datetime) -> None:
    """Note that the allowances of all periods before a moment are given."""
    connection.execute(
        sa.update(subscription_heads)
        .where(subscription_heads.c.account == scope.account)
        .values(next_at=next_at)
    )


def insert_subscription(
    connection: sa.Connection, scope: Scope, version: PlanVersion, *, starts_at: datetime, next_at: datetime
) -> Subscription:
    """Keep that an account has a plan from now on."""
    before = current_subscription(connection, scope)
    number = 1 if before is None else before.version + 1
    connection.execute(
        sa.insert(subscriptions).values(
            account=scope.account,
            version=number,
            plan_id=version.plan.id,
            plan_version=version.version,
            starts_at=starts_at,
            created_by=scope.actor,
        )
    )
    values = {"version": number, "next_at": next_at}
    if before is None:
        connection.execute(sa.insert(subscription_heads).values(account=scope.account, **values))
    else:
        connection.execute(
            sa.update(subscription_heads)
            .where(subscription_heads.c.account == scope.account)
            .values(**values)
        )
    return Subscription(number, version.plan, version.version, starts_at, next_at)


def list_plans(connection: sa.Connection, scope: Scope) -> tuple[PlanVersion, ...]:
    """The newest version of each plan of the scope's account, by id."""
    newest: dict[str, PlanVersion] = {}
    query = sa.select(plan_versions).where(plan_versions.c.account == scope.account)
    for row in connection.execute(query.order_by(plan_versions.c.id, plan_versions.c.version)):
        newest[row.id] = PlanVersion(_read_plan(row), row.version, row.created_at, row.created_by)
    return tuple(newest.values())


def get_plan(connection: sa.Connection, scope: Scope, plan_id: str) -> PlanVersion:
    """The newest version of a plan.

    Raises:
        NotFound: when the account has no such plan.
    """
    for found in list_plans(connection, scope):
        if found.plan.id == plan_id:
            return found
    raise NotFound(f"There is no plan {plan_id!r}.", field="plan", value=plan_id)


def insert_plan(connection: sa.Connection, scope: Scope, version: PlanVersion) -> None:
    """Keep a version of a plan."""
    values = asdict(version.plan)
    rule = values.pop("top_up") or dict.fromkeys(("threshold_nano", "amount_nano", "ceiling_nano"))
    connection.execute(
        sa.insert(plan_versions).values(
            account=scope.account,
            version=version.version,
            created_at=version.created_at,
            created_by=version.created_by,
            **values,
            **{f"top_up_{name}": nano for name, nano in rule.items()},
        )
    )


def _read_plan(row: sa.Row[Any]) -> Plan:
    names = [name for name in Plan.__dataclass_fields__ if name != "top_up"]
    rule = None
    if row.top_up_amount_nano is not None:
        rule = TopUpRule(row.top_up_threshold_nano, row.top_up_amount_nano, row.top_up_ceiling_nano)
    return Plan(**{name: getattr(row, name) for name in names}, top_up=rule)
