"""`verify` and `rebuild`."""

from __future__ import annotations

from argparse import Namespace

from runs_analytics.commands.context import Context
from runs_analytics.errors import Damaged
from runs_analytics.ingest.verification import verify_stores


def verify(context: Context, given: Namespace) -> int:
    """Compare warehouse, archive and inbox; exit code 7 when they differ."""
    found = verify_stores(
        context.stores.control,
        context.stores.warehouse,
        context.stores.archive,
        progress=lambda text: context.draw(f"Verifying {text}"),
    )
    if given.json:
        context.write_json(found.to_json())
    else:
        context.write(
            f"{found.segments:,} segments, {found.archived_runs:,} archived runs, {found.inbox_runs:,} in the inbox, "
            f"{found.warehouse_runs:,} in the warehouse"
        )
        for head in found.audit:
            context.write(
                f"audit trail of {head.account}: verified to number {head.number}, head {head.hash}"
            )
        for difference in found.differences:
            context.write(f"  {difference}")
    if found.differences:
        return Damaged.exit_code
    context.say("Everything agrees.")
    return 0


def rebuild(context: Context, given: Namespace) -> int:
    """Make the warehouse anew from the archive and the inbox, and the counters of prices from its runs."""
    context.stores.warehouse.start_over()
    context.apply(0)
    context.stores.recount_prices()
    context.say(f"Rebuilt up to {context.stores.warehouse.applied_seq}.")
    return 0
