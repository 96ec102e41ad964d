"""Checks the audit trail against itself and against the heads that were exported outside the database."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from runs_analytics.control.audit import GENESIS, entry_hash
from runs_analytics.control.guards import require_operator
from runs_analytics.control.meta import get_meta, set_meta
from runs_analytics.control.schema_audit import audit_entries
from runs_analytics.roles import require
from runs_analytics.scope import Scope

HEADS_FILE: Final = "audit_heads.jsonl"
HEADS_END: Final = "audit_heads_end"
"""Where the control store keeps how many lines the file had, and the SHA-256 of the last, when it was added to."""


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The newest entry of an account's chain at some moment."""

    account: str
    number: int
    hash: str
    exported_at: datetime | None = None
    """When it was written to the file of heads, if it was read from there."""


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """How far an account's chain verifies."""

    head: ChainHead
    """The newest entry up to which everything is right; number 0 when there is none."""

    broken_number: int | None = None
    """The first number that is not what was recorded."""

    problem: str = ""
    exported: ChainHead | None = None
    """The newest exported head that the chain agrees with."""


class AuditHeads:
    """The file of exported heads in a data folder: one line for each, added and never changed.

    Each line is signed with the server's pepper, so that who can write only the file cannot add a head, and
    names the hash of the line before it, so that none can be left out or moved.
    """

    def __init__(self, data_dir: Path, pepper: bytes) -> None:
        self._path = data_dir / HEADS_FILE
        self._pepper = pepper

    def read(self) -> tuple[tuple[ChainHead, ...], tuple[str, ...]]:
        """The heads, and what is wrong with lines of the file; a line that a crash cut off is left out."""
        heads, problems = [], []
        before: str | None = GENESIS
        for place, line in enumerate(self._lines(), start=1):
            try:
                found = json.loads(line)
                at, previous = found["at"], found["previous"]
                head = ChainHead(found["account"], found["number"], found["hash"], datetime.fromisoformat(at))
                is_signed = hmac.compare_digest(found["mac"], self._mac(head, at, previous))
            except (ValueError, KeyError, TypeError):
                is_signed = False
            if not is_signed:
                problems.append(f"{HEADS_FILE} line {place} is not a head that this server wrote.")
                before = None
                continue
            heads.append(head)
            if before not in (None, previous):
                problems.append(f"{HEADS_FILE} line {place} does not follow the line before it.")
            before = _sha256(line)
        return tuple(heads), tuple(problems)

    def missing(self, connection: sa.Connection) -> tuple[str, ...]:
        """What is wrong when the file is not the one, or a longer one, that the control store knows."""
        kept = get_meta(connection, HEADS_END)
        if kept is None:
            return ()
        count, digest = json.loads(kept)
        lines = self._lines()
        if len(lines) >= count and (count == 0 or _sha256(lines[count - 1]) == digest):
            return ()
        what = f"holds {len(lines):,}" if len(lines) < count else f"has another line {count:,}"
        return (
            f"{HEADS_FILE} {what}, but {count:,} heads had been exported: it was deleted, cut or replaced. "
            "Put a copy of it back.",
        )

    def note_end(self, connection: sa.Connection) -> None:
        """Keep in the control store where the file ends; call it only when nothing is missing."""
        set_meta(connection, HEADS_END, self._end())

    def has_moved(self, connection: sa.Connection) -> bool:
        """Whether the file ends elsewhere than the control store knows."""
        return get_meta(connection, HEADS_END) != self._end()

    def export(self, heads: Iterable[ChainHead], now: datetime) -> int:
        """Add the heads that are further than any written before, and sync; how many those were.

        A head that went back is not written: `verify` finds the older one missing.
        """
        known: dict[str, int] = {}
        for head in self.read()[0]:
            known[head.account] = max(head.number, known.get(head.account, 0))
        newer = [head for head in heads if head.number > known.get(head.account, 0)]
        if newer:
            lines = self._lines()
            previous = _sha256(lines[-1]) if lines else GENESIS
            added = b""
            for head in newer:
                line = self._line(head, now.isoformat(), previous)
                previous = _sha256(line)
                added += line + b"\n"
            self._append(added)
        return len(newer)

    def _lines(self) -> list[bytes]:
        """The whole lines of the file."""
        if not self._path.exists():
            return []
        return self._path.read_bytes().split(b"\n")[:-1]

    def _end(self) -> str:
        lines = self._lines()
        return json.dumps([len(lines), _sha256(lines[-1]) if lines else GENESIS])

    def _append(self, lines: bytes) -> None:
        is_new = not self._path.exists()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with os.fdopen(os.dup(descriptor), "rb") as file:
                whole = file.read().rfind(b"\n") + 1
            os.ftruncate(descriptor, whole)
            os.lseek(descriptor, whole, os.SEEK_SET)
            while lines:
                lines = lines[os.write(descriptor, lines) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _line(self, head: ChainHead, at: str, previous: str) -> bytes:
        body = {
            "account": head.account,
            "number": head.number,
            "hash": head.hash,
            "at": at,
            "previous": previous,
        }
        return json.dumps({**body, "mac": self._mac(head, at, previous)}).encode()

    def _mac(self, head: ChainHead, at: str, previous: str) -> str:
        text = json.dumps(["audit head", head.account, head.number, head.hash, at, previous])
        return hmac.new(self._pepper, text.encode(), "sha256").hexdigest()


def _sha256(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def chain_heads(connection: sa.Connection, scope: Scope) -> tuple[ChainHead, ...]:
    """The newest entry of every account.

    Raises:
        NotAllowed: when the scope is not an operator's.
    """
    require_operator(scope)
    columns = audit_entries.c
    newest = (
        sa.select(columns.account, sa.func.max(columns.number).label("number"))
        .group_by(columns.account)
        .subquery()
    )
    query = sa.select(columns.account, columns.number, columns.hash).join(
        newest, (newest.c.account == columns.account) & (newest.c.number == columns.number)
    )
    return tuple(ChainHead(*row) for row in connection.execute(query.order_by(columns.account)))


def head_number(connection: sa.Connection, scope: Scope) -> int:
    """The number of the newest entry of the scope's account; 0 when there is none."""
    columns = audit_entries.c
    query = sa.select(sa.func.max(columns.number)).where(columns.account == scope.account)
    return int(connection.execute(query).scalar() or 0)


def check_chain(connection: sa.Connection, scope: Scope, exported: Iterable[ChainHead]) -> ChainCheck:
    """Follow the chain of the scope's account from its first entry.

    Args:
        exported: heads read before the connection's moment, so that none of them is newer than the chain.

    Raises:
        NotAllowed: when the scope may not read the trail.
    """
    require(scope, "audit.read")
    heads = [head for head in exported if head.account == scope.account]
    by_number: dict[int, set[str]] = {}
    for head in heads:
        by_number.setdefault(head.number, set()).add(head.hash)
    good = ChainHead(scope.account, 0, GENESIS)
    # Moments are read as stored, because one that was tampered with may be none.
    columns = [sa.type_coerce(c, sa.BigInteger).label("at") if c.name == "at" else c for c in audit_entries.c]
    query = sa.select(*columns).where(audit_entries.c.account == scope.account)
    for row in connection.execute(query.order_by(audit_entries.c.number)).mappings():
        number = good.number + 1
        if row["number"] != number:
            return _broken(good, "is missing")
        if row["previous_hash"] != good.hash:
            return _broken(good, "does not follow the entry before it")
        if row["hash"] != entry_hash(dict(row)):
            return _broken(good, "is not what was recorded")
        if by_number.get(number, {row["hash"]}) != {row["hash"]}:
            return _broken(good, "is not the entry whose head was exported")
        good = ChainHead(scope.account, number, row["hash"])
    if max(by_number, default=0) > good.number:
        return _broken(good, f"is missing; a head of number {max(by_number)} was exported")
    return ChainCheck(good, exported=max(heads, key=lambda head: head.number, default=None))


def _broken(good: ChainHead, what: str) -> ChainCheck:
    number = good.number + 1
    return ChainCheck(good, number, f"Audit trail of account {good.account!r}: number {number} {what}.")
