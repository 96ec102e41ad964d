"""Re-rates: what other prices make of runs that were rated, posted as corrections; the runs keep their rating.

A line stands for the runs of one day, project and member. Credits that a correction takes burn the open grants as
usage does; credits that it gives back are a grant of their own, `rerate:<number>`, which first pays overage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from runs_analytics import roles
from runs_analytics.control import ledger
from runs_analytics.control.audit import record
from runs_analytics.control.ledger_lines import Line, grants_with_left, insert_grant, post
from runs_analytics.control.meta import bump_control_version
from runs_analytics.control.prices import list_price_versions
from runs_analytics.control.schema import imports, ledger_entries
from runs_analytics.control.schema_rerates import rerate_lines, rerates
from runs_analytics.errors import BadRequest, Conflict, Damaged, NotFound
from runs_analytics.money.amounts import decimal_string
from runs_analytics.money.grants import Grant, burn
from runs_analytics.money.price_book import BookKind
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection
from runs_analytics.vocabulary import MAX_AMOUNT_NANO

GIVEN_BACK: Final = "rerate:"
"""Begins the id of the grant that holds what a re-rate gave back."""

_MAX_GRANT_NANO: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class RerateLine:
    """What changes for the runs of one day, project and member."""

    day: date
    """In the account's zone."""

    project: str
    member: str
    is_posted: bool
    """Whether the runs' credits are in the ledger, so that their correction belongs there too."""

    runs: int
    runs_changed: int
    old_nano: int
    """What the runs cost with every earlier re-rate."""

    new_nano: int

    @property
    def change_nano(self) -> int:
        """New less old."""
        return self.new_nano - self.old_nano


@dataclass(frozen=True, slots=True)
class Rerate:
    """One version of a book put to a part of the runs."""

    book: BookKind
    version: int
    selection: Selection
    """Its days are those of the account's zone."""

    includes_imported: bool
    """Whether imported runs are corrected in the ledger too."""

    upto_seq: int
    """Runs that were stored later are not part of it."""

    after_number: int
    """The newest re-rate that the old amounts include; 0: none."""

    lines: tuple[RerateLine, ...]

    @property
    def id(self) -> str:
        """The same for the same question about the same state, so that confirming twice posts once."""
        asked = [self.book, self.version, _query(self.selection), self.includes_imported]
        seen = [
            self.upto_seq,
            self.after_number,
            sum(line.old_nano for line in self.lines),
            sum(line.new_nano for line in self.lines),
        ]
        return hashlib.sha256(json.dumps([*asked, *seen], sort_keys=True).encode()).hexdigest()[:16]

    @property
    def posted_nano(self) -> int:
        """What the ledger's balance changes by."""
        return -sum(line.change_nano for line in self.lines if line.is_posted)


