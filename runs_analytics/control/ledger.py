"""The credit ledger of each account: grants, what usage took from them, expiry, voids and refunds.

Entries are only ever added; the database refuses anything else. The balance is the sum of all entries:
what is left of every grant less the overage, which is usage that no grant covered. The next grant pays
overage, oldest first. `grant_balances` and `ledger_heads` hold these sums; they change in the entry's own
transaction and `check_ledger` compares.
Jobs run in the control store's one writer, so that between reading a sum and changing it nothing else does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, get_args

import sqlalchemy as sa

from runs_analytics.control.accounts import get_account
from runs_analytics.control.guards import checked_text
from runs_analytics.control.schema import grant_balances, grants, ledger_entries, ledger_heads
from runs_analytics.errors import BadRequest, Conflict, Damaged, NotFound
from runs_analytics.money.amounts import decimal_string
from runs_analytics.money.grants import Grant, burn
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import MAX_AMOUNT_NANO

EntryKind = Literal["grant", "usage", "overage", "expiry", "void", "refund", "correction"]
ENTRY_KINDS: Final[tuple[EntryKind, ...]] = get_args(EntryKind)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger."""

    number: int
    """From 1 and without gaps in each account; 0 until it is posted."""

    kind: EntryKind
    grant_id: str | None
    """None: usage that no grant covered, and what takes it back."""

    amount_nano: int
    """What it adds to the balance."""

    posted_at: datetime
    actor: str
    first_seq: int | None = None
    last_seq: int | None = None
    """Of usage: the inbox rows whose runs it stands for."""

    refers_to: int | None = None
    """Number of the entry that a refund takes back, or of the overage that usage of a later grant pays."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Balance:
    """The credits of an account after everything that was posted."""

    left: tuple[tuple[Grant, int], ...]
    """Open grants in burn order with the billionths left of each."""

    later_nano: int
    """Left of grants that are not effective yet."""

    overage_nano: int
    """Usage that no grant covered and that nothing has settled."""

    @property
    def settled_nano(self) -> int:
        """What may be used now, less the overage; below zero when usage went past every grant."""
        return sum(left_nano for _, left_nano in self.left) - self.overage_nano


def add_grant(connection: sa.Connection, scope: Scope, grant: Grant, *, note: str = "") -> Entry:
    """Give credits to the scope's account; they first pay what overage there is.

    Raises:
        NotFound: when the account does not exist.
        Conflict: when a grant of that id exists.
    """
    get_account(connection, scope)
    grant = replace(grant, id=checked_text(grant.id, "id"))
    if _find_grant(connection, scope, grant.id) is not None:
        raise Conflict(f"Grant {grant.id!r} exists already.", field="id", value=grant.id)
    connection.execute(
        sa.insert(grants).values(account=scope.account, created_by=scope.actor, note=note, **_columns(grant))
    )
    connection.execute(
        sa.insert(grant_balances).values(account=scope.account, grant_id=grant.id, left_nano=0)
    )
    given = Entry(0, "grant", grant.id, grant.amount_nano, grant.created_at, "", note=note)
    posted = _post(connection, scope, [given])[0]
    catch_up(connection, scope, now=grant.created_at)
    return posted


def is_kept(connection: sa.Connection, scope: Scope) -> bool:
    """Whether the scope's account has a ledger: from its first grant on usage is posted."""
    return _head(connection, scope)[0] > 0


