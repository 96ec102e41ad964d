"""Days as squares, a column a week: the darker, the more."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import altair as alt
import polars as pl

from runs_analytics.charts.heatmap import WEEKDAYS, short_number
from runs_analytics.charts.parts import blank, finished
from runs_analytics.charts.series import bucket_text
from runs_analytics.charts.squares import Fill
from runs_analytics.charts.theme import ChartTheme
from runs_analytics.charts.units import Unit

_ROW_PX: Final = 26
_MOST_WEEKS: Final = 53
"""Weeks of one row of months; more stand below each other."""

_TEXT_PX: Final = 30
"""Width of a square from which its number has room."""

_ROWS: Final = len(WEEKDAYS) + 1
"""Of a block of weeks: the months, and the weekdays."""


def calendar(
    frame: pl.DataFrame,
    *,
    theme: ChartTheme,
    measure_title: str,
    unit: Unit,
    colour: str | None = None,
) -> alt.LayerChart:
    """One square per day, weekdays below each other and weeks side by side, with months above them.

    Args:
        frame: `day`, `amount` (null where there is none), `whole_text` (its runs, in words), `address` (where a click
            leads), one row a day in order.
        theme: its colours.
        measure_title: what is drawn: `Runs`.
        unit: of the amounts.
        colour: of a full square; the theme's first by default.
    """
    if frame["amount"].drop_nulls().is_empty():
        return blank(theme, _ROW_PX * _ROWS)
    top = float(frame["amount"].max() or 1.0)  # type: ignore[arg-type]
    fill = Fill(theme, top, colour or theme.primary)
    rows, months, weeks = _rows(frame, unit, fill), _months(frame), _weeks(frame)
    blocks = 1 + max(rows["row"]) // _ROWS
    x = alt.X("week:O", axis=None, scale=alt.Scale(domain=list(range(weeks)), padding=0.08))
    label = f"datum.value % {_ROWS} > 0 ? {list(WEEKDAYS)}[datum.value % {_ROWS} - 1] : ''"
    y = alt.Y(
        "row:O",
        title=None,
        scale=alt.Scale(domain=list(range(_ROWS * blocks)), padding=0.08),
        axis=alt.Axis(labelExpr=label, domain=False, ticks=False),
    )
    tips = {"when": "Day", "text": measure_title, "whole_text": "Runs"}
    base = alt.Chart(rows).encode(
        x=x,
        y=y,
        tooltip=[alt.Tooltip(f"{name}:N", title=words) for name, words in tips.items()],
        href=alt.Href("address:N"),
    )
    squares = base.mark_rect(cornerRadius=2, cursor="pointer").encode(
        color=alt.Color("amount:Q", scale=fill.scale, legend=None),
        description=alt.Description("told:N"),
    )
    numbers = (
        base.transform_filter("isValid(datum.amount)")
        .mark_text(
            fontSize=11,
            cursor="pointer",
            aria=False,
            opacity=alt.ExprRef(f"width > {_TEXT_PX * weeks} ? 1 : 0"),
        )
        .encode(
            text=alt.Text("short:N"),
            color=alt.ColorValue(
                **alt.condition("datum.is_full", alt.value(theme.halo), alt.value(theme.ink))
            ),
        )
    )
    names = (
        alt.Chart(months)
        .mark_text(align="left", dx=-6, color=theme.muted, fontSize=12)
        .encode(x=x, y=y, text=alt.Text("month:N"))
    )
    return finished([squares, numbers, names], theme, _ROW_PX * _ROWS * blocks, _words(rows, measure_title))


def _place(day: date, first: date) -> tuple[int, int]:
    """Week of its block and row of the chart that a day stands in."""
    monday = first - timedelta(days=first.weekday())
    block, week = divmod((day - monday).days // 7, _MOST_WEEKS)
    return week, block * _ROWS + 1 + day.weekday()


def _weeks(frame: pl.DataFrame) -> int:
    first: date = frame["day"][0]
    last: date = frame["day"][-1]
    return min(_MOST_WEEKS, ((last - first).days + first.weekday()) // 7 + 1)


def _rows(frame: pl.DataFrame, unit: Unit, fill: Fill) -> pl.DataFrame:
    first = frame["day"][0]
    made = []
    for day, amount, whole, address in frame.select("day", "amount", "whole_text", "address").iter_rows():
        week, row = _place(day, first)
        when = bucket_text(day, "day")
        text = "no value" if amount is None else unit.text(float(amount))
        made.append(
            {
                "week": week,
                "row": row,
                "amount": None if amount is None else float(amount),
                "is_full": fill.takes_page_colour(None if amount is None else float(amount)),
                "when": when,
                "text": text,
                "short": short_number(unit, None if amount is None else float(amount)),
                "whole_text": whole,
                "address": address,
                "told": f"{when}: {text}",
            }
        )
    return pl.DataFrame(made, infer_schema_length=None, schema_overrides={"amount": pl.Float64})


def _months(frame: pl.DataFrame) -> pl.DataFrame:
    """Each month's name above the week of its first day; that of the first day where no other is near."""
    days = frame["day"].to_list()
    first = days[0]
    starts = [day for day in days if day.day == 1]
    if not starts or (starts[0] - first).days > 14:
        starts.insert(0, first)
    made = []
    for day in starts:
        week, row = _place(day, first)
        named = f"{day:%b} {day.year}" if day.month == 1 else f"{day:%b}"
        made.append({"week": week, "row": row - 1 - day.weekday(), "month": named})
    return pl.DataFrame(made)


def _words(rows: pl.DataFrame, measure_title: str) -> str:
    known = rows.filter(pl.col("amount").is_not_null()).sort("amount", descending=True)
    high, low = known.row(0, named=True), known.row(-1, named=True)
    return (
        f"{measure_title} by day from {rows['when'][0]} to {rows['when'][-1]}: most on {high['when']} with "
        f"{high['text']}, least on {low['when']} with {low['text']}."
    )