@dataclass(frozen=True, slots=True)
class StoredRerate:
    """A re-rate that was confirmed."""

    number: int
    id: str
    book: BookKind
    version: int
    selection: Selection
    includes_imported: bool
    upto_seq: int
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line of a confirmed re-rate and its entries in the ledger."""

    line: RerateLine
    first_entry: int | None
    last_entry: int | None


def post_rerate(connection: sa.Connection, scope: Scope, rerate: Rerate, *, now: datetime) -> StoredRerate:
    """Post what a preview found; the same preview a second time posts nothing.

    Raises:
        NotAllowed: when the scope's role may not manage prices.
        Conflict: when the preview no longer holds, because of another re-rate or an import that was taken back.
        BadRequest: when it gives back more than one grant can hold.
        NotFound: when there is no such price version.
    """
    roles.require(scope, "prices.manage")
    if rerate.book == "cost" and any(line.is_posted for line in rerate.lines):
        raise BadRequest("Cost is not in the ledger, so its correction cannot be posted there.")
    stored = list_rerates(connection, scope)
    if same := [one for one in stored if one.id == rerate.id]:
        return same[0]
    newest = stored[-1].number if stored else 0
    if newest != rerate.after_number:
        raise Conflict(
            f"Re-rate {newest} was posted after this preview was made; look at a new preview.", value=newest
        )
    _check_nothing_undone(connection, scope, rerate.upto_seq)
    if rerate.version not in {one.version for one in list_price_versions(connection, scope, rerate.book)}:
        raise NotFound(f"The {rerate.book} book has no version {rerate.version}.", value=rerate.version)
    made = StoredRerate(
        newest + 1,
        rerate.id,
        rerate.book,
        rerate.version,
        rerate.selection,
        rerate.includes_imported,
        rerate.upto_seq,
        now,
        scope.actor,
    )
    row = asdict(made) | {"selection": _query(rerate.selection), "account": scope.account}
    connection.execute(sa.insert(rerates).values(row))
    entries = _post_corrections(connection, scope, made, rerate.lines, now)
    rows = [
        {
            "account": scope.account,
            "rerate": made.number,
            "line": number,
            **asdict(line),
            **dict(zip(("first_entry", "last_entry"), entries.get(number, (None, None)), strict=True)),
        }
        for number, line in enumerate(rerate.lines, 1)
    ]
    if rows:
        connection.execute(sa.insert(rerate_lines), rows)
    detail = {
        "number": made.number,
        "from": rerate.selection.start,
        "to": rerate.selection.end,
        "old_nano": sum(line.old_nano for line in rerate.lines),
        "new_nano": sum(line.new_nano for line in rerate.lines),
        "posted_nano": rerate.posted_nano,
    }
    subject = f"{rerate.book} {rerate.version}"
    record(connection, scope, action="price.rerate", subject=subject, detail=detail, now=now)
    bump_control_version(connection)
    return made


def list_rerates(
    connection: sa.Connection, scope: Scope, book: BookKind | None = None
) -> tuple[StoredRerate, ...]:
    """The confirmed re-rates of the account, of one book or of both, oldest first."""
    query = sa.select(rerates).where(rerates.c.account == scope.account).order_by(rerates.c.number)
    if book is not None:
        query = query.where(rerates.c.book == book)
    return tuple(_read(row) for row in connection.execute(query))


def lines_of(connection: sa.Connection, scope: Scope, number: int) -> tuple[StoredLine, ...]:
    """The lines of one re-rate of the account, in their order."""
    of = (rerate_lines.c.account == scope.account) & (rerate_lines.c.rerate == number)
    found = connection.execute(sa.select(rerate_lines).where(of).order_by(rerate_lines.c.line))
    return tuple(_read_line(row) for row in found)


def line_of_entry(connection: sa.Connection, scope: Scope, entry: int) -> tuple[int, RerateLine] | None:
    """The re-rate and the line that an entry of the ledger was posted for; None when it is none's."""
    of = (
        (rerate_lines.c.account == scope.account)
        & (rerate_lines.c.first_entry <= entry)
        & (rerate_lines.c.last_entry >= entry)
    )
    row = connection.execute(sa.select(rerate_lines).where(of)).one_or_none()
    return None if row is None else (row.rerate, _read_line(row).line)


def check_rerates(connection: sa.Connection, scope: Scope) -> None:
    """Compare the corrections in the ledger with the lines of the re-rates.

    Raises:
        Damaged: when they differ.
    """
    amounts: dict[int, int] = {}
    is_correction = (ledger_entries.c.account == scope.account) & (ledger_entries.c.kind == "correction")
    query = sa.select(ledger_entries.c.number, ledger_entries.c.amount_nano).where(is_correction)
    for number, amount_nano in connection.execute(query):
        amounts[number] = amount_nano
    for one in list_rerates(connection, scope):
        for stored in lines_of(connection, scope, one.number):
            wanted = -stored.line.change_nano if stored.line.is_posted else 0
            first, last = stored.first_entry, stored.last_entry
            numbers = () if first is None or last is None else range(first, last + 1)
            found = sum(amounts.pop(number, 0) for number in numbers)
            if found != wanted:
                raise Damaged(
                    f"Re-rate {one.number} of {scope.account!r} posted {decimal_string(found)} for "
                    f"{stored.line.day}, {stored.line.project}, {stored.line.member}; "
                    f"its line says {decimal_string(wanted)}."
                )
    if amounts:
        raise Damaged(f"Entry {min(amounts)} of {scope.account!r} is a correction that no re-rate posted.")


