"""What this machine can do at best, and what the plain way of doing it reaches."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Final

import duckdb
import pyarrow.parquet as pq

SECONDS: Final = 2.0
"""How long each endless loop is watched."""

PAGE: Final = b"\0" * 4096


def fsyncs_per_second(folder: Path) -> float:
    """How often a page can be appended to a file and synced, one after the other."""
    path = folder / "fsync.bin"
    count, started = 0, time.perf_counter()
    with path.open("wb", buffering=0) as file:
        while (elapsed := time.perf_counter() - started) < SECONDS:
            file.write(PAGE)
            os.fsync(file.fileno())
            count += 1
    path.unlink()
    return count / elapsed


def single_commits_per_second(folder: Path, body: bytes) -> float:
    """How many rows SQLite stores when each has a synced commit of its own: the plain way to lose nothing."""
    path = folder / "naive.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE runs (id TEXT PRIMARY KEY, body BLOB)")
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < SECONDS:
        connection.execute("INSERT INTO runs VALUES (?, ?)", (f"run-{count}", body))
        count += 1
    connection.close()
    for file in folder.glob("naive.sqlite*"):
        file.unlink()
    return count / elapsed


def copy_seconds(source: Path, folder: Path) -> float:
    """How long DuckDB takes to copy a Parquet file into a table and close it, without checking anything."""
    path = folder / "copy.duckdb"
    started = time.perf_counter()
    with duckdb.connect(str(path), config={"memory_limit": "2GB"}) as connection:
        connection.execute(
            "CREATE TABLE runs AS SELECT * FROM read_parquet($source)", {"source": str(source)}
        )
    seconds = time.perf_counter() - started
    path.unlink()
    return seconds


def scan_seconds(source: Path) -> float:
    """How long it takes to decode every column of a Parquet file and drop it."""
    started = time.perf_counter()
    for batch in pq.ParquetFile(source).iter_batches(batch_size=100_000):
        del batch
    return time.perf_counter() - started


def csv_seconds(source: Path, folder: Path, rows: int) -> float:
    """How long DuckDB takes to write the first rows of a Parquet file as CSV."""
    path = folder / "copy.csv"
    started = time.perf_counter()
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT * FROM read_parquet($source) LIMIT {rows:d}) TO '{path}' (HEADER)",
            {"source": str(source)},
        )
    seconds = time.perf_counter() - started
    path.unlink()
    return seconds