def post_usage(
    connection: sa.Connection,
    scope: Scope,
    amount_nano: int,
    *,
    now: datetime,
    first_seq: int,
    last_seq: int,
) -> tuple[Entry, ...]:
    """Burn the grants that are open now; one entry for each that is touched, and one for what none covers.

    Args:
        amount_nano: zero or more; zero posts nothing.
        first_seq: the first inbox row whose runs these are.
        last_seq: the last one.
    """
    if amount_nano < 0:
        raise BadRequest(
            f"The usage is {decimal_string(amount_nano)}; use zero or more and refund what was too much.",
            field="amount",
            value=amount_nano,
        )
    catch_up(connection, scope, now=now)
    found = _with_left(connection, scope)
    burnt = burn([grant for grant, _ in found], {grant.id: left for grant, left in found}, amount_nano, now)
    parts: list[tuple[EntryKind, str | None, int]] = [
        ("usage", grant_id, part) for grant_id, part in burnt.parts
    ]
    whole, rest_nano = divmod(
        burnt.uncovered_nano, MAX_AMOUNT_NANO
    )  # an entry holds 64 bits, a batch may not
    parts += [("overage", None, part) for part in [*[MAX_AMOUNT_NANO] * whole, rest_nano] if part]
    return _post(
        connection,
        scope,
        [Entry(0, kind, grant_id, -part, now, "", first_seq, last_seq) for kind, grant_id, part in parts],
    )


def catch_up(connection: sa.Connection, scope: Scope, *, now: datetime) -> tuple[Entry, ...]:
    """Post what time alone brings: overage is paid by grants that came later, then expired grants lose the rest.

    A grant pays overage that is older than its expiry, so that posting late ends like posting in time.
    """
    paid = _pay_overage(connection, scope, now) if _head(connection, scope)[1] else ()
    expired = [
        Entry(0, "expiry", grant.id, -left_nano, now, "")
        for grant, left_nano in _with_left(connection, scope)
        if grant.expires_at is not None and grant.expires_at <= now
    ]
    return paid + _post(connection, scope, expired)


def _pay_overage(connection: sa.Connection, scope: Scope, now: datetime) -> tuple[Entry, ...]:
    found = [(grant, left) for grant, left in _with_left(connection, scope) if grant.effective_at <= now]
    left_nano = {grant.id: left for grant, left in found}
    paid: list[Entry] = []
    for overage, open_nano in _open_overage(connection, scope) if found else ():
        able = [g for g, _ in found if g.expires_at is None or g.expires_at > overage.posted_at]
        for grant in sorted(able, key=lambda grant: grant.burn_order):
            part_nano = min(open_nano, left_nano[grant.id])
            if part_nano:
                line = replace(overage, posted_at=now, refers_to=overage.number, note="")
                paid.append(replace(line, kind="usage", grant_id=grant.id, amount_nano=-part_nano))
                paid.append(replace(line, amount_nano=part_nano))
                left_nano[grant.id] -= part_nano
                open_nano -= part_nano
    return _post(connection, scope, paid)


def _open_overage(connection: sa.Connection, scope: Scope) -> list[tuple[Entry, int]]:
    """Entries of overage that are neither paid nor refunded whole, oldest first, with what is open of each."""
    is_debt = (ledger_entries.c.account == scope.account) & ledger_entries.c.grant_id.is_(None)
    of = sa.func.coalesce(ledger_entries.c.refers_to, ledger_entries.c.number)
    total = sa.func.sum(ledger_entries.c.amount_nano)
    query = sa.select(of, total).where(is_debt).group_by(of).having(total != 0).order_by(of)
    found = [(number, -int(nano)) for number, nano in connection.execute(query)]
    return [(_entry(connection, scope, number), nano) for number, nano in found]


def void_grant(
    connection: sa.Connection, scope: Scope, grant_id: str, *, now: datetime, note: str = ""
) -> Entry:
    """Take what is left of a grant; what was burnt of it stays burnt.

    Raises:
        NotFound: when the account has no such grant.
        Conflict: when nothing of it is left.
    """
    catch_up(connection, scope, now=now)
    _require_grant(connection, scope, grant_id)
    left_nano = {grant.id: left for grant, left in _with_left(connection, scope)}.get(grant_id, 0)
    if not left_nano:
        raise Conflict(f"Nothing is left of grant {grant_id!r}.", field="id", value=grant_id)
    return _post(connection, scope, [Entry(0, "void", grant_id, -left_nano, now, "", note=note)])[0]


