"""Stacked bars of a sum per period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import altair as alt
import polars as pl

from runs_analytics.charts import alt_text
from runs_analytics.charts import marks as marking
from runs_analytics.charts.marks import Mark
from runs_analytics.charts.parts import (
    BAR,
    SERIES,
    blank,
    finished,
    legend_room_px,
    series_colour,
    value_axis,
)
from runs_analytics.charts.series import (
    Grain,
    Moment,
    bucket_key,
    bucket_text,
    epoch_ms,
    series_order,
    top_series,
)
from runs_analytics.charts.theme import ChartTheme
from runs_analytics.charts.time_axis import TimeAxis
from runs_analytics.charts.units import Unit

TIME_HEIGHT_PX: Final = 300

_MOST_OUTLINED: Final = 100
"""With more bars than this they are too narrow for an outline between the series."""

_WORDS_PX: Final = 15

_WIDE_BARS: Final = 12
"""Up to this many buckets a bar is wide enough for two words over it."""


@dataclass(frozen=True, slots=True)
class Previous:
    """Totals of the period compared with, drawn as a dashed line over the current one."""

    totals: pl.DataFrame
    """`bucket` (its own, not moved) and `amount`, one row per bucket."""

    first: Moment
    """First bucket of that period: it lands on the first bucket of the current one."""

    label: str = "previous period"


def over_time(
    frame: pl.DataFrame,
    *,
    theme: ChartTheme,
    measure_title: str,
    unit: Unit,
    grain: Grain,
    value_title: str = "Series",
    partial_from: Moment | None = None,
    previous: Previous | None = None,
    marks: Sequence[Mark] = (),
    mark_colour: str | None = None,
    span: tuple[Moment, Moment] | None = None,
    colours: Mapping[str, str] | None = None,
    selectable: bool = True,
    height_px: int = TIME_HEIGHT_PX,
) -> alt.LayerChart:
    """Stacked bars of a sum per period: at most six series, the rest as `OTHER`.

    Args:
        frame: `bucket` (Date, or Datetime in local time without a zone), `value`, `amount`. No rows
            give a chart that says so. Two hours of one name (clocks set back) share a bar.
        theme: its colours.
        measure_title: what is summed, as a tooltip labels it: `Credits`.
        unit: of the amounts.
        grain: length of a bucket.
        value_title: what a series is: `Service`.
        partial_from: first bucket that is not over; it and later ones are paler and say so.
        previous: totals of the period compared with.
        marks: what was unusual.
        mark_colour: of the marks; that of text by default.
        span: first and last bucket of the axis, where it is longer than the rows.
        colours: colour by value, as `colour_of` gives; by default by size.
        selectable: adds the selections `SERIES` (legend) and `BAR` (a click on a bar).
        height_px: of the chart; a legend of long names adds to it.
    """
    if frame.is_empty():
        return blank(theme, height_px)
    drawn = top_series(frame)
    order = series_order(drawn)
    axis = TimeAxis.over(drawn["bucket"], grain, span)
    before = _before(previous, axis)
    rows = _rows(drawn, order, axis, unit, partial_from, before)
    titles = {"when": "When", "value": value_title, "amount_text": measure_title, "share": "Share"}
    titles |= {"total_text": "Total"} if len(order) > 1 else {}
    titles |= {"before_text": _sentence(previous.label)} if previous and before else {}
    bars = _bars(rows, axis, unit, theme).encode(
        color=series_colour(theme, order, colours, value_title),
        tooltip=[alt.Tooltip(f"{name}:N", title=title) for name, title in titles.items()],
    )
    layers: list[alt.Chart] = [_selectable(bars) if selectable else _paler_while_partial(bars)]
    if previous and before:
        layers.append(_previous_line(before, previous.label, axis, theme))
    if rows["partial"].any():
        layers += _so_far(rows, theme, axis, marks)
    above = drawn.filter(pl.col("amount") > 0).group_by("bucket").agg(pl.col("amount").cast(pl.Float64).sum())
    # Where nothing was used a mark says so too.
    tops = dict.fromkeys(axis.buckets, 0.0) | dict(above.iter_rows())
    layers += marking.layers(marks, tops, axis, rows["above"], unit, theme, mark_colour or theme.ink)
    words = alt_text.over_time(frame, measure_title=measure_title, unit=unit, grain=grain)
    words = " ".join(text for text in (words, marking.sentence(marks)) if text)
    return finished(layers, theme, height_px + legend_room_px(order), words)


def _before(previous: Previous | None, axis: TimeAxis) -> dict[Moment, tuple[Moment, float]]:
    """By bucket of this axis: the bucket compared with, and its total."""
    if previous is None:
        return {}
    found = {}
    for bucket, amount in previous.totals.select("bucket", "amount").sort("bucket").iter_rows():
        slot = axis.slot(bucket, previous.first)
        if slot is not None and amount is not None:
            found[slot] = (bucket, float(amount))
    return found


def _rows(
    drawn: pl.DataFrame,
    order: list[str],
    axis: TimeAxis,
    unit: Unit,
    partial_from: Moment | None,
    before: dict[Moment, tuple[Moment, float]],
) -> pl.DataFrame:
    """One row per bar segment, with its edges and the words of its tooltip."""
    summed = drawn.group_by("bucket").agg(pl.col("amount").cast(pl.Float64).sum())
    totals: dict[Moment, float] = dict(summed.iter_rows())
    rank = {name: index for index, name in enumerate(order)}
    rows = []
    heights: dict[tuple[Moment, bool], float] = {}
    for bucket, value, amount in sorted(drawn.iter_rows(), key=lambda row: rank[row[1]]):
        partial = partial_from is not None and bucket >= partial_from
        total = totals[bucket]
        was = before.get(bucket)
        left, right = axis.edges(bucket)
        # Corrections can be negative: they stack downwards from zero.
        below = heights.get((bucket, amount < 0), 0.0)
        heights[bucket, amount < 0] = above = below + float(amount)
        rows.append(
            {
                "left": left,
                "right": right,
                "value": value,
                "below": below,
                "above": above,
                "bucket": bucket_key(bucket),
                "partial": partial,
                "total": total,
                "when": bucket_text(bucket, axis.grain) + (" (so far)" if partial else ""),
                "amount_text": unit.text(float(amount)),
                "share": f"{float(amount) / total * 100:.1f} %" if total > 0 else "–",
                "total_text": unit.text(total),
                "before_text": f"{unit.text(was[1])} · {bucket_text(was[0], axis.grain)}" if was else "–",
            }
        )
    return pl.DataFrame(rows)


def _bars(rows: pl.DataFrame, axis: TimeAxis, unit: Unit, theme: ChartTheme) -> alt.Chart:
    outline = 0.7 if len(axis.buckets) <= _MOST_OUTLINED else 0
    bars: alt.Chart = (
        alt.Chart(rows)
        .mark_rect(stroke=theme.halo, strokeWidth=outline)
        .encode(
            x=axis.encoding("left"),
            x2=alt.X2("right:Q"),
            y=value_axis(rows["above"], unit, "above:Q"),
            y2=alt.Y2("below:Q"),
        )
    )
    return bars


def _paler_while_partial(bars: alt.Chart) -> alt.Chart:
    opacity = alt.when(alt.datum.partial).then(alt.value(0.5)).otherwise(alt.value(1))
    paler: alt.Chart = bars.encode(opacity=alt.OpacityValue(**opacity))
    return paler


def _selectable(bars: alt.Chart) -> alt.Chart:
    series = alt.selection_point(name=SERIES, fields=["value"], bind="legend")
    bar = alt.selection_point(name=BAR, fields=["value", "bucket"])
    opacity = (
        alt.when(series & bar & alt.datum.partial)
        .then(alt.value(0.5))
        .when(series & bar)
        .then(alt.value(1))
        .otherwise(alt.value(0.2))
    )
    return bars.encode(opacity=alt.OpacityValue(**opacity)).add_params(series, bar)


def _previous_line(
    before: dict[Moment, tuple[Moment, float]], label: str, axis: TimeAxis, theme: ChartTheme
) -> alt.Chart:
    points = sorted((axis.middle(slot), amount) for slot, (_, amount) in before.items())
    frame = pl.DataFrame({"left": [x for x, _ in points], "amount": [y for _, y in points], "period": label})
    legend = alt.Legend(
        orient="top",
        title=None,
        symbolType="stroke",
        symbolStrokeColor=theme.ink,
        symbolStrokeWidth=1.5,
        symbolSize=250,
    )
    dash = alt.StrokeDash("period:N", scale=alt.Scale(domain=[label], range=[[4, 3]]), legend=legend)
    line: alt.Chart = (
        alt.Chart(frame)
        .mark_line(color=theme.ink, strokeWidth=1.5, opacity=0.65, interpolate="linear", tooltip=None)
        .encode(x=alt.X("left:Q"), y=alt.Y("amount:Q"), strokeDash=dash)
    )
    return line


def _so_far(rows: pl.DataFrame, theme: ChartTheme, axis: TimeAxis, marks: Sequence[Mark]) -> list[alt.Chart]:
    """The words over the last bar that is still growing: clear of its neighbours, with a line down to it."""
    last = rows.filter("partial").sort("left", "above").tail(1)
    left, right = last["left"].item(), last["right"].item()
    reach = left - (right - left) * (len(axis.buckets) // 7 + 1)
    near = rows.filter(pl.col("left") > reach)
    # Above the words of a mark that is near.
    lift_px = _WORDS_PX if any(epoch_ms(mark.peak) > reach for mark in marks) else 0
    level = near["above"].max()
    place = pl.DataFrame({"left": (left + right) / 2, "right": right, "top": last["above"], "level": level})
    base = alt.Chart(place).encode(y=alt.Y("level:Q"))
    line: alt.Chart = base.mark_rule(color=theme.muted, strokeDash=[1, 3], yOffset=-4 - lift_px).encode(
        x=alt.X("left:Q"), y2=alt.Y2("top:Q")
    )
    # A narrow bar at the right edge has no room for words centred over it.
    is_wide = len(axis.buckets) <= _WIDE_BARS
    text = base.mark_text(
        text="so far",
        align="center" if is_wide else "right",
        baseline="bottom",
        dy=-6 - lift_px,
        fontSize=11,
        color=theme.muted,
    )
    words: alt.Chart = text.encode(x=alt.X("left:Q" if is_wide else "right:Q"))
    return [line, words]


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
