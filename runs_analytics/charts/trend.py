"""Days with their trend and the changes of level on them, and the shape of a rhythm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import polars as pl

from runs_analytics.charts.parts import blank, columns_to_read, finished, value_axis
from runs_analytics.charts.series import bucket_text
from runs_analytics.charts.theme import ChartTheme
from runs_analytics.charts.time_axis import TimeAxis
from runs_analytics.charts.units import RATE, Unit

TREND_HEIGHT_PX: Final = 300
RHYTHM_HEIGHT_PX: Final = 170
_NAMES: Final = ("Actual", "Trend", "Level")


def trend_over_time(
    days: pl.DataFrame,
    changes: pl.DataFrame,
    *,
    theme: ChartTheme,
    measure_title: str,
    unit: Unit,
    height_px: int = TREND_HEIGHT_PX,
) -> alt.LayerChart:
    """Days as a thin line, their trend as a thick one, levels dashed, and a word at each change of level.

    Args:
        days: `day`, `actual`, `trend`, `level`; no row gives a chart that says so.
        changes: `day`, `word` (`×1.6`), `before_text`, `after_text`.
        theme: its colours.
        measure_title: what is measured, as a tooltip labels it: `Credits`.
        unit: of the amounts.
        height_px: of the chart.
    """
    if days.is_empty():
        return blank(theme, height_px)
    axis = TimeAxis.over(days["day"], "day")
    rows = _day_rows(days, axis, unit)
    amounts = pl.concat([rows["actual"], rows["trend"], rows["level"]])
    shown = _NAMES if changes.height else _NAMES[:2]
    colours = [theme.muted, theme.primary, theme.series[1]][: len(shown)]
    scale = alt.Scale(domain=list(shown), range=colours)
    colour = alt.Color(
        "name:N", scale=scale, legend=alt.Legend(title=None, symbolType="stroke", symbolStrokeWidth=3)
    )
    base = alt.Chart(rows).encode(x=axis.encoding("middle"))

    def line(column: str, name: str, **look: Any) -> alt.Chart:
        drawn: alt.Chart = (
            base.transform_calculate(name=f"'{name}'")
            .mark_line(**look)
            .encode(y=value_axis(amounts, unit, f"{column}:Q"), color=colour)
        )
        return drawn

    layers = [line("actual", "Actual", strokeWidth=1.2), line("trend", "Trend", strokeWidth=2.8)]
    if changes.height:
        layers.append(line("level", "Level", strokeWidth=1.8, strokeDash=[5, 4], interpolate="step"))
    tips = {"when": "Day", "actual_text": measure_title, "trend_text": "Trend", "level_text": "Level"}
    layers.append(columns_to_read(base, tips, rows.height))
    if changes.height:
        layers += _marks(changes, axis, theme)
    return finished(layers, theme, height_px, _words(days, changes, measure_title, unit))


def rhythm(
    effects: pl.DataFrame,
    labels: Sequence[str],
    *,
    theme: ChartTheme,
    title: str,
    every: int = 1,
    height_px: int = RHYTHM_HEIGHT_PX,
) -> alt.LayerChart:
    """How far each place of a period lies above or below the average, as bars from a line at zero.

    Args:
        effects: `place` (from 0), `share` (0.25 is a quarter above the average), `text` (the same as an amount).
        labels: of the places.
        theme: its colours.
        title: what a place is: `Weekday`.
        every: which of the labels stand below the axis.
        height_px: of the chart.
    """
    rows = effects.with_columns(
        label=pl.Series([labels[place] for place in effects["place"]]),
        share_text=pl.Series([_signed(share) for share in effects["share"]]),
        is_above=pl.col("share") >= 0,
    )
    tips = {"label": title, "share_text": "Against the average", "text": "Amount"}
    bars = (
        alt.Chart(rows)
        .mark_bar(cornerRadius=2)
        .encode(
            x=alt.X(
                "label:O",
                sort=list(labels),
                title=None,
                scale=alt.Scale(paddingInner=0.25),
                axis=alt.Axis(values=list(labels[::every]), labelAngle=0, ticks=False, domain=False),
            ),
            y=value_axis(rows["share"], RATE, "share:Q"),
            color=alt.ColorValue(
                **alt.condition("datum.is_above", alt.value(theme.primary), alt.value(theme.other))
            ),
            tooltip=[alt.Tooltip(f"{name}:N", title=words) for name, words in tips.items()],
        )
    )
    zero = alt.Chart(pl.DataFrame({"share": [0.0]})).mark_rule(color=theme.muted).encode(y=alt.Y("share:Q"))
    ordered = rows.sort("share")
    low, high = ordered.row(0, named=True), ordered.row(-1, named=True)
    words = (
        f"By {title.lower()}: highest {high['label']} with {high['share_text']} against the average, lowest "
        f"{low['label']} with {low['share_text']}."
    )
    return finished([bars, zero], theme, height_px, words)


def _day_rows(days: pl.DataFrame, axis: TimeAxis, unit: Unit) -> pl.DataFrame:
    rows = days.select(pl.col("actual", "trend", "level").cast(pl.Float64))
    return rows.with_columns(
        middle=pl.Series([axis.middle(day) for day in days["day"]], dtype=pl.Float64),
        when=pl.Series([bucket_text(day, "day") for day in days["day"]]),
        **{
            f"{name}_text": pl.Series([unit.text(amount) for amount in rows[name]])
            for name in ("actual", "trend", "level")
        },
    )


def _marks(changes: pl.DataFrame, axis: TimeAxis, theme: ChartTheme) -> list[alt.Chart]:
    """A line where each level begins, with its factor above."""
    rows = changes.select(
        pl.Series("at", [axis.edges(day)[0] for day in changes["day"]], dtype=pl.Float64),
        pl.Series("when", [f"from {bucket_text(day, 'day')}" for day in changes["day"]]),
        "word",
        "before_text",
        "after_text",
    )
    tips = {"when": "New level", "word": "Factor", "before_text": "Before", "after_text": "After"}
    tooltip = [alt.Tooltip(f"{name}:N", title=title) for name, title in tips.items()]
    base = alt.Chart(rows).encode(x=axis.encoding("at"))
    rule = base.mark_rule(color=theme.ink, strokeDash=[2, 3], opacity=0.7)
    word = base.mark_text(
        align="left", baseline="top", dx=4, fontSize=12, fontWeight=600, color=theme.ink
    ).encode(y=alt.YValue(0), text=alt.Text("word:N"))
    target = base.mark_rule(strokeWidth=14, opacity=0).encode(tooltip=tooltip)
    return [rule, word, target]


def _signed(share: float) -> str:
    return f"{share * 100:+,.0f} %"


def _words(days: pl.DataFrame, changes: pl.DataFrame, measure_title: str, unit: Unit) -> str:
    first, last = days.row(0, named=True), days.row(-1, named=True)
    moved = (
        f"{measure_title} per day: the trend goes from {unit.text(first['trend'])} on "
        f"{bucket_text(first['day'], 'day')} to {unit.text(last['trend'])} on {bucket_text(last['day'], 'day')}."
    )
    said = [
        f" Level {word} from {bucket_text(day, 'day')}: {before} before, {after} after."
        for day, word, before, after in changes.select("day", "word", "before_text", "after_text").iter_rows()
    ]
    return "".join([moved, *said])