def refund(
    connection: sa.Connection, scope: Scope, numbers: Sequence[int], *, now: datetime, note: str = ""
) -> tuple[Entry, ...]:
    """Take back entries of usage or overage, whole; what they burnt returns to its grants, as does what paid them.

    Credits that return to a grant that has expired or is void are lost again at once; others first pay overage.

    Args:
        numbers: of entries that belong together, such as all of one request; all are refunded, or none.

    Raises:
        NotFound: when the account has no such entry.
        Conflict: when one is no usage, was refunded before, or paid overage, which is refunded itself.
    """
    catch_up(connection, scope, now=now)
    new: list[Entry] = []
    for number in dict.fromkeys(numbers):
        taken_back: dict[str | None, int] = {}
        for line in _refundable(connection, scope, number):
            taken_back[line.grant_id] = taken_back.get(line.grant_id, 0) - line.amount_nano
        new += [
            Entry(0, "refund", grant_id, amount_nano, now, "", refers_to=number, note=note)
            for grant_id, amount_nano in taken_back.items()
            if amount_nano
        ]
    posted = _post(connection, scope, new)
    return posted + _void_again(connection, scope, now) + catch_up(connection, scope, now=now)


def _refundable(connection: sa.Connection, scope: Scope, number: int) -> list[Entry]:
    """An entry of usage with those that paid for it."""
    entry = _entry(connection, scope, number)
    if entry.kind not in ("usage", "overage") or entry.refers_to is not None:
        of = "" if entry.refers_to is None else f" for entry {entry.refers_to}"
        raise Conflict(
            f"Entry {number} is {entry.kind}{of}; only usage itself can be refunded.", value=number
        )
    lines = [entry]
    is_about = (ledger_entries.c.account == scope.account) & (ledger_entries.c.refers_to == number)
    for row in connection.execute(sa.select(ledger_entries).where(is_about)):
        other = _read_entry(row)
        if other.kind == "refund":
            raise Conflict(f"Entry {number} was refunded by entry {other.number}.", value=number)
        lines.append(other)
    return lines


def _void_again(connection: sa.Connection, scope: Scope, now: datetime) -> tuple[Entry, ...]:
    is_void = (ledger_entries.c.account == scope.account) & (ledger_entries.c.kind == "void")
    void = set(connection.execute(sa.select(ledger_entries.c.grant_id).where(is_void)).scalars())
    found = [(grant, left) for grant, left in _with_left(connection, scope) if grant.id in void]
    return _post(connection, scope, [Entry(0, "void", grant.id, -left, now, "") for grant, left in found])


def balance(connection: sa.Connection, scope: Scope, *, now: datetime) -> Balance:
    """What the scope's account has at a moment; grants that have expired count nothing, posted or not."""
    left, later_nano = [], 0
    for grant, left_nano in _with_left(connection, scope):
        if grant.is_open(now):
            left.append((grant, left_nano))
        elif grant.effective_at > now:
            later_nano += left_nano
    left.sort(key=lambda pair: pair[0].burn_order)
    return Balance(tuple(left), later_nano, _head(connection, scope)[1])


def entries(
    connection: sa.Connection, scope: Scope, *, before_number: int | None = None, limit: int = 100
) -> tuple[Entry, ...]:
    """The newest entries of the scope's account, newest first."""
    query = sa.select(ledger_entries).where(ledger_entries.c.account == scope.account)
    if before_number is not None:
        query = query.where(ledger_entries.c.number < before_number)
    rows = connection.execute(query.order_by(ledger_entries.c.number.desc()).limit(limit))
    return tuple(_read_entry(row) for row in rows)


def check_ledger(connection: sa.Connection, scope: Scope) -> None:
    """Compare the kept sums with the entries.

    Raises:
        Damaged: when they differ or a number is missing.
    """
    left: dict[str, int] = {}
    overage_nano = last_number = 0
    query = sa.select(ledger_entries).where(ledger_entries.c.account == scope.account)
    for row in connection.execute(query.order_by(ledger_entries.c.number)):
        if row.number != last_number + 1:
            raise Damaged(f"The ledger of {scope.account!r} goes from entry {last_number} to {row.number}.")
        last_number = row.number
        if row.grant_id is None:
            overage_nano -= row.amount_nano
        else:
            left[row.grant_id] = left.get(row.grant_id, 0) + row.amount_nano
    rows = connection.execute(
        sa.select(grant_balances.c.grant_id, grant_balances.c.left_nano).where(
            grant_balances.c.account == scope.account
        )
    )
    kept = {row.grant_id: row.left_nano for row in rows}
    if kept != left or _head(connection, scope) != (last_number, overage_nano):
        raise Damaged(f"The balances of {scope.account!r} are not the sums of its ledger.")


