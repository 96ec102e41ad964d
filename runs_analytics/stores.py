"""Opens every store of a data folder and holds them together: the one composition of the product."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, Self, cast

import polars as pl

from runs_analytics.clock import Clock
from runs_analytics.control import ledger
from runs_analytics.control.accounts import Account, get_account, list_accounts
from runs_analytics.control.audit_chain import AuditHeads, ChainHead, chain_heads
from runs_analytics.control.authorizations import accounts_with_expired_holds, expire_holds
from runs_analytics.control.imports import fail_import, imports_in_state, undo_import
from runs_analytics.control.meta import control_version, get_meta, next_seq, set_meta
from runs_analytics.control.prices import append_price_version, next_price_version
from runs_analytics.control.segments import all_segments
from runs_analytics.control.store import ControlStore
from runs_analytics.control.subscriptions import accounts_with_allowance_due, due_subscription
from runs_analytics.control.writer import Connection
from runs_analytics.errors import RunsError
from runs_analytics.ingest.applier import OPERATOR, Applied, Applier
from runs_analytics.ingest.archiver import Archiver
from runs_analytics.ingest.files.mapping import ImportMapping
from runs_analytics.ingest.import_job import Books, ImportReport
from runs_analytics.ingest.importer import Importer, Progress
from runs_analytics.ingest.recount import read_books, recount
from runs_analytics.ingest.recovery import clean_archive, heal_notes, restore_imported_ids
from runs_analytics.ingest.stored_ids import ImportedIds
from runs_analytics.money.price_book import PriceVersion
from runs_analytics.processes import Processes
from runs_analytics.scope import Scope
from runs_analytics.settings import Settings
from runs_analytics.warehouse.answers import Answers
from runs_analytics.warehouse.archive import Archive
from runs_analytics.warehouse.compact import compact_rollups, sort_closed_days
from runs_analytics.warehouse.connection import WarehouseConfig
from runs_analytics.warehouse.store import Warehouse

log = logging.getLogger(__name__)
APPLIED_SEQ = "applied_seq"


class Stores:
    """The open stores of one data folder; one process holds them at a time."""

    def __init__(self, settings: Settings, clock: Clock, resources: ExitStack) -> None:
        folder = settings.data_dir
        self.settings, self.clock = settings, clock
        self._resources = resources
        self.control = resources.enter_context(ControlStore.open(folder, settings.control_url))
        self.archive = Archive(folder / "archive")
        self.warehouse = Warehouse(warehouse_config(settings))
        resources.callback(self.warehouse.close)
        self.processes = Processes(settings.processes)
        resources.callback(self.processes.close)
        self.imported = ImportedIds(folder / "imported_ids")
        self.applier = Applier(self.control, self.warehouse, self.archive)
        self.archiver = Archiver(self.control, self.warehouse, self.archive)
        self.importer = Importer(
            self.control, self.archive, self.imported, folder / "rejects", settings.payload_bytes
        )
        self.audit_heads = AuditHeads(folder, self.control.pepper)
        self._exported_heads: tuple[ChainHead, ...] = ()
        self.answers = Answers()
        self.notes: list[str] = []
        """What was found and mended at opening, in words."""

    @classmethod
    def open(cls, settings: Settings, clock: Clock) -> Self:
        """Open everything, and put right what a crash or a damaged file left behind.

        Raises:
            Unavailable: when another process holds the data folder or a store cannot be opened.
        """
        with ExitStack() as opening:
            stores = cls(settings, clock, opening)
            stores._recover()
            stores._keep_audit_heads()
            # Before the control store closes, so that a command's own acts are exported at its end.
            opening.callback(stores._keep_audit_heads)
            stores._resources = opening.pop_all()
            return stores

    def close(self) -> None:
        """Note how far the warehouse is and close everything; again does nothing."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- accounts and prices ---------------------------------------------------------------------

    def account(self, scope: Scope) -> Account:
        """The scope's account.

        Raises:
            NotFound: when there is none.
        """
        with self.control.read() as connection:
            return get_account(connection, scope)

    def account_and_version(self, scope: Scope) -> tuple[Account, int]:
        """The scope's account and the control version, from one moment."""
        with self.control.read() as connection:
            return get_account(connection, scope), control_version(connection)

    def books(self, scope: Scope) -> Books:
        """The price books of the scope's account."""
        with self.control.read() as connection:
            return read_books(connection, scope)

    def add_price_version(
        self, scope: Scope, kind: Literal["credits", "cost"], version: PriceVersion
    ) -> PriceVersion:
        """Append a version to a book; it gets the book's next number."""
        now = self.clock()
        return self.control.write(lambda c: append_to_book(c, scope, kind, version, now=now))

    # -- imports ---------------------------------------------------------------------------------

    def import_file(
        self,
        scope: Scope,
        path: Path,
        mapping: ImportMapping,
        *,
        dry_run: bool = False,
        file_name: str | None = None,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Import a file into the scope's account; see `Importer.run`."""
        return self.importer.run(
            scope,
            self.account(scope),
            self.books(scope),
            path,
            mapping,
            now=self.clock(),
            dry_run=dry_run,
            file_name=file_name,
            progress=progress,
        )

    def load_frames(
        self,
        scope: Scope,
        frames: Iterable[pl.DataFrame],
        *,
        name: str,
        rows: int,
        progress: Callable[[float], None] | None = None,
    ) -> ImportReport:
        """Bring run frames in as one import; see `Importer.run_frames`."""
        return self.importer.run_frames(
            scope,
            self.account(scope),
            self.books(scope),
            frames,
            name=name,
            rows=rows,
            now=self.clock(),
            progress=progress,
        )

    def undo_import(self, scope: Scope, import_id: str) -> None:
        """Take everything an import stored out again; its ids are free afterwards.

        Raises:
            NotFound: when the account has no such import.
            Conflict: when it is not done, or undone already.
        """

        def undo(connection: Connection) -> None:
            undo_import(connection, scope, import_id, next_seq(connection), now=self.clock())
            self.imported.forget(scope.account, import_id)

        self.control.write(undo)

    # -- keeping the warehouse up ----------------------------------------------------------------

    def apply_waiting(self) -> int:
        """Apply everything that waits; how many runs that were."""
        return self.applier.catch_up()

    def apply_step(self) -> Applied | None:
        """Apply the next stretch; None when nothing waits."""
        return self.applier.step()

    def archive_applied(self) -> int:
        """Archive every applied inbox row; how many runs that were."""
        total = 0
        while moved := self.archiver.step(self.clock()):
            total += moved
        self.note_applied()
        return total

    def free_expired_holds(self) -> int:
        """Free the holds whose time is over; how many that were."""
        now = self.clock()
        with self.control.read() as connection:
            waiting = accounts_with_expired_holds(connection, OPERATOR, now=now)
        scopes = [Scope(account, OPERATOR.actor) for account in waiting]
        return sum(self.control.write(lambda c, s=scope: expire_holds(c, s, now=now)) for scope in scopes)  # type: ignore[misc]

    def give_due_allowance(self, scope: Scope, now: datetime) -> None:
        """Give an account what its plan owes it, so that a balance is right whenever it is asked for."""
        with self.control.read() as connection:
            is_due = due_subscription(connection, scope, now) is not None
        if is_due:
            by_itself = Scope(scope.account, OPERATOR.actor)
            self.control.write(lambda c: ledger.catch_up(c, by_itself, now=now))

    def give_due_allowances(self) -> int:
        """Give the allowances of periods that have begun; to how many accounts that was."""
        now = self.clock()
        with self.control.read() as connection:
            waiting = accounts_with_allowance_due(connection, now)
        for scope in (Scope(account, OPERATOR.actor) for account in waiting):
            self.control.write(lambda c, s=scope: ledger.catch_up(c, s, now=now))  # type: ignore[misc]
        return len(waiting)

    def export_audit_heads(self) -> None:
        """Write the newest audit heads outside the database, when they moved.

        Raises:
            StorageFull, Unavailable: when they could not be written; the next call tries again.
        """
        with self.control.read() as connection:
            heads = chain_heads(connection, OPERATOR)
            if heads == self._exported_heads:
                return
            # A file that was cut keeps being told of, so what was known of its end stays.
            is_whole = not self.audit_heads.missing(connection)
            # Within reading, which words what the file system refuses.
            self.audit_heads.export(heads, self.clock())
            has_moved = self.audit_heads.has_moved(connection)
        if is_whole and has_moved:
            self.control.write(self.audit_heads.note_end)
        self._exported_heads = heads

    def recount_prices(self) -> None:
        """Make every counter of prices over periods anew from the runs."""
        for account in accounts(self):
            scope = Scope(account.id, OPERATOR.actor)
            self.control.write(lambda c, s=scope: recount(c, self.warehouse, s))  # type: ignore[misc]

    def compact(self) -> None:
        """Sum up rollup deltas, and put days that ended over an hour ago in order."""
        compact_rollups(self.warehouse)
        sort_closed_days(self.warehouse, (self.clock() - timedelta(hours=1)).date())

    def note_applied(self) -> None:
        """Remember in the control store how far the warehouse's main file is, to notice when it loses something."""
        applied = str(self.warehouse.applied_seq)
        self.control.write(lambda connection: set_meta(connection, APPLIED_SEQ, applied))

    def _keep_audit_heads(self) -> None:
        try:
            self.export_audit_heads()
        except RunsError as problem:
            log.warning("The audit heads were not exported: %s", problem.message)

    def _mark_failed(self, account: str, import_id: str) -> None:
        scope, now = Scope(account, "recovery", "operator"), self.clock()
        self.control.write(lambda connection: fail_import(connection, scope, import_id, now=now))

    def _recover(self) -> None:
        with self.control.read() as connection:
            known = int(get_meta(connection, APPLIED_SEQ) or 0)
            cut_off = imports_in_state(connection, OPERATOR, "running")
            segments = all_segments(connection, OPERATOR)
            undone = {i.id for i in imports_in_state(connection, OPERATOR, "undone")}
        self.notes += self.warehouse.healed
        self.notes += heal_notes(self.warehouse.applied_seq, known, segments)
        for found in cut_off:
            self._mark_failed(found.account, found.id)
            self.notes.append(f"The import of {found.file_name} was cut off; nothing of it was kept.")
        clean_archive(self.archive, {s.file.path for s in segments})
        restore_imported_ids(self.archive, self.imported, [s for s in segments if s.import_id not in undone])
        for note in self.notes:
            log.warning("%s", note)


def warehouse_config(settings: Settings) -> WarehouseConfig:
    """Where the warehouse of a data folder is."""
    return WarehouseConfig(
        kind=cast(Literal["file", "lake"], settings.warehouse),
        path=settings.data_dir / "warehouse.duckdb",
        archive=settings.data_dir / "archive",
        memory_limit=settings.memory_limit,
        threads=settings.threads,
        lake_catalog=settings.lake_catalog,
        lake_data=settings.lake_data,
    )


def append_to_book(
    connection: Connection,
    scope: Scope,
    kind: Literal["credits", "cost"],
    version: PriceVersion,
    *,
    now: datetime,
) -> PriceVersion:
    """Append a version to a book under the book's next number."""
    number = next_price_version(connection, scope, kind)
    numbered = PriceVersion(number, version.valid_from, version.prices, version.credit_rate)
    append_price_version(
        connection, scope, kind, valid_from=numbered.valid_from, body=numbered.to_json(), now=now
    )
    return numbered


def accounts(stores: Stores) -> tuple[Account, ...]:
    """Every account, for those who administrate them all."""
    with stores.control.read() as connection:
        return tuple(list_accounts(connection, OPERATOR))
