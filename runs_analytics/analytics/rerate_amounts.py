"""What a price version makes of stored runs, frame after frame."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import polars as pl

from runs_analytics.control.rerates import StoredRerate
from runs_analytics.errors import BadRequest
from runs_analytics.ingest.import_job import Books
from runs_analytics.money.periods import period_around
from runs_analytics.money.price_book import BookKind, PriceBook, PriceVersion
from runs_analytics.money.rating_frame import rate_frame
from runs_analytics.money.rating_periods import PeriodCounts
from runs_analytics.selection import FIRST_DAY
from runs_analytics.vocabulary import MAX_AMOUNT_NANO
from runs_analytics.zones import zone_named

_ALWAYS: Final = datetime(FIRST_DAY.year, 1, 1, tzinfo=UTC) - timedelta(days=1)


class Rater:
    """Puts one version to runs, frame after frame, whenever it is valid itself.

    By prices over periods, runs go on from one another in the order of the frames, from zero: those that were sent
    from one another, and those of each import by themselves, as when they came.
    """

    def __init__(self, book: BookKind, version: PriceVersion, zone: str, upto_seq: int) -> None:
        """Take what decides the amounts; runs stored after `upto_seq` get none."""
        only = PriceBook(book, (replace(version, valid_from=_ALWAYS),))
        nothing: BookKind = "cost" if book == "credits" else "credits"
        pair = {book: only, nothing: PriceBook(nothing)}
        self._book, self._version, self._upto_seq = book, version, upto_seq
        self._books = Books(pair["credits"], pair["cost"])
        self._zone = zone_named(zone)
        self._counts: dict[str | None, PeriodCounts] = {}
        self.windows = {
            component.over for price in version.prices for component in price.components if component.over
        }
        """The periods that its prices count over."""

    @classmethod
    def of(cls, one: StoredRerate, version: PriceVersion, zone: str) -> Rater:
        """What a confirmed re-rate was made by, whose version it is."""
        return cls(one.book, version, zone, one.upto_seq)

    def first_day(self, day: date) -> date:
        """Where reading has to begin for the runs of a local day."""
        return min((period_around(day, window, self._zone).first_day for window in self.windows), default=day)

    def amounts(self, frame: pl.DataFrame, wanted: pl.Series) -> pl.Series:
        """What each run would cost; null without a price, and where it is too much though not wanted.

        Raises:
            BadRequest: when a wanted run's amount is over the limit of one run.
        """
        if not self.windows:
            return self._rated(frame, wanted, None)
        numbered = frame.with_row_index("place").with_columns(wanted.alias("is_wanted"))
        part = numbered.filter(pl.col("seq") <= self._upto_seq)
        made = [pl.DataFrame(schema={"place": pl.UInt32, "nano": pl.Int64})]
        for (import_id,), runs in part.partition_by("import_id", as_dict=True).items():
            counts = self._counts.setdefault(import_id, PeriodCounts(self._zone))
            nanos = self._rated(runs.drop("place", "is_wanted"), runs["is_wanted"], counts)
            made.append(pl.DataFrame([runs["place"], nanos.alias("nano")]))
        placed = numbered.select("place").join(pl.concat(made), on="place", how="left", maintain_order="left")
        return placed["nano"]

    def _rated(self, frame: pl.DataFrame, wanted: pl.Series, counts: PeriodCounts | None) -> pl.Series:
        bare = frame.drop([name for name in frame.columns if name.startswith(("credits_", "cost_"))])
        rated = rate_frame(bare, self._books.credits, self._books.cost, counts)
        if (rated.too_large.is_not_null() & wanted).any():
            raise BadRequest(
                f"Version {self._version.version} makes more than {MAX_AMOUNT_NANO // 10**9:,} {self._book} "
                "of one run; see its prices.",
                field="version",
            )
        return rated.rated[f"{self._book}_nano"]
