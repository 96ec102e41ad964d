"""Counts anew, from the runs, what prices over periods keep in counters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Final

import polars as pl

from runs_analytics.control.accounts import get_account
from runs_analytics.control.inbox import pending
from runs_analytics.control.price_counters import counters, replace_counters
from runs_analytics.control.prices import list_price_versions
from runs_analytics.control.segments import all_segments
from runs_analytics.control.writer import Connection
from runs_analytics.ingest.applier import OPERATOR, inbox_frame
from runs_analytics.ingest.import_job import Books
from runs_analytics.money.price_book import BOOK_KINDS, PriceBook, PriceVersion
from runs_analytics.money.rating import counts_per_unit
from runs_analytics.money.rating_frame import count_rated
from runs_analytics.money.rating_periods import PeriodCounts
from runs_analytics.money.rating_terms import Meter
from runs_analytics.scope import Scope
from runs_analytics.warehouse.store import Warehouse
from runs_analytics.zones import zone_named

BATCH_RUNS: Final = 200_000


def read_books(connection: Connection, scope: Scope) -> Books:
    """The price books of the scope's account."""
    credit, cost = (
        PriceBook(kind, tuple(_version(one.version, one.body) for one in found))
        for kind in BOOK_KINDS
        for found in [list_price_versions(connection, scope, kind)]
    )
    return Books(credit, cost)


def counter_differences(connection: Connection, warehouse: Warehouse, scope: Scope) -> list[str]:
    """Where the price counters of an account are not what its runs make, each in a sentence."""
    kept, found = counters(connection, scope), _recounted(connection, warehouse, scope)
    return [
        f"Account {scope.account!r}: price {meter.price_id!r} of the {meter.book} book has counted "
        f"{_amount(meter, kept.get(key, 0))} {meter.measure} in the {meter.over} from {first_day}; "
        f"its runs make {_amount(meter, found.get(key, 0))}. `rebuild` counts anew."
        for key in sorted(kept.keys() | found.keys())
        for meter, first_day in [key]
        if kept.get(key, 0) != found.get(key, 0)
    ]


def recount(connection: Connection, warehouse: Warehouse, scope: Scope) -> None:
    """Make the price counters of an account anew from its runs, inside one of the writer's jobs."""
    replace_counters(connection, scope, _recounted(connection, warehouse, scope))


def _recounted(connection: Connection, warehouse: Warehouse, scope: Scope) -> dict[tuple[Meter, date], int]:
    """What the runs that were sent make, at the connection's moment; nothing where no price counts over a period."""
    books = read_books(connection, scope)
    prices = sorted(_counting(books.credits) | _counting(books.cost))
    if not prices:
        return {}
    counts = PeriodCounts(zone_named(get_account(connection, scope).zone))
    for frame in _runs(connection, warehouse, scope, prices):
        count_rated(frame, books.credits, counts)
        count_rated(frame, books.cost, counts)
    return {key: used for key, used in counts.used.items() if used}


def _runs(
    connection: Connection, warehouse: Warehouse, scope: Scope, prices: list[str]
) -> Iterator[pl.DataFrame]:
    """Those in the warehouse, and those that still wait in the inbox; what is archived has been applied."""
    archived = [one.last_seq for one in all_segments(connection, OPERATOR) if one.import_id is None]
    applied = max([warehouse.applied_seq, *archived])
    params = {"account": scope.account, "seq_max": applied, "prices": prices}
    yield from warehouse.batches("runs/to_count", [params], BATCH_RUNS)
    waiting = pending(connection, OPERATOR, applied, 10**9, limit_bytes=2**62)
    own = [row for row in waiting if row.account == scope.account]
    if own:
        frame = inbox_frame(own, {scope.account: get_account(connection, scope).zone})
        yield frame.filter(~pl.col("status").is_in(["running", "blocked"]))


def _counting(book: PriceBook) -> set[str]:
    return {
        price.id
        for version in book.versions
        for price in version.prices
        if any(component.over for component in price.components)
    }


def _amount(meter: Meter, count: int) -> str:
    return f"{Decimal(count) / counts_per_unit(meter.measure):,f}"


def _version(number: int, body: object) -> PriceVersion:
    return PriceVersion.from_json(body | {"version": number} if isinstance(body, dict) else body)
