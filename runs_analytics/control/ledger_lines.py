"""The lines of the credit ledger and the sums that are kept of them, as the control store holds them.

`grant_balances` and `ledger_heads` hold the sums; `post` moves them in the lines' own transaction and
`check_ledger` compares. Which lines an act posts is decided in `ledger`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa

from runs_analytics.control.schema import EPOCH, grant_balances, grants, ledger_entries, ledger_heads
from runs_analytics.errors import Damaged, NotFound
from runs_analytics.money.grants import Grant
from runs_analytics.scope import Scope

_QUARTER_HOUR_US: Final = 15 * 60 * 1_000_000

_HEAD: Final = sa.select(ledger_heads.c.last_number, ledger_heads.c.overage_nano).where(
    ledger_heads.c.account == sa.bindparam("account")
)
# Made once: to make these again at each posting would take longer than to ask them.
_WITH_LEFT: Final = (
    sa.select(*(grants.c[name] for name in Grant.__dataclass_fields__), grant_balances.c.left_nano)
    .join(
        grant_balances,
        (grant_balances.c.account == grants.c.account) & (grant_balances.c.grant_id == grants.c.id),
    )
    .where(grants.c.account == sa.bindparam("account"), grant_balances.c.left_nano > 0)
)
_EXPIRED: Final = _WITH_LEFT.where(grants.c.expires_at <= sa.bindparam("until"))
_ADD_LINES: Final = sa.insert(ledger_entries)
_ADD_GRANT: Final = sa.insert(grants)
_ADD_BALANCE: Final = sa.insert(grant_balances)
_AMOUNTS: Final = (
    sa.select(ledger_entries.c.number, ledger_entries.c.grant_id, ledger_entries.c.amount_nano)
    .where(ledger_entries.c.account == sa.bindparam("account"))
    .order_by(ledger_entries.c.number)
)
_AT_ONCE: Final = 10_000
"""Entries that are taken out of the database together."""

_MOVE: Final = (
    sa.update(grant_balances)
    .where(
        grant_balances.c.account == sa.bindparam("of_account"),
        grant_balances.c.grant_id == sa.bindparam("of_grant"),
    )
    .values(left_nano=grant_balances.c.left_nano + sa.bindparam("added_nano"))
)
_MOVE_HEAD: Final = (
    sa.update(ledger_heads)
    .where(ledger_heads.c.account == sa.bindparam("of_account"))
    .values(last_number=sa.bindparam("to_number"), overage_nano=sa.bindparam("to_overage"))
)

EntryKind = Literal["grant", "usage", "overage", "expiry", "void", "refund", "correction"]


@dataclass(frozen=True)
class Line:
    """What is to be posted."""

    kind: EntryKind
    grant_id: str | None
    """None: usage that no grant covered, and what takes it back."""

    amount_nano: int
    """What it adds to the balance."""

    first_seq: int | None = None
    last_seq: int | None = None
    """Of usage: the inbox rows whose runs it stands for."""

    refers_to: int | None = None
    """Number of the entry that a refund takes back, or of the overage that usage of a later grant pays."""

    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry(Line):
    """A line that was posted."""

    number: int
    """From 1 and without gaps in each account."""

    posted_at: datetime
    actor: str


def post(
    connection: sa.Connection, scope: Scope, lines: Sequence[Line], *, now: datetime
) -> tuple[Entry, ...]:
    """Number and add lines, and move the sums with them."""
    if not lines:
        return ()
    last_number, overage_nano = head(connection, scope)
    posted = tuple(
        Entry(**vars(line), number=number, posted_at=now, actor=scope.actor)
        for number, line in enumerate(lines, last_number + 1)
    )
    connection.execute(_ADD_LINES, [{"account": scope.account, **vars(entry)} for entry in posted])
    moved: dict[str, int] = {}
    for entry in posted:
        if entry.grant_id is None:
            overage_nano -= entry.amount_nano
        else:
            moved[entry.grant_id] = moved.get(entry.grant_id, 0) + entry.amount_nano
    for grant_id, amount_nano in moved.items():
        connection.execute(
            _MOVE, {"of_account": scope.account, "of_grant": grant_id, "added_nano": amount_nano}
        )
    number = posted[-1].number
    if last_number:
        values = {"of_account": scope.account, "to_number": number, "to_overage": overage_nano}
        connection.execute(_MOVE_HEAD, values)
    else:
        values = {"account": scope.account, "last_number": number, "overage_nano": overage_nano}
        connection.execute(sa.insert(ledger_heads), values)
    return posted


def head(connection: sa.Connection, scope: Scope) -> tuple[int, int]:
    """The number of the last entry and the overage; zeros before the first entry."""
    row = connection.execute(_HEAD, {"account": scope.account}).one_or_none()
    return (0, 0) if row is None else (row.last_number, row.overage_nano)


def grants_with_left(connection: sa.Connection, scope: Scope) -> list[tuple[Grant, int]]:
    """The grants of which something is left."""
    rows = connection.execute(_WITH_LEFT, {"account": scope.account})
    return [(Grant(*values), left_nano) for *values, left_nano in rows.all()]


def expired_with_left(connection: sa.Connection, scope: Scope, until: datetime) -> list[tuple[Grant, int]]:
    """Those of them that have expired by a moment."""
    rows = connection.execute(_EXPIRED, {"account": scope.account, "until": until})
    return [(Grant(*values), left_nano) for *values, left_nano in rows.all()]


def find_grant(connection: sa.Connection, scope: Scope, grant_id: str) -> Grant | None:
    """The account's grant of that id, or None."""
    row = connection.execute(
        sa.select(grants).where(grants.c.account == scope.account, grants.c.id == grant_id)
    ).one_or_none()
    return None if row is None else _read_grant(row)


