"""The two engines of a control store: one that writes over one connection, one that only reads.

Beginning a transaction on the writing engine takes the store's one write lock, so that a job may look
first and write after, also when several replicas share a PostgreSQL.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine, make_url

from runs_analytics.errors import BadRequest

_WRITE_LOCK: Final = 0x52756E73
"""Key of PostgreSQL's advisory lock: "Runs" in ASCII."""

_READERS: Final = 8
_MORE_READERS: Final = 24
_POOL_TIMEOUT_S: Final = 10

_SQLITE_COMMON: Final = ("PRAGMA mmap_size=0", "PRAGMA wal_autocheckpoint=0", "PRAGMA foreign_keys=ON")
_SQLITE_WRITER: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    # Claims arrive in random order: 64 MiB keep more of their tree's pages at hand.
    "PRAGMA cache_size=-65536",
    # The log is cut to this when it starts over, so its size tells how much is not yet checkpointed.
    "PRAGMA journal_size_limit=1048576",
    # Without it INSERT OR REPLACE would delete rows past the append-only triggers.
    "PRAGMA recursive_triggers=ON",
    *_SQLITE_COMMON,
)
_SQLITE_READER: Final = ("PRAGMA query_only=ON", *_SQLITE_COMMON)

_POSTGRES_COMMON: Final = "-c timezone=UTC -c lock_timeout=15s -c idle_in_transaction_session_timeout=60s"
_POSTGRES_WRITER: Final = f"{_POSTGRES_COMMON} -c synchronous_commit=on"
_POSTGRES_READER: Final = (
    f"{_POSTGRES_COMMON} -c default_transaction_read_only=on"
    " -c default_transaction_isolation=repeatable\\ read"
)


def control_url(data_dir: Path, given: str) -> URL:
    """The address of the control store: the given one, or `control.db` of the data folder.

    Raises:
        BadRequest: when the address is not PostgreSQL; it is never shown, as it may hold a password.
    """
    if not given:
        return URL.create("sqlite", database=str(data_dir / "control.db"))
    try:
        url = make_url(given)
    except sa.exc.ArgumentError:
        url = URL.create("unreadable")
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise BadRequest(
            "RUNS_CONTROL_URL must be postgresql://user:password@host/database, or empty for SQLite.",
            field="RUNS_CONTROL_URL",
        )
    return url.set(drivername="postgresql+psycopg")


def writing_engine(url: URL) -> Engine:
    """An engine with exactly one connection, whose transactions begin with the write lock."""
    if url.get_backend_name() == "sqlite":
        _create_private(Path(str(url.database)))
        engine = sa.create_engine(
            url,
            poolclass=sa.QueuePool,
            pool_size=1,
            max_overflow=0,
            hide_parameters=True,
            connect_args={"isolation_level": None},
        )
        _on_connect(engine, _SQLITE_WRITER)
        _on_begin(engine, "BEGIN IMMEDIATE")
        return engine
    engine = sa.create_engine(
        url,
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        connect_args={"options": _POSTGRES_WRITER},
    )
    _on_begin(engine, f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")
    return engine


def reading_engine(url: URL) -> Engine:
    """An engine whose transactions see one moment of the store and cannot change it."""
    options: dict[str, Any] = {
        "hide_parameters": True,
        "pool_size": _READERS,
        "max_overflow": _MORE_READERS,
        "pool_timeout": _POOL_TIMEOUT_S,
    }
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(
            url,
            poolclass=sa.QueuePool,
            connect_args={"isolation_level": None, "check_same_thread": False},
            **options,
        )
        _on_connect(engine, _SQLITE_READER)
        _on_begin(engine, "BEGIN")
        return engine
    return sa.create_engine(url, pool_pre_ping=True, connect_args={"options": _POSTGRES_READER}, **options)


def _create_private(path: Path) -> None:
    # SQLite gives its log the permissions of the database file.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _on_connect(engine: Engine, statements: tuple[str, ...]) -> None:
    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        for statement in statements:
            connection.execute(statement)


def _on_begin(engine: Engine, statement: str) -> None:
    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(statement)
