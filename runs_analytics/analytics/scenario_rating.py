"""What the prices of a scenario make of its runs: the runs that a change touches are rated anew, as re-rates do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

import polars as pl

from runs_analytics.analytics.scenario_runs import FOLLOWS, MOVED, is_for, times
from runs_analytics.errors import BadRequest
from runs_analytics.ingest.import_job import Books
from runs_analytics.money.periods import Window, period_around
from runs_analytics.money.price_book import (
    BOOK_KINDS,
    RUN,
    BookKind,
    Component,
    Price,
    PriceBook,
)
from runs_analytics.money.rating_frame import rate_frame
from runs_analytics.money.rating_periods import PeriodCounts
from runs_analytics.money.scenarios import Batched, Draft, Moved, Off, Priced, Scenario
from runs_analytics.selection import FIRST_DAY
from runs_analytics.vocabulary import MAX_AMOUNT_NANO
from runs_analytics.zones import zone_named

_ALWAYS: Final = datetime(FIRST_DAY.year, 1, 1, tzinfo=UTC) - timedelta(days=1)
_FREE_RUN: Final = Component(RUN, Decimal(0))


class ScenarioRater:
    """Rates the runs that a scenario touches, frame after frame; all others keep what they cost."""

    def __init__(self, scenario: Scenario, books: Books, zone: str) -> None:
        """Take what decides the amounts."""
        self._scenario, self._zone = scenario, zone_named(zone)
        self._books = Books(_book_in(scenario, books.credits), _book_in(scenario, books.cost))
        self._following = Books(*(_without_runs(book) for book in (self._books.credits, self._books.cost)))
        self._moving = {
            kind: _windows(getattr(self._books, kind)) if _moves(scenario, kind) else set()
            for kind in BOOK_KINDS
        }
        self.windows = set[Window]().union(*self._moving.values())
        """Periods that prices count over: what a run costs depends on those before it."""

        self._counts: dict[str | None, PeriodCounts] = {}

    def first_day(self, day: date) -> date:
        """Where reading has to begin for the runs of a local day."""
        return min((period_around(day, window, self._zone).first_day for window in self.windows), default=day)

    def rated(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The runs with `credits_nano` and `cost_nano` as they would have been; their order is not kept.

        Raises:
            BadRequest: when an amount is over the limit of one run.
        """
        marked = frame.with_columns(
            self._touches("credits").alias("touches_credits"), self._touches("cost").alias("touches_cost")
        )
        is_touched = pl.col("touches_credits") | pl.col("touches_cost")
        parts = [marked.filter(~is_touched)]
        touched = marked.filter(is_touched)
        if not touched.is_empty():
            parts += [self._rated(part, import_id) for import_id, part in self._apart(touched)]
        return self._reported(pl.concat(parts))

    def _apart(self, touched: pl.DataFrame) -> list[tuple[str | None, pl.DataFrame]]:
        """By periods, runs that were sent go on from one another, and those of each import by themselves."""
        if not self.windows:
            return [(None, touched)]
        found = touched.partition_by("import_id", as_dict=True, maintain_order=True)
        return [(str(key[0]) if key[0] is not None else None, part) for key, part in found.items()]

    def _rated(self, part: pl.DataFrame, import_id: str | None) -> pl.DataFrame:
        counts = self._counts.setdefault(import_id, PeriodCounts(self._zone)) if self.windows else None
        made = [
            _rate(part.filter(~pl.col(FOLLOWS)), self._books, counts),
            _rate(part.filter(FOLLOWS), self._following, counts),
        ]
        return pl.concat(made)

    def _touches(self, kind: BookKind) -> pl.Expr:
        """Whether a run has to be rated anew by one of the books."""
        if self._moving[kind] or any(one.book == kind for one in self._scenario.of_kind(Draft)):
            return pl.lit(True)
        found = pl.col(MOVED) | pl.col(FOLLOWS)
        for one in self._scenario.of_kind(Priced):
            if one.book == kind:
                found |= is_for(one.where)
        return found

    def _reported(self, frame: pl.DataFrame) -> pl.DataFrame:
        """What runs reported, times the factors of the cost book."""
        for one in self._scenario.of_kind(Priced):
            if one.book == "cost":
                is_its = is_for(one.where) & pl.col("reported_cost_nano").is_not_null()
                made = times(pl.col("cost_nano"), Fraction(one.factor)).cast(pl.Int64)
                frame = frame.with_columns(
                    pl.when(is_its).then(made).otherwise("cost_nano").alias("cost_nano")
                )
        return frame


def _rate(part: pl.DataFrame, books: Books, counts: PeriodCounts | None) -> pl.DataFrame:
    """The same rows with the amounts of those books of which they are touched."""
    if part.is_empty():
        return part
    bare = part.drop("credits_nano", "cost_nano")
    # A book by which no run is touched would be rated for nothing.
    credit = books.credits if part["touches_credits"].any() else PriceBook("credits")
    cost = books.cost if part["touches_cost"].any() else PriceBook("cost")
    rated = rate_frame(bare, credit, cost, counts)
    over = rated.too_large.is_in(["credits", "cost"]) & part["is_selected"]
    if over.any():
        kind = rated.too_large.filter(over)[0]
        raise BadRequest(
            f"The scenario makes more than {MAX_AMOUNT_NANO // 10**9:,} {kind} of one run; see its prices.",
            field="changes",
        )
    made = rated.rated
    return part.with_columns(
        pl.when(f"touches_{kind}").then(made[f"{kind}_nano"]).otherwise(f"{kind}_nano").alias(f"{kind}_nano")
        for kind in ("credits", "cost")
    )


def _book_in(scenario: Scenario, book: PriceBook) -> PriceBook:
    """The book of a scenario: the draft where it has one, with a multiplier for each change of prices."""
    for draft in scenario.of_kind(Draft):
        if draft.book == book.kind:
            book = PriceBook(book.kind, (replace(draft.version, valid_from=_ALWAYS),))
    extra = tuple(
        one.multiplier(number) for number, one in enumerate(scenario.of_kind(Priced)) if one.book == book.kind
    )
    if not extra:
        return book
    return _with_prices(book, lambda price: replace(price, multipliers=(*price.multipliers, *extra)))


def _without_runs(book: PriceBook) -> PriceBook:
    """The book for runs that another one pays for: nothing per run, and no least amount."""

    def made(price: Price) -> Price:
        components = tuple(_FREE_RUN if one.measure == RUN else one for one in price.components)
        return replace(price, components=components, minimum=None)

    return _with_prices(book, made)


def _with_prices(book: PriceBook, made: Callable[[Price], Price]) -> PriceBook:
    return PriceBook(
        book.kind,
        tuple(replace(version, prices=tuple(map(made, version.prices))) for version in book.versions),
    )


def _moves(scenario: Scenario, kind: BookKind) -> bool:
    """Whether a change bears on what runs of a price have used before another."""
    of_book = {one.book for one in scenario.of_kind(Draft)} | {one.book for one in scenario.of_kind(Priced)}
    return kind in of_book or bool(scenario.of_kind(Off, Moved, Batched))


def _windows(book: PriceBook) -> set[Window]:
    return {
        component.over
        for version in book.versions
        for price in version.prices
        for component in price.components
        if component.over
    }
