"""A file that the browser sent: on disk only while it is read, and what a preview needs to know of it."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

import polars as pl

from runs_analytics.errors import StorageFull
from runs_analytics.ingest.files import ColumnInfo, columns, read_batches
from runs_analytics.ingest.files.rowhash import as_text

PREVIEW_ROWS: Final = 8
VALUE_ROWS: Final = 50_000
"""Rows that are searched for the words of a column."""

MOST_VALUES: Final = 30
LEFT_OVER: Final = timedelta(days=1)
"""After this time an upload belongs to nobody: its process ended while it was read."""

_SUFFIXES: Final = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet", ".xlsx", ".log", ".gz")


class Upload(Protocol):
    """What `st.file_uploader` hands over."""

    name: str
    file_id: str

    def getbuffer(self) -> memoryview:
        """Its bytes."""


@dataclass(frozen=True)
class Preview:
    """What a person sees of a file before it is imported."""

    columns: tuple[ColumnInfo, ...]
    rows: pl.DataFrame
    """The first rows as text."""


@contextmanager
def on_disk(upload: Upload, folder: Path) -> Iterator[Path]:
    """The upload as a file, removed afterwards.

    Raises:
        StorageFull: when there is no room for it.
    """
    own = folder / secrets.token_hex(8)
    own.mkdir(parents=True, mode=0o700)
    try:
        path = own / safe_name(upload.name)
        try:
            path.write_bytes(upload.getbuffer())
        except OSError as problem:
            raise StorageFull(
                f"The upload of {upload.name} could not be stored: {problem.strerror}. Make room in the data "
                "folder and try again."
            ) from problem
        yield path
    finally:
        shutil.rmtree(own, ignore_errors=True)


def remove_left_over(folder: Path, now: datetime) -> int:
    """Remove what processes that ended left behind; how many uploads that were."""
    if not folder.is_dir():
        return 0
    oldest = (now - LEFT_OVER).timestamp()
    left = [own for own in folder.iterdir() if own.stat().st_mtime < oldest]
    for own in left:
        shutil.rmtree(own, ignore_errors=True)
    return len(left)


def safe_name(name: str) -> str:
    """The last part of a name from outside, in characters that mean nothing to a file system."""
    last = re.sub(r"[^\w.-]", "_", name.replace("\\", "/").rpartition("/")[2]).lstrip(".")
    stem, ending = last[:-16], last[-16:]
    return (stem[:80] + ending) or "upload"


def preview_of(path: Path) -> Preview:
    """Columns and first rows of a file.

    Raises:
        BadRequest: when it cannot be read at all.
    """
    first = next(read_batches(path, rows=PREVIEW_ROWS)).frame.head(PREVIEW_ROWS)
    return Preview(columns(path), pl.DataFrame([as_text(first[name]).alias(name) for name in first.columns]))


def values_of(path: Path, column: str) -> tuple[tuple[str, ...], bool]:
    """The different texts of a column, most frequent first, and whether the whole file was looked at."""
    batch = next(read_batches(path, rows=VALUE_ROWS))
    if column not in batch.frame.columns:
        return (), False
    texts = as_text(batch.frame[column]).str.strip_chars().drop_nulls()
    counts = texts.filter(texts != "").value_counts(sort=True)
    return tuple(counts[texts.name].head(MOST_VALUES)), batch.read_fraction >= 1 and len(
        counts
    ) <= MOST_VALUES


def suffixes() -> tuple[str, ...]:
    """The endings of files that can be read."""
    return _SUFFIXES
