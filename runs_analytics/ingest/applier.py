"""Brings the warehouse up to the control store: inbox rows, import segments and undos, in order of seq."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from runs_analytics.control.accounts import list_accounts
from runs_analytics.control.imports import Import, imports_in_state
from runs_analytics.control.inbox import InboxRow, pending
from runs_analytics.control.schema import EPOCH
from runs_analytics.control.segments import Segment, all_segments
from runs_analytics.control.store import ControlStore
from runs_analytics.crash import crash_point
from runs_analytics.ingest.accept import decode_bodies
from runs_analytics.scope import Scope
from runs_analytics.warehouse.apply import SegmentRows, apply_frame, apply_segments, stretches, undo_import
from runs_analytics.warehouse.archive import Archive
from runs_analytics.warehouse.store import Warehouse
from runs_analytics.warehouse.stored import SEGMENT_SCHEMA, stored_rows

log = logging.getLogger(__name__)

OPERATOR: Final = Scope(account="", actor="worker", role="operator")
INBOX_ROWS: Final = 2_000
"""Inbox rows that one warehouse transaction takes at most; each holds one request's runs."""

SEGMENT_ROWS: Final = 2_000_000
"""Runs of import segments that one warehouse transaction takes at most."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one step brought into the warehouse."""

    seq: int
    runs: int


class Applier:
    """The one writer of the warehouse."""

    def __init__(self, control: ControlStore, warehouse: Warehouse, archive: Archive) -> None:
        self.control, self.warehouse, self.archive = control, warehouse, archive
        self._one_at_a_time = threading.Lock()

    def step(self) -> Applied | None:
        """Apply the next stretch of the order in one warehouse transaction; None when nothing waits.

        Raises:
            StorageFull, Unavailable: the stretch stays where it is and the next step takes it again.
        """
        with self._one_at_a_time:  # two steps at once would read the same stretch and apply it twice
            return self._next()

    def _next(self) -> Applied | None:
        applied = self.warehouse.applied_seq
        with self.control.read() as connection:
            rows = pending(connection, OPERATOR, applied, INBOX_ROWS)
            segments = all_segments(connection, OPERATOR, after_seq=applied)
            undone = imports_in_state(connection, OPERATOR, "undone")
            zones = {a.id: a.zone for a in list_accounts(connection, OPERATOR)}
        left_out = {i.id for i in undone}
        undos = [i for i in undone if (i.undo_seq or 0) > applied]
        first = _first_seq(rows, segments, undos)
        if first is None:
            return None
        if undos and min(i.undo_seq or 0 for i in undos) == first:
            return self._undo(next(i for i in undos if i.undo_seq == first))
        barriers = [s.first_seq for s in segments] + [i.undo_seq or 0 for i in undos]
        if rows and rows[0].seq == first:
            stop = min((b for b in barriers if b > first), default=None)
            return self._apply_inbox([r for r in rows if stop is None or r.seq < stop], zones)
        others = [r.seq for r in rows[:1]] + [i.undo_seq or 0 for i in undos]
        stop = min((o for o in others if o > first), default=None)
        ready = [s for s in segments if stop is None or s.first_seq < stop]
        return self._apply_segments(ready, left_out)

    def catch_up(self, progress: Callable[[Applied], None] | None = None) -> int:
        """Apply everything that waits; how many runs that were."""
        total = 0
        while (applied := self.step()) is not None:
            total += applied.runs
            if progress:
                progress(applied)
        return total

    def _apply_inbox(self, rows: Sequence[InboxRow], zones: dict[str, str]) -> Applied:
        frame = inbox_frame(rows, zones)
        apply_frame(self.warehouse, frame, rows[-1].seq)
        return Applied(rows[-1].seq, frame.height)

    def _apply_segments(self, segments: Sequence[Segment], left_out: set[str]) -> Applied:
        taken = next(stretches(segments, SEGMENT_ROWS, lambda segment: segment.file.rows))
        kept = [s for s in taken if s.import_id not in left_out]
        files = [SegmentRows(self.archive.file(s.file.path), s.file.rows, s.last_seq) for s in kept]
        last = max(s.last_seq for s in taken)
        if files:
            apply_segments(self.warehouse, files, last)
        else:
            apply_frame(self.warehouse, pl.DataFrame(schema=SEGMENT_SCHEMA), last)
        crash_point("mid_import_apply")
        return Applied(last, sum(s.file.rows for s in kept))

    def _undo(self, undone: Import) -> Applied:
        assert undone.undo_seq is not None
        removed = undo_import(self.warehouse, undone.account, undone.id, undone.undo_seq)
        return Applied(undone.undo_seq, removed)


def inbox_frame(rows: Sequence[InboxRow], zones: dict[str, str]) -> pl.DataFrame:
    """The runs of inbox rows as the warehouse and the archive hold them.

    Args:
        rows: in order of seq.
        zones: each account's zone.
    """
    decoded = decode_bodies([(row.seq, row.account, row.body) for row in rows])
    frames = [
        _place(part, account, zones[account])
        for (account,), part in decoded.partition_by("account", as_dict=True, maintain_order=True).items()
    ]
    return pl.concat(frames) if frames else pl.DataFrame(schema=SEGMENT_SCHEMA)


def _place(decoded: pl.DataFrame, account: str, zone: str) -> pl.DataFrame:
    """Rows of one account; each keeps the seq and moment of arrival that it was acknowledged with."""
    kept = decoded.select("seq", "ingested_at")
    placed = stored_rows(decoded, account=account, zone=zone, ingested_at=EPOCH, import_id=None)
    return placed.with_columns(kept["seq"], kept["ingested_at"])


def _first_seq(rows: Sequence[InboxRow], segments: Sequence[Segment], undos: Sequence[Import]) -> int | None:
    candidates = (
        [r.seq for r in rows[:1]] + [s.first_seq for s in segments] + [i.undo_seq or 0 for i in undos]
    )
    return min(candidates, default=None)
