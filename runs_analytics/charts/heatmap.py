"""Hours of the week as squares: the darker, the more."""

from __future__ import annotations

from typing import Final

import altair as alt
import polars as pl

from runs_analytics.charts.parts import blank, finished
from runs_analytics.charts.squares import Fill
from runs_analytics.charts.theme import ChartTheme
from runs_analytics.charts.units import Unit

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ROW_PX: Final = 36
_AXIS_PX: Final = 56
_TEXT_FROM_PX: Final = 820
"""Width of the plot from which a cell has room for its number."""


def hours_of_week(
    frame: pl.DataFrame,
    *,
    theme: ChartTheme,
    measure_title: str,
    unit: Unit,
    colour: str | None = None,
    whole_title: str = "All such hours",
    is_difference: bool = False,
) -> alt.LayerChart:
    """One square per hour of the week, weekdays below each other.

    Args:
        frame: `weekday` (0 is Monday), `hour`, `hours` (how many such hours there were), `amount` (null where there
            is none), `whole_text` (what all such hours have together, in words). No amount at all gives a chart that
            says so.
        theme: its colours.
        measure_title: what is drawn: `Runs per hour`.
        unit: of the amounts.
        colour: of a full cell; the theme's first by default.
        whole_title: what `whole_text` is.
        is_difference: whether amounts are more or less than before, in two colours from nothing on.
    """
    height_px = _ROW_PX * len(WEEKDAYS) + _AXIS_PX
    if frame["amount"].drop_nulls().is_empty():
        return blank(theme, height_px)
    top = float(frame["amount"].abs().max() or 1.0)  # type: ignore[arg-type]
    fill = Fill(theme, top, colour or theme.primary, theme.series[1] if is_difference else None)
    rows = _rows(frame, unit, fill, is_difference)
    tips = {
        "when": "Hour of the week",
        "text": measure_title,
        "whole_text": whole_title,
        "hours_text": "Counted",
    }
    base = alt.Chart(rows).encode(
        x=alt.X(
            "hour:O",
            title="Hour of the day",
            scale=alt.Scale(domain=list(range(24)), padding=0.06),
            axis=alt.Axis(
                labelAngle=0,
                labelExpr="datum.value % 3 == 0 || width > 700 ? pad(datum.value, 2, '0', 'left') : ''",
                labelOverlap=False,
                domain=False,
                ticks=False,
            ),
        ),
        y=alt.Y(
            "weekday:O",
            title=None,
            scale=alt.Scale(domain=list(range(len(WEEKDAYS))), padding=0.08),
            axis=alt.Axis(labelExpr=f"{list(WEEKDAYS)}[datum.value]", domain=False, ticks=False),
        ),
        tooltip=[alt.Tooltip(f"{name}:N", title=title) for name, title in tips.items()],
    )
    cells = base.mark_rect(cornerRadius=3).encode(color=alt.Color("amount:Q", scale=fill.scale, legend=None))
    numbers = (
        base.transform_filter("isValid(datum.amount)")
        .mark_text(fontSize=11, tooltip=None, opacity=alt.ExprRef(f"width > {_TEXT_FROM_PX} ? 1 : 0"))
        .encode(
            text=alt.Text("short:N"),
            color=alt.ColorValue(
                **alt.condition("datum.is_full", alt.value(theme.halo), alt.value(theme.ink))
            ),
            tooltip=alt.TooltipValue(None),
        )
    )
    return finished([cells, numbers], theme, height_px, _words(rows, measure_title))


def _rows(frame: pl.DataFrame, unit: Unit, fill: Fill, is_signed: bool) -> pl.DataFrame:
    made = []
    for weekday, hour, hours, amount, whole in frame.select(
        "weekday", "hour", "hours", "amount", "whole_text"
    ).iter_rows():
        sign = "+" if is_signed and amount is not None and amount > 0 else ""
        when = f"{WEEKDAYS[weekday]} {hour:02d}:00–{(hour + 1) % 24:02d}:00"
        made.append(
            {
                "weekday": weekday,
                "hour": hour,
                "amount": amount,
                "is_full": fill.takes_page_colour(amount),
                "when": when,
                "text": sign + unit.text(amount) if amount is not None else "no value",
                "short": _signed(short_number(unit, amount), sign),
                "whole_text": whole,
                "hours_text": f"{hours:,.4g} such hours" if hours != 1 else "1 such hour",
            }
        )
    return pl.DataFrame(made, infer_schema_length=None, schema_overrides={"amount": pl.Float64})


def _signed(short: str, sign: str) -> str:
    """A short number with its sign, unless nothing is left of it."""
    return sign + short if short.strip("-0.") else short.removeprefix("-")


def short_number(unit: Unit, amount: float | None) -> str:
    """An amount in at most five characters, for a small square."""
    if amount is None:
        return ""
    if unit.kind == "rate":
        return f"{amount * 100:.1f}" if amount < 0.1 else f"{amount * 100:.0f}"
    if unit.kind == "duration_us":
        return unit.text(amount).split(" ")[0] if amount < 60e6 else f"{amount / 60e6:.0f}m"
    for power, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(amount) >= power * 0.9995:
            scaled = amount / power
            return f"{scaled:.1f}{name}" if scaled < 99.95 else f"{scaled:.0f}{name}"
    if amount == 0:
        return "0"
    return f"{amount:.1f}" if abs(amount) < 9.95 else f"{amount:.0f}"


def _words(rows: pl.DataFrame, measure_title: str) -> str:
    known = rows.filter(pl.col("amount").is_not_null()).sort("amount", descending=True)
    highest, lowest = known.row(0, named=True), known.row(-1, named=True)
    return (
        f"{measure_title} by hour of the week: most {highest['when']} with {highest['text']}, least "
        f"{lowest['when']} with {lowest['text']}."
    )
