"""Judges a batch of ids against everything stored, by the column; only what is unusual is looked at one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runs_analytics.control.claims import ClaimedRun, RunId, StoredRun, judge
from runs_analytics.ingest.stored_ids import IdTable

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class IdBatch:
    """The ids of a batch and what each run says, as columns of equal length."""

    high: Integers
    low: Integers
    content_hash: Integers
    is_final: Flags
    started_at_us: Integers

    def run(self, row: int) -> ClaimedRun:
        """One row as a claim."""
        return ClaimedRun(
            int(self.high[row]),
            int(self.low[row]),
            int(self.content_hash[row]),
            bool(self.is_final[row]),
            int(self.started_at_us[row]),
        )

    def table(self, kept: Flags) -> IdTable:
        """The kept rows as a table; of an id that was kept twice, only the last."""
        rows = np.flatnonzero(kept)
        last = {(int(self.high[r]), int(self.low[r])): r for r in rows} if self.has_repeats(rows) else None
        if last is not None:
            rows = np.array(sorted(last.values()), np.int64)
        return IdTable.of(
            self.high[rows],
            self.low[rows],
            self.content_hash[rows],
            self.started_at_us[rows],
            self.is_final[rows],
        )

    def has_repeats(self, rows: Integers) -> bool:
        """Whether two of those rows carry the same id."""
        return bool(len(repeated(self.high[rows], self.low[rows])))


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of each row."""

    kept: Flags
    duplicate: Flags
    conflict: Flags
    replaces_started_at_us: Integers
    """Start of the running run that the row replaces, or -1."""


def judge_batch(batch: IdBatch, tables: Sequence[IdTable]) -> Judged:
    """Judge every row in order, each also against those before it in the batch.

    Args:
        batch: the ids.
        tables: what is stored, oldest first; a later table is the newer word on an id.
    """
    rows = len(batch.high)
    judged = Judged(
        np.ones(rows, bool), np.zeros(rows, bool), np.zeros(rows, bool), np.full(rows, -1, np.int64)
    )
    is_stored = np.zeros(rows, bool)
    stored = np.zeros(rows, [("content_hash", "<i8"), ("started_at_us", "<i8"), ("is_final", "?")])
    for table in tables:
        at = table.find(batch.high, batch.low)
        known = np.flatnonzero(at >= 0)
        if not len(known):
            continue
        is_stored[known] = True
        for name in ("content_hash", "started_at_us", "is_final"):
            stored[name][known] = table.rest[name][at[known]]
    unusual = np.zeros(rows, bool)
    unusual[repeated(batch.high, batch.low)] = True
    same = is_stored & (stored["content_hash"] == batch.content_hash) & (stored["is_final"] == batch.is_final)
    plain_duplicate = same & ~unusual
    judged.kept[plain_duplicate] = False
    judged.duplicate[plain_duplicate] = True
    state: dict[RunId, StoredRun] = {}
    for row in np.flatnonzero(unusual | (is_stored & ~same)).tolist():
        run = batch.run(row)
        if run.id not in state and is_stored[row]:
            before = stored[row]
            state[run.id] = StoredRun(
                int(before["content_hash"]), bool(before["is_final"]), int(before["started_at_us"])
            )
        _judge_one(run, row, state, judged)
    return judged


def repeated(high: Integers, low: Integers) -> Integers:
    """The rows whose id occurs more than once, ascending."""
    order = np.argsort(high)
    if not (np.diff(high[order]) == 0).any():  # nearly always: two ids rarely share half of their hash
        return np.zeros(0, np.int64)
    order = np.lexsort((low, high))
    equal = (np.diff(high[order]) == 0) & (np.diff(low[order]) == 0)
    same = np.zeros(len(high), bool)
    same[order[1:]] |= equal
    same[order[:-1]] |= equal
    return np.flatnonzero(same)


def _judge_one(run: ClaimedRun, row: int, state: dict[RunId, StoredRun], judged: Judged) -> None:
    verdict = judge([run], state)[0]
    judged.kept[row] = verdict.is_stored
    judged.duplicate[row] = verdict.outcome == "duplicate"
    judged.conflict[row] = verdict.outcome == "conflict"
    if verdict.replaced_started_at_us is not None:
        judged.replaces_started_at_us[row] = verdict.replaced_started_at_us
    if verdict.is_stored:
        state[run.id] = StoredRun(run.content_hash, run.is_final, run.started_at_us)
