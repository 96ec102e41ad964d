"""A measure beside what was expected of it, with what was unusual marked by a word and a factor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import altair as alt
import polars as pl

from runs_analytics.charts import marks as marking
from runs_analytics.charts.marks import Mark
from runs_analytics.charts.parts import blank, finished, value_axis
from runs_analytics.charts.series import Grain, bucket_end, bucket_text, epoch_ms
from runs_analytics.charts.theme import ChartTheme
from runs_analytics.charts.time_axis import TimeAxis
from runs_analytics.charts.units import Unit

ANOMALIES_HEIGHT_PX: Final = 300
_NAMES: Final = ("Actual", "Expected", "Usual range")

LONGEST_GROUND: Final = 0.15
"""What lasted for more of the width than this is told by a bar along the bottom."""

_BAR_PX: Final = 5


def anomalies_over_time(
    steps: pl.DataFrame,
    marks: Sequence[Mark],
    *,
    grain: Grain,
    theme: ChartTheme,
    measure_title: str,
    unit: Unit,
    height_px: int = ANOMALIES_HEIGHT_PX,
) -> alt.LayerChart:
    """A line in ink within the range that is usual, and marks over the peaks of what was not.

    Args:
        steps: `bucket` (local, without a zone), `actual`, `expected`, `lower`, `upper`; null where unknown.
        marks: what was unusual.
        grain: length of a bucket.
        theme: its colours.
        measure_title: what is measured, as a tooltip labels it: `Credits`.
        unit: of the amounts.
        height_px: of the chart.
    """
    if steps.is_empty():
        return blank(theme, height_px)
    axis = TimeAxis.over(steps["bucket"], grain)
    rows = _rows(steps, axis, unit)
    highest = pl.concat([rows["actual"], rows["upper"]]).drop_nulls() * marking.ROOM
    amounts = pl.concat([highest, pl.Series([0.0])])
    tops = {
        bucket: top for bucket, top in zip(steps["bucket"], rows["actual"], strict=True) if top is not None
    }
    colours = [theme.ink, theme.primary, f"{theme.primary}2E"]
    scale = alt.Scale(domain=list(_NAMES), range=colours)
    legend = alt.Legend(title=None, columns=alt.ExprRef("max(1, floor(width / 115))"))
    base = alt.Chart(rows).encode(x=axis.encoding("middle"))

    def named(place: int) -> alt.Chart:
        found: alt.Chart = base.transform_calculate(name=f"'{_NAMES[place]}'").encode(
            color=alt.Color("name:N", scale=scale, legend=legend)
        )
        return found

    layers = [
        *_spans(marks, axis, theme),
        named(2).mark_area(opacity=1).encode(y=value_axis(amounts, unit, "lower:Q"), y2=alt.Y2("upper:Q")),
        named(1)
        .mark_line(strokeWidth=1.5, strokeDash=[4, 4])
        .encode(y=value_axis(amounts, unit, "expected:Q")),
        named(0).mark_line(strokeWidth=2).encode(y=value_axis(amounts, unit, "actual:Q")),
        _targets(base, amounts, unit, measure_title),
        *marking.layers(marks, tops, axis, amounts, unit, theme, theme.error),
    ]
    return finished(layers, theme, height_px, _words(steps, marks, measure_title, grain))


def _rows(steps: pl.DataFrame, axis: TimeAxis, unit: Unit) -> pl.DataFrame:
    amounts = ("actual", "expected", "lower", "upper")
    rows = steps.with_columns(
        *(pl.col(name).cast(pl.Float64).fill_nan(None) for name in amounts),
        middle=pl.Series([axis.middle(bucket) for bucket in steps["bucket"]], dtype=pl.Float64),
        when=pl.Series([bucket_text(bucket, axis.grain) for bucket in steps["bucket"]]),
    )
    rows = rows.with_columns(pl.col("lower").clip(lower_bound=0.0))
    texts = {f"{name}_text": pl.Series([unit.text(v) for v in rows[name]]) for name in ("actual", "expected")}
    ranges = [
        "not known yet" if low is None else f"{unit.number(low)} to {unit.text(high)}"
        for low, high in rows.select("lower", "upper").iter_rows()
    ]
    return rows.with_columns(**texts, range_text=pl.Series(ranges, dtype=pl.String)).drop("bucket")


def _targets(base: alt.Chart, amounts: pl.Series, unit: Unit, measure_title: str) -> alt.Chart:
    """An unseen point over each bucket, as a line is a thin target."""
    tips = {
        "when": "When",
        "actual_text": measure_title,
        "expected_text": "Expected",
        "range_text": "Usual range",
    }
    targets: alt.Chart = (
        base.transform_filter("isValid(datum.actual)")
        .mark_point(size=200, filled=True, opacity=0)
        .encode(
            y=value_axis(amounts, unit, "actual:Q"),
            tooltip=[alt.Tooltip(f"{name}:N", title=title) for name, title in tips.items()],
        )
    )
    return targets


def _spans(marks: Sequence[Mark], axis: TimeAxis, theme: ChartTheme) -> list[alt.Chart]:
    """How long each lasted: a pale ground, or a bar along the bottom where a ground would cover the chart."""
    first, last = epoch_ms(axis.buckets[0]), epoch_ms(bucket_end(axis.buckets[-1], axis.grain))
    spans = [(max(first, epoch_ms(mark.start)), min(last, epoch_ms(mark.stop))) for mark in marks]
    longest = LONGEST_GROUND * (last - first)
    short = [span for span in spans if span[1] - span[0] <= longest]
    long = [span for span in spans if span[1] - span[0] > longest]
    layers = []
    for found, opacity, top in ((short, 0.1, "0"), (long, 0.6, f"height - {_BAR_PX}")):
        if found:
            table = pl.DataFrame(_united(found), schema=["from", "to"], orient="row")
            ground = alt.Chart(table).mark_rect(color=theme.error, opacity=opacity)
            reach = {"y": alt.YValue(alt.ExprRef(top)), "y2": alt.Y2Value(alt.ExprRef("height"))}
            layers.append(ground.encode(x=axis.encoding("from"), x2=alt.X2("to:Q"), **reach))
    return layers


def _united(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans that meet as one, so that no ground lies on another."""
    united: list[tuple[float, float]] = []
    for start, stop in sorted(spans):
        if united and start <= united[-1][1]:
            united[-1] = united[-1][0], max(stop, united[-1][1])
        else:
            united.append((start, stop))
    return united


def _words(steps: pl.DataFrame, marks: Sequence[Mark], measure_title: str, grain: Grain) -> str:
    first, last = (bucket_text(steps["bucket"][place], grain) for place in (0, -1))
    unusual = marking.sentence(marks) or "Nothing unusual."
    return f"{measure_title} per {grain} from {first} to {last} beside what was expected. {unusual}"
