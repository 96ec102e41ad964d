"""The limits of each account, and how each one stands."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from runs_analytics import roles
from runs_analytics.control.accounts import get_account
from runs_analytics.control.audit import record
from runs_analytics.control.guards import checked_text
from runs_analytics.control.meta import bump_control_version
from runs_analytics.control.schema_limits import crossings, limit_uses, limits, overruns
from runs_analytics.control.usage_days import values_in_period
from runs_analytics.errors import BadRequest, NotFound
from runs_analytics.money.limits import MAX_LIMITS, Covering, Limit, Use
from runs_analytics.money.periods import Period, period_of
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import NONE
from runs_analytics.zones import zone_named

_FIELDS: Final = tuple(Limit.__dataclass_fields__)
_LIST: Final = (
    sa.select(limits)
    .where(limits.c.account == sa.bindparam("account"), limits.c.removed_at.is_(None))
    .order_by(limits.c.id)
)


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """One limit, or one value of a limit that each value has, in the window around a moment."""

    limit: Limit
    value: str
    use: Use
    period: Period
    crossed_percent: int
    """The highest threshold reached; 0 before the first."""

    @property
    def left_nano(self) -> int:
        """What new work may still use; never below zero."""
        return max(0, self.limit.amount_nano - self.use.settled_nano - self.use.held_nano)


@dataclass(frozen=True, slots=True)
class Overrun:
    """What a run used past a limit, or what had been used when the limit came to stand as it does."""

    limit_id: str
    value: str
    first_day: date
    number: int
    kind: str
    run_id: str | None
    source: str | None
    amount_nano: int
    cap_nano: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Crossing:
    """The first moment in a window at which use reached a threshold."""

    limit_id: str
    value: str
    first_day: date
    percent: int
    settled_nano: int
    cap_nano: int
    at: datetime


def set_limit(connection: sa.Connection, scope: Scope, limit: Limit, *, now: datetime) -> Limit:
    """Put a limit up, or put it where the one of that id is; it counts what its window has used before.

    Raises:
        NotAllowed: when the scope may not manage limits.
        NotFound: when the account does not exist.
        BadRequest: when there are too many, or the id belongs to a limit on something else.
    """
    roles.require(scope, "limits.manage")
    get_account(connection, scope)
    checked_text(limit.id, "id")
    if limit.value:
        checked_text(limit.value, "value")
    stored = _stored(connection, scope, limit.id)
    row = {**asdict(limit), "thresholds": list(limit.thresholds), "removed_at": None}
    if stored is None:
        if len(list_limits(connection, scope)) >= MAX_LIMITS:
            raise BadRequest(f"The account has {MAX_LIMITS} limits; remove one first.")
        connection.execute(
            sa.insert(limits).values(account=scope.account, created_at=now, created_by=scope.actor, **row)
        )
    else:
        fixed = ("dimension", "value", "window", "measure")
        if any(getattr(stored, name) != getattr(limit, name) for name in fixed):
            raise BadRequest(
                f"Limit {limit.id!r} is on {stored.measure} by {stored.dimension} and {stored.window}; "
                "give a limit on something else an id of its own.",
                field="id",
                value=limit.id,
            )
        connection.execute(
            sa.update(limits).where(limits.c.account == scope.account, limits.c.id == limit.id).values(row)
        )
    bump_control_version(connection)
    shown = {**asdict(limit), "before_nano": None if stored is None else stored.amount_nano}
    record(connection, scope, action="limit.set", subject=limit.id, detail=shown, now=now)
    return limit


def remove_limit(connection: sa.Connection, scope: Scope, limit_id: str, *, now: datetime) -> None:
    """Take a limit away; what was refused and overrun by it stays on record.

    Raises:
        NotAllowed: when the scope may not manage limits.
        NotFound: when the account has no such limit.
    """
    roles.require(scope, "limits.manage")
    changed = connection.execute(
        sa.update(limits)
        .where(limits.c.account == scope.account, limits.c.id == limit_id, limits.c.removed_at.is_(None))
        .values(removed_at=now)
    )
    if not changed.rowcount:
        raise NotFound(f"There is no limit {limit_id!r}.", field="id", value=limit_id)
    bump_control_version(connection)
    record(connection, scope, action="limit.remove", subject=limit_id, detail={}, now=now)


def list_limits(connection: sa.Connection, scope: Scope) -> tuple[Limit, ...]:
    """The limits that hold, by id."""
    return tuple(_limit(row) for row in connection.execute(_LIST, {"account": scope.account}))


def find_limit(connection: sa.Connection, scope: Scope, limit_id: str) -> Limit:
    """The limit of that id.

    Raises:
        NotAllowed: when the scope may not see limits.
        NotFound: when the account has no such limit.
    """
    roles.require(scope, "limits.read")
    found = next((limit for limit in list_limits(connection, scope) if limit.id == limit_id), None)
    if found is None:
        raise NotFound(f"There is no limit {limit_id!r}.", field="id", value=limit_id)
    return found


def covering(connection: sa.Connection, scope: Scope) -> Covering:
    """The limits that hold, ready to be found by the values of a run."""
    return Covering(list_limits(connection, scope))


def limit_statuses(
    connection: sa.Connection, scope: Scope, *, now: datetime, limit_id: str | None = None
) -> tuple[LimitStatus, ...]:
    """How every limit stands, in order of id; a limit for each value once per value that used something.

    Args:
        limit_id: only this one.

    Raises:
        NotAllowed: when the scope may not see limits.
        NotFound: when the account does not exist.
    """
    roles.require(scope, "limits.read")
    zone = zone_named(get_account(connection, scope).zone)
    found = []
    for limit in list_limits(connection, scope):
        if limit_id in (None, limit.id):
            found += _statuses(connection, scope, limit, period_of(now, limit.window, zone))
    return tuple(found)


def _statuses(connection: sa.Connection, scope: Scope, limit: Limit, period: Period) -> list[LimitStatus]:
    used = values_in_period(connection, scope, limit.dimension, period)
    kept = {
        row.value: row
        for row in connection.execute(
            sa.select(limit_uses).where(
                limit_uses.c.account == scope.account,
                limit_uses.c.limit_id == limit.id,
                limit_uses.c.first_day == period.first_day,
            )
        )
    }
    values = sorted(used.keys() - {NONE}) if limit.value is None else [limit.value]
    statuses = []
    for value in values:
        settled, held = used.get(value, ((0, 0, 0), (0, 0, 0)))
        place, row = limit.measure_place, kept.get(value)
        use = Use(settled[place], held[place], row.overrun_nano if row else 0)
        statuses.append(LimitStatus(limit, value, use, period, row.crossed_percent if row else 0))
    return statuses


def list_overruns(connection: sa.Connection, scope: Scope, *, limit: int = 100) -> tuple[Overrun, ...]:
    """The newest overruns, newest first."""
    query = sa.select(*(overruns.c[name] for name in Overrun.__dataclass_fields__))
    newest = query.where(overruns.c.account == scope.account).order_by(
        overruns.c.at.desc(), overruns.c.number.desc()
    )
    return tuple(Overrun(*row) for row in connection.execute(newest.limit(limit)))


def list_crossings(connection: sa.Connection, scope: Scope, *, limit: int = 100) -> tuple[Crossing, ...]:
    """The newest crossings of thresholds, newest first."""
    query = sa.select(*(crossings.c[name] for name in Crossing.__dataclass_fields__))
    newest = query.where(crossings.c.account == scope.account).order_by(
        crossings.c.at.desc(), crossings.c.percent.desc()
    )
    return tuple(Crossing(*row) for row in connection.execute(newest.limit(limit)))


def _stored(connection: sa.Connection, scope: Scope, limit_id: str) -> Limit | None:
    row = connection.execute(
        sa.select(limits).where(limits.c.account == scope.account, limits.c.id == limit_id)
    ).one_or_none()
    return None if row is None else _limit(row)


def _limit(row: sa.Row[Any]) -> Limit:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Limit(**{**values, "thresholds": tuple(values["thresholds"])})
