"""Altair charts in one light and one dark theme, made from polars frames.

Show one with `st.altair_chart(chart, theme=None)`: it brings its own theme and its own words for people
who cannot see it (`description`).
"""

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
from runs_analytics.charts.parts import BAR, SERIES, blank
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
    configured,
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
    "configured",
    "distribution_boxes",
    "duration_text",
    "forecast_by_day",
    "forecast_over_time",
    "histogram",
    "hours_of_week",
    "lines_over_time",
    "money_unit",
    "over_time",
    "ranked_bars",
    "side_by_side",
    "rhythm",
    "status_colours",
    "top_series",
    "trend_over_time",
]
