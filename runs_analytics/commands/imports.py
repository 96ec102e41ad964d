"""`import`, `imports list` and `imports undo`."""

from __future__ import annotations

import dataclasses
import time
from argparse import Namespace
from typing import Any

from runs_analytics.commands.context import Context
from runs_analytics.control.imports import get_import, list_imports
from runs_analytics.errors import NotFound
from runs_analytics.ingest.files import ImportMapping, columns, default_mapping
from runs_analytics.ingest.import_job import ImportReport


def import_file(context: Context, given: Namespace) -> int:
    """Import a file; exit code 0 also when rows were rejected, because the good ones are in."""
    path = context.path(given.file)
    if not path.is_file():
        raise NotFound(f"There is no file {given.file!r}.", field="file", value=given.file)
    mapping = ImportMapping.parse(
        given.map,
        given.set,
        given.unit,
        given.status,
        zone=given.zone or "UTC",
        time_unit=given.time_unit,
        origin=given.origin,
        key=given.key,
    )
    account = context.account_or_new(given.account)
    if given.zone is None and account.zone != "UTC":
        mapping = dataclasses.replace(mapping, zone=account.zone)
    started = time.monotonic()

    def progress(fraction: float, report: ImportReport) -> None:
        seconds = max(time.monotonic() - started, 1e-6)
        left = seconds / fraction - seconds if fraction > 0 else 0
        context.draw(
            f"Importing {fraction:.0%} · {report.read:,} rows · {report.read / seconds:,.0f}/s · {left:.0f} s left"
        )

    mapping = mapping.over(default_mapping(columns(path)))
    report = context.stores.import_file(
        context.scope(account.id), path, mapping, dry_run=given.dry_run, progress=progress
    )
    if not given.dry_run:
        context.apply(report.accepted)
    if given.json:
        context.write_json(report_json(report))
    else:
        _print(context, report)
    return 0


def list_(context: Context, given: Namespace) -> int:
    """List the imports of an account, newest first."""
    scope = context.scope(given.account)
    context.stores.account(scope)
    with context.stores.control.read() as connection:
        found = list_imports(connection, scope)
    if given.json:
        context.write_json([dataclasses.asdict(i) for i in found])
        return 0
    for i in found:
        c = i.counts
        context.write(
            f"{i.id}  {i.created_at:%Y-%m-%d %H:%M} UTC  {i.state:7}  {c.accepted:>11,} accepted "
            f"{c.duplicate:>9,} duplicate {c.rejected:>7,} rejected  {i.file_name}"
        )
    return 0


def undo(context: Context, given: Namespace) -> int:
    """Take everything an import stored out again."""
    scope = context.scope(given.account)
    context.stores.account(scope)
    context.stores.undo_import(scope, given.id)
    context.apply(0)
    with context.stores.control.read() as connection:
        counts = get_import(connection, scope, given.id).counts
    context.say(f"Import {given.id} is undone: {counts.accepted:,} runs were taken out.")
    return 0


def report_json(report: ImportReport) -> dict[str, Any]:
    """An import's outcome for programs."""
    return {
        "import_id": report.import_id,
        "read": report.read,
        "accepted": report.accepted,
        "replaced": report.replaced,
        "duplicates": report.duplicates,
        "rejected": report.rejected,
        "unpriced": report.unpriced,
        "reasons": dict(report.reasons),
        "first_rejections": report.shown,
        "rejects_file": report.rejects_path,
        "first_started_at": report.first_started_at,
        "last_started_at": report.last_started_at,
    }


def _print(context: Context, report: ImportReport) -> None:
    done = "Would import" if report.import_id is None else f"Import {report.import_id}"
    context.write(
        f"{done}: read {report.read:,}, accepted {report.accepted:,} (replaced {report.replaced:,}), "
        f"duplicates {report.duplicates:,}, rejected {report.rejected:,}, without a price {report.unpriced:,}"
    )
    for reason, rows in report.reasons.most_common():
        context.write(f"  {rows:>9,} × {reason}")
    if report.rejects_path:
        context.say(f"Every rejected row, with line and reason: {report.rejects_path}")
