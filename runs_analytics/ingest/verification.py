"""Compares what the warehouse holds with what it was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from runs_analytics.control.accounts import list_accounts
from runs_analytics.control.audit_chain import AuditHeads, ChainHead, check_chain
from runs_analytics.control.authorizations import check_holds
from runs_analytics.control.imports import imports_in_state
from runs_analytics.control.inbox import pending
from runs_analytics.control.ledger_lines import check_ledger
from runs_analytics.control.limit_uses import check_overruns
from runs_analytics.control.rerates import check_rerates
from runs_analytics.control.segments import all_segments
from runs_analytics.control.store import ControlStore
from runs_analytics.control.writer import Connection
from runs_analytics.errors import Damaged
from runs_analytics.ingest.applier import INBOX_ROWS, OPERATOR, inbox_frame
from runs_analytics.ingest.recount import counter_differences
from runs_analytics.scope import Scope
from runs_analytics.warehouse.archive import Archive, net_runs_of
from runs_analytics.warehouse.store import Warehouse


@dataclass(frozen=True, slots=True)
class Verification:
    """What was compared and where it differs."""

    segments: int
    archived_runs: int
    inbox_runs: int
    warehouse_runs: int
    audit: tuple[ChainHead, ...]
    """The newest right entry of each account's audit trail."""

    differences: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def verify_stores(
    control: ControlStore,
    warehouse: Warehouse,
    archive: Archive,
    *,
    progress: Callable[[str], None] | None = None,
) -> Verification:
    """Check every segment, the warehouse's runs against them by account and day, its rollups, and all kept sums.

    Only what was applied before the check began is compared, so it may run while runs come in.
    """
    applied = warehouse.applied_seq
    # Before the connection's moment, so that no head is newer than the chain.
    exported = AuditHeads(control.data_dir, control.pepper)
    heads, head_problems = exported.read()
    with control.read() as connection:
        segments = [s for s in all_segments(connection, OPERATOR) if s.last_seq <= applied]
        undone = {i.id for i in imports_in_state(connection, OPERATOR, "undone")}
        zones = {a.id: a.zone for a in list_accounts(connection, OPERATOR)}
        waiting = [r for r in pending(connection, OPERATOR, 0, 10**9, limit_bytes=2**62) if r.seq <= applied]
        differences = [*head_problems, *exported.missing(connection)]
        chains = [check_chain(connection, Scope(account, OPERATOR.actor), heads) for account in zones]
        differences += [chain.problem for chain in chains if chain.problem]
        differences += [text for account in zones for text in _credit_differences(connection, account)]
        scopes = [Scope(account, OPERATOR.actor) for account in zones]
        differences += [text for one in scopes for text in counter_differences(connection, warehouse, one)]
    expected: Counter[tuple[str, str]] = Counter()
    archived = 0
    for number, segment in enumerate(segments):
        if progress:
            progress(f"segment {number + 1:,} of {len(segments):,}")
        try:
            archive.verify(segment.file.path, segment.file.sha256)
        except Damaged as problem:
            differences.append(problem.message)
            continue
        if segment.import_id in undone:
            continue
        archived += segment.file.rows
        expected.update(archive.net_runs(segment.file.path))
    inbox = 0
    for start in range(0, len(waiting), INBOX_ROWS):
        frame = inbox_frame(waiting[start : start + INBOX_ROWS], zones)
        inbox += frame.height
        expected.update(net_runs_of(frame))
    found = warehouse.runs_by_account_and_day(applied)
    for key in sorted(expected.keys() | found.keys()):
        if expected[key] != found[key]:
            differences.append(
                f"Account {key[0]} on {key[1]}: {found[key]:,} runs in the warehouse, {expected[key]:,} were stored."
            )
    differences += warehouse.rollup_differences()
    return Verification(
        len(segments),
        archived,
        inbox,
        sum(found.values()),
        tuple(chain.head for chain in chains),
        tuple(differences),
    )


def _credit_differences(connection: Connection, account: str) -> list[str]:
    """Where kept sums are not what they are sums of."""
    found = []
    for check in (check_ledger, check_holds, check_overruns, check_rerates):
        try:
            check(connection, Scope(account, OPERATOR.actor))
        except Damaged as problem:
            found.append(problem.message)
    return found
