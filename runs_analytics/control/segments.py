"""The manifest of archive segments: only a file with a row here counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from runs_analytics.control.guards import require_operator
from runs_analytics.control.meta import next_seq
from runs_analytics.control.schema import segments
from runs_analytics.errors import NotAllowed
from runs_analytics.scope import Scope


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A Parquet file that lies synced at its place in the archive."""

    account: str
    path: str
    """Relative to the archive."""

    day_first: date
    """UTC day of its earliest run."""

    day_last: date
    """UTC day of its latest run."""

    rows: int
    sha256: str
    """Of the file's bytes, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One row of the manifest."""

    seq: int
    file: SegmentFile
    first_seq: int
    """First inbox row that it holds; its own seq when it came from an import."""

    last_seq: int
    import_id: str | None
    """The import that brought it; None when it was archived from the inbox."""

    created_at: datetime


def add_import_segments(
    connection: sa.Connection, scope: Scope, import_id: str, files: Sequence[SegmentFile], now: datetime
) -> list[int]:
    """Enter the files of an import, one seq each, in their order; returns the seqs.

    Raises:
        NotAllowed: when a file belongs to another account than the scope's.
    """
    seqs = []
    for file in files:
        if file.account != scope.account:
            raise NotAllowed(f"{file.path} holds runs of another account than {scope.account!r}.")
        seq = next_seq(connection)
        insert_segment(connection, Segment(seq, file, seq, seq, import_id, now))
        seqs.append(seq)
    return seqs


def insert_segment(connection: sa.Connection, segment: Segment) -> None:
    """Enter one file; the caller has checked whose runs it holds."""
    file = segment.file
    connection.execute(
        sa.insert(segments).values(
            seq=segment.seq,
            account=file.account,
            path=file.path,
            day_first=file.day_first,
            day_last=file.day_last,
            rows=file.rows,
            sha256=file.sha256,
            first_seq=segment.first_seq,
            last_seq=segment.last_seq,
            import_id=segment.import_id,
            created_at=segment.created_at,
        )
    )


def list_segments(
    connection: sa.Connection, scope: Scope, *, import_id: str | None = None
) -> tuple[Segment, ...]:
    """The segments of the scope's account, or of one of its imports, in order of what they hold."""
    query = sa.select(segments).where(segments.c.account == scope.account)
    if import_id is not None:
        query = query.where(segments.c.import_id == import_id)
    return _in_order(connection, query)


def all_segments(connection: sa.Connection, scope: Scope, *, after_seq: int = 0) -> tuple[Segment, ...]:
    """The segments of all accounts that hold something after `after_seq`, in order of what they hold.

    Raises:
        NotAllowed: when the scope is not an operator's.
    """
    require_operator(scope)
    return _in_order(connection, sa.select(segments).where(segments.c.last_seq > after_seq))


def _in_order(connection: sa.Connection, query: sa.Select[Any]) -> tuple[Segment, ...]:
    rows = connection.execute(query.order_by(segments.c.first_seq, segments.c.seq))
    return tuple(_segment(row) for row in rows)


def _segment(row: sa.Row[Any]) -> Segment:
    file = SegmentFile(row.account, row.path, row.day_first, row.day_last, row.rows, row.sha256)
    return Segment(row.seq, file, row.first_seq, row.last_seq, row.import_id, row.created_at)
