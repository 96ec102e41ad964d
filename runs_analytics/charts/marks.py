"""What was unusual, marked over a chart by a word and a factor."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import altair as alt
import polars as pl

from runs_analytics.charts.parts import value_axis
from runs_analytics.charts.series import Moment, as_datetime, bucket_end, epoch_ms
from runs_analytics.charts.theme import ChartTheme
from runs_analytics.charts.time_axis import TimeAxis
from runs_analytics.charts.units import Unit

ROOM: Final = 1.18
"""What the words need above the highest value."""

_WIDTHS_PX: Final = (260, 520, 900)
"""Words are chosen for each of these widths, and shown from it up to the next."""

_CHARACTER_PX: Final = 6.4
_BETWEEN_PX: Final = 12
_LINE_SHARE: Final = 0.07
"""Words stand so far apart, or a line of the chart's height above one another; others are told on hover."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something unusual on the chart, by local times without a zone."""

    name: str
    """Its id."""

    start: datetime
    stop: datetime
    peak: datetime
    """It is marked over the bucket of this moment, or the nearest one that the chart has."""

    text: str
    """`Images ×2.1`."""

    words: str
    """Its tooltip."""

    weight: float
    """The heaviest ones are named."""

    address: str = ""
    """Where a click on it leads; empty: nowhere."""


def layers(
    marks: Sequence[Mark],
    tops: Mapping[Moment, float],
    axis: TimeAxis,
    amounts: pl.Series,
    unit: Unit,
    theme: ChartTheme,
    colour: str,
) -> list[alt.Chart]:
    """A point over each mark's bucket, with the words of the heaviest ones clear of what is beside them.

    Args:
        marks: what was unusual.
        tops: how high the chart is at each bucket; without one there is no mark.
        axis: of the chart.
        amounts: all that the vertical axis has room for.
        unit: of the amounts.
        theme: its colours.
        colour: of points and words.
    """
    # Where two lie on each other the heavier one is on top.
    ordered = sorted(marks, key=lambda mark: mark.weight)
    drawn = [
        _drawn(mark, bucket, axis) for mark in ordered if (bucket := _bucket_of(mark.peak, axis)) in tops
    ]
    if not drawn:
        return []
    table = _table(drawn, tops, axis, float(amounts.max() or 1.0))  # type: ignore[arg-type]
    base = alt.Chart(table).encode(x=axis.encoding("middle"))
    tooltip = alt.Tooltip("words:N", title="Unusual")
    found = []
    for place in range(len(_WIDTHS_PX)):
        found += _named_layers(base, place, amounts, unit, theme, colour, tooltip)
    top = value_axis(amounts, unit, "amount:Q")
    points = base.mark_point(size=56, filled=True, opacity=1, color=colour, stroke=theme.halo, strokeWidth=1)
    found.append(points.encode(y=top, tooltip=tooltip, description=alt.Description("words:N")))
    # A small point is hard to hit: an unseen one around it takes the pointer.
    target = base.transform_filter("datum.address != ''").mark_point(
        size=500, filled=True, opacity=0, cursor="pointer", aria=False
    )
    found.append(target.encode(y=top, tooltip=tooltip, href=alt.Href("address:N")))
    return found


def _named_layers(
    base: alt.Chart,
    place: int,
    amounts: pl.Series,
    unit: Unit,
    theme: ChartTheme,
    colour: str,
    tooltip: alt.Tooltip,
) -> list[alt.Chart]:
    """The words for one width, with a line down to where they belong."""
    until = f" && width < {_WIDTHS_PX[place + 1]}" if place + 1 < len(_WIDTHS_PX) else ""
    is_shown = f"{f'width >= {_WIDTHS_PX[place]}' if place else 'true'}{until}"
    level = value_axis(amounts, unit, f"level_{place}:Q")
    named = base.transform_filter(f"datum.text_{place} != ''").encode(y=level)
    rule = named.transform_filter(f"datum.level_{place} > datum.amount").mark_rule(
        color=colour, strokeDash=[1, 3], yOffset=-4, opacity=alt.ExprRef(f"{is_shown} ? 1 : 0")
    )
    found = [rule.encode(y2=alt.Y2("amount:Q"))]
    # Words that are only unseen would still take the pointer.
    text = alt.TextValue(alt.ExprRef(f"{is_shown} ? datum.text_{place} : ''"))
    for look in ({"stroke": theme.halo, "strokeWidth": 3}, {"color": colour}):
        words = named.mark_text(
            align=alt.ExprRef(f"datum.align_{place}"),
            baseline="bottom",
            dy=-9,
            fontWeight="bold",
            fontSize=11,
            cursor=alt.ExprRef("datum.address ? 'pointer' : 'default'"),
            aria=False,
            **look,
        )
        found.append(words.encode(text=text, tooltip=tooltip, href=alt.Href("address:N")))
    return found


