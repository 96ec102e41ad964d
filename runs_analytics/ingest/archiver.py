"""Moves applied inbox rows into the archive and frees the inbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from runs_analytics.control.accounts import list_accounts
from runs_analytics.control.inbox import InboxRow, pending, prune
from runs_analytics.control.segments import SegmentFile, all_segments
from runs_analytics.control.store import ControlStore
from runs_analytics.crash import crash_point, crash_soon
from runs_analytics.ingest.applier import INBOX_ROWS, OPERATOR, inbox_frame
from runs_analytics.warehouse.archive import Archive
from runs_analytics.warehouse.store import Warehouse


class Archiver:
    """Writes segments of what the warehouse holds for certain, then prunes; safe to repeat after a crash."""

    def __init__(self, control: ControlStore, warehouse: Warehouse, archive: Archive) -> None:
        self.control, self.warehouse, self.archive = control, warehouse, archive

    def step(self, now: datetime) -> int:
        """Archive the oldest stretch of inbox rows that is applied; how many runs that were.

        The warehouse is checkpointed first: what only its WAL held may be lost, and the inbox must still have it.
        """
        applied = self.warehouse.applied_seq
        with self.control.read() as connection:
            rows = [r for r in pending(connection, OPERATOR, 0, INBOX_ROWS) if r.seq <= applied]
            segments = all_segments(connection, OPERATOR, after_seq=rows[0].seq) if rows else ()
            zones = {a.id: a.zone for a in list_accounts(connection, OPERATOR)}
        if not rows:
            return 0
        # A segment that straddled an import's seq could not be replayed in order.
        barrier = min((s.first_seq for s in segments if s.first_seq > rows[0].seq), default=None)
        rows = [r for r in rows if barrier is None or r.seq < barrier]
        crash_soon("mid_checkpoint", 0.002)
        if not self.warehouse.checkpoint():
            return 0
        crash_point("after_checkpoint")
        files = self._write(rows, zones)
        crash_point("between_segment_and_prune")
        last = rows[-1].seq
        self.control.write(lambda connection: prune(connection, OPERATOR, last, files, now))
        crash_point("after_prune")
        return sum(r.runs for r in rows)

    def _write(self, rows: Sequence[InboxRow], zones: dict[str, str]) -> list[SegmentFile]:
        frame = inbox_frame(rows, zones)
        name = f"inbox-{rows[0].seq:012d}-{rows[-1].seq:012d}"
        files = []
        parts = frame.sort("account", "started_at").partition_by(
            "account", "day", as_dict=True, maintain_order=True
        )
        for number, ((account, day), part) in enumerate(parts.items()):
            segment = self.archive.write(f"{name}-{number:04d}", day, part)
            files.append(SegmentFile(str(account), segment.path, day, day, segment.rows, segment.sha256))
        return files
