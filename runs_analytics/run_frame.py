"""The columns of a run on its way in: what readers, the demo and rating hand to one another.

A *run frame* is a polars DataFrame with exactly `RUN_SCHEMA`: one row per run, already validated and
normalised. A *rated frame* adds `RATED_SCHEMA`. The warehouse adds what only it knows (`STORED_SCHEMA`).
Times are UTC without a zone, in microseconds; dimensions are never null.
"""

from __future__ import annotations

from typing import Final

import polars as pl

UTC_US: Final = pl.Datetime("us")

RUN_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "id": pl.String,
    "source": pl.String,
    "parent_id": pl.String,  # null when the run has none
    "project": pl.String,
    "team": pl.String,
    "member": pl.String,
    "service": pl.String,
    "feature": pl.String,
    "agent": pl.String,
    "model": pl.String,
    "kind": pl.String,
    "status": pl.String,
    "started_at": UTC_US,
    "ended_at": UTC_US,  # null when unknown
    "duration_us": pl.Int64,  # null when unknown
    "input_tokens": pl.Int64,  # the five quantities: null when not reported
    "output_tokens": pl.Int64,
    "cached_tokens": pl.Int64,
    "request_bytes": pl.Int64,
    "response_bytes": pl.Int64,
    "units": pl.List(pl.Struct({"name": pl.String, "quantity_nano": pl.Int64})),  # empty: none
    "tags": pl.List(pl.String),  # sorted "key=value"; empty: none
    "reported_cost_nano": pl.Int64,  # null when the run did not report its cost
    "input": pl.String,  # the three payload fields: null when absent
    "output": pl.String,
    "error": pl.String,
}

RATED_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "credits_nano": pl.Int64,  # null: no price
    "credits_version": pl.Int32,  # version of the price book; null when the book was empty
    "credits_price": pl.String,  # id of the price that matched; null: no price
    "credits_lines": pl.List(pl.Int64),  # one amount per component of that price, in its order
    "cost_nano": pl.Int64,  # null: neither reported nor listed
    "cost_source": pl.String,  # reported, list or (none)
    "cost_version": pl.Int32,
    "cost_price": pl.String,
    "cost_lines": pl.List(pl.Int64),
    # what earlier runs used in the period of each component over one: the credits price's, then the cost price's;
    # null: none counts over a period
    "used_before": pl.List(pl.Int64),
}

STORED_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "account": pl.String,
    "day": pl.Date,  # UTC date of started_at
    "local_day": pl.Date,  # date of started_at in the account's zone
    "quarter_hour": pl.Int32,  # started_at // 15 minutes since 1970 UTC
    "id_hash": pl.Int64,  # first eight bytes of md5(source NUL id)
    "duration_bucket": pl.Int16,  # log histogram bucket; null when duration is
    "seq": pl.Int64,
    "ingested_at": UTC_US,
    "import_id": pl.String,  # null when it came over HTTP
}

PAYLOAD_FIELDS: Final = ("input", "output", "error")
CUT_MARK: Final = "… [cut]"
"""Ends a payload text that was longer than its size cap."""


def empty_run_frame() -> pl.DataFrame:
    """A run frame with no rows."""
    return pl.DataFrame(schema=RUN_SCHEMA)
