"""What the audit trail says and whether it verifies; the same for page, API and export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runs_analytics.control import audit
from runs_analytics.control.audit import AuditEntry, AuditFilter
from runs_analytics.control.audit_chain import ChainCheck, check_chain, head_number
from runs_analytics.scope import Scope
from runs_analytics.stores import Stores

PAGE_ENTRIES = 100
BATCH_ENTRIES = 2_000


@dataclass(frozen=True, slots=True)
class Trail:
    """One page of an account's acts, newest first."""

    entries: tuple[AuditEntry, ...]
    count: int
    """How many the filter leaves in all."""

    recorded: int
    """How many were ever recorded."""

    actors: tuple[str, ...]


def trail(stores: Stores, scope: Scope, wanted: AuditFilter, *, before: int | None = None) -> Trail:
    """The newest PAGE_ENTRIES acts that the filter leaves, below a number when one is given.

    Raises:
        NotAllowed: when the scope may not read the trail.
    """
    with stores.control.read() as connection:
        return Trail(
            audit.list_entries(connection, scope, wanted, before=before, limit=PAGE_ENTRIES),
            audit.count_entries(connection, scope, wanted),
            head_number(connection, scope),
            audit.list_actors(connection, scope),
        )


def batches(stores: Stores, scope: Scope, wanted: AuditFilter) -> Iterator[tuple[AuditEntry, ...]]:
    """Every act that the filter leaves, newest first, a few at a time; acts of later do not appear."""
    before = None
    while True:
        with stores.control.read() as connection:
            found = audit.list_entries(connection, scope, wanted, before=before, limit=BATCH_ENTRIES)
        if found:
            yield found
        if len(found) < BATCH_ENTRIES:
            return
        before = found[-1].number


def verified(stores: Stores, scope: Scope) -> tuple[ChainCheck, tuple[str, ...]]:
    """Follow the account's whole chain and compare it with the exported heads; also what is wrong with their file.

    Raises:
        NotAllowed: when the scope may not read the trail.
    """
    # Before the connection's moment, so that no head is newer than the chain.
    heads, problems = stores.audit_heads.read()
    with stores.control.read() as connection:
        missing = stores.audit_heads.missing(connection)
        return check_chain(connection, scope, heads), (*problems, *missing)
