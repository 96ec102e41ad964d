"""A small document that every export test can read at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from runs_analytics.exports import BarChart, Column, Document, Headline, Table
from runs_analytics.selection import Selection

COLUMNS = (
    Column("feature", "Feature", "text"),
    Column("started_at", "Started", "datetime"),
    Column("day", "Day", "date"),
    Column("runs", "Runs", "integer", adds_up=True),
    Column("credits", "Credits", "credits", adds_up=True),
    Column("cost", "Cost", "money", "USD"),
    Column("share", "Share", "percent"),
    Column("duration_us", "Duration", "duration_us"),
    Column("response_bytes", "Response", "bytes"),
    Column("tags", "Tags", "json"),
)
SCHEMA: dict[str, Any] = {
    "feature": pl.String,
    "started_at": pl.Datetime("us"),
    "day": pl.Date,
    "runs": pl.Int64,
    "credits": pl.Decimal(38, 9),
    "cost": pl.Decimal(38, 9),
    "share": pl.Float64,
    "duration_us": pl.Int64,
    "response_bytes": pl.Int64,
    "tags": pl.List(pl.String),
}
FIRST = {
    "feature": "search",
    "started_at": datetime(2026, 10, 25, 0, 30, 0, 250_000, tzinfo=UTC).replace(
        tzinfo=None
    ),  # 02:30 summer time in Berlin
    "day": date(2026, 10, 25),
    "runs": 3,
    "credits": Decimal("12.500000001"),
    "cost": Decimal("-0.25"),
    "share": 0.75,
    "duration_us": 4_200_000,
    "response_bytes": 1_048_576,
    "tags": ["env=prod", "team=red"],
}
SECOND = {
    "feature": "(none)",
    "started_at": datetime(2026, 10, 25, 1, 30, tzinfo=UTC).replace(tzinfo=None),  # 02:30 again, winter time
    "day": date(2026, 10, 25),
    "runs": 1,
    "credits": Decimal("7"),
    "cost": None,
    "share": float("nan"),
    "duration_us": None,
    "response_bytes": 0,
    "tags": [],
}
TOTALS = {"runs": 4, "credits": Decimal("19.500000001"), "cost": Decimal("-0.25")}
CHART = BarChart(
    "Credits by day", ["24 Oct", "25 Oct"], [("search", [1.0, 12.5]), ("other", [0.0, 7.0])], "credits"
)

ACTIVE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "＋1",
    "－1",
    "＠A",
    '=cmd|" /C calc"!A0',
]
"""Texts that a spreadsheet might take for a formula."""

PASSIVE = ["plain", "a=b", "1-2", "it's", 'say "hi", then', "two\nlines", "naïve – 日本語 🚀", "", " ", None]


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA)


def table(*rows: dict[str, Any], **changes: Any) -> Table:
    made = Table("features", "By feature", COLUMNS, lambda: iter([frame(*rows)]), rows=len(rows))
    return replace(made, **changes)


def texts_table(texts: Sequence[str | None]) -> Table:
    columns = (Column("number", "Number", "integer"), Column("text", "Text", "text"))
    rows = pl.DataFrame(
        {"number": range(len(texts)), "text": texts}, schema={"number": pl.Int64, "text": pl.String}
    )
    return Table("texts", "Texts", columns, lambda: iter([rows]), rows=len(texts))


def document(*tables: Table, **changes: Any) -> Document:
    made = Document(
        title="Costs by feature",
        account="acme",
        selection=Selection(
            date(2026, 10, 1), date(2026, 10, 31), "Europe/Berlin", (("project", ("alpha", "beta & co")),)
        ),
        zone="Europe/Berlin",
        generated_at=datetime(2026, 11, 1, 8, 0, tzinfo=UTC),
        applied_seq=42,
        headlines=(Headline("Credits used", "19.5", "+3.1 %"),),
        tables=tables or (table(FIRST, SECOND, totals=TOTALS),),
        chart=CHART,
        notes=("One run has no price.",),
    )
    return replace(made, **changes)
