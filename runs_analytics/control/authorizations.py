"""Authorizations: each one's answer for ever, and its hold while it is open.

An authorization is refused, or it is open and then ends once: settled by its run, cancelled, or expired. Its hold
is counted in `usage_days` exactly while it is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple

import sqlalchemy as sa

from runs_analytics.control.accounts import get_account
from runs_analytics.control.bulk import insert_into, update_by_key, write_values
from runs_analytics.control.claims import RunId
from runs_analytics.control.guards import require_operator
from runs_analytics.control.schema_limits import authorizations
from runs_analytics.control.usage_days import UsageDays, all_held
from runs_analytics.errors import Conflict, Damaged, NotFound, RunsError
from runs_analytics.money.limits import LIMIT_DIMENSIONS, ONE_RUN_NANO, WHOLE_ACCOUNT, Amounts, Values
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import NONE
from runs_analytics.zones import zone_named

State = Literal["open", "settled", "cancelled", "expired", "refused"]
_CHUNK: Final = 500


class Authorization(NamedTuple):
    """What was answered to a run that asked whether it may start: a row of `authorizations` without its account."""

    id_high: int
    id_low: int
    run_id: str
    source: str
    request_hash: int
    """Of everything the request said, so that asking again is told from asking for something else."""

    state: State
    day: date
    """Local day whose windows it counts in."""

    project: str
    team: str
    member: str
    service: str
    feature: str
    credits_nano: int | None
    """The estimate; None without a price."""

    cost_nano: int | None
    price_version: int | None
    authorized_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    actor: str
    refusal: Mapping[str, Any] | None
    """Why it was refused, as the answer said it; None unless it was."""

    @property
    def id(self) -> RunId:
        """Both halves of the hash of source and id."""
        return self.id_high, self.id_low

    @property
    def values(self) -> Values:
        """The values whose limits cover it."""
        return Values(WHOLE_ACCOUNT, self.project, self.team, self.member, self.service, self.feature)

    @property
    def amounts(self) -> Amounts:
        """What its hold sets aside."""
        return Amounts(self.credits_nano or 0, self.cost_nano or 0, ONE_RUN_NANO)


_FIELDS: Final = Authorization._fields
_COLUMNS: Final = tuple(authorizations.c[name] for name in _FIELDS)
_FIND: Final = sa.select(*_COLUMNS).where(
    authorizations.c.account == sa.bindparam("account"),
    authorizations.c.id_high.in_(sa.bindparam("highs", expanding=True)),
)
# Written into the statement: for a parameter SQLite would plan each time whether the index of open ones serves.
_OPEN: Final = authorizations.c.state == sa.literal_column("'open'")
_OF_ACCOUNT: Final = authorizations.c.account == sa.bindparam("account")
_FIND_EXPIRED: Final = sa.select(*_COLUMNS).where(
    _OF_ACCOUNT,
    _OPEN,
    authorizations.c.expires_at <= sa.bindparam("now"),
)
_ADD: Final = insert_into(authorizations)
_END: Final = update_by_key(authorizations, ("state", "ended_at"))


def find_authorizations(
    connection: sa.Connection, scope: Scope, ids: Iterable[RunId]
) -> dict[RunId, Authorization]:
    """Those of the ids that were asked for in the scope's account."""
    wanted = set(ids)
    highs = sorted({high for high, _ in wanted})
    found = {}
    for start in range(0, len(highs), _CHUNK):
        parameters = {"account": scope.account, "highs": highs[start : start + _CHUNK]}
        for row in connection.execute(_FIND, parameters):
            if (row.id_high, row.id_low) in wanted:
                found[row.id_high, row.id_low] = Authorization(*row)
    return found


def get_authorization(connection: sa.Connection, scope: Scope, run_id: RunId, shown: str) -> Authorization:
    """One authorization.

    Args:
        shown: the run's id as it was given, for the message.

    Raises:
        NotFound: when the account was never asked for it.
    """
    found = find_authorizations(connection, scope, [run_id]).get(run_id)
    if found is None:
        raise _unknown(shown)
    return found


def has_open_holds(connection: sa.Connection, scope: Scope) -> bool:
    """Whether any hold of the account is open."""
    query = sa.select(authorizations.c.id_high).where(_is_open(scope)).limit(1)
    return connection.execute(query).first() is not None


def add_authorizations(connection: sa.Connection, scope: Scope, found: Sequence[Authorization]) -> None:
    """Keep answers; the holds of the open ones must be counted in the same job."""
    write_values(connection, _ADD, ("account", *_FIELDS), [(scope.account, *one) for one in found])


