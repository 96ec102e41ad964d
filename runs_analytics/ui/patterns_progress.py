"""The part of the Patterns page about runs in progress at once: sentence, cards, lines and the table by value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Final, cast

import polars as pl
import streamlit as st

from runs_analytics import charts
from runs_analytics.analytics.concurrency import (
    Concurrency,
    concurrency,
    concurrency_by_value,
    peaks_over_time,
)
from runs_analytics.analytics.plan import Grain
from runs_analytics.exports.document import Column
from runs_analytics.ui import controls, figures, parts, tables
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.exporting import Shown
from runs_analytics.ui.parts import Card
from runs_analytics.ui.tables import ShownTable
from runs_analytics.ui.theme import current_theme
from runs_analytics.ui.words import DIMENSION_TITLES, escaped, value_title
from runs_analytics.vocabulary import Dimension

AT_ONCE: Final = charts.Unit("count", "runs at once")
NOTE: Final = "the highest number at any moment of it"


def place(view: View) -> Shown:
    """Place the whole part; what an export writes of it."""
    with st.skeleton(height=figures.CHART_PX):
        found = concurrency(view.ask, view.selection, view.session.now, tell=_progress())
    st.markdown(sentence(found))
    cards = headline(view, found)
    parts.cards(cards)
    with st.container(border=True):
        with parts.title_row("Most runs at once", note=NOTE):
            grain = controls.grain(view)
        series = peaks_over_time(found, view.selection, grain)
        chart(view, series, grain)
        over_time = slots_table(series, grain)
        tables.switch(over_time, "progress_slots", view.ask.currency)
    with st.container(border=True):
        with parts.title_row("By value", note="each by itself, and at the moment of the peak"):
            by = controls.menu(
                "by",
                {d: f"by {t.lower()}" for d, t in DIMENSION_TITLES.items()},
                label="Split by",
                default="service",
            )
        values = values_table(view, found, cast(Dimension, by))
        values.show("progress_values", currency=view.ask.currency)
    return Shown(cards, (values, over_time))


def sentence(found: Concurrency) -> str:
    """The peak in one sentence, with what it leaves out."""
    left_out = escaped(_left_out(found))
    if found.peak_at is None:
        return f"No run of this period was in progress at any moment.{left_out}"
    when = f" on {moment_text(found.peak_at)}, for {fmt.duration(found.peak_us)}; {_mean(found)} on average."
    return f"**At most {_runs(found.peak)} at once**{escaped(when)}{left_out}"


def headline(view: View, found: Concurrency) -> list[Card]:
    """The peak in headline numbers, beside that of the period compared with."""
    compared = view.compared
    before = concurrency(view.ask, compared, view.session.now) if compared else None
    change = fmt.change(found.peak, before.peak) if before else None
    mean_change = fmt.change(found.mean, before.mean) if before else None
    reached = f"{fmt.date_range(found.peak_at, found.peak_at)}" if found.peak_at else fmt.ABSENT
    made = [
        Card(
            "Most at once",
            fmt.integer(found.peak),
            change,
            help=f"Before: {before.peak}." if before else None,
        ),
        Card(
            "Reached",
            reached,
            help=f"At {found.peak_at:%H:%M:%S} for the first time." if found.peak_at else None,
        ),
        Card("On average", _mean(found), mean_change, help="Time in progress by the time there was."),
    ]
    if found.endless_runs:
        made.append(Card("Without an end", fmt.integer(found.endless_runs), help="Not counted."))
    return made


def chart(view: View, series: pl.DataFrame, grain: Grain) -> None:
    """The highest number by time slot."""
    drawn = charts.lines_over_time(
        series.select("bucket", pl.lit("Most at once").alias("value"), pl.col("peak").alias("amount")),
        theme=current_theme(),
        measure_title="Most at once",
        unit=AT_ONCE,
        grain=cast(charts.Grain, grain),
        partial_from=figures.running_bucket(view, grain),
        selectable=False,
        height_px=figures.CHART_PX,
    )
    st.altair_chart(drawn, theme=None)


def slots_table(series: pl.DataFrame, grain: Grain) -> ShownTable:
    """A row per time slot."""
    columns = (
        Column("value", grain.capitalize(), "text"),
        Column("peak", "Most at once", "integer"),
        Column("peak_at", "First at", "text"),
    )
    slot = pl.col("bucket").dt.strftime("%Y-%m-%d %H:%M" if grain == "hour" else "%Y-%m-%d")
    frame = series.select(
        slot.alias("value"), "peak", pl.col("peak_at").dt.strftime("%Y-%m-%d %H:%M:%S")
    ).with_columns(pl.when(pl.col("peak") > 0).then(pl.col("peak_at")))
    return ShownTable("most_at_once", f"Most at once by {grain}", columns, frame)


def values_table(view: View, whole: Concurrency, by: Dimension) -> ShownTable:
    """A row per value of a dimension; those in progress at the peak add up to it."""
    found = concurrency_by_value(view.ask, view.selection, by, view.session.now)
    columns = (
        Column("value", DIMENSION_TITLES[by], "text"),
        Column("peak", "Most at once", "integer"),
        Column("peak_at", "First at", "text"),
        Column("at_peak", "At the peak of all", "integer", adds_up=True),
        Column("share", "Share of the peak", "percent"),
        Column("busy_us", "Time in progress", "duration_us", adds_up=True),
    )
    frame = found.select(
        pl.col("value").map_elements(lambda value: value_title(by, value), pl.String),
        "peak",
        pl.col("peak_at").dt.strftime("%Y-%m-%d %H:%M:%S"),
        "at_peak",
        (pl.col("at_peak") / max(whole.peak, 1)).alias("share"),
        "busy_us",
    )
    totals: dict[str, object] = {"peak": whole.peak, "at_peak": whole.peak, "busy_us": whole.busy_us}
    if whole.peak_at:
        totals |= {"peak_at": f"{whole.peak_at:%Y-%m-%d %H:%M:%S}", "share": 1.0}
    return ShownTable(
        "at_once_by_value", f"At once by {DIMENSION_TITLES[by].lower()}", columns, frame, totals
    )


def moment_text(at: datetime) -> str:
    """A moment on the zone's clock: `Tue 3 Nov 2026, 10:42:07`."""
    return f"{day_text(at)}, {at:%H:%M:%S}"


def day_text(day: date) -> str:
    """A day with its weekday: `Tue 3 Nov 2026`."""
    return f"{day:%a} {fmt.date_range(day, day)}"


def _mean(found: Concurrency) -> str:
    return f"{found.mean:,.1f}" if found.mean >= 0.95 else f"{found.mean:.2g}"


def _runs(count: int) -> str:
    return f"{fmt.integer(count)} {'run' if count == 1 else 'runs'}"


def _left_out(found: Concurrency) -> str:
    said = []
    if found.endless_runs:
        said.append(f"{_runs(found.endless_runs)} without an end")
    if found.instant_runs:
        said.append(f"{_runs(found.instant_runs)} of no length")
    return f" Not counted: {' and '.join(said)}." if said else ""


def _progress() -> Callable[[float], None]:
    """A bar that is there only while a question takes several steps."""
    slot = st.empty()

    def tell(share: float) -> None:
        if 0 < share < 1:
            slot.progress(share, text="Counting runs in progress")
        else:
            slot.empty()

    return tell
