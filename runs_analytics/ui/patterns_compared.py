"""The part of the Patterns page that sets the hours of the week beside those of the period compared with."""

from __future__ import annotations

from typing import Any, Final

import polars as pl
import streamlit as st

from runs_analytics import charts
from runs_analytics.analytics import patterns
from runs_analytics.charts.units import Unit
from runs_analytics.exports.document import Column
from runs_analytics.selection import Selection
from runs_analytics.ui import format as fmt
from runs_analytics.ui import parts, patterns_week, tables
from runs_analytics.ui.controls import View
from runs_analytics.ui.exporting import Shown
from runs_analytics.ui.measures import Measure
from runs_analytics.ui.parts import Card
from runs_analytics.ui.tables import ShownTable
from runs_analytics.ui.theme import current_theme
from runs_analytics.ui.words import escaped

_RED: Final = ("errors", "error_rate")
NOTHING: Final = (
    "There is no earlier period to compare with: choose one in the bar above, or a shorter period whose earlier one "
    "has runs from its first day on."
)


def place(view: View) -> Shown:
    """Place the whole part; what an export writes of it."""
    shown = patterns_week.measure(view)
    compared = view.compared
    if compared is None:
        st.info(escaped(NOTHING), icon=":material/compare_arrows:")
        return Shown((), ())
    unit = patterns_week.unit_of(shown, view.ask.currency)
    with st.skeleton(height=patterns_week.HEATMAP_PX):
        cells = hours(view, compared, shown)
    st.markdown(sentence(cells, compared, shown, unit))
    cards = headline(view, compared, shown, unit)
    parts.cards(cards)
    with st.container(border=True):
        parts.title_row(
            f"{patterns_week.per_hour(shown)}, now less before",
            note=f"{'red' if shown.name in _RED else 'blue'} is more, orange is less",
        )
        heatmap(cells, shown, unit)
        table = cells_table(cells, shown)
        tables.switch(table, "compared_cells", view.ask.currency)
    return Shown(cards, (table,))


def hours(view: View, compared: Selection, shown: Measure) -> pl.DataFrame:
    """Both periods by hour of the week."""
    now, before = (
        patterns.hours_of_week(view.ask, one, view.session.now) for one in (view.selection, compared)
    )
    return patterns.compared_hours(now, before, patterns_week.name_of(shown))


def sentence(cells: pl.DataFrame, compared: Selection, shown: Measure, unit: Unit) -> str:
    """Where most came and went, in one sentence."""
    known = cells.drop_nulls("difference").sort(
        "difference", "weekday", "hour", descending=[True, False, False]
    )
    against = f"against {fmt.date_range(compared.start, compared.end)}"
    if known.is_empty() or not known["difference"].abs().max():
        return escaped(f"No hour of the week differs {against}.")
    most, least = known.row(0, named=True), known.row(-1, named=True)
    said = []
    if most["difference"] > 0:
        said.append(f"**Grew most {escaped(_hour(most))}**, {escaped(_moved(most, unit))}")
    if least["difference"] < 0:
        word = "fell" if said else "Fell"
        said.append(f"**{word} most {escaped(_hour(least))}**, {escaped(_moved(least, unit))}")
    return f"{'; '.join(said)}; {escaped(against)}."


def headline(view: View, compared: Selection, shown: Measure, unit: Unit) -> list[Card]:
    """An hour of the week and of the weekend, beside those before."""
    made = []
    for title, days in (("Weekday hour", range(5)), ("Weekend hour", patterns.WEEKEND)):
        now, before = (_average(view, one, shown, days) for one in (view.selection, compared))
        told = None if before is None else f"On average. Before: {unit.text(before)}."
        made.append(Card(title, shown.unit.text(now), fmt.change(now, before), help=told))
    return made


def heatmap(cells: pl.DataFrame, shown: Measure, unit: Unit) -> None:
    """The differences as squares."""
    texts = [
        f"{unit.number(now)} now, {unit.number(before)} before"
        if now is not None and before is not None
        else "not in both periods, or too few runs"
        for now, before in cells.select("amount", "before").iter_rows()
    ]
    drawn = charts.hours_of_week(
        cells.select("weekday", "hour", "hours", amount="difference").with_columns(
            pl.Series("whole_text", texts)
        ),
        theme=current_theme(),
        measure_title="Difference",
        unit=unit,
        colour=current_theme().error if shown.name in _RED else None,
        whole_title=patterns_week.per_hour(shown),
        is_difference=True,
    )
    st.altair_chart(drawn, theme=None)


def cells_table(cells: pl.DataFrame, shown: Measure) -> ShownTable:
    """A row per hour of the week."""
    kind = patterns_week.average_kind(shown)
    columns = (
        Column("value", "Hour of the week", "text"),
        Column("amount", "Now", kind),
        Column("before", "Before", kind),
        Column("difference", "Difference", kind),
        Column("change", "Change", "percent"),
    )
    names = [patterns_week.hour_of_week(d, h) for d, h in cells.select("weekday", "hour").iter_rows()]
    exact = [patterns_week.written(pl.col(name), kind) for name in ("amount", "before", "difference")]
    change = pl.col("difference") / pl.when(pl.col("before") > 0).then(pl.col("before"))
    frame = cells.select(pl.Series("value", names), *exact, change.alias("change"))
    return ShownTable("compared_hours", "Hours of the week compared", columns, frame)


def _average(view: View, selection: Selection, shown: Measure, days: Any) -> float | None:
    name = patterns_week.name_of(shown)
    cells = patterns.hours_of_week(view.ask, selection, view.session.now)
    part = cells.filter(pl.col("weekday").is_in(list(days))).select(pl.exclude("weekday", "hour").sum())
    found: float | None = part.select(patterns.average_of(name)).item()
    return found


def _hour(row: dict[str, Any]) -> str:
    return patterns_week.hour_of_week(row["weekday"], row["hour"])


def _moved(row: dict[str, Any], unit: Unit) -> str:
    return f"from {unit.number(row['before'])} to {unit.text(row['amount'])}"
