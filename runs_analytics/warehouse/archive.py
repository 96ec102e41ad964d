"""Archive segments: the durable Parquet form of runs, by UTC day."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from runs_analytics.errors import Damaged, StorageFull
from runs_analytics.vocabulary import DIMENSIONS
from runs_analytics.warehouse.stored import SEGMENT_SCHEMA

_REPEATED: Final = [
    "account",
    "import_id",
    *DIMENSIONS,
    "credits_price",
    "cost_source",
    "cost_price",
    "tags.list.element",
]
"""Columns whose values repeat, so that Parquet keeps each once; trying it on the others costs time."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One Parquet file of the archive, all of one UTC day."""

    path: str
    """Relative to the archive folder."""

    day: date
    rows: int
    sha256: str


class Archive:
    """A folder of segments; a file counts only once the control store's manifest names it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def file(self, path: str) -> Path:
        """The file of a manifest row."""
        return self.folder / path

    def write(self, name: str, day: date, rows: pl.DataFrame) -> Segment:
        """Write rows of one UTC day and sync them; `name` makes the file unique within the day.

        Raises:
            StorageFull: when the disk is full; nothing is left behind.
        """
        with SegmentWriter(self, name, day) as writer:
            writer.add(rows)
            return writer.finish()

    def verify(self, path: str, sha256: str) -> None:
        """Raise `Damaged` unless the file is there and has that hash."""
        file = self.file(path)
        if not file.exists():
            raise Damaged(f"Archive segment {path} is missing.")
        found = file_sha256(file)
        if found != sha256:
            raise Damaged(
                f"Archive segment {path} has SHA-256 {found[:12]}…, the manifest says {sha256[:12]}…."
            )

    def read(self, path: str) -> pl.DataFrame:
        """The rows of one segment."""
        return pl.read_parquet(self.file(path))

    def net_runs(self, path: str) -> Counter[tuple[str, str]]:
        """As `net_runs_of`, of one segment."""
        return net_runs_of(
            pl.read_parquet(self.file(path), columns=["account", "day", "replaces_started_at"])
        )


class SegmentWriter:
    """Writes one segment bit by bit; the file appears under its name only when finished and synced."""

    def __init__(self, archive: Archive, name: str, day: date) -> None:
        self.archive, self.day = archive, day
        folder = archive.folder / f"day={day.isoformat()}"
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{name}.parquet"
        self._part = folder / f".{name}.part"
        self._writer: pq.ParquetWriter | None = None
        self.rows = 0

    def __enter__(self) -> SegmentWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close; what is not finished is removed."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._part.unlink(missing_ok=True)

    def add(self, rows: pl.DataFrame) -> None:
        """Append rows of `SEGMENT_SCHEMA`."""
        table = rows.select(SEGMENT_SCHEMA.keys()).to_arrow(compat_level=pl.CompatLevel.oldest())
        try:
            if self._writer is None:
                self._writer = pq.ParquetWriter(
                    self._part,
                    table.schema,
                    compression="zstd",
                    compression_level=1,
                    use_dictionary=_REPEATED,
                    write_statistics=["started_at"],
                )
            self._writer.write_table(table)
        except OSError as problem:
            raise _storage_problem(problem) from problem
        self.rows += rows.height

    def finish(self) -> Segment:
        """Close, sync, rename, sync the folder."""
        try:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            sync_file(self._part)
            sha256 = file_sha256(self._part)
            self._part.rename(self.path)
            sync_folder(self.path.parent)
        except (OSError, pa.ArrowException) as problem:
            raise _storage_problem(problem) from problem
        return Segment(self.path.relative_to(self.archive.folder).as_posix(), self.day, self.rows, sha256)


def net_runs_of(rows: pl.DataFrame) -> Counter[tuple[str, str]]:
    """How many runs the rows add to each account and UTC day; a replaced running run is taken off its own day."""
    found: Counter[tuple[str, str]] = Counter()
    for account, day, runs in rows.group_by("account", "day").len().iter_rows():
        found[account, day.isoformat()] += runs
    replaced = rows.filter(pl.col("replaces_started_at").is_not_null())
    taken = replaced.group_by("account", pl.col("replaces_started_at").dt.date().alias("day")).len()
    for account, day, runs in taken.iter_rows():
        found[account, day.isoformat()] -= runs
    return found


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def sync_file(path: Path) -> None:
    """Force a file's bytes to the disk."""
    with path.open("rb+") as opened:
        os.fsync(opened.fileno())


def sync_folder(folder: Path) -> None:
    """Force a folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _storage_problem(problem: BaseException) -> Exception:
    if "No space left" in str(problem) or getattr(problem, "errno", None) == 28:
        return StorageFull("The disk is full; no segment was written.")
    return problem if isinstance(problem, Exception) else Damaged(str(problem))
