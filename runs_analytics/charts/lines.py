"""Lines of a level per period: rates and percentiles, which cannot be added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import altair as alt
import polars as pl

from runs_analytics.charts import alt_text
from runs_analytics.charts import marks as marking
from runs_analytics.charts.marks import Mark
from runs_analytics.charts.over_time import TIME_HEIGHT_PX
from runs_analytics.charts.parts import (
    BAR,
    SERIES,
    blank,
    columns_to_read,
    finished,
    legend_room_px,
    series_colour,
    value_axis,
)
from runs_analytics.charts.series import Grain, Moment, bucket_key, bucket_text, with_gaps
from runs_analytics.charts.theme import MAX_SERIES, ChartTheme
from runs_analytics.charts.time_axis import TimeAxis
from runs_analytics.charts.units import Unit

_KNOWN: Final = "isValid(datum.amount)"
_UNKNOWN: Final = "–"


def lines_over_time(
    frame: pl.DataFrame,
    *,
    theme: ChartTheme,
    measure_title: str,
    unit: Unit,
    grain: Grain,
    value_title: str = "Series",
    order: list[str] | None = None,
    partial_from: Moment | None = None,
    marks: Sequence[Mark] = (),
    mark_colour: str | None = None,
    span: tuple[Moment, Moment] | None = None,
    colours: Mapping[str, str] | None = None,
    selectable: bool = True,
    height_px: int = TIME_HEIGHT_PX,
) -> alt.LayerChart:
    """Lines of a level per period; periods without a value stay gaps.

    Args:
        frame: `bucket`, `value`, `amount`, at most one row per bucket and value; null where unknown.
            No amount at all gives a chart that says so.
        theme: its colours.
        measure_title: what is measured, as a tooltip labels it: `Error rate`.
        unit: of the amounts.
        grain: length of a bucket.
        value_title: what a series is: `Service`.
        order: series in order of importance, of which six are drawn; by default those with most buckets.
        partial_from: first bucket that is not over; its points are hollow and say so.
        marks: what was unusual.
        mark_colour: of the marks; that of text by default.
        span: first and last bucket of the axis, where it is longer than the rows.
        colours: colour by value, as `colour_of` gives; by default in `order`.
        selectable: adds the selections `SERIES` (legend) and `BAR` (a click on a point).
        height_px: of the chart; a legend of long names adds to it.
    """
    known = frame.filter(pl.col("amount").is_not_null())
    if known.is_empty():
        return blank(theme, height_px)
    shown = (order or _longest_first(known))[:MAX_SERIES]
    drawn = with_gaps(known.filter(pl.col("value").is_in(shown)), grain)
    axis = TimeAxis.over(known["bucket"], grain, span)
    rows = _rows(drawn, axis, unit, partial_from)
    titles = {"when": "When", "value": value_title, "amount_text": measure_title}
    x = axis.encoding("middle")
    base = alt.Chart(rows).encode(
        x=x,
        y=value_axis(rows["amount"], unit),
        color=series_colour(theme, shown, colours, value_title),
        tooltip=[alt.Tooltip(f"{name}:N", title=title) for name, title in titles.items()],
    )
    tops = dict(
        drawn.drop_nulls("amount").group_by("bucket").agg(pl.col("amount").cast(pl.Float64).max()).iter_rows()
    )
    layers = _layers(base, theme)
    if selectable:
        layers = _with_selections(layers, base)
    else:
        layers.append(_columns(rows, x, len(axis.buckets), measure_title))
    layers += marking.layers(marks, tops, axis, rows["amount"], unit, theme, mark_colour or theme.ink)
    words = alt_text.lines_over_time(known, measure_title=measure_title, unit=unit, grain=grain)
    words = " ".join(text for text in (words, marking.sentence(marks)) if text)
    return finished(layers, theme, height_px + legend_room_px(shown), words)


def _longest_first(known: pl.DataFrame) -> list[str]:
    counts = known.group_by("value").agg(pl.len().alias("buckets"))
    names: list[str] = counts.sort(["buckets", "value"], descending=[True, False])["value"].to_list()
    return names


def _rows(drawn: pl.DataFrame, axis: TimeAxis, unit: Unit, partial_from: Moment | None) -> pl.DataFrame:
    """One row per bucket and series, also for gaps; `alone` marks a value between two gaps."""
    rows = []
    for bucket, value, amount in drawn.select("bucket", "value", "amount").iter_rows():
        partial = partial_from is not None and bucket >= partial_from
        rows.append(
            {
                "middle": axis.middle(bucket),
                "value": value,
                "amount": None if amount is None else float(amount),
                "bucket": bucket_key(bucket),
                "partial": partial,
                "when": bucket_text(bucket, axis.grain) + (" (so far)" if partial else ""),
                "amount_text": unit.text(amount),
            }
        )
    before, after = (pl.col("amount").shift(n).over("value").is_null() for n in (1, -1))
    return pl.DataFrame(rows, infer_schema_length=None).with_columns((before & after).alias("alone"))


def _layers(base: alt.Chart, theme: ChartTheme) -> list[alt.Chart]:
    lines = base.mark_line(strokeWidth=2, invalid="break-paths-show-domains", tooltip=None)
    known = base.transform_filter(_KNOWN)
    alone = known.transform_filter("datum.alone").mark_point(size=30, filled=True, opacity=1)
    partial = known.transform_filter("datum.partial").mark_point(
        size=44, filled=False, fill=theme.halo, opacity=1, strokeWidth=1.5
    )
    return [lines, alone, partial]


def _with_selections(layers: Sequence[alt.Chart], base: alt.Chart) -> list[alt.Chart]:
    """The layers, of which the legend chooses a series, and a click one of its points."""
    lines, *others = layers
    series = alt.selection_point(name=SERIES, fields=["value"], bind="legend")
    bar = alt.selection_point(name=BAR, fields=["value", "bucket"])
    opacity = alt.when(series).then(alt.value(1)).otherwise(alt.value(0.15))
    # A line is a thin target: an unseen point over each value takes the pointer.
    targets = base.transform_filter(_KNOWN).mark_point(size=260, filled=True, opacity=0)
    return [
        lines.encode(opacity=alt.OpacityValue(**opacity)).add_params(series),
        *others,
        targets.add_params(bar),
    ]


def _columns(rows: pl.DataFrame, x: alt.X, slots: int, measure_title: str) -> alt.Chart:
    """What every line says of a slot, read anywhere above it."""
    known = rows.drop_nulls("amount")
    names = known["value"].unique(maintain_order=True).to_list()
    slot = ["middle", "when"]
    said = known.pivot(on="value", index=slot, values="amount_text").select(
        *slot, *(pl.col(name).fill_null(_UNKNOWN).alias(f"line_{n}") for n, name in enumerate(names))
    )
    titles = [measure_title] if len(names) == 1 else names
    tips = {"when": "When"} | {f"line_{n}": title for n, title in enumerate(titles)}
    return columns_to_read(alt.Chart(said).encode(x=x), tips, slots)
