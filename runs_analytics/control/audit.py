"""The audit trail: who did what to what, one entry for each administrative or money act.

Each account has a chain of its own, so that its owner can check an export without lines of other accounts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

import sqlalchemy as sa

from runs_analytics.control.schema import microseconds
from runs_analytics.control.schema_audit import audit_entries
from runs_analytics.roles import require
from runs_analytics.scope import Scope

Action = Literal[
    "account.create",
    "key.create",
    "key.revoke",
    "import.start",
    "import.finish",
    "import.fail",
    "import.undo",
    "mapping.save",
    "mapping.delete",
    "price.add",
    "price.rerate",
    "grant.add",
    "grant.void",
    "entry.refund",
    "plan.write",
    "plan.assign",
    "limit.set",
    "limit.remove",
    "anomaly.judge",
    "scenario.save",
    "scenario.delete",
    "person.add",
    "person.role",
    "person.remove",
    "person.reset",
    "person.password",
    "invitation.add",
    "invitation.revoke",
    "session.start",
    "session.end",
]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
"""Every act there is, as `kind of subject.verb`."""

GENESIS: Final = "0" * 64
"""The previous hash of an account's first entry."""

_KEY: Final = re.compile(r"(runs_[a-z0-9]{8}_)[0-9a-fA-F]+", re.ASCII)

_LAST: Final = (
    sa.select(audit_entries.c.number, audit_entries.c.hash)
    .where(audit_entries.c.account == sa.bindparam("account"))
    .order_by(audit_entries.c.number.desc())
    .limit(1)
)
_ADD: Final = sa.insert(audit_entries)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act as it was recorded."""

    number: int
    """From 1, without gaps, for each account."""

    at: datetime
    actor: str
    role: str
    action: str
    subject_kind: str
    subject_id: str
    detail: str
    """Canonical JSON."""

    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted; what is None or empty filters nothing."""

    since: datetime | None = None
    until: datetime | None = None
    """Not counted itself."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    """Part of the subject's id or kind, in any case."""


def record(
    connection: sa.Connection,
    scope: Scope,
    *,
    action: Action,
    subject: str,
    detail: Mapping[str, Any],
    now: datetime,
) -> AuditEntry:
    """Add an act to the chain of the scope's account, in the transaction that does it.

    API keys within texts are cut to their prefix, as they may have been typed into a note.

    Args:
        subject: id of what was acted on; its kind is the first part of the action.
        detail: JSON without floats, whose text is not the same everywhere.

    Raises:
        ValueError: when the action is not in the vocabulary.
    """
    if action not in ACTIONS:
        raise ValueError(f"Action {action!r} is unknown; use one of: {', '.join(ACTIONS)}.")
    last = connection.execute(_LAST, {"account": scope.account}).one_or_none()
    row: dict[str, Any] = {
        "account": scope.account,
        "number": 1 if last is None else last.number + 1,
        "at": now,
        "actor": scope.actor,
        "role": scope.role,
        "action": action,
        "subject_kind": action.partition(".")[0],
        "subject_id": _without_keys(subject),
        "detail": _without_keys(
            json.dumps(detail, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_text)
        ),
        "previous_hash": GENESIS if last is None else last.hash,
    }
    row["hash"] = entry_hash({**row, "at": microseconds(now)})
    connection.execute(_ADD, row)
    del row["account"]
    return AuditEntry(**row)


def entry_hash(row: Mapping[str, Any]) -> str:
    """SHA-256 of a JSON list of all columns but the hash, `at` in microseconds."""
    columns = [row[column.name] for column in audit_entries.c if column.name != "hash"]
    return hashlib.sha256(json.dumps(columns, separators=(",", ":"), default=repr).encode()).hexdigest()


def list_entries(
    connection: sa.Connection,
    scope: Scope,
    wanted: AuditFilter | None = None,
    *,
    before: int | None = None,
    limit: int | None = 100,
) -> tuple[AuditEntry, ...]:
    """Entries of the scope's account, newest first.

    Args:
        before: only entries below this number, such as the last of the page before; new ones do not shift pages.
        limit: at most so many; None for all.

    Raises:
        NotAllowed: when the scope may not read the trail.
    """
    columns = audit_entries.c
    query = sa.select(*(columns[name] for name in AuditEntry.__slots__)).where(*_that(scope, wanted))
    if before is not None:
        query = query.where(columns.number < before)
    rows = connection.execute(query.order_by(columns.number.desc()).limit(limit))
    return tuple(AuditEntry(**row._asdict()) for row in rows)


def count_entries(connection: sa.Connection, scope: Scope, wanted: AuditFilter | None = None) -> int:
    """How many entries the filter leaves.

    Raises:
        NotAllowed: when the scope may not read the trail.
    """
    query = sa.select(sa.func.count()).select_from(audit_entries).where(*_that(scope, wanted))
    return int(connection.execute(query).scalar_one())


def list_actors(connection: sa.Connection, scope: Scope) -> tuple[str, ...]:
    """Who ever acted on the scope's account, by name.

    Raises:
        NotAllowed: when the scope may not read the trail.
    """
    query = sa.select(audit_entries.c.actor).distinct().where(*_that(scope, None))
    return tuple(sorted(connection.execute(query).scalars()))


def _that(scope: Scope, wanted: AuditFilter | None) -> list[sa.ColumnElement[bool]]:
    """The conditions of a filter within the scope's account."""
    require(scope, "audit.read")
    columns = audit_entries.c
    wanted = wanted or AuditFilter()
    found: list[sa.ColumnElement[bool]] = [columns.account == scope.account]
    if wanted.since is not None:
        found.append(columns.at >= wanted.since)
    if wanted.until is not None:
        found.append(columns.at < wanted.until)
    if wanted.actor:
        found.append(columns.actor == wanted.actor)
    if wanted.action:
        found.append(columns.action == wanted.action)
    if wanted.subject:
        named = columns.subject_kind + sa.literal(" ") + columns.subject_id
        found.append(named.icontains(wanted.subject, autoescape=True))
    return found


def _without_keys(text: str) -> str:
    return _KEY.sub(r"\1…", text)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
