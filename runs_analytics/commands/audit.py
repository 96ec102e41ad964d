"""`audit list` and `audit export`."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from runs_analytics.commands.context import Context
from runs_analytics.control.audit import AuditEntry, AuditFilter, list_entries
from runs_analytics.money.strict_json import json_moment


def show_audit(context: Context, given: Namespace) -> int:
    """The newest acts of an account that the filters leave, newest first."""
    found = _entries(context, given, limit=given.limit)
    if given.json:
        context.write_json([asdict(entry) for entry in found])
        return 0
    for entry in found:
        context.write(
            f"{entry.number}\t{entry.at:%Y-%m-%d %H:%M:%S}\t{entry.actor}\t{entry.action}\t"
            f"{entry.subject_id}\t{entry.detail}"
        )
    return 0


def export_audit(context: Context, given: Namespace) -> int:
    """Every act that the filters leave as JSON, with its hashes, so that the chain can be checked elsewhere."""
    found = _entries(context, given, limit=None)
    context.write_json([asdict(entry) for entry in found])
    context.say(f"{len(found):,} entries")
    return 0


def _entries(context: Context, given: Namespace, *, limit: int | None) -> tuple[AuditEntry, ...]:
    scope = context.scope(given.account)
    context.stores.account(scope)
    wanted = AuditFilter(
        since=None if given.since is None else json_moment(given.since, "since"),
        until=None if given.until is None else json_moment(given.until, "until"),
        actor=given.actor,
        action=given.action or "",
        subject=given.subject,
    )
    with context.stores.control.read() as connection:
        return list_entries(connection, scope, wanted, before=given.before, limit=limit)
