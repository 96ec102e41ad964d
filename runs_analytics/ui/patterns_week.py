"""The parts of the Patterns page about hours of the week: the sentence, cards, heatmap and its table."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, cast

import polars as pl
import streamlit as st

from runs_analytics import charts
from runs_analytics.analytics import patterns
from runs_analytics.analytics.patterns import Rhythm
from runs_analytics.charts.heatmap import WEEKDAYS
from runs_analytics.charts.units import DURATION, RATE, Unit, money_unit
from runs_analytics.exports.document import AMOUNT, Column, Kind
from runs_analytics.selection import Selection
from runs_analytics.ui import controls, parts, patterns_peaks, tables
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.exporting import Shown
from runs_analytics.ui.headlines import main_measure
from runs_analytics.ui.measures import Measure, Number, measures
from runs_analytics.ui.parts import Card
from runs_analytics.ui.tables import ShownTable
from runs_analytics.ui.theme import current_theme
from runs_analytics.ui.words import escaped

HEATMAP_PX: Final = 308
WEEK_NOTE: Final = "average over as many such hours as the period had"
ERRORS: Final = Unit("count", "errors")


@dataclass(frozen=True)
class Week:
    """The hours of the week in one measure."""

    measure: Measure
    name: patterns.Measure
    unit: Unit
    """Of an hour's average."""

    cells: pl.DataFrame
    """As `patterns.hours_of_week`, with `amount` per hour."""

    rhythm: Rhythm | None

    @property
    def title(self) -> str:
        """What a cell is: `Runs per hour`."""
        return per_hour(self.measure)

    def text(self, amount: float | None) -> str:
        """An average in words."""
        if self.measure.is_level:
            return self.measure.text(amount)
        return fmt.ABSENT if amount is None else self.unit.text(amount)


def place(view: View) -> Shown:
    """Place the whole part; what an export writes of it."""
    shown = measure(view)
    with st.skeleton(height=HEATMAP_PX):
        found = week(view, shown, view.selection)
    peaks = patterns_peaks.peaks(view, found.name)
    st.markdown(
        "  \n".join(text for text in (sentence(found), patterns_peaks.sentence(peaks, shown)) if text)
    )
    made = cards(view, found)
    parts.cards(made)
    with st.container(border=True):
        parts.title_row(found.title, note=WEEK_NOTE)
        heatmap(view, found)
        cells = cells_table(view, found)
        tables.switch(cells, "patterns_cells", view.ask.currency)
    listed = patterns_peaks.table(peaks, shown)
    if listed.frame.height:
        with st.container(border=True):
            parts.title_row(listed.title, note="single hours of this period")
            listed.show("patterns_peaks", currency=view.ask.currency)
    return Shown(made, (cells, listed))


def measure(view: View) -> Measure:
    """The measure that the page is drawn in, which its address names."""
    known = _measures(view)
    default = main_measure(view, ("runs", "credits")).name
    name = controls.choice(
        "measure", {n: m.title for n, m in known.items()}, label="Measure", default=default
    )
    return known[name]


def per_hour(shown: Measure) -> str:
    """What an hour of the week is: `Runs per hour`."""
    return shown.title if shown.is_level else f"{shown.title} per hour"


def name_of(shown: Measure) -> patterns.Measure:
    """A measure as the questions name it."""
    return cast(patterns.Measure, shown.name)


def week(view: View, shown: Measure, selection: Selection) -> Week:
    """The hours of the week of a selection."""
    name = name_of(shown)
    cells = patterns.hours_of_week(view.ask, selection, view.session.now)
    found = patterns.rhythm(cells, name)
    drawn = cells.with_columns(patterns.average_of(name).alias("amount"))
    return Week(shown, name, unit_of(shown, view.ask.currency), drawn, found)


def sentence(shown: Week) -> str:
    """The pattern in one sentence."""
    found = shown.rhythm
    if found is None:
        return escaped(f"No hour of this period has {shown.measure.title.lower()} to compare.")
    when = hour_of_week(found.weekday, found.hour)
    if shown.measure.is_level:
        overall = f"; {shown.text(found.overall)} over all hours" if found.overall is not None else ""
        enough = f"{shown.text(found.average)}, among hours with at least {patterns.LEAST_RUNS} runs"
        return f"**Highest {escaped(when)}** with {escaped(enough + overall)}."
    said = [f"**Busiest {escaped(when)}**, {escaped(shown.text(found.average))} on average"]
    if found.window_start is not None and found.window_share is not None:
        hours = window(found.window_start)
        noun = shown.measure.title.lower()
        said.append(escaped(f"{fmt.percent(found.window_share, 0)} of {noun} fall in {hours}"))
    if found.weekend_ratio is not None:
        said.append(escaped(f"weekend days at {fmt.percent(found.weekend_ratio, 0)} of a weekday"))
    return f"{'; '.join(said)}."


