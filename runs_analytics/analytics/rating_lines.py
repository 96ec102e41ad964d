"""Why a run cost what it cost: its stored lines beside the version of the book that it was rated with."""

from __future__ import annotations

from typing import Any

from runs_analytics.errors import NotFound
from runs_analytics.money.price_book import PriceBook, PriceVersion
from runs_analytics.money.rating import RatingLine, explain


def lines_of(book: PriceBook, row: dict[str, Any]) -> tuple[PriceVersion, tuple[RatingLine, ...]] | None:
    """The lines a run was rated with and their version; None when no price matched.

    Raises:
        NotFound: when the book does not have the version or price that the run keeps.
    """
    kind = book.kind
    if row[f"{kind}_price"] is None:
        return None
    number = row[f"{kind}_version"]
    version = next((v for v in book.versions if v.version == number), None)
    if version is None:
        raise NotFound(f"The {kind} price book has no version {number}.", value=number)
    price_id = row[f"{kind}_price"]
    price = next((price for price in version.prices if price.id == price_id), None)
    over = sum(1 for component in (price.components if price else ()) if component.over)
    # Those of the credits price come first, those of the cost price last.
    used = row.get("used_before") or []
    own = used[:over] if kind == "credits" else used[len(used) - over :]
    return version, explain(version, price_id, tuple(row[f"{kind}_lines"] or ()), row, own)
