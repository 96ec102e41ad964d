"""Prices over periods in frames: each row costs what it adds to what earlier rows used in its period."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from runs_analytics.money.periods import period_around
from runs_analytics.money.price_book import BookKind
from runs_analytics.money.rating_terms import CompiledPrice, Meter
from runs_analytics.vocabulary import QUARTER_HOUR_US

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class PeriodCounts:
    """What rows used so far in each period of a zone, in memory, from zero; frame after frame goes on from it."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.used: defaultdict[tuple[Meter, date], int] = defaultdict(int)
        """By meter and first local day of the period."""

    def key(self, meter: Meter, day: date) -> tuple[Meter, date]:
        """The meter and the period of it that a local day lies in."""
        return meter, period_around(day, meter.over, self.zone).first_day


def local_days(started_at: pl.Series, zone: ZoneInfo) -> pl.Series:
    """The local day of each moment (UTC without a zone)."""
    quarters = started_at.dt.epoch("us") // QUARTER_HOUR_US
    known = quarters.unique()
    step = timedelta(microseconds=QUARTER_HOUR_US)
    days = [(_EPOCH + quarter * step).astimezone(zone).date() for quarter in known]
    return quarters.replace_strict(known, pl.Series(days, dtype=pl.Date), return_dtype=pl.Date)


def amounts_after_earlier(
    rows: pl.DataFrame, book: BookKind, prices: list[CompiledPrice], counts: PeriodCounts
) -> pl.DataFrame:
    """What rows cost after what was used before each, in their order; the counts move on.

    Args:
        rows: columns `row`, `price` (position in `prices`), `day` (local), `counts` (whether later rows go on
            from it) and each measure of the prices with its count.
        book: of the prices.
        prices: those that rows met.
        counts: of the rows before these.

    Returns:
        Columns row, nano, lines and `used` (before, by component over a period).
    """
    nanos: list[int] = []
    lines: list[tuple[int, ...]] = []
    used: list[tuple[int, ...]] = []
    for values in rows.iter_rows(named=True):
        price = prices[values["price"]]
        meters = [price.meter(book, term) for term in price.terms]
        keys = [None if meter is None else counts.key(meter, values["day"]) for meter in meters]
        quantities = [values[term.measure] for term in price.terms]
        before = [counts.used[key] if key else 0 for key in keys]
        found = price.lines(quantities, before)
        used.append(price.used_in_periods(before))
        nanos.append(sum(found))
        lines.append(found)
        if values["counts"]:
            # As a mapping, so that a measure that two lines charge is counted once.
            for key, quantity in {key: q for key, q in zip(keys, quantities, strict=True) if key}.items():
                counts.used[key] += quantity
    return pl.DataFrame(
        [
            rows["row"],
            pl.Series("nano", nanos, pl.Int64),
            pl.Series("lines", lines, pl.List(pl.Int64)),
            pl.Series("used", used, pl.List(pl.Int64)),
        ]
    )
