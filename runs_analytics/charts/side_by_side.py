"""Two bars to a row: what each value took, and what it would have taken."""

from __future__ import annotations

from typing import Final

import altair as alt
import polars as pl

from runs_analytics.charts.parts import blank, finished
from runs_analytics.charts.rows import BAR_DY, row_position, row_target, row_texts
from runs_analytics.charts.theme import ChartTheme
from runs_analytics.charts.units import Unit

SIDES_PX: Final = 46
"""A row: its words, and two bars below them."""

_BAR_PX: Final = 6
_APART_PX: Final = 8


def side_by_side(
    frame: pl.DataFrame,
    *,
    theme: ChartTheme,
    measure_title: str,
    unit: Unit,
    value_title: str,
    sides: tuple[str, str],
    top: int = 8,
) -> alt.LayerChart:
    """The values that are largest on either side, each with both amounts and the difference in percent.

    Args:
        frame: `value`, `before`, `after`, one row per value; no rows give a chart that says so.
        theme: its colours; what was is grey.
        measure_title: what is measured, as a tooltip labels it: `Credits`.
        unit: of the amounts.
        value_title: what a value is: `Feature`.
        sides: what the two amounts are called.
        top: values with a row of their own; all others share one.
    """
    if frame.is_empty():
        return blank(theme, SIDES_PX * 4)
    rows = _rows(frame, unit, top)
    titles = {"name": value_title, "before_text": sides[0], "after_text": sides[1], "share": "Difference"}
    largest = max([*rows["before"].drop_nulls(), *rows["after"].drop_nulls()], default=0.0) or 1.0
    bars = [
        _bars(rows, name, colour, shift, largest)
        for name, colour, shift in (("before", theme.other, 0), ("after", theme.primary, _APART_PX))
    ]
    layers = [*bars, *row_texts(rows, theme), row_target(rows, titles, selectable=False)]
    return finished(layers, theme, SIDES_PX * rows.height, words(frame, measure_title, unit, sides))


def words(frame: pl.DataFrame, measure_title: str, unit: Unit, sides: tuple[str, str]) -> str:
    """The chart in a sentence: both totals, and the value that changes most."""
    if frame.is_empty():
        return f"{measure_title}: nothing in this range."
    before, after = float(frame["before"].sum()), float(frame["after"].sum())
    said = f"{measure_title}: {sides[0].lower()} {unit.text(before)}, {sides[1].lower()} {unit.text(after)}."
    changes = frame.with_columns((pl.col("after") - pl.col("before")).alias("change"))
    most = changes.sort(pl.col("change").abs(), "value", descending=[True, False]).row(0, named=True)
    if not most["change"]:
        return f"{said} No value differs."
    return (
        f"{said} Most differs {most['value']}: {unit.text(float(most['before']))} and "
        f"{unit.text(float(most['after']))}."
    )


def _rows(frame: pl.DataFrame, unit: Unit, top: int) -> pl.DataFrame:
    """One row per value in drawing order, the others last, with their words."""
    amounts = frame.with_columns(pl.col("before", "after").cast(pl.Float64))
    ranked = amounts.sort(pl.max_horizontal("before", "after"), "value", descending=[True, False])
    shown = ranked.height if ranked.height == top + 1 else top
    rows = list(ranked.head(shown).select("value", "before", "after").iter_rows())
    others = ranked.slice(shown)
    if not others.is_empty():
        rows.append(
            (f"{others.height:,} others", float(others["before"].sum()), float(others["after"].sum()))
        )
    # The others together have no bars: they would dwarf the single values they stand beside.
    drawn = [place < shown for place in range(len(rows))]
    return pl.DataFrame(
        {
            "row": range(len(rows)),
            "name": [name for name, _, _ in rows],
            "before": [row[1] if bar else None for row, bar in zip(rows, drawn, strict=True)],
            "after": [row[2] if bar else None for row, bar in zip(rows, drawn, strict=True)],
            "before_text": [unit.text(before) for _, before, _ in rows],
            "after_text": [unit.text(after) for _, _, after in rows],
            "numbers": [f"{unit.number(before)} → {unit.number(after)}" for _, before, after in rows],
            "share": [_change(before, after) for _, before, after in rows],
        }
    )


def _change(before: float, after: float) -> str:
    if before == after:
        return "±0 %"
    return f"{(after / before - 1) * 100:+,.1f} %".replace("-", "−") if before else "new"


def _bars(rows: pl.DataFrame, name: str, colour: str, shift_px: int, largest: float) -> alt.Chart:
    scale = alt.Scale(domain=[0, largest], nice=False)
    bars: alt.Chart = (
        alt.Chart(rows)
        .mark_bar(height=_BAR_PX, yOffset=BAR_DY + shift_px, cornerRadius=2, color=colour)
        .encode(y=row_position(rows.height), x=alt.X(f"{name}:Q", axis=None, scale=scale))
    )
    return bars
