"""File imports and the mappings saved for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import sqlalchemy as sa

from runs_analytics.control.audit import Action, record
from runs_analytics.control.guards import checked_text, require_operator
from runs_analytics.control.schema import import_mappings, imports
from runs_analytics.errors import Conflict, NotFound
from runs_analytics.roles import require
from runs_analytics.scope import Scope

ImportState = Literal["running", "done", "undone", "failed"]
MAX_FILE_NAME: Final = 255


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What became of a file's rows; accepted ones include those that replaced a running run."""

    read: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    replaced: int = 0


@dataclass(frozen=True, slots=True)
class Import:
    """One file brought in, or tried."""

    id: str
    account: str
    file_name: str
    file_sha256: str
    state: ImportState
    created_at: datetime
    finished_at: datetime | None
    counts: ImportCounts
    mapping: Mapping[str, Any]
    seq: int | None
    """Last seq of its segments; None when it added no run."""

    undo_seq: int | None
    rejects_path: str | None
    """The file that lists its rejected rows, when there are any."""


def start_import(
    connection: sa.Connection,
    scope: Scope,
    import_id: str,
    *,
    file_name: str,
    file_sha256: str,
    mapping: Mapping[str, Any],
    now: datetime,
) -> Import:
    """Note that a file is being imported, before anything of it is stored.

    Raises:
        BadRequest: when the file's name cannot be stored.
    """
    require(scope, "imports.manage")
    connection.execute(
        sa.insert(imports).values(
            id=import_id,
            account=scope.account,
            file_name=checked_text(file_name, "file_name", longest=MAX_FILE_NAME),
            file_sha256=file_sha256,
            state="running",
            created_at=now,
            mapping=dict(mapping),
            **_count_columns(ImportCounts()),
        )
    )
    shown = {"file_name": file_name.strip(), "file_sha256": file_sha256}
    record(connection, scope, action="import.start", subject=import_id, detail=shown, now=now)
    return get_import(connection, scope, import_id)


def finish_import(
    connection: sa.Connection,
    scope: Scope,
    import_id: str,
    *,
    counts: ImportCounts,
    seq: int | None,
    rejects_path: str | None,
    now: datetime,
) -> Import:
    """Note that a running import is stored, in the same job as its segments.

    Raises:
        NotFound: when the account has no such import.
        Conflict: when it is not running.
    """
    result = {"seq": seq, "rejects_path": rejects_path, "finished_at": now}
    done = _move_on(connection, scope, import_id, "running", "done", result | _count_columns(counts))
    _record_end(connection, scope, done, "import.finish", now)
    return done


def fail_import(
    connection: sa.Connection,
    scope: Scope,
    import_id: str,
    *,
    now: datetime,
    counts: ImportCounts | None = None,
    rejects_path: str | None = None,
) -> Import:
    """Note that a running import ended without storing anything.

    Raises:
        NotFound: when the account has no such import.
        Conflict: when it is not running.
    """
    result = {"rejects_path": rejects_path, "finished_at": now}
    columns = result | _count_columns(counts or ImportCounts())
    failed = _move_on(connection, scope, import_id, "running", "failed", columns)
    _record_end(connection, scope, failed, "import.fail", now)
    return failed


def undo_import(
    connection: sa.Connection, scope: Scope, import_id: str, undo_seq: int, *, now: datetime
) -> Import:
    """Note that everything a finished import stored is reversed at `undo_seq`.

    Raises:
        NotFound: when the account has no such import.
        Conflict: when it is not done, or undone already.
    """
    require(scope, "imports.manage")
    undone = _move_on(connection, scope, import_id, "done", "undone", {"undo_seq": undo_seq})
    shown = {"file_name": undone.file_name, "rows_accepted": undone.counts.accepted}
    record(connection, scope, action="import.undo", subject=import_id, detail=shown, now=now)
    return undone


