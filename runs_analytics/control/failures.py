"""Tells a failing store from a failing job, and words it for whoever must act."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from runs_analytics.errors import Damaged, RunsError, StorageFull, Unavailable

if TYPE_CHECKING:
    import psycopg

_ROOM_BYTES: Final = 1_048_576
"""With less free space than this, SQLite's unspecific I/O errors mean a full disk."""

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_UNSPECIFIC: Final = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
_BUSY: Final = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_READONLY,
}
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_POSTGRES_FULL: Final = "53100"
_POSTGRES_DAMAGED: Final = {"XX001", "XX002"}
_POSTGRES_UNREACHABLE: Final = ("08", "25", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE that say something about the server or the transaction, not about the statement."""


def store_failure(problem: BaseException, data_dir: Path) -> RunsError | None:
    """What a problem says about the store: StorageFull, Unavailable or Damaged; None: nothing."""
    if isinstance(problem, sa.exc.TimeoutError):
        return Unavailable("Every connection to the control store is in use; try again in a moment.")
    is_lost = isinstance(problem, sa.exc.DBAPIError) and problem.connection_invalidated
    cause = problem.orig if isinstance(problem, sa.exc.DBAPIError) else problem
    if isinstance(cause, sqlite3.Error):
        return _sqlite_failure(cause, data_dir)
    import psycopg  # here, because a start with SQLite need not wait for it

    if isinstance(cause, psycopg.Error):
        return _postgres_failure(cause, is_lost)
    if isinstance(cause, OSError) and cause.errno in _FULL:
        return _storage_full(cause)
    return None


def _sqlite_failure(problem: sqlite3.Error, data_dir: Path) -> RunsError | None:
    code = getattr(problem, "sqlite_errorcode", None)
    if code is None:
        return None
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_FULL or (primary in _UNSPECIFIC and _free_bytes(data_dir) < _ROOM_BYTES):
        return _storage_full(problem)
    if primary in _DAMAGED:
        return Damaged(f"The control store in {data_dir} is damaged ({problem}). Restore it from a backup.")
    if primary in _UNSPECIFIC or primary in _BUSY:
        return Unavailable(f"The control store in {data_dir} cannot be used: {problem}. Try again soon.")
    return None


def _postgres_failure(problem: psycopg.Error, is_lost: bool) -> RunsError | None:
    import psycopg

    state = problem.sqlstate
    if state == _POSTGRES_FULL:
        return _storage_full(problem)
    if state in _POSTGRES_DAMAGED:
        return Damaged(f"PostgreSQL reports damage in the control store: {problem}. Restore a backup.")
    is_unreachable = state.startswith(_POSTGRES_UNREACHABLE) if state else True
    if is_lost or (is_unreachable and isinstance(problem, psycopg.OperationalError)):
        return Unavailable(f"PostgreSQL cannot serve the control store: {problem}. Try again in a moment.")
    return None


def _storage_full(problem: BaseException) -> StorageFull:
    return StorageFull(
        f"The control store has no room left ({problem}): nothing of this request was acknowledged. "
        "Free some space and send it again."
    )


def _free_bytes(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize
