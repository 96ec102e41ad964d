"""What several charts share: value axes, colour scales, the mark of an empty answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Self

import altair as alt
import polars as pl

from runs_analytics.charts.theme import OTHER, ChartTheme, colour_of, config_of
from runs_analytics.charts.units import Unit

SERIES: Final = "series"
"""Name of the selection made in a legend: `[{"value": name}]`."""

BAR: Final = "bar"
"""Name of the selection made on a mark: `[{"value": name, "bucket": "2026-11-11"}]`, without `bucket`
where a chart has no time."""

PADDING_PX: Final = 4
NOTHING: Final = "Nothing in this range"
_LEGEND_LABEL_PX: Final = 170
_LEGEND_CHARACTER_PX: Final = 6.5
_LEGEND_LINE_PX: Final = 14
_LONG_ENTRY_PX: Final = 140


class Drawn(alt.LayerChart):
    """A chart that goes to the browser unchecked, which saves a third of making it; tests check every kind of chart."""

    def to_dict(self, validate: bool = False, **options: Any) -> dict[str, Any]:
        """The chart as Vega-Lite."""
        return super().to_dict(validate=validate, **options)

    def copy(self, deep: bool | Iterable[Any] = True, ignore: list[str] | None = None) -> Self:
        """A copy; a shallow one just so, where Altair would put all layers together anew, which copies each thrice."""
        if deep is not False:
            return super().copy(deep, ignore)
        made = object.__new__(type(self))
        object.__setattr__(made, "_args", self._args)
        object.__setattr__(made, "_kwds", dict(self._kwds))
        return made


def value_axis(amounts: pl.Series, unit: Unit, field: str = "amount:Q") -> alt.Y:
    """A vertical axis from zero to a round value above the largest amount, few ticks, unit as title."""
    low, high = _bounds(amounts)
    whole = {"values": unit.ticks(high)} if low >= 0 else {"tickCount": 5}
    axis = alt.Axis(
        title=unit.axis_title, labelExpr=unit.axis_label, domain=False, ticks=False, gridDash=[], **whole
    )
    scale = (
        alt.Scale(domain=[0, high * 1.08], nice=False)
        if low >= 0
        else alt.Scale(domain=[low, high], nice=True)
    )
    return alt.Y(field, scale=scale, axis=axis)


def series_colour(
    theme: ChartTheme, order: Sequence[str], colours: Mapping[str, str] | None, title: str
) -> alt.Color:
    """The colour of each series, with a legend that wraps to the width there is."""
    own = colour_of(theme, order, order)
    chosen = {name: theme.other if name == OTHER else (colours or {}).get(name, own[name]) for name in order}
    legend = alt.Legend(
        title=None,
        labelLimit=_LEGEND_LABEL_PX,
        columns=alt.ExprRef(f"max(1, floor(width / {_legend_entry_px(order):.0f}))"),
        values=list(order),
    )
    scale = alt.Scale(domain=list(order), range=[chosen[name] for name in order])
    return alt.Color("value:N", title=title, scale=scale, legend=legend if len(order) > 1 else None)


def legend_room_px(order: Sequence[str]) -> int:
    """What to add to a chart's height for a legend whose long names leave one or two to a line."""
    return _LEGEND_LINE_PX * len(order) if len(order) > 1 and _legend_entry_px(order) > _LONG_ENTRY_PX else 0


def blank(theme: ChartTheme, height_px: int, words: str = NOTHING) -> alt.LayerChart:
    """A chart without marks that says why, in place of one that has nothing to draw."""
    row = pl.DataFrame({"words": [words]})
    text = alt.Chart(row).mark_text(color=theme.muted, fontSize=14).encode(text=alt.Text("words:N"))
    return finished([text], theme, height_px, words)


def finished(layers: Sequence[alt.Chart], theme: ChartTheme, height_px: int, words: str) -> alt.LayerChart:
    """The layers as one chart as wide as its place, in a theme, with `words` as its text alternative."""
    for layer in layers:
        # The browser would show the raw numbers that such a mark is placed by.
        if layer.encoding.tooltip is alt.Undefined and isinstance(layer.mark, alt.MarkDef):
            layer.mark.tooltip = None
    # All at once: each later change would copy the chart.
    return Drawn(
        layer=list(layers),
        width="container",
        height=height_px + 2 * PADDING_PX,
        padding={"left": 2, "right": 2, "top": PADDING_PX, "bottom": PADDING_PX},
        description=words,
        config=config_of(theme),
    )


def columns_to_read(base: alt.Chart, tips: Mapping[str, str], slots: int) -> alt.Chart:
    """An unseen column over each slot: a line is a thin target, and a band is one mark over all of them.

    Args:
        base: rows with the place of each slot as `x`.
        tips: what the pointer reads anywhere in a column, titles by field.
        slots: of the whole axis.
    """
    # As wide as its slot, so that none lies over another.
    width = alt.ExprRef(f"max(2, width / {slots})")
    columns: alt.Chart = base.mark_rule(strokeWidth=width, opacity=0).encode(
        tooltip=[alt.Tooltip(f"{name}:N", title=title) for name, title in tips.items()]
    )
    return columns


def spec_of(chart: alt.LayerChart) -> dict[str, Any]:
    """A chart that `finished` made, as `st.vega_lite_chart` takes it, with its rows as Arrow: to keep and show again.

    Rows are named by their place, so that a chart that differs in them alone is the same chart to the browser.
    """
    frames: list[pl.DataFrame] = []
    for part in (chart, *chart.layer):
        if isinstance(part.data, pl.DataFrame):
            place = next((n for n, frame in enumerate(frames) if frame is part.data), len(frames))
            frames += [part.data] if place == len(frames) else []
            part.data = alt.NamedData(f"rows_{place}")
    spec = chart.to_dict()
    return spec | {"datasets": {f"rows_{n}": frame.to_arrow() for n, frame in enumerate(frames)}}


def is_clickable(chart: alt.LayerChart) -> bool:
    """Whether a mark of a chart that `finished` made can be clicked: a blank one has none."""
    parameters = chart.params if isinstance(chart.params, list) else []
    return any(parameter.name == BAR for parameter in parameters)


def _legend_entry_px(order: Sequence[str]) -> float:
    return min(_LEGEND_LABEL_PX, max(map(len, order)) * _LEGEND_CHARACTER_PX) + 32


def _bounds(amounts: pl.Series) -> tuple[float, float]:
    known = amounts.cast(pl.Float64).drop_nulls().drop_nans()
    if known.is_empty():
        return 0.0, 1.0
    return min(0.0, float(known.min())), max(0.0, float(known.max()))  # type: ignore[arg-type]
