"""A measure beside what was expected of it, with what was unusual marked by a word and a factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import altair as alt
import polars as pl

from runs_analytics.charts.parts import blank, finished, value_axis
from runs_analytics.charts.series import Grain, Moment, bucket_end, bucket_text, epoch_ms
from runs_analytics.charts.theme import ChartTheme
from runs_analytics.charts.time_axis import TimeAxis
from runs_analytics.charts.units import Unit

ANOMALIES_HEIGHT_PX: Final = 300
_NAMES: Final = ("Actual", "Expected", "Usual range")
_APART: Final = 0.16
"""Words stand so far apart, as a part of the width, or they would cover one another; others are told on hover."""

_APART_NARROW: Final = 0.4
_NARROW_PX: Final = 520

LONGEST_GROUND: Final = 0.15
"""What lasted for more of the width than this is told by a bar along the bottom."""

_BAR_PX: Final = 5

_ROOM: Final = 1.18
"""What the words need above the highest value."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something unusual on the chart, by local times without a zone."""

    name: str
    """Its id."""

    start: datetime
    stop: datetime
    peak: Moment
    """The bucket over which it is marked."""

    text: str
    """`Images ×2.1`."""

    words: str
    """Its tooltip."""

    weight: float
    """The heaviest ones are named."""


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
    tops = pl.concat([rows["actual"], rows["upper"]]).drop_nulls() * _ROOM
    amounts = pl.concat([tops, pl.Series([0.0])])
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
        named(2).mark_area(opacity=1).encode(y=value_axis(amounts, unit, "lower:Q"), y2="upper:Q"),
        named(1)
        .mark_line(strokeWidth=1.5, strokeDash=[4, 4])
        .encode(y=value_axis(amounts, unit, "expected:Q")),
        named(0).mark_line(strokeWidth=2).encode(y=value_axis(amounts, unit, "actual:Q")),
        _targets(base, amounts, unit, measure_title),
        *_marks(marks, rows, axis, amounts, unit, theme),
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
            reach = {"y": alt.value(alt.ExprRef(top)), "y2": alt.value(alt.ExprRef("height"))}
            layers.append(ground.encode(x=axis.encoding("from"), x2="to:Q", **reach))
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


def _marks(
    marks: Sequence[Mark],
    rows: pl.DataFrame,
    axis: TimeAxis,
    amounts: pl.Series,
    unit: Unit,
    theme: ChartTheme,
) -> list[alt.Chart]:
    """A point over the peak of each, the heaviest with words."""
    known = dict(rows.select("middle", "actual").iter_rows())
    drawn = [mark for mark in marks if known.get(axis.middle(mark.peak)) is not None]
    if not drawn:
        return []
    wide, narrow = (_named(drawn, axis, apart) for apart in (_APART, _APART_NARROW))
    table = pl.DataFrame(
        {
            "middle": [axis.middle(mark.peak) for mark in drawn],
            "amount": [known[axis.middle(mark.peak)] for mark in drawn],
            "value": [mark.name for mark in drawn],
            "wide": [mark.text if mark in wide else "" for mark in drawn],
            "narrow": [mark.text if mark in narrow else "" for mark in drawn],
            "words": [mark.words for mark in drawn],
        }
    )
    base = alt.Chart(table).encode(
        x=axis.encoding("middle"),
        y=value_axis(amounts, unit, "amount:Q"),
        tooltip=alt.Tooltip("words:N", title="Unusual"),
    )
    words = [
        base.mark_text(
            baseline="bottom",
            dy=-9,
            color=theme.error,
            fontWeight="bold",
            fontSize=11,
            opacity=alt.ExprRef(f"width {sign} {_NARROW_PX} ? 1 : 0"),
        ).encode(text=f"{name}:N")
        for name, sign in (("wide", ">="), ("narrow", "<"))
    ]
    points = base.mark_point(size=64, filled=True, opacity=1, color=theme.error)
    return [*words, points]


def _named(marks: Sequence[Mark], axis: TimeAxis, apart: float) -> list[Mark]:
    """The heaviest marks whose words have room beside one another."""
    width = epoch_ms(bucket_end(axis.buckets[-1], axis.grain)) - epoch_ms(axis.buckets[0])
    chosen: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: -mark.weight):
        at = axis.middle(mark.peak)
        if all(abs(at - axis.middle(other.peak)) >= apart * width for other in chosen):
            chosen.append(mark)
    return chosen


def _words(steps: pl.DataFrame, marks: Sequence[Mark], measure_title: str, grain: Grain) -> str:
    first, last = (bucket_text(steps["bucket"][place], grain) for place in (0, -1))
    told = "; ".join(mark.words for mark in sorted(marks, key=lambda mark: mark.start))
    unusual = f"Unusual: {told}." if told else "Nothing unusual."
    return f"{measure_title} per {grain} from {first} to {last} beside what was expected. {unusual}"
