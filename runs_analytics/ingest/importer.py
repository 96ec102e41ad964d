"""Imports a file: read, checked, rated, written as archive segments, then entered in one control transaction.

Nothing counts before that transaction, and everything after it: a crash on the way leaves files that no manifest
names, and the next start marks the import as failed.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from runs_analytics.control.accounts import Account
from runs_analytics.control.claim_scan import Claim, claims_after
from runs_analytics.control.imports import fail_import, finish_import, start_import
from runs_analytics.control.meta import last_seq
from runs_analytics.control.segments import SegmentFile, add_import_segments
from runs_analytics.control.store import ControlStore
from runs_analytics.control.writer import Connection
from runs_analytics.crash import crash_point
from runs_analytics.errors import Conflict, RunsError
from runs_analytics.ingest.files.mapping import ImportMapping
from runs_analytics.ingest.import_job import Books, ImportJob, ImportReport, ImportSetting
from runs_analytics.ingest.stored_ids import IdTable, ImportedIds
from runs_analytics.scope import Scope
from runs_analytics.warehouse.archive import Archive, file_sha256

Progress = Callable[[float, ImportReport], None]
"""Called after each batch with the share of the file that is done, 0 to 1."""


class Importer:
    """Imports files one at a time."""

    def __init__(
        self,
        control: ControlStore,
        archive: Archive,
        imported: ImportedIds,
        rejects: Path,
        payload_bytes: int,
    ) -> None:
        self.control, self.archive, self.imported = control, archive, imported
        self.rejects, self.payload_bytes = rejects, payload_bytes
        self._one_at_a_time = threading.Lock()

    def run(
        self,
        scope: Scope,
        account: Account,
        books: Books,
        path: Path,
        mapping: ImportMapping,
        *,
        now: datetime,
        dry_run: bool = False,
        file_name: str | None = None,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Bring a file's runs in, or only say what would happen.

        Args:
            scope: who imports, into which account.
            account: that account.
            books: its price books; runs are rated at their start.
            path: the file.
            mapping: which column fills which field.
            now: the current moment, aware.
            dry_run: check and count everything, store nothing.
            file_name: the name to remember, when it is not the path's.
            progress: told after every batch.

        Raises:
            BadRequest: when the file or the mapping cannot be used at all; nothing was stored.
            Conflict: when runs of the file arrived over HTTP meanwhile; nothing was stored.
            StorageFull: when the disk is full; nothing was stored.
        """
        import_id = None if dry_run else secrets.token_hex(8)
        sha256 = "" if dry_run else file_sha256(path)
        name = file_name or path.name

        def take(job: ImportJob) -> None:
            for fraction in job.take(path):
                if progress:
                    progress(fraction, job.report)

        return self._run(scope, account, books, mapping, import_id, name, sha256, now, take)

    def run_frames(
        self,
        scope: Scope,
        account: Account,
        books: Books,
        frames: Iterable[pl.DataFrame],
        *,
        name: str,
        rows: int,
        now: datetime,
        progress: Callable[[float], None] | None = None,
    ) -> ImportReport:
        """Bring in run frames that the product made itself, as one import named `name`.

        Args:
            scope: who imports, into which account.
            account: that account.
            books: its price books.
            frames: run frames with an id each, one after the other.
            name: what past imports show.
            rows: how many there will be, for progress.
            now: the current moment, aware.
            progress: told the share that is done after every frame.
        """
        mapping = ImportMapping(fields={"id": "id", "service": "service", "started_at": "started_at"})

        def take(job: ImportJob) -> None:
            for frame in frames:
                job.add(frame)
                if progress:
                    progress(job.report.read / max(rows, 1))

        return self._run(scope, account, books, mapping, secrets.token_hex(8), name, "", now, take)

    def _run(
        self,
        scope: Scope,
        account: Account,
        books: Books,
        mapping: ImportMapping,
        import_id: str | None,
        name: str,
        sha256: str,
        now: datetime,
        take: Callable[[ImportJob], None],
    ) -> ImportReport:
        with self._one_at_a_time:
            with self.control.read() as connection:
                claims_seq = last_seq(connection)
                claims = _table([c for part in claims_after(connection, scope) for c in part])
            stored = (*self.imported.tables(account.id), claims)
            job = ImportJob(
                ImportSetting(
                    import_id,
                    account,
                    books,
                    mapping,
                    now,
                    self.payload_bytes,
                    self.archive,
                    self.rejects,
                    stored,
                )
            )
            kept = False
            try:
                if import_id is not None:
                    self._start(scope, import_id, name, sha256, mapping, now)
                take(job)
                if import_id is not None:
                    self._enter(scope, import_id, job, claims_seq, now)
                    kept = True
            except BaseException:
                if import_id is not None:
                    self._fail(scope, import_id, now)
                raise
            finally:
                job.close(kept=kept)
            return job.report

    def _start(
        self, scope: Scope, import_id: str, name: str, sha256: str, mapping: ImportMapping, now: datetime
    ) -> None:
        self.control.write(
            lambda connection: start_import(
                connection,
                scope,
                import_id,
                file_name=name,
                file_sha256=sha256,
                mapping=json.loads(mapping.to_json()),
                now=now,
            )
        )

    def _enter(self, scope: Scope, import_id: str, job: ImportJob, claims_seq: int, now: datetime) -> None:
        files = [SegmentFile(scope.account, s.path, s.day, s.day, s.rows, s.sha256) for s in job.segments()]
        new_ids = IdTable.merged(job.new_ids.tables)
        if files:
            new_ids.save(self.imported.folder, import_id)
        crash_point("before_import_commit")

        def enter(connection: Connection) -> None:
            for part in claims_after(connection, scope, claims_seq):
                late = _table(part)
                if (new_ids.find(late.high, late.rest["low"]) >= 0).any():
                    raise Conflict("Runs of this file arrived over HTTP at the same time; import it again.")
            seqs = add_import_segments(connection, scope, import_id, files, now)
            finish_import(
                connection,
                scope,
                import_id,
                counts=job.report.counts(),
                seq=seqs[-1] if seqs else None,
                rejects_path=job.report.rejects_path,
                now=now,
            )
            if files:  # in the writer's thread, so that no claim can slip in between
                self.imported.register(scope.account, import_id)

        try:
            self.control.write(enter)
        except BaseException:
            self.imported.forget(scope.account, import_id)
            raise
        crash_point("after_import_commit")

    def _fail(self, scope: Scope, import_id: str, now: datetime) -> None:
        with suppress(RunsError):  # the first problem is the one to report; the next start marks it too
            self.control.write(lambda connection: fail_import(connection, scope, import_id, now=now))


def _table(claims: list[Claim]) -> IdTable:
    columns = list(zip(*claims, strict=True)) if claims else [(), (), (), (), ()]
    high, low, content_hash, started_at_us = (np.array(c, np.int64) for c in columns[:4])
    return IdTable.of(high, low, content_hash, started_at_us, np.array(columns[4], bool))