def cards(view: View, shown: Week) -> list[Card]:
    """The pattern in headline numbers, each beside that of the period compared with."""
    found = shown.rhythm
    label = "Highest hour" if shown.measure.is_level else "Busiest hour"
    if found is None:
        return [Card(label, fmt.ABSENT)]
    before = week(view, shown.measure, view.compared) if view.compared else None
    was = before.rhythm if before else None
    said = f"{shown.text(found.average)} on average.{_before(shown, was)}"
    made = [Card(label, hour_of_week(found.weekday, found.hour), help=said)]
    if found.window_start is not None and found.window_share is not None:
        share = patterns.window_share(before.cells, shown.name, found.window_start) if before else None
        change = fmt.rate_change(found.window_share, share)
        made.append(
            Card(
                f"{shown.measure.title} in {window(found.window_start)}",
                fmt.percent(found.window_share),
                change,
            )
        )
    if found.weekend_ratio is not None:
        change = fmt.rate_change(found.weekend_ratio, was.weekend_ratio if was else None)
        made.append(
            Card("Weekend day", fmt.percent(found.weekend_ratio), change, help="Of an average weekday.")
        )
    return made


def _before(shown: Week, was: Rhythm | None) -> str:
    """The highest hour of the period compared with, in words."""
    if was is None:
        return ""
    return f" Before: {hour_of_week(was.weekday, was.hour)}, {shown.text(was.average)}."


def heatmap(view: View, shown: Week) -> None:
    """Hours of the week as squares; a click chooses one."""
    whole = shown.cells.select(patterns.amount_of(shown.name).alias("whole"), "runs").iter_rows()
    texts = [_whole_text(shown, amount, runs) for amount, runs in whole]
    drawn = charts.hours_of_week(
        shown.cells.with_columns(pl.Series("whole_text", texts)),
        theme=current_theme(),
        measure_title=shown.title,
        unit=shown.unit,
        colour=current_theme().error if shown.name in ("errors", "error_rate") else None,
    )
    st.altair_chart(drawn, theme=None)


def cells_table(view: View, shown: Week) -> ShownTable:
    """A row per hour of the week that the period had."""
    kind, average = shown.measure.kind, average_kind(shown.measure)
    columns = (
        Column("value", "Hour of the week", "text"),
        Column("hours", "Such hours", "text"),
        Column("amount", "Average" if not shown.measure.is_level else shown.measure.title, average),
        Column("whole", "In all", kind, adds_up=not shown.measure.is_level),
        Column("runs", "Runs", "integer", adds_up=True),
    )
    names = [hour_of_week(d, h) for d, h in shown.cells.select("weekday", "hour").iter_rows()]
    frame = shown.cells.select(
        pl.Series("value", names),
        pl.col("hours").cast(pl.String),
        written(pl.col("amount"), average),
        patterns.amount_of(shown.name).alias("whole"),
        "runs",
    )
    return ShownTable("hours_of_week", "Hours of the week", columns, frame)


def average_kind(shown: Measure) -> Kind:
    """How an average of it is written: that of whole numbers has decimals."""
    return "credits" if shown.kind == "integer" else shown.kind


def written(average: pl.Expr, kind: Kind) -> pl.Expr:
    """An average, a float, as tables hold its kind."""
    return average.round(9).cast(AMOUNT) if kind in ("credits", "money") else average


def hour_of_week(weekday: int, hour: int) -> str:
    """An hour of the week in words: `Tue 10–11`."""
    return f"{WEEKDAYS[weekday]} {hour}–{(hour + 1) % 24}"


def window(start: int) -> str:
    """The hours of the fullest part of the day in words: `9–12`."""
    return f"{start}–{(start + patterns.WINDOW_HOURS) % 24}"


def _measures(view: View) -> dict[str, Measure]:
    known = measures(view.ask.currency)
    errors = Measure("errors", "Errors", ERRORS, pl.col("error_runs"), _integer, "integer")
    every = known | {"errors": errors}
    return {name: every[name] for name in patterns.MEASURES}


def _integer(value: Number | None) -> str:
    return fmt.integer(None if value is None else int(value))


def unit_of(shown: Measure, currency: str) -> Unit:
    """The unit of a measure's average hour."""
    if shown.name == "error_rate":
        return RATE
    if shown.name == "duration":
        return DURATION
    if shown.name == "cost":
        return money_unit(f"{currency} an hour")
    return Unit("amount", f"{shown.unit.name} an hour")


def _whole_text(shown: Week, amount: Decimal | float | None, runs: int) -> str:
    if shown.measure.is_level:
        return f"{fmt.integer(runs)} runs"
    noun = "" if shown.name == "cost" else f" {shown.measure.title.lower()}"
    return f"{shown.measure.text(amount)}{noun}"