def get_entry(connection: sa.Connection, scope: Scope, number: int) -> Entry:
    """One entry of the account's ledger.

    Raises:
        NotFound: when there is none of that number.
    """
    row = connection.execute(
        sa.select(ledger_entries).where(
            ledger_entries.c.account == scope.account, ledger_entries.c.number == number
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"The ledger has no entry {number}.", field="number", value=number)
    return _read_entry(row)


def open_overage(connection: sa.Connection, scope: Scope) -> list[tuple[Entry, int]]:
    """Entries of overage that are neither paid nor refunded whole, oldest first, with what is open of each."""
    is_debt = (ledger_entries.c.account == scope.account) & ledger_entries.c.grant_id.is_(None)
    of = sa.func.coalesce(ledger_entries.c.refers_to, ledger_entries.c.number)
    total = sa.func.sum(ledger_entries.c.amount_nano)
    query = sa.select(of, total).where(is_debt).group_by(of).having(total != 0).order_by(of)
    found = [(number, -int(nano)) for number, nano in connection.execute(query)]
    return [(get_entry(connection, scope, number), nano) for number, nano in found]


def entries_about(connection: sa.Connection, scope: Scope, number: int) -> list[Entry]:
    """The entries that refer to one, oldest first."""
    is_about = (ledger_entries.c.account == scope.account) & (ledger_entries.c.refers_to == number)
    query = sa.select(ledger_entries).where(is_about).order_by(ledger_entries.c.number)
    return [_read_entry(row) for row in connection.execute(query)]


def insert_grant(connection: sa.Connection, scope: Scope, grant: Grant, note: str) -> None:
    """Keep a grant of which nothing can be burnt until its line is posted."""
    values = {"account": scope.account, "created_by": scope.actor, "note": note, **asdict(grant)}
    connection.execute(_ADD_GRANT, values)
    connection.execute(_ADD_BALANCE, {"account": scope.account, "grant_id": grant.id, "left_nano": 0})


def void_grants(connection: sa.Connection, scope: Scope) -> set[str]:
    """The ids of grants that were voided."""
    is_void = (ledger_entries.c.account == scope.account) & (ledger_entries.c.kind == "void")
    return set(connection.execute(sa.select(ledger_entries.c.grant_id).where(is_void)).scalars())


def amounts_of_grants(
    connection: sa.Connection, scope: Scope, prefix: str, start: datetime, end: datetime
) -> tuple[int, ...]:
    """Billionths of each grant whose id begins with a prefix and that was made from start to before end."""
    is_one = (
        (grants.c.account == scope.account)
        & grants.c.id.startswith(prefix, autoescape=True)
        & (grants.c.created_at >= start)
        & (grants.c.created_at < end)
    )
    return tuple(connection.execute(sa.select(grants.c.amount_nano).where(is_one)).scalars())


def entries(
    connection: sa.Connection, scope: Scope, *, before_number: int | None = None, limit: int = 100
) -> tuple[Entry, ...]:
    """The newest entries of the scope's account, newest first."""
    query = sa.select(ledger_entries).where(ledger_entries.c.account == scope.account)
    if before_number is not None:
        query = query.where(ledger_entries.c.number < before_number)
    rows = connection.execute(query.order_by(ledger_entries.c.number.desc()).limit(limit))
    return tuple(_read_entry(row) for row in rows)


def all_grants(
    connection: sa.Connection, scope: Scope, *, limit: int = 200, after: tuple[datetime, str] | None = None
) -> list[tuple[Grant, int, str]]:
    """The newest grants of the account with the billionths left of each and their notes, newest first.

    Args:
        limit: at most so many.
        after: start and id of the grant that these follow.
    """
    follows: sa.ColumnElement[bool] = sa.true()
    if after is not None:
        effective_at, grant_id = after
        is_later = (grants.c.effective_at == effective_at) & (grants.c.id > grant_id)
        follows = (grants.c.effective_at < effective_at) | is_later
    query = (
        sa.select(grants, grant_balances.c.left_nano)
        .join(
            grant_balances,
            (grant_balances.c.account == grants.c.account) & (grant_balances.c.grant_id == grants.c.id),
        )
        .where(grants.c.account == scope.account, follows)
        .order_by(grants.c.effective_at.desc(), grants.c.id)
        .limit(limit)
    )
    return [(_read_grant(row), row.left_nano, row.note) for row in connection.execute(query)]


def used_between(connection: sa.Connection, scope: Scope, start: datetime, end: datetime) -> int:
    """Billionths of usage posted from start to before end, less what was refunded in that time."""
    is_one = (
        (ledger_entries.c.account == scope.account)
        & (ledger_entries.c.posted_at >= start)
        & (ledger_entries.c.posted_at < end)
        # What pays overage later is two lines that add up to nothing.
        & ledger_entries.c.kind.in_(("usage", "overage", "refund"))
    )
    total = connection.execute(sa.select(sa.func.sum(ledger_entries.c.amount_nano)).where(is_one)).scalar()
    return -int(total or 0)


def first_usage(connection: sa.Connection, scope: Scope) -> tuple[int | None, datetime | None]:
    """The lowest seq that usage was posted for, and when the ledger began; None where there is none."""
    seq, began_at = sa.func.min(ledger_entries.c.first_seq), sa.func.min(ledger_entries.c.posted_at)
    of_account = ledger_entries.c.account == scope.account
    row = connection.execute(sa.select(seq, began_at).where(of_account)).one()
    return row[0], row[1]


def posted_by_quarter_hour(
    connection: sa.Connection, scope: Scope, start: datetime, end: datetime
) -> list[tuple[datetime, int]]:
    """What was added to the balance in each quarter-hour from start to before end, those without lines left out.

    The first one is all that was posted before, at `start`.
    """
    posted_us = sa.type_coerce(ledger_entries.c.posted_at, sa.BigInteger)
    slot = posted_us // sa.literal_column(str(_QUARTER_HOUR_US), sa.BigInteger)
    total = sa.func.sum(ledger_entries.c.amount_nano)
    of_account = ledger_entries.c.account == scope.account
    before = connection.execute(
        sa.select(total).where(of_account, ledger_entries.c.posted_at < start)
    ).scalar()
    rows = connection.execute(
        sa.select(slot, total)
        .where(of_account, ledger_entries.c.posted_at >= start, ledger_entries.c.posted_at < end)
        .group_by(slot)
        .order_by(slot)
    )
    found = [(EPOCH + timedelta(microseconds=number * _QUARTER_HOUR_US), int(nano)) for number, nano in rows]
    return [(start, int(before or 0)), *found]


def check_ledger(connection: sa.Connection, scope: Scope) -> None:
    """Compare the kept sums with the entries.

    Raises:
        Damaged: when they differ or a number is missing.
    """
    left: dict[str, int] = {}
    overage_nano = last_number = 0
    found = connection.execute(_AMOUNTS, {"account": scope.account}).partitions(_AT_ONCE)
    for number, grant_id, amount_nano in itertools.chain.from_iterable(found):
        if number != last_number + 1:
            raise Damaged(f"The ledger of {scope.account!r} goes from entry {last_number} to {number}.")
        last_number = number
        if grant_id is None:
            overage_nano -= amount_nano
        else:
            left[grant_id] = left.get(grant_id, 0) + amount_nano
    rows = connection.execute(
        sa.select(grant_balances.c.grant_id, grant_balances.c.left_nano).where(
            grant_balances.c.account == scope.account
        )
    )
    kept = {row.grant_id: row.left_nano for row in rows}
    if kept != left or head(connection, scope) != (last_number, overage_nano):
        raise Damaged(f"The balances of {scope.account!r} are not the sums of its ledger.")


def _read_grant(row: sa.Row[Any]) -> Grant:
    return Grant(**{name: getattr(row, name) for name in Grant.__dataclass_fields__})


def _read_entry(row: sa.Row[Any]) -> Entry:
    return Entry(**{name: getattr(row, name) for name in Entry.__dataclass_fields__})