def _post_corrections(
    connection: sa.Connection, scope: Scope, made: StoredRerate, lines: Sequence[RerateLine], now: datetime
) -> dict[int, tuple[int, int]]:
    """Post the lines that belong into the ledger; the first and last entry of each, by its number from 1."""
    changed = [(number, line) for number, line in enumerate(lines, 1) if line.is_posted and line.change_nano]
    if not changed:
        return {}
    ledger.catch_up(connection, scope, now=now)
    # What is given back stands first, so that it can pay for what others have to give.
    changed.sort(key=lambda pair: pair[1].change_nano > 0)
    back_nano = -sum(line.change_nano for _, line in changed if line.change_nano < 0)
    back = _grant_back(connection, scope, made.number, back_nano, now) if back_nano else None
    open_grants = grants_with_left(connection, scope)
    grants = [grant for grant, _ in open_grants] + ([back] if back else [])
    left_nano = {grant.id: left for grant, left in open_grants}
    if back:
        left_nano[back.id] = back_nano
    posting: list[Line] = []
    owners: list[int] = []
    for number, line in changed:
        note = f"re-rate {made.number} · {line.day} · {line.project} · {line.member}"
        for grant_id, amount_nano in _parts(line.change_nano, back, grants, left_nano, now):
            posting += [Line("correction", grant_id, part, note=note) for part in _in_entries(amount_nano)]
        owners += [number] * (len(posting) - len(owners))
    entries: dict[int, tuple[int, int]] = {}
    for number, entry in zip(owners, post(connection, scope, posting, now=now), strict=True):
        entries[number] = (entries.get(number, (entry.number, 0))[0], entry.number)
    ledger.catch_up(connection, scope, now=now)
    return entries


def _parts(
    change_nano: int, back: Grant | None, grants: Sequence[Grant], left_nano: dict[str, int], now: datetime
) -> list[tuple[str | None, int]]:
    """Which grants a change goes to or comes from, as amounts that are added to the balance."""
    if change_nano < 0:
        assert back is not None
        return [(back.id, -change_nano)]
    burnt = burn(grants, left_nano, change_nano, now)
    for grant_id, part_nano in burnt.parts:
        left_nano[grant_id] -= part_nano
    parts: list[tuple[str | None, int]] = [(grant_id, -part_nano) for grant_id, part_nano in burnt.parts]
    return [*parts, (None, -burnt.uncovered_nano)] if burnt.uncovered_nano else parts


def _in_entries(amount_nano: int) -> Iterable[int]:
    """An amount in parts that an entry holds."""
    sign = 1 if amount_nano > 0 else -1
    whole, rest_nano = divmod(abs(amount_nano), MAX_AMOUNT_NANO)
    return [sign * part for part in (*[MAX_AMOUNT_NANO] * whole, rest_nano) if part]


def _grant_back(
    connection: sa.Connection, scope: Scope, number: int, amount_nano: int, now: datetime
) -> Grant:
    if amount_nano > _MAX_GRANT_NANO:
        raise BadRequest(
            f"This would give back {decimal_string(amount_nano)} credits, more than one grant holds; "
            "re-rate fewer days at a time."
        )
    grant = Grant(f"{GIVEN_BACK}{number}", "promotion", amount_nano, 100, now, None, now)
    insert_grant(connection, scope, grant, f"given back by re-rate {number}")
    return grant


def _check_nothing_undone(connection: sa.Connection, scope: Scope, upto_seq: int) -> None:
    undone = (imports.c.account == scope.account) & (imports.c.undo_seq > upto_seq)
    found = connection.execute(sa.select(imports.c.file_name).where(undone).limit(1)).scalar()
    if found is not None:
        raise Conflict(
            f"The import of {found!r} was taken back after this preview was made; look at a new preview."
        )


def _query(selection: Selection) -> dict[str, list[str]]:
    query = selection.to_query()
    dates = {"from": [selection.start.isoformat()], "to": [selection.end.isoformat()]}
    return {name: values for name, values in query.items() if name not in ("period", "compare")} | dates


def _read(row: sa.Row[Any]) -> StoredRerate:
    values = {name: getattr(row, name) for name in StoredRerate.__slots__}
    query = values["selection"]
    # The dates are written out, so that neither today nor the account's zone enters.
    values["selection"] = Selection.parse(query, today=date.fromisoformat(query["to"][0]), zone="UTC")
    return StoredRerate(**values)


def _read_line(row: sa.Row[Any]) -> StoredLine:
    line = RerateLine(**{name: getattr(row, name) for name in RerateLine.__slots__})
    return StoredLine(line, row.first_entry, row.last_entry)
