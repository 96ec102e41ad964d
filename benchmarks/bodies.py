"""Request bodies of runs, made before anything is timed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import orjson
import polars as pl

from benchmarks.workspace import TAG_KEYS, TIMES, Workspace
from runs_analytics.demo import generate
from runs_analytics.run_frame import PAYLOAD_FIELDS
from runs_analytics.vocabulary import DIMENSIONS, NONE, QUANTITIES

BATCH: Final = 200
SENT_WITHIN_DAYS: Final = 2
"""How far back the sent runs reach: what a live sender sends, late ones included."""

_PLAIN: Final = ("id", "parent_id", *DIMENSIONS, *QUANTITIES, *PAYLOAD_FIELDS)


def new_batches(workspace: Workspace, batches: int) -> list[bytes]:
    """So many batches of `BATCH` runs that the account does not have: their ids hold the moment of the call."""
    until = workspace.now - timedelta(minutes=1)
    return as_batches(generate(batches * BATCH, time.time_ns(), SENT_WITHIN_DAYS, until))


def known_batches(workspace: Workspace, batches: int) -> list[bytes]:
    """Batches of runs that the import brought in, the newest ones."""
    rows = pl.scan_parquet(workspace.source).tail(batches * BATCH).collect()
    tags = [pl.format("{}={}", pl.lit(key), pl.col(f"tag_{key}")) for key in TAG_KEYS]
    times = pl.col(TIMES).dt.replace_time_zone(None)
    return as_batches([rows.with_columns(times, pl.concat_list(tags).list.drop_nulls().alias("tags"))])


def as_batches(frames: Iterable[pl.DataFrame]) -> list[bytes]:
    """Run frames as bodies of `POST /api/v1/runs`; runs left over after the last full batch make one more."""
    return _batched([_event(row) for frame in frames for row in frame.iter_rows(named=True)])


def _batched(events: list[dict[str, Any]]) -> list[bytes]:
    return [orjson.dumps(events[start : start + BATCH]) for start in range(0, len(events), BATCH)]


def _event(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a run frame, or of the imported file, as a client would send it."""
    event = {name: row[name] for name in _PLAIN if row.get(name) not in (None, NONE)}
    event |= {name: f"{row[name].isoformat()}Z" for name in TIMES if row.get(name)}
    if row.get("duration_us") is not None:
        event["duration_ms"] = row["duration_us"] / 1000
    if row.get("reported_cost_nano") is not None:
        event["cost"] = _amount(row["reported_cost_nano"])
    if row.get("cost") is not None:
        event["cost"] = str(row["cost"])
    if row.get("tags"):
        event["tags"] = dict(tag.split("=", 1) for tag in row["tags"])
    if row.get("units"):
        event["units"] = {unit["name"]: _amount(unit["quantity_nano"]) for unit in row["units"]}
    return event


def _amount(nano: int) -> str:
    return format(Decimal(nano).scaleb(-9), "f")
