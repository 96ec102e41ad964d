"""The part of the Patterns page with a square for each day; a click goes to the runs of that day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import polars as pl
import streamlit as st

from runs_analytics import charts
from runs_analytics.analytics import patterns
from runs_analytics.exports.document import Column
from runs_analytics.selection import Selection
from runs_analytics.ui import format as fmt
from runs_analytics.ui import navigation, parts, patterns_week, tables
from runs_analytics.ui.controls import View
from runs_analytics.ui.exporting import Shown
from runs_analytics.ui.measures import Measure
from runs_analytics.ui.parts import Card
from runs_analytics.ui.patterns_progress import day_text
from runs_analytics.ui.tables import ShownTable
from runs_analytics.ui.theme import current_theme
from runs_analytics.ui.words import escaped

NOTE: Final = "a click opens the runs of that day"


def place(view: View) -> Shown:
    """Place the whole part; what an export writes of it."""
    shown = patterns_week.measure(view)
    named = amounts(view, view.selection, shown)
    st.markdown(sentence(named, shown))
    cards = headline(view, named, shown)
    parts.cards(cards)
    with st.container(border=True):
        parts.title_row(f"{shown.title} {shown.per_slot} day", note=NOTE)
        squares(named, shown)
        table = days_table(named, shown)
        tables.switch(table, "calendar_days", view.ask.currency)
    return Shown(cards, (table,))


def sentence(days: pl.DataFrame, shown: Measure) -> str:
    """The highest day, and how many have no runs."""
    known = days.drop_nulls("amount").sort("amount", "day", descending=[True, False])
    if known.is_empty() or not known["amount"][0]:
        return escaped(f"No day of this period has {shown.title.lower()} to compare.")
    most = known.row(0, named=True)
    empty = days.filter(pl.col("runs") == 0).height
    quiet = f" {fmt.integer(empty)} of {fmt.integer(days.height)} days have no runs." if empty else ""
    return (
        f"**Most on {escaped(day_text(most['day']))}**, {escaped(_text(shown, most['amount']) + '.' + quiet)}"
    )


def amounts(view: View, selection: Selection, shown: Measure) -> pl.DataFrame:
    """Each day of a selection with the `amount` of a measure."""
    days = patterns.calendar(view.ask, selection, view.session.now)
    return days.with_columns(patterns.known_amount_of(patterns_week.name_of(shown)).alias("amount"))


def headline(view: View, days: pl.DataFrame, shown: Measure) -> list[Card]:
    """The highest, the middle and the lowest of the days that are over, beside those of the period compared with."""
    now = _extremes(view, days)
    if now is None:
        return [Card("Days", fmt.integer(days.height))]
    before = _extremes(view, amounts(view, view.compared, shown)) if view.compared else None
    changes = (
        [fmt.change(*pair) for pair in zip(now.amounts, before.amounts, strict=True)]
        if before
        else [None] * 3
    )
    high, middle, low = now.amounts
    return [
        Card("Highest day", _text(shown, high), changes[0], help=escaped(day_text(now.high_day))),
        Card(
            "Median day",
            shown.unit.text(middle),
            changes[1],
            help="Half of the days that are over had more, half less.",
        ),
        Card("Lowest day", _text(shown, low), changes[2], help=escaped(day_text(now.low_day))),
    ]


@dataclass(frozen=True)
class _Extremes:
    high_day: date
    low_day: date
    amounts: tuple[Any, float, Any]
    """Of the highest day, the median, and of the lowest day."""


def _extremes(view: View, days: pl.DataFrame) -> _Extremes | None:
    """Of the days that are over; None without one."""
    over = days.filter(pl.col("day") < view.session.today).drop_nulls("amount")
    if over.is_empty():
        return None
    ordered = over.sort("amount", "day", descending=[True, False])
    high, low = ordered.row(0, named=True), ordered.row(-1, named=True)
    middle = float(over["amount"].cast(pl.Float64).median() or 0)  # type: ignore[arg-type]
    return _Extremes(high["day"], low["day"], (high["amount"], middle, low["amount"]))


def squares(days: pl.DataFrame, shown: Measure) -> None:
    """The calendar; a click on a day goes to its runs."""
    runs = [f"{fmt.integer(count)}" for count in days["runs"]]
    addresses = [runs_of_day(day) for day in days["day"]]
    drawn = charts.calendar(
        days.select(
            "day",
            pl.col("amount").cast(pl.Float64),
            pl.Series("whole_text", runs),
            pl.Series("address", addresses, dtype=pl.String),
        ),
        theme=current_theme(),
        measure_title=shown.title,
        unit=shown.unit,
        colour=current_theme().error if shown.name in ("errors", "error_rate") else None,
    )
    st.altair_chart(drawn, theme=None)


def runs_of_day(day: date) -> str:
    """The address of the runs of a day, with the filters of the page."""
    dates = {"period": [], "from": [day.isoformat()], "to": [day.isoformat()]}
    return navigation.address_of("run_history", dates)


def days_table(days: pl.DataFrame, shown: Measure) -> ShownTable:
    """A row per day; sums add up to the period."""
    columns = (
        Column("value", "Day", "text"),
        Column("amount", shown.title, shown.kind, adds_up=not shown.is_level),
        *((Column("runs", "Runs", "integer", adds_up=True),) if shown.name != "runs" else ()),
    )
    frame = days.select(pl.col("day").cast(pl.String).alias("value"), "amount", "runs")
    return ShownTable("calendar", f"{shown.title} by day", columns, frame.select([c.name for c in columns]))


def _text(shown: Measure, amount: Any) -> str:
    noun = "" if shown.is_level or shown.name == "cost" else f" {shown.title.lower()}"
    return f"{shown.text(amount)}{noun}"
