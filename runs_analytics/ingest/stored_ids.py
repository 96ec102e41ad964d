"""The ids that files brought in: a sorted array per import, looked up by binary search.

Ids that come over HTTP are claimed in the control store; ten million of an import would take it minutes. The arrays
are derived from the archive segments and can be made anew from them.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runs_analytics.control.claims import RunId, StoredRun
from runs_analytics.warehouse.archive import sync_file, sync_folder

ROW: Final = np.dtype([("low", "<i8"), ("content_hash", "<i8"), ("started_at_us", "<i8"), ("is_final", "?")])
_SEALED_ROWS: Final = 2_000_000


class IdTable:
    """Ids sorted by their high half, with what each was used for; 33 bytes each, or none when mapped from disk."""

    def __init__(self, high: NDArray[np.int64], rest: NDArray[np.void]) -> None:
        self.high = high
        self.rest = rest

    @classmethod
    def of(
        cls,
        high: NDArray[np.int64],
        low: NDArray[np.int64],
        content_hash: NDArray[np.int64],
        started_at_us: NDArray[np.int64],
        is_final: NDArray[np.bool_],
    ) -> IdTable:
        """From columns in any order."""
        order = np.argsort(high, kind="stable")
        rest = np.empty(len(high), ROW)
        rest["low"], rest["content_hash"] = low[order], content_hash[order]
        rest["started_at_us"], rest["is_final"] = started_at_us[order], is_final[order]
        return cls(np.ascontiguousarray(high[order]), rest)

    @classmethod
    def merged(cls, tables: list[IdTable]) -> IdTable:
        """Several tables as one; the list is emptied on the way, so that little is held twice."""
        high = np.concatenate([t.high for t in tables]) if tables else np.empty(0, np.int64)
        order = np.argsort(high, kind="stable")
        place = np.empty(len(high), np.int64)
        place[order] = np.arange(len(high))
        rest = np.empty(len(high), ROW)
        first = 0
        while tables:
            part = tables.pop(0).rest
            rest[place[first : first + len(part)]] = part
            first += len(part)
        return cls(high[order], rest)

    def find(self, high: NDArray[np.int64], low: NDArray[np.int64]) -> NDArray[np.int64]:
        """The position of each id, or -1; all 128 bits are compared."""
        if not len(self.high):
            return np.full(len(high), -1, np.int64)
        last = len(self.high) - 1
        order = np.argsort(high)  # a search in order visits the table's memory in order
        at = np.empty(len(high), np.int64)
        at[order] = np.searchsorted(self.high, high[order])
        found = np.full(len(high), -1, np.int64)
        open_rows = np.flatnonzero(self.high[np.minimum(at, last)] == high)
        while len(open_rows):
            inside = np.minimum(at[open_rows], last)
            same_high = (at[open_rows] <= last) & (self.high[inside] == high[open_rows])
            is_it = same_high & (self.rest["low"][inside] == low[open_rows])
            found[open_rows[is_it]] = inside[is_it]
            open_rows = open_rows[same_high & ~is_it]
            at[open_rows] += 1
        return found

    def save(self, folder: Path, name: str) -> None:
        """Write and sync both arrays."""
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, array in (("high", self.high), ("rest", self.rest)):
            part = folder / f"{name}.{suffix}.part"
            with part.open("wb") as opened:
                np.save(opened, array)
            sync_file(part)
            part.rename(folder / f"{name}.{suffix}.npy")
        sync_folder(folder)

    @classmethod
    def load(cls, folder: Path, name: str) -> IdTable:
        """Map a saved table; only the pages that a search touches are read."""
        return cls(*(np.load(folder / f"{name}.{s}.npy", mmap_mode="r") for s in ("high", "rest")))


class GrowingIds:
    """Ids seen so far in one import; small tables are merged so that a lookup visits few."""

    def __init__(self) -> None:
        self.tables: list[IdTable] = []

    def add(self, table: IdTable) -> None:
        """Remember a batch's ids."""
        while self.tables and len(self.tables[-1].high) <= min(2 * len(table.high), _SEALED_ROWS):
            table = IdTable.merged([self.tables.pop(), table])
        self.tables.append(table)


class ImportedIds:
    """The ids of every finished import, by account."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._by_account: dict[str, dict[str, IdTable]] = {}
        self._lock = threading.Lock()

    def register(self, account: str, import_id: str) -> None:
        """Take a saved table into account from now on."""
        table = IdTable.load(self.folder, import_id)
        with self._lock:
            self._by_account[account] = {**self._by_account.get(account, {}), import_id: table}

    def forget(self, account: str, import_id: str) -> None:
        """Free the ids of an import that was undone."""
        with self._lock:
            kept = self._by_account.get(account, {})
            self._by_account[account] = {k: t for k, t in kept.items() if k != import_id}
        for suffix in ("high", "rest"):
            (self.folder / f"{import_id}.{suffix}.npy").unlink(missing_ok=True)

    def is_saved(self, import_id: str) -> bool:
        """Whether the table of an import is on the disk."""
        return all((self.folder / f"{import_id}.{s}.npy").exists() for s in ("high", "rest"))

    def tables(self, account: str) -> list[IdTable]:
        """The tables of an account."""
        return list(self._by_account.get(account, {}).values())

    def lookup(self, account: str, ids: Collection[RunId]) -> Mapping[RunId, StoredRun]:
        """What is stored of those ids that an import of the account brought in."""
        tables = self.tables(account)
        if not tables or not ids:
            return {}
        wanted = list(ids)
        high = np.fromiter((i[0] for i in wanted), np.int64, len(wanted))
        low = np.fromiter((i[1] for i in wanted), np.int64, len(wanted))
        found: dict[RunId, StoredRun] = {}
        for table in tables:
            at = table.find(high, low)
            for index in np.flatnonzero(at >= 0):
                row = table.rest[at[index]]
                found[wanted[index]] = StoredRun(
                    int(row["content_hash"]), bool(row["is_final"]), int(row["started_at_us"])
                )
        return found