def mark_ended(
    connection: sa.Connection, scope: Scope, ended: Sequence[Authorization], state: State, *, now: datetime
) -> None:
    """End open authorizations; their holds must be freed in the same job."""
    names = ("account", "id_high", "id_low", "state", "ended_at")
    rows = [(scope.account, one.id_high, one.id_low, state, now) for one in ended]
    write_values(connection, _END, names, rows)


def free(usage: UsageDays, one: Authorization) -> None:
    """Take a hold out of what is held; `usage` must be written afterwards."""
    usage.add(one.values, one.day, held=Amounts(*(-amount for amount in one.amounts)))


def cancel(
    connection: sa.Connection, scope: Scope, cancelled: Sequence[tuple[RunId, str]], *, now: datetime
) -> list[Authorization | RunsError]:
    """Free the holds of runs that will not happen; again does nothing.

    Args:
        cancelled: the runs' ids, each with the one that was given, for the message.

    Returns:
        For each its authorization; NotFound when the account was never asked for it, Conflict when it was refused
        or its run is settled.
    """
    expire_holds(connection, scope, now=now)
    found = find_authorizations(connection, scope, (run_id for run_id, _ in cancelled))
    freed = [one for one in found.values() if one.state == "open"]
    if freed:
        _end(connection, scope, freed, "cancelled", now)
        found |= {one.id: one._replace(state="cancelled", ended_at=now) for one in freed}
    return [_ended(found.get(run_id), shown) for run_id, shown in cancelled]


def expire_holds(connection: sa.Connection, scope: Scope, *, now: datetime) -> int:
    """Free the holds of the scope's account whose time is over; how many that were."""
    rows = connection.execute(_FIND_EXPIRED, {"account": scope.account, "now": now})
    expired = [Authorization(*row) for row in rows]
    if expired:
        _end(connection, scope, expired, "expired", now)
    return len(expired)


def accounts_with_expired_holds(connection: sa.Connection, scope: Scope, *, now: datetime) -> tuple[str, ...]:
    """The accounts whose holds wait to be freed.

    Raises:
        NotAllowed: when the scope is not an operator's.
    """
    require_operator(scope)
    is_expired = _OPEN & (authorizations.c.expires_at <= now)
    return tuple(
        connection.execute(sa.select(authorizations.c.account).where(is_expired).distinct()).scalars()
    )


def list_refused(
    connection: sa.Connection, scope: Scope, *, before: datetime | None = None, limit: int = 100
) -> tuple[Authorization, ...]:
    """The newest refusals, newest first."""
    query = sa.select(*_COLUMNS).where(
        authorizations.c.account == scope.account, authorizations.c.state == "refused"
    )
    if before is not None:
        query = query.where(authorizations.c.authorized_at < before)
    newest = query.order_by(authorizations.c.authorized_at.desc(), authorizations.c.id_high)
    return tuple(Authorization(*row) for row in connection.execute(newest.limit(limit)))


def check_holds(connection: sa.Connection, scope: Scope) -> None:
    """Compare what is held with the open authorizations.

    Raises:
        Damaged: when they differ.
    """
    expected: dict[tuple[str, str, date], Amounts] = {}
    for row in connection.execute(sa.select(*_COLUMNS).where(_is_open(scope))):
        one = Authorization(*row)
        for dimension, value in zip(LIMIT_DIMENSIONS, one.values, strict=True):
            if value != NONE:
                key = dimension, value, one.day
                before = expected.get(key, Amounts())
                expected[key] = Amounts(*map(sum, zip(before, one.amounts, strict=True)))
    if all_held(connection, scope) != expected:
        raise Damaged(f"What is held in {scope.account!r} is not the sum of its open authorizations.")


def _end(
    connection: sa.Connection, scope: Scope, ended: Sequence[Authorization], state: State, now: datetime
) -> None:
    usage = UsageDays(scope, zone_named(get_account(connection, scope).zone))
    parts = [part for one in ended for part in enumerate(one.values)]
    usage.load(connection, parts, [one.day for one in ended], whole_windows=False)
    mark_ended(connection, scope, ended, state, now=now)
    for one in ended:
        free(usage, one)
    usage.write(connection)


def _ended(found: Authorization | None, shown: str) -> Authorization | RunsError:
    if found is None:
        return _unknown(shown)
    if found.state in ("settled", "refused"):
        return Conflict(f"The authorization {shown!r} is {found.state}.", field="id", value=shown)
    return found


def _unknown(shown: str) -> NotFound:
    return NotFound(f"No authorization was asked for with the id {shown!r}.", field="id", value=shown)


def _is_open(scope: Scope) -> sa.ColumnElement[bool]:
    return (authorizations.c.account == scope.account) & _OPEN
