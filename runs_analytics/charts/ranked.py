"""Sorted bars: what each value took, and its share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import polars as pl

from runs_analytics.charts import alt_text
from runs_analytics.charts.parts import BAR, blank, finished
from runs_analytics.charts.rows import BAR_DY, BAR_PX, ROW_PX, row_position, row_target, row_texts
from runs_analytics.charts.theme import ChartTheme
from runs_analytics.charts.units import Unit


def ranked_bars(
    frame: pl.DataFrame,
    *,
    theme: ChartTheme,
    measure_title: str,
    unit: Unit,
    value_title: str = "Value",
    top: int = 8,
    colours: Mapping[str, str] | None = None,
    selectable: bool = True,
) -> alt.LayerChart:
    """The largest values as bars with amount and share, and one row for all others.

    Args:
        frame: `value`, `amount`, one row per value, every value of the total; no rows give a chart
            that says so.
        theme: its colours.
        measure_title: what is measured, as a tooltip labels it: `Credits`.
        unit: of the amounts.
        value_title: what a value is: `Feature`.
        top: values with a row of their own.
        colours: colour by value, as `colour_of` gives; by default one colour for all.
        selectable: adds the selection `BAR`; the row of the others has the empty value.
    """
    if frame.is_empty():
        return blank(theme, ROW_PX * 4)
    rows = _rows(frame, unit, top)
    titles = {"full_name": value_title, "amount_text": measure_title, "share": "Share"}
    layers = [
        *_bars(rows, theme, colours or {}, selectable),
        *row_texts(rows, theme),
        row_target(rows, titles, selectable),
    ]
    words = alt_text.ranked_bars(frame, measure_title=measure_title, unit=unit)
    return finished(layers, theme, ROW_PX * rows.height, words)


def _rows(frame: pl.DataFrame, unit: Unit, top: int) -> pl.DataFrame:
    """One row per bar in drawing order, the others last, with their words."""
    ranked = frame.sort(["amount", "value"], descending=[True, False])
    # A lone other is better named: it takes the same row.
    shown = ranked.height if ranked.height == top + 1 else top
    bars = [(value, value, float(amount)) for value, amount in ranked.head(shown).iter_rows()]
    rest = ranked.slice(shown)
    if not rest.is_empty():
        bars.append(("", f"{rest.height:,} others", float(rest["amount"].sum())))
    total = float(ranked["amount"].sum())
    return pl.DataFrame(
        {
            "row": range(len(bars)),
            "value": [value for value, _, _ in bars],
            "name": [name for _, name, _ in bars],
            "full_name": [name for _, name, _ in bars],
            "amount": [amount for _, _, amount in bars],
            "numbers": [unit.number(amount) for _, _, amount in bars],
            "amount_text": [unit.text(amount) for _, _, amount in bars],
            "share": [f"{a / total * 100:.1f} %" if total > 0 else "" for _, _, a in bars],
        }
    )


def _bars(
    rows: pl.DataFrame, theme: ChartTheme, colours: Mapping[str, str], selectable: bool
) -> list[alt.Chart]:
    fill = [colours.get(value, theme.primary) for value in rows["value"]]
    # The others together have no bar: it would dwarf the single values it stands beside.
    rows = rows.with_columns(pl.when(pl.col("value") != "").then("amount").alias("amount"))
    amounts = [*rows["amount"].drop_nulls(), 0.0]
    domain = [min(amounts), max(amounts) or 1.0]
    shape: dict[str, Any] = {"height": BAR_PX, "yOffset": BAR_DY, "cornerRadius": 2}
    base = alt.Chart(rows.with_columns(pl.Series("fill", fill))).encode(y=row_position(rows.height))
    named = base.transform_filter("datum.value !== ''")
    track = named.mark_rect(color=theme.track, **shape).encode(x=alt.XValue(0), x2=alt.X2Value("width"))
    bars = base.mark_bar(**shape).encode(
        x=alt.X("amount:Q", axis=None, scale=alt.Scale(domain=domain, nice=False)),
        color=alt.Color("fill:N", scale=None, legend=None),
    )
    if selectable:
        picked = alt.when(alt.selection_point(name=BAR, fields=["value"]))
        opacity = picked.then(alt.value(1)).otherwise(alt.value(0.25))
        bars = bars.encode(opacity=alt.OpacityValue(**opacity))
    return [track, bars]
