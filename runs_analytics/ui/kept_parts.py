"""The part of the Forecast page that sets what was forecast beside what came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl
import streamlit as st

from runs_analytics import charts
from runs_analytics.analytics import kept
from runs_analytics.analytics.forecasts import Measure as ForecastMeasure
from runs_analytics.analytics.kept import Compared, Kept
from runs_analytics.exports.document import AMOUNT, Column, Kind
from runs_analytics.roles import may
from runs_analytics.ui import format as fmt
from runs_analytics.ui import parts
from runs_analytics.ui.controls import View
from runs_analytics.ui.measures import Measure
from runs_analytics.ui.tables import ShownTable
from runs_analytics.ui.theme import current_theme
from runs_analytics.ui.words import escaped

_LATER: Final = "later, from the days before"
_SAME_DAY: Final = "on the day"


def place(view: View, name: ForecastMeasure, measure: Measure) -> tuple[ShownTable, ...]:
    """Place chart, sentence and tables; what an export writes of them."""
    if not may(view.ask.scope, "credits.read"):
        st.caption("Kept forecasts are of the whole account, which your role does not see.")
        return ()
    found = kept.kept(view.ask, view.session.stores, name, today=view.session.today)
    present = found.of_month(view.session.today.replace(day=1))
    if present:
        with st.container(border=True):
            month = present[0].forecast.month
            parts.title_row(f"{month:%B} as forecast day by day", note="the whole account, no filters")
            drawn = charts.forecast_by_day(
                _chart_rows(present), theme=current_theme(), measure_title=measure.title, unit=measure.unit
            )
            st.altair_chart(drawn, theme=None)
    st.caption(escaped(sentence(found)))
    shown = tuple(table for table in (leads_table(found), days_table(found, measure)) if table.frame.height)
    for table in shown:
        st.markdown(f"**{table.title}**")
        table.show(table.name, currency=view.ask.currency)
    return shown


def sentence(found: Kept) -> str:
    """How right the forecasts of finished months were, or when the first can be compared."""
    ended = found.finished
    due = fmt.date_range(found.first_due, found.first_due)
    if not ended:
        begun = (
            "The forecasts of this month are kept each day"
            if found.rows
            else ("The forecast of the month's end is kept each day, once there are 14 whole days of runs")
        )
        return f"{begun}; the first comparison with what came is due on {due}."
    within = sum(bool(row.is_within_80) for row in ended) / len(ended)
    months = len({row.forecast.month for row in ended})
    later = sum(row.forecast.is_made_later for row in ended)
    said = (
        f"What came lay within the 80 % band of {fmt.percent(within)} of {fmt.integer(len(ended))} forecasts of "
        f"{months} finished {'month' if months == 1 else 'months'}."
    )
    if later:
        said += (
            f" {fmt.integer(later)} of them were made later, from the runs of the days before their day alone, as "
            "the server was not running then or the runs came from a file."
        )
    return said


def leads_table(found: Kept) -> ShownTable:
    """How far off the forecasts of finished months were, by how long before the end they were made."""
    columns = (
        Column("lead", "Days before the month's end", "text"),
        Column("forecasts", "Forecasts", "integer"),
        Column("miss", "Typical miss", "percent"),
        Column("within_80", "Within 80 % band", "percent"),
        Column("within_95", "Within 95 % band", "percent"),
    )
    rows = [
        (
            f"{one.first_day} to {one.last_day}" if one.last_day > one.first_day else str(one.first_day),
            one.forecasts,
            one.mean_miss,
            one.within_80,
            one.within_95,
        )
        for one in found.leads
    ]
    schema = {c.name: _TYPES.get(c.kind, AMOUNT) for c in columns}
    frame = pl.DataFrame(rows, schema, orient="row")
    return ShownTable("forecast_leads", "What was forecast and what came", columns, frame)


def days_table(found: Kept, measure: Measure) -> ShownTable:
    """Every kept forecast, newest first."""
    kind: Kind = measure.kind if measure.kind == "money" else "credits"
    columns = (
        Column("month", "Month", "text"),
        Column("made_on", "Forecast of", "text"),
        Column("days_before", "Days before its end", "integer"),
        Column("point", "Forecast", kind),
        Column("lower_80", "80 % lower", kind),
        Column("upper_80", "80 % upper", kind),
        Column("actual", "What came", kind),
        Column("miss_change", "Off by", "percent"),
        Column("within", "Within 80 % band", "text"),
        Column("made", "Made", "text"),
    )
    rows = [_row(row) for row in reversed(found.rows)]
    schema = {c.name: _TYPES.get(c.kind, AMOUNT) for c in columns}
    frame = pl.DataFrame(rows, schema, orient="row")
    widths = {"month": 115, "made_on": 105, "within": 125}
    return ShownTable("forecast_kept", "Every kept forecast", columns, frame, widths=widths)


_TYPES: Final = {"text": pl.String(), "percent": pl.Float64(), "integer": pl.Int64()}


def _row(row: Compared) -> dict[str, object]:
    one = row.forecast
    within = {None: "month goes on", True: "yes", False: "no"}[row.is_within_80]
    return {
        "month": f"{one.month:%B %Y}",
        "made_on": fmt.date_range(one.made_on, one.made_on),
        "days_before": row.days_before,
        "point": fmt.from_nano(one.point_nano),
        "lower_80": fmt.from_nano(one.lower_80_nano),
        "upper_80": fmt.from_nano(one.upper_80_nano),
        "actual": row.actual,
        "miss_change": row.miss,
        "within": within,
        "made": _LATER if one.is_made_later else _SAME_DAY,
    }


def _chart_rows(rows: Sequence[Compared]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "day": [row.forecast.made_on for row in rows],
            "how": [_LATER if row.forecast.is_made_later else _SAME_DAY for row in rows],
        }
        | {
            name: [float(fmt.from_nano(getattr(row.forecast, f"{name}_nano"))) for row in rows]
            for name in ("used", "point", "lower_80", "upper_80", "lower_95", "upper_95")
        }
    )
