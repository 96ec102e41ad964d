"""Loads the sample workspace: an invented company with half a year of runs and planted, documented truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from runs_analytics.commands.sample_credits import give_sample_credits, wait_until_applied
from runs_analytics.commands.sample_limits import give_sample_limits
from runs_analytics.control.accounts import create_account
from runs_analytics.ingest.import_job import ImportReport
from runs_analytics.money.price_book import PriceBook
from runs_analytics.scope import Scope
from runs_analytics.stores import Stores, accounts

ACCOUNT: Final = "sample"
NAME: Final = "Northwind Outreach (sample)"
ZONE: Final = "Europe/Berlin"
CURRENCY: Final = "USD"
DAYS: Final = 180
SEED: Final = 1


def load_sample(
    stores: Stores,
    runs: int,
    *,
    account: str = ACCOUNT,
    seed: int = SEED,
    days: int = DAYS,
    progress: Callable[[float], None] | None = None,
) -> ImportReport:
    """Create the sample account, its price books and its runs, up to now.

    Raises:
        Conflict: when an account of that name exists.
    """
    from runs_analytics.demo import generate, price_books, truth  # only needed here, and slow to import

    now = stores.clock()
    scope = Scope(account, "sample", "operator")
    stores.control.write(
        lambda connection: create_account(
            connection, scope, now=now, name=NAME, zone=ZONE, currency=CURRENCY, is_sample=True
        )
    )
    for body in price_books(now, days):
        book = PriceBook.from_json(body)
        for version in book.versions:
            stores.add_price_version(scope, book.kind, version)
    planted = json.dumps(truth(runs, seed, days, now), indent=1, default=str)
    (stores.settings.data_dir / f"{account}-truth.json").write_text(planted)
    return stores.load_frames(
        scope,
        generate(runs, seed, days, now),
        name=f"Sample workspace: {runs:,} runs, seed {seed}",
        rows=runs,
        progress=progress,
    )


def load_sample_when_empty(stores: Stores, runs: int, progress: Callable[[float], None]) -> bool:
    """Load the sample workspace unless there is an account already; whether it was loaded."""
    if accounts(stores):
        return False
    load_sample(stores, runs, progress=progress)
    wait_until_applied(stores)
    # In the order of their times, so that the audit trail reads as such.
    give_sample_credits(stores, Scope(ACCOUNT, "sample", "operator"))
    give_sample_limits(stores, Scope(ACCOUNT, "sample", "operator"))
    return True