def sentence(marks: Sequence[Mark]) -> str:
    """What is marked, for the text alternative of a chart; empty where nothing is."""
    told = "; ".join(mark.words.rstrip(".") for mark in sorted(marks, key=lambda mark: mark.start))
    return f"Unusual: {told}." if told else ""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A mark over its bucket, and where its words stand for each width: alignment and reach along the axis."""

    mark: Mark
    bucket: Moment
    middle: float
    places: tuple[tuple[str, float, float], ...]


def _drawn(mark: Mark, bucket: Moment, axis: TimeAxis) -> _Drawn:
    first, middle = epoch_ms(axis.buckets[0]), axis.middle(bucket)
    length = epoch_ms(bucket_end(axis.buckets[-1], axis.grain)) - first
    places = []
    for width_px in _WIDTHS_PX:
        half = len(mark.text) * _CHARACTER_PX / 2 * length / width_px
        # Words at an end of the axis have room on one side only.
        if middle - first < half:
            places.append(("left", middle, middle + 2 * half))
        elif first + length - middle < half:
            places.append(("right", middle - 2 * half, middle))
        else:
            places.append(("center", middle - half, middle + half))
    return _Drawn(mark, bucket, middle, tuple(places))


def _table(
    drawn: Sequence[_Drawn], tops: Mapping[Moment, float], axis: TimeAxis, highest: float
) -> pl.DataFrame:
    columns: dict[str, list[object]] = {
        "middle": [one.middle for one in drawn],
        "amount": [tops[one.bucket] for one in drawn],
        "address": [one.mark.address for one in drawn],
        "words": [one.mark.words for one in drawn],
    }
    length = epoch_ms(bucket_end(axis.buckets[-1], axis.grain)) - epoch_ms(axis.buckets[0])
    for place, width_px in enumerate(_WIDTHS_PX):
        levels = [_level(one, place, tops, axis) for one in drawn]
        between = _BETWEEN_PX * length / width_px, _LINE_SHARE * highest
        named = _named(drawn, place, levels, between)
        columns[f"text_{place}"] = [
            one.mark.text if number in named else "" for number, one in enumerate(drawn)
        ]
        columns[f"align_{place}"] = [one.places[place][0] for one in drawn]
        columns[f"level_{place}"] = list(levels)
    return pl.DataFrame(columns)


def _bucket_of(moment: datetime, axis: TimeAxis) -> Moment:
    starts = [as_datetime(bucket) for bucket in axis.buckets]
    return axis.buckets[max(0, bisect_right(starts, moment) - 1)]


def _level(one: _Drawn, place: int, tops: Mapping[Moment, float], axis: TimeAxis) -> float:
    """The highest of what the words would lie on."""
    _, left, right = one.places[place]
    return max(
        top
        for bucket, top in tops.items()
        if bucket == one.bucket or (axis.edges(bucket)[1] > left and axis.edges(bucket)[0] < right)
    )


def _named(
    drawn: Sequence[_Drawn], place: int, levels: Sequence[float], between: tuple[float, float]
) -> set[int]:
    """The numbers of the heaviest marks whose words have room beside or above one another."""
    chosen: list[int] = []
    for number in sorted(range(len(drawn)), key=lambda number: -drawn[number].mark.weight):
        _, left, right = drawn[number].places[place]
        if not any(
            left - between[0] < drawn[other].places[place][2]
            and right + between[0] > drawn[other].places[place][1]
            and abs(levels[number] - levels[other]) < between[1]
            for other in chosen
        ):
            chosen.append(number)
    return set(chosen)
