"""What can be exported without a page: the list of runs, a breakdown, and the days of a Selection."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import polars as pl

from runs_analytics.analytics import history, usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.exports.document import Column, Document, Table, amount
from runs_analytics.selection import Selection
from runs_analytics.vocabulary import DIMENSIONS, Dimension

MEASURES: Final = (
    Column("runs", "Runs", "integer", adds_up=True),
    Column("agent_runs", "Agent runs", "integer", adds_up=True),
    Column("api_calls", "API calls", "integer", adds_up=True),
    Column("error_runs", "Errors", "integer", adds_up=True),
    Column("error_rate", "Error rate", "percent"),
    Column("credits", "Credits", "credits", adds_up=True),
    Column("unpriced_runs", "Without a price", "integer", adds_up=True),
    Column("cost", "Cost", "money", adds_up=True),
    Column("uncosted_runs", "Without a cost", "integer", adds_up=True),
    Column("input_tokens", "Input tokens", "integer", adds_up=True),
    Column("output_tokens", "Output tokens", "integer", adds_up=True),
    Column("request_bytes", "Request size", "bytes", adds_up=True),
    Column("response_bytes", "Response size", "bytes", adds_up=True),
    Column("duration_us", "Duration", "duration_us", adds_up=True),
)

RUN_COLUMNS: Final = (
    Column("id", "Id", "text"),
    Column("started_at", "Started", "datetime"),
    Column("ended_at", "Ended", "datetime"),
    Column("duration_us", "Duration", "duration_us", adds_up=True),
    *(Column(name, name.capitalize(), "text") for name in DIMENSIONS),
    Column("parent_id", "Parent", "text"),
    Column("input_tokens", "Input tokens", "integer", adds_up=True),
    Column("output_tokens", "Output tokens", "integer", adds_up=True),
    Column("cached_tokens", "Cached tokens", "integer", adds_up=True),
    Column("request_bytes", "Request size", "bytes", adds_up=True),
    Column("response_bytes", "Response size", "bytes", adds_up=True),
    Column("credits", "Credits", "credits", adds_up=True),
    Column("credits_version", "Price version", "integer"),
    Column("cost", "Cost", "money", adds_up=True),
    Column("cost_source", "Cost from", "text"),
    Column("units", "Units", "json"),
    Column("tags", "Tags", "json"),
    Column("error", "Error", "text"),
)


def runs_document(ask: Ask, selection: Selection, made_at: datetime) -> Document:
    """Every selected run, newest first, streamed; its totals are those of the pages."""
    totals, seq = usage.totals_and_seq(ask, selection)

    def batches() -> Iterator[pl.DataFrame]:
        for frame in history.export_batches(ask, selection, seq):
            yield frame.with_columns(
                amount("credits_nano").alias("credits"), amount("cost_nano").alias("cost")
            )

    table = Table(
        "runs", "Runs", RUN_COLUMNS, batches, {"credits": totals.credits, "cost": totals.cost}, totals.runs
    )
    return _document(ask, selection, "Runs", table, made_at, seq)


def breakdown_document(ask: Ask, selection: Selection, dimension: Dimension, made_at: datetime) -> Document:
    """Every measure by the values of one dimension."""
    seq = ask.warehouse.applied_seq
    frame = usage.by_value(ask, selection, dimension).rename({"value": dimension})
    key = Column(dimension, dimension.capitalize(), "text")
    table = _measured(ask, selection, f"by_{dimension}", f"By {dimension}", key, frame)
    return _document(ask, selection, f"Usage by {dimension}", table, made_at, seq)


def days_document(ask: Ask, selection: Selection, made_at: datetime) -> Document:
    """Every measure by local day."""
    seq = ask.warehouse.applied_seq
    frame = usage.over_time(ask, selection, "day").with_columns(pl.col("bucket").dt.date().alias("day"))
    table = _measured(ask, selection, "by_day", "By day", Column("day", "Day", "date"), frame)
    return _document(ask, selection, "Usage by day", table, made_at, seq)


def _measured(
    ask: Ask, selection: Selection, name: str, title: str, key: Column, frame: pl.DataFrame
) -> Table:
    totals = usage.totals(ask, selection)
    summed = {c.name: getattr(totals, c.name) for c in MEASURES if c.adds_up}
    return Table(name, title, (key, *MEASURES), lambda: iter([frame]), summed, frame.height)


def _document(
    ask: Ask, selection: Selection, title: str, table: Table, made_at: datetime, seq: int
) -> Document:
    return Document(
        title=title,
        account=ask.scope.account,
        selection=selection,
        zone=selection.zone,
        generated_at=made_at,
        applied_seq=seq,
        tables=(table,),
    )
