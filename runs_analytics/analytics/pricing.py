"""The price books of an account: their versions with when they hold and who added them, and what a run would cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from runs_analytics.control.prices import list_price_versions
from runs_analytics.control.rerates import StoredLine, StoredRerate, lines_of, list_rerates
from runs_analytics.money.periods import Window
from runs_analytics.money.price_book import BookKind, PriceBook, PriceVersion
from runs_analytics.money.rating import counts_per_unit, metered, rate_run
from runs_analytics.scope import Scope
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NONE

_NOTHING: Final[Mapping[tuple[str, Window], int]] = {}


@dataclass(frozen=True, slots=True)
class Edition:
    """A version of a book and how it came about."""

    version: PriceVersion
    created_at: datetime
    created_by: str
    until: datetime | None
    """When the next version starts; None: none does."""

    never_holds: bool
    """Whether a later version that starts at the same moment took its place."""

    def is_valid(self, now: datetime) -> bool:
        """Whether runs that start at a moment are rated by it."""
        return (
            not self.never_holds
            and self.version.valid_from <= now
            and (self.until is None or now < self.until)
        )


def editions(stores: Stores, scope: Scope, kind: BookKind) -> tuple[Edition, ...]:
    """Every version of one book, the newest start first."""
    book = getattr(stores.books(scope), kind)
    with stores.control.read() as connection:
        stored = {one.version: one for one in list_price_versions(connection, scope, kind)}
    made: list[Edition] = []
    following: PriceVersion | None = None
    for version in reversed(book.versions):
        is_hidden = following is not None and following.valid_from == version.valid_from
        until = following.valid_from if following else None
        one = stored[version.version]
        made.append(Edition(version, one.created_at, one.created_by, until, is_hidden))
        following = version
    return tuple(made)


def would_cost(
    credits_version: PriceVersion | None,
    cost_version: PriceVersion | None,
    run: Mapping[str, Any],
    used_before: Mapping[tuple[str, Window], int] = _NOTHING,
) -> dict[str, Any]:
    """The row of a run that these versions rate, whenever they are valid: its fields and those of RATED_SCHEMA.

    Args:
        credits_version: None: there is none.
        cost_version: None: there is none.
        run: fields of RUN_SCHEMA that are known.
        used_before: whole units by measure and period that earlier runs of its prices used; 0 where left out.
    """
    found = [version for version in (credits_version, cost_version) if version]
    row = {
        "status": "succeeded",
        "units": [],
        "tags": [],
        "kind": "agent_run" if run.get("agent", NONE) != NONE else "api_call",
        **run,
        "started_at": max((version.valid_from for version in found), default=None),
    }
    if not found:
        return row
    books = (
        PriceBook("credits", (credits_version,) if credits_version else ()),
        PriceBook("cost", (cost_version,) if cost_version else ()),
    )
    used = {
        meter: used_before.get((meter.measure, meter.over), 0) * counts_per_unit(meter.measure)
        for meter in metered(*books, row)
    }
    return row | rate_run(*books, row, used)


def rerates(stores: Stores, scope: Scope) -> list[tuple[StoredRerate, tuple[StoredLine, ...]]]:
    """The confirmed re-rates with their lines, newest first."""
    with stores.control.read() as connection:
        found = list_rerates(connection, scope)
        return [(one, lines_of(connection, scope, one.number)) for one in reversed(found)]