def _post(connection: sa.Connection, scope: Scope, new: Sequence[Entry]) -> tuple[Entry, ...]:
    """Number and add entries, and move the sums with them."""
    if not new:
        return ()
    last_number, overage_nano = _head(connection, scope)
    posted = tuple(
        replace(entry, number=last_number + place, actor=scope.actor) for place, entry in enumerate(new, 1)
    )
    connection.execute(
        sa.insert(ledger_entries), [{"account": scope.account, **_entry_columns(entry)} for entry in posted]
    )
    for entry in posted:
        if entry.grant_id is None:
            overage_nano -= entry.amount_nano
        else:
            _move(connection, scope, entry.grant_id, entry.amount_nano)
    values = {"last_number": posted[-1].number, "overage_nano": overage_nano}
    if last_number:
        connection.execute(
            sa.update(ledger_heads).where(ledger_heads.c.account == scope.account).values(values)
        )
    else:
        connection.execute(sa.insert(ledger_heads).values(account=scope.account, **values))
    return posted


def _move(connection: sa.Connection, scope: Scope, grant_id: str, amount_nano: int) -> None:
    connection.execute(
        sa.update(grant_balances)
        .where(grant_balances.c.account == scope.account, grant_balances.c.grant_id == grant_id)
        .values(left_nano=grant_balances.c.left_nano + amount_nano)
    )


def _head(connection: sa.Connection, scope: Scope) -> tuple[int, int]:
    """The number of the last entry and the overage; zeros before the first entry."""
    row = connection.execute(
        sa.select(ledger_heads.c.last_number, ledger_heads.c.overage_nano).where(
            ledger_heads.c.account == scope.account
        )
    ).one_or_none()
    return (0, 0) if row is None else (row.last_number, row.overage_nano)


def _with_left(connection: sa.Connection, scope: Scope) -> list[tuple[Grant, int]]:
    """The grants of which something is left."""
    query = (
        sa.select(grants, grant_balances.c.left_nano)
        .join(
            grant_balances,
            (grant_balances.c.account == grants.c.account) & (grant_balances.c.grant_id == grants.c.id),
        )
        .where(grants.c.account == scope.account, grant_balances.c.left_nano > 0)
    )
    return [(_read_grant(row), row.left_nano) for row in connection.execute(query)]


def _find_grant(connection: sa.Connection, scope: Scope, grant_id: str) -> Grant | None:
    row = connection.execute(
        sa.select(grants).where(grants.c.account == scope.account, grants.c.id == grant_id)
    ).one_or_none()
    return None if row is None else _read_grant(row)


def _require_grant(connection: sa.Connection, scope: Scope, grant_id: str) -> Grant:
    grant = _find_grant(connection, scope, grant_id)
    if grant is None:
        raise NotFound(f"There is no grant {grant_id!r}.", field="id", value=grant_id)
    return grant


def _entry(connection: sa.Connection, scope: Scope, number: int) -> Entry:
    row = connection.execute(
        sa.select(ledger_entries).where(
            ledger_entries.c.account == scope.account, ledger_entries.c.number == number
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"The ledger has no entry {number}.", field="number", value=number)
    return _read_entry(row)


def _columns(grant: Grant) -> dict[str, Any]:
    return {name: getattr(grant, name) for name in Grant.__dataclass_fields__}


def _entry_columns(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__dataclass_fields__}


def _read_grant(row: sa.Row[Any]) -> Grant:
    return Grant(**{name: getattr(row, name) for name in Grant.__dataclass_fields__})


def _read_entry(row: sa.Row[Any]) -> Entry:
    return Entry(**{name: getattr(row, name) for name in Entry.__dataclass_fields__})
