"""Altair charts in one light and one dark theme, made from polars frames.

Show one with `st.altair_chart(chart, theme=None)`: it brings its own theme and its own words for people
who cannot see it (`description`). Channels are given as objects (`alt.Text("name:N")`): for a plain string
Altair goes through all its schemas, which takes 3 ms each time.
"""

from altair.utils.schemapi import disable_debug_mode

from runs_analytics.charts import alt_text
from runs_analytics.charts.anomalies import anomalies_over_time
from runs_analytics.charts.calendar import calendar
from runs_analytics.charts.distribution import distribution_boxes, histogram
from runs_analytics.charts.forecast import forecast_over_time
from runs_analytics.charts.heatmap import hours_of_week
from runs_analytics.charts.kept import forecast_by_day
from runs_analytics.charts.lines import lines_over_time
from runs_analytics.charts.marks import Mark
from runs_analytics.charts.over_time import Previous, over_time
from runs_analytics.charts.parts import BAR, SERIES, blank, is_clickable, spec_of
from runs_analytics.charts.ranked import ranked_bars
from runs_analytics.charts.series import Grain, top_series
from runs_analytics.charts.side_by_side import side_by_side
from runs_analytics.charts.theme import (
    DARK,
    LIGHT,
    MAX_SERIES,
    OTHER,
    ChartTheme,
    colour_of,
    status_colours,
)
from runs_analytics.charts.trend import rhythm, trend_over_time
from runs_analytics.charts.units import (
    BYTES,
    CREDITS,
    DURATION,
    RATE,
    RUNS,
    TOKENS,
    Unit,
    bytes_text,
    duration_text,
    money_unit,
)

# A chart is checked as a whole when it is drawn; each part for itself when it is made would be the same again.
disable_debug_mode()

__all__ = [
    "BAR",
    "BYTES",
    "CREDITS",
    "DARK",
    "DURATION",
    "LIGHT",
    "MAX_SERIES",
    "OTHER",
    "RATE",
    "RUNS",
    "SERIES",
    "TOKENS",
    "ChartTheme",
    "Grain",
    "Mark",
    "Previous",
    "Unit",
    "alt_text",
    "anomalies_over_time",
    "blank",
    "bytes_text",
    "calendar",
    "colour_of",
    "distribution_boxes",
    "duration_text",
    "forecast_by_day",
    "forecast_over_time",
    "histogram",
    "hours_of_week",
    "is_clickable",
    "lines_over_time",
    "money_unit",
    "over_time",
    "ranked_bars",
    "side_by_side",
    "rhythm",
    "spec_of",
    "status_colours",
    "top_series",
    "trend_over_time",
]
