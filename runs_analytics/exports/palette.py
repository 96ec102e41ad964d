"""The colours of a document: those of the pages in their light theme."""

from __future__ import annotations

from typing import Final

from runs_analytics.exports.document import OTHER, BarChart

INK: Final = "#1A2233"
MUTED: Final = "#5B6678"
RULE: Final = "#E6E9EF"
SHADE: Final = "#EEF1F6"
SERIES: Final = ("#2F5FDE", "#F0A030", "#17A589", "#A82A5B", "#9B7CE4", "#7FB8E8")
GREY: Final = "#6E7B8B"


def colour_of(chart: BarChart, number: int) -> str:
    """The colour of a chart's series by its place, counted from 0; what gathers the rest is always grey."""
    name = chart.series[number][0]
    if name == OTHER:
        return GREY
    return (chart.colours or {}).get(name) or SERIES[number % len(SERIES)]
