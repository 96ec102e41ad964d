"""Checks the audit trail against itself and against the heads that were exported outside the database."""

from __future__ import annotations

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
from runs_analytics.control.meta import get_meta
from runs_analytics.control.schema_audit import audit_entries
from runs_analytics.roles import require
from runs_analytics.scope import Scope

HEADS_FILE: Final = "audit_heads.jsonl"
HEADS_LINES: Final = "audit_heads_lines"
"""Where the control store keeps how many lines it has seen in the file."""


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The newest entry of an account's chain at some moment."""

    account: str
    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """How far an account's chain verifies."""

    head: ChainHead
    """The newest entry up to which everything is right; number 0 when there is none."""

    broken_number: int | None = None
    """The first number that is not what was recorded."""

    problem: str = ""


class AuditHeads:
    """The file of exported heads in a data folder: one line for each, added and never changed.

    Each line is signed with the server's pepper, so that who can write only the file cannot add a head.
    """

    def __init__(self, data_dir: Path, pepper: bytes) -> None:
        self._path = data_dir / HEADS_FILE
        self._pepper = pepper

    def read(self) -> tuple[tuple[ChainHead, ...], tuple[str, ...]]:
        """The heads, and what is wrong with lines that are none; a line that a crash cut off is left out."""
        if not self._path.exists():
            return (), ()
        heads, problems = [], []
        whole, _, _ = self._path.read_bytes().rpartition(b"\n")
        for place, line in enumerate(whole.split(b"\n") if whole else (), start=1):
            try:
                found = json.loads(line)
                head = ChainHead(found["account"], found["number"], found["hash"])
                is_signed = hmac.compare_digest(found["mac"], self._mac(head, found["at"]))
            except (ValueError, KeyError, TypeError):
                is_signed = False
            if is_signed:
                heads.append(head)
            else:
                problems.append(f"{HEADS_FILE} line {place} is not a head that this server wrote.")
        return tuple(heads), tuple(problems)

    def missing(self, connection: sa.Connection) -> tuple[str, ...]:
        """What is wrong when the file holds fewer lines than the control store has seen in it."""
        kept = int(get_meta(connection, HEADS_LINES) or 0)
        found = self.lines()
        if found >= kept:
            return ()
        return (
            f"{HEADS_FILE} holds {found:,} heads; {kept:,} were exported. Its lines only grow: restore it.",
        )

    def lines(self) -> int:
        """How many whole lines the file has."""
        return self._path.read_bytes().count(b"\n") if self._path.exists() else 0

    def export(self, heads: Iterable[ChainHead], now: datetime) -> int:
        """Add the heads that are further than any written before, and sync; how many those were.

        A head that went back is not written: `verify` finds the older one missing.
        """
        known: dict[str, int] = {}
        for head in self.read()[0]:
            known[head.account] = max(head.number, known.get(head.account, 0))
        newer = [head for head in heads if head.number > known.get(head.account, 0)]
        if newer:
            self._append("".join(self._line(head, now.isoformat()) for head in newer).encode())
        return len(newer)

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

    def _line(self, head: ChainHead, at: str) -> str:
        body = {"account": head.account, "number": head.number, "hash": head.hash, "at": at}
        return json.dumps({**body, "mac": self._mac(head, at)}) + "\n"

    def _mac(self, head: ChainHead, at: str) -> str:
        text = json.dumps(["audit head", head.account, head.number, head.hash, at])
        return hmac.new(self._pepper, text.encode(), "sha256").hexdigest()


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
    heads = {(head.number, head.hash) for head in exported if head.account == scope.account}
    by_number: dict[int, set[str]] = {}
    for head_number, head_hash in heads:
        by_number.setdefault(head_number, set()).add(head_hash)
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
    return ChainCheck(good)


def _broken(good: ChainHead, what: str) -> ChainCheck:
    number = good.number + 1
    return ChainCheck(good, number, f"Audit trail of account {good.account!r}: number {number} {what}.")
