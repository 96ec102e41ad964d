"""The light and dark look of every chart, and which colour a value gets.

The palettes keep every pair of colours apart for deuteranopia, protanopia and tritanopia (tested), the
grey of "Other" included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import altair as alt

from runs_analytics.vocabulary import Status

OTHER: Final = "Other"
"""The series that holds every value without a place of its own."""

MAX_SERIES: Final = 6
"""Most values of one chart that get a colour; the rest are summed into `OTHER`."""

FONT: Final = '"Source Sans", "Source Sans 3", system-ui, sans-serif'
"""Streamlit ships Source Sans, so nothing is fetched."""


@dataclass(frozen=True, slots=True)
class ChartTheme:
    """Colours of one theme, as `#RRGGBB`."""

    name: str
    ink: str
    muted: str
    grid: str
    track: str
    """The empty part of a bar that shows a share."""

    halo: str
    """Behind text that crosses marks: the colour of the page."""

    series: tuple[str, str, str, str, str, str]
    other: str
    error: str
    warning: str
    achieved: str

    @property
    def primary(self) -> str:
        """The colour of a chart with one series."""
        return self.series[0]


LIGHT: Final = ChartTheme(
    name="light",
    ink="#1A2233",
    muted="#5B6678",
    grid="#E6E9EF",
    track="#EEF1F6",
    halo="#FFFFFF",
    series=("#2F5FDE", "#F0A030", "#17A589", "#A82A5B", "#9B7CE4", "#7FB8E8"),
    other="#6E7B8B",
    error="#C92A2A",
    warning="#B45309",
    achieved="#12805C",
)

DARK: Final = ChartTheme(
    name="dark",
    ink="#E8ECF3",
    muted="#9AA5B5",
    grid="#262D38",
    track="#1E2531",
    halo="#10151D",
    series=("#7FA2FF", "#F0AC52", "#5AD4B5", "#C94F82", "#8A6AE0", "#C9EBFF"),
    other="#93A1B2",
    error="#FF7B72",
    warning="#F2A65A",
    achieved="#4CC38A",
)


def colour_of(theme: ChartTheme, values: Sequence[str], all_values: Sequence[str]) -> dict[str, str]:
    """The colour of each value, the same on every page that passes the same `all_values`.

    The first six of `all_values` own the six colours. A value of a lower rank, or an unknown one, takes
    the first colour that no value on this chart owns, so colours within a chart never repeat;
    from the seventh value on, and for `OTHER`, it is the grey.

    Args:
        theme: gives the colours.
        values: what the chart shows.
        all_values: the account's values of that dimension in one fixed order, such as by credits.
    """
    rank = {value: index for index, value in enumerate(all_values)}
    last = len(rank)
    shown = sorted({v for v in values if v != OTHER}, key=lambda v: (rank.get(v, last), v))
    colours = {v: theme.series[rank[v]] for v in shown if rank.get(v, last) < MAX_SERIES}
    free = [colour for colour in theme.series if colour not in colours.values()]
    for value in shown:
        if value not in colours:
            colours[value] = free.pop(0) if free else theme.other
    return {value: colours.get(value, theme.other) for value in values}


def status_colours(theme: ChartTheme) -> Mapping[Status, str]:
    """The colour of each status; red is for errors alone."""
    return {
        "succeeded": theme.series[0],
        "failed": theme.error,
        "timed_out": theme.series[1],
        "blocked": theme.series[4],
        "cancelled": theme.other,
        "running": theme.series[5],
    }


def config_of(theme: ChartTheme) -> alt.Config:
    """The fonts, rules and text colours of a theme; show a chart that has them with `theme=None`."""
    return alt.Config(
        background="transparent",
        font=FONT,
        view=alt.ViewConfig(strokeWidth=0),
        axis=alt.AxisConfig(
            labelColor=theme.muted,
            labelFontSize=12,
            titleColor=theme.muted,
            titleFontSize=12,
            titleFontWeight="normal",
            titlePadding=8,
            gridColor=theme.grid,
            domainColor=theme.grid,
            tickColor=theme.grid,
            labelPadding=6,
        ),
        text=alt.MarkConfig(color=theme.ink, fontSize=13),
        legend=alt.LegendConfig(
            orient="bottom",
            direction="horizontal",
            title=None,
            labelColor=theme.ink,
            labelFontSize=13,
            symbolType="square",
            symbolSize=90,
            symbolStrokeWidth=0,
            columnPadding=14,
            rowPadding=5,
            offset=10,
        ),
    )
