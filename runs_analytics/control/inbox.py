"""The durable inbox: runs that were acknowledged and may not be in the warehouse yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from runs_analytics.control.bulk import insert_into, write_rows
from runs_analytics.control.claims import (
    ClaimedRun,
    ImportedRuns,
    RunId,
    StoredRun,
    Verdict,
    find_claims,
    judge,
    record_claims,
)
from runs_analytics.control.guards import require_operator
from runs_analytics.control.meta import next_seq
from runs_analytics.control.schema import EPOCH, inbox, microseconds
from runs_analytics.control.segments import Segment, SegmentFile, insert_segment
from runs_analytics.errors import Conflict
from runs_analytics.scope import Scope

PENDING_BYTES: Final = 67_108_864
"""Most bytes of bodies that one look at the inbox returns, so that a backlog never fills the memory."""

_ADD: Final = insert_into(inbox)


@dataclass(frozen=True, slots=True)
class Appended:
    """What one batch became."""

    seq: int | None
    """Its inbox row; None when none of its runs had to be stored."""

    verdicts: tuple[Verdict, ...]
    """One for each run, in the batch's order."""


@dataclass(frozen=True, slots=True)
class InboxRow:
    """Runs of one account that were acknowledged together."""

    seq: int
    account: str
    received_at: datetime
    runs: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far the warehouse is behind."""

    rows: int
    runs: int
    oldest_received_at: datetime | None


def nothing_imported(_ids: Collection[RunId]) -> Mapping[RunId, StoredRun]:
    """For accounts into which no file was imported."""
    return {}


def claim_and_append(
    connection: sa.Connection,
    scope: Scope,
    runs: Sequence[ClaimedRun],
    *,
    body: Callable[[Sequence[Verdict]], bytes],
    received_at: datetime,
    imported: ImportedRuns = nothing_imported,
) -> Appended:
    """Claim the ids of a batch and keep the runs that are new, as part of one writer's job.

    Args:
        runs: in the batch's order; the same id may occur more than once.
        body: makes the inbox row's bytes from the verdicts, holding the runs that are stored; not called
            when none is.
        imported: consulted once, for the ids that are not claimed.

    Raises:
        NotFound: when the scope's account does not exist.
    """
    claimed = find_claims(connection, scope, (run.id for run in runs))
    unclaimed = {run.id for run in runs} - claimed.keys()
    used = {**imported(unclaimed), **claimed} if unclaimed else claimed
    verdicts = judge(runs, used)
    stored = [run for run, verdict in zip(runs, verdicts, strict=True) if verdict.is_stored]
    if not stored:
        return Appended(None, tuple(verdicts))
    seq = next_seq(connection)
    record_claims(connection, scope, stored, seq, claimed=claimed.keys())
    row = {
        "seq": seq,
        "account": scope.account,
        "received_at_us": microseconds(received_at),
        "runs": len(stored),
        "body": body(verdicts),
    }
    write_rows(connection, _ADD, [row])
    return Appended(seq, tuple(verdicts))


def pending(
    connection: sa.Connection,
    scope: Scope,
    after_seq: int,
    limit_rows: int,
    *,
    limit_bytes: int = PENDING_BYTES,
) -> list[InboxRow]:
    """The inbox rows of all accounts after `after_seq`, in order; at least one when there is any.

    Raises:
        NotAllowed: when the scope is not an operator's.
    """
    require_operator(scope)
    sizes = connection.execute(
        sa.select(inbox.c.seq, sa.func.length(inbox.c.body))
        .where(inbox.c.seq > after_seq)
        .order_by(inbox.c.seq)
        .limit(limit_rows)
    )
    up_to_seq, total_bytes = after_seq, 0
    for seq, size_bytes in sizes.all():
        total_bytes += size_bytes
        if total_bytes > limit_bytes and up_to_seq > after_seq:
            break
        up_to_seq = seq
    rows = connection.execute(
        sa.select(inbox).where(inbox.c.seq > after_seq, inbox.c.seq <= up_to_seq).order_by(inbox.c.seq)
    )
    return [_inbox_row(row) for row in rows]


def backlog(connection: sa.Connection, scope: Scope, after_seq: int) -> Backlog:
    """What waits in the inbox of all accounts after `after_seq`.

    Raises:
        NotAllowed: when the scope is not an operator's.
    """
    require_operator(scope)
    rows, runs, oldest_us = connection.execute(
        sa.select(
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(inbox.c.runs), 0),
            sa.func.min(inbox.c.received_at_us),
        ).where(inbox.c.seq > after_seq)
    ).one()
    return Backlog(rows, int(runs), None if oldest_us is None else _moment(oldest_us))


def prune(
    connection: sa.Connection, scope: Scope, up_to_seq: int, files: Sequence[SegmentFile], now: datetime
) -> int:
    """Delete the inbox rows up to `up_to_seq` and enter the archive files that hold them, in one commit.

    The files must be synced at their place already. Returns how many rows were deleted; again deletes
    nothing and enters nothing.

    Raises:
        Conflict: when rows would be deleted of an account that no file holds.
        NotAllowed: when the scope is not an operator's.
    """
    require_operator(scope)
    is_old = inbox.c.seq <= up_to_seq
    held = connection.execute(
        sa.select(inbox.c.account, sa.func.min(inbox.c.seq), sa.func.max(inbox.c.seq))
        .where(is_old)
        .group_by(inbox.c.account)
    )
    ranges = {account: (first, last) for account, first, last in held}
    if not ranges:
        return 0
    if ranges.keys() != {file.account for file in files}:
        raise Conflict(
            f"The inbox holds runs of {sorted(ranges)} up to {up_to_seq}, the archive files of "
            f"{sorted({file.account for file in files})}; nothing was deleted."
        )
    for file in files:
        first_seq, last_seq = ranges[file.account]
        insert_segment(connection, Segment(next_seq(connection), file, first_seq, last_seq, None, now))
    return connection.execute(sa.delete(inbox).where(is_old)).rowcount


def _inbox_row(row: sa.Row[Any]) -> InboxRow:
    return InboxRow(row.seq, row.account, _moment(row.received_at_us), row.runs, bytes(row.body))


def _moment(stored_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=stored_us)
