"""The single hours of a period with most of a measure: in words, and as a table."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import polars as pl

from runs_analytics.analytics import patterns
from runs_analytics.charts.series import bucket_text
from runs_analytics.exports.document import Column
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.measures import Measure
from runs_analytics.ui.tables import ShownTable
from runs_analytics.ui.words import escaped

NAMED: Final = 3


def peaks(view: View, name: patterns.Measure) -> pl.DataFrame:
    """As `patterns.peak_hours` of what is selected."""
    return patterns.peak_hours(view.ask, view.selection, name)


def sentence(found: pl.DataFrame, shown: Measure) -> str:
    """The first: `Peak hour Thu 5 Nov 2026, 11:00–12:00 with 842 runs, 2.1 % of all; then …`; empty without any."""
    told = [_told(row, shown) for row in found.head(NAMED).iter_rows(named=True)]
    if not told:
        return ""
    start = "Highest single hour" if shown.is_level else "Peak hour"
    (when, amount), share = told[0], found["share"][0]
    part = "" if share is None else f", {fmt.percent(share)} of all"
    then = " and ".join(" with ".join(one) for one in told[1:])
    return f"**{start} {escaped(when)}** with {escaped(amount + part + (f'; then {then}' if then else '') + '.')}"


def _told(row: dict[str, Any], shown: Measure) -> tuple[str, str]:
    noun = "" if shown.is_level or shown.name == "cost" else f" {shown.title.lower()}"
    return hour_text(row["bucket"]), f"{shown.text(row['amount'])}{noun}"


def table(found: pl.DataFrame, shown: Measure) -> ShownTable:
    """A row per hour, largest first."""
    columns = (
        Column("value", "Hour", "text"),
        Column("amount", shown.title, shown.kind),
        *(() if shown.is_level else (Column("of_all", "Share", "percent"),)),
        *(() if shown.name == "runs" else (Column("runs", "Runs", "integer"),)),
    )
    names = pl.Series("value", [hour_text(at) for at in found["bucket"]], dtype=pl.String)
    frame = found.with_columns(names, of_all="share").select(column.name for column in columns)
    return ShownTable("peak_hours", "Peak hours", columns, frame)


def hour_text(at: datetime) -> str:
    """A single hour: `Thu 5 Nov 2026, 11:00–12:00`."""
    return bucket_text(at, "hour")