def find_import(connection: sa.Connection, scope: Scope, file_sha256: str) -> Import | None:
    """The newest finished import of the same bytes into the scope's account, or None."""
    query = (
        sa.select(imports)
        .where(
            imports.c.account == scope.account,
            imports.c.file_sha256 == file_sha256,
            imports.c.state == "done",
        )
        .order_by(imports.c.created_at.desc(), imports.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _import(row)


def get_import(connection: sa.Connection, scope: Scope, import_id: str) -> Import:
    """One import of the scope's account.

    Raises:
        NotFound: when the account has no such import.
    """
    query = sa.select(imports).where(imports.c.account == scope.account, imports.c.id == import_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(
            f"Account {scope.account!r} has no import {import_id!r}. `imports list` shows them.",
            field="import",
            value=import_id,
        )
    return _import(row)


def list_imports(connection: sa.Connection, scope: Scope, *, limit: int = 100) -> tuple[Import, ...]:
    """The imports of the scope's account, newest first."""
    query = sa.select(imports).where(imports.c.account == scope.account)
    rows = connection.execute(query.order_by(imports.c.created_at.desc(), imports.c.id.desc()).limit(limit))
    return tuple(_import(row) for row in rows)


def imports_in_state(connection: sa.Connection, scope: Scope, state: ImportState) -> tuple[Import, ...]:
    """The imports of all accounts in one state, in order of creation.

    After a start, the `running` ones were cut off; the `undone` ones are to be left out of a rebuild.

    Raises:
        NotAllowed: when the scope is not an operator's.
    """
    require_operator(scope)
    query = sa.select(imports).where(imports.c.state == state)
    return tuple(
        _import(row) for row in connection.execute(query.order_by(imports.c.created_at, imports.c.id))
    )


def save_mapping(
    connection: sa.Connection, scope: Scope, name: str, mapping: Mapping[str, Any], *, now: datetime
) -> None:
    """Keep a mapping under a name, replacing any of that name.

    Raises:
        BadRequest: when the name is empty, too long or not printable.
    """
    require(scope, "imports.manage")
    name = checked_text(name, "name")
    is_it = (import_mappings.c.account == scope.account) & (import_mappings.c.name == name)
    connection.execute(sa.delete(import_mappings).where(is_it))
    connection.execute(
        sa.insert(import_mappings).values(account=scope.account, name=name, mapping=dict(mapping))
    )
    record(connection, scope, action="mapping.save", subject=name, detail={}, now=now)


def list_mappings(connection: sa.Connection, scope: Scope) -> dict[str, Mapping[str, Any]]:
    """The saved mappings of the scope's account by name, in order of name."""
    query = sa.select(import_mappings.c.name, import_mappings.c.mapping)
    rows = connection.execute(query.where(import_mappings.c.account == scope.account))
    return dict(sorted((name, mapping) for name, mapping in rows))


def delete_mapping(connection: sa.Connection, scope: Scope, name: str, *, now: datetime) -> None:
    """Forget a saved mapping.

    Raises:
        NotFound: when the account has none of that name.
    """
    require(scope, "imports.manage")
    deleted = connection.execute(
        sa.delete(import_mappings).where(
            import_mappings.c.account == scope.account, import_mappings.c.name == name
        )
    )
    if deleted.rowcount == 0:
        raise NotFound(f"Account {scope.account!r} has no mapping {name!r}.", field="name", value=name)
    record(connection, scope, action="mapping.delete", subject=name, detail={}, now=now)


def _record_end(
    connection: sa.Connection, scope: Scope, ended: Import, action: Action, now: datetime
) -> None:
    shown = {"file_name": ended.file_name, "file_sha256": ended.file_sha256}
    counts = _count_columns(ended.counts)
    record(connection, scope, action=action, subject=ended.id, detail=shown | counts, now=now)


def _move_on(
    connection: sa.Connection,
    scope: Scope,
    import_id: str,
    state: ImportState,
    new_state: ImportState,
    columns: Mapping[str, Any],
) -> Import:
    changed = connection.execute(
        sa.update(imports)
        .where(imports.c.account == scope.account, imports.c.id == import_id, imports.c.state == state)
        .values(state=new_state, **columns)
    )
    found = get_import(connection, scope, import_id)
    if changed.rowcount == 0:
        raise Conflict(
            f"Import {import_id!r} is {found.state}; only a {state} one can become {new_state}.",
            field="import",
            value=import_id,
        )
    return found


def _count_columns(counts: ImportCounts) -> dict[str, int]:
    return {
        "rows_read": counts.read,
        "rows_accepted": counts.accepted,
        "rows_duplicate": counts.duplicate,
        "rows_rejected": counts.rejected,
        "rows_replaced": counts.replaced,
    }


def _import(row: sa.Row[Any]) -> Import:
    return Import(
        id=row.id,
        account=row.account,
        file_name=row.file_name,
        file_sha256=row.file_sha256,
        state=row.state,
        created_at=row.created_at,
        finished_at=row.finished_at,
        counts=ImportCounts(
            row.rows_read, row.rows_accepted, row.rows_duplicate, row.rows_rejected, row.rows_replaced
        ),
        mapping=row.mapping,
        seq=row.seq,
        undo_seq=row.undo_seq,
        rejects_path=row.rejects_path,
    )
