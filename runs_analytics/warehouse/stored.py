"""Turns rated runs into the rows that the warehouse and the archive hold."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final

import polars as pl

from runs_analytics.run_frame import RATED_SCHEMA, RUN_SCHEMA, STORED_SCHEMA, UTC_US
from runs_analytics.vocabulary import DURATION_BUCKET_BASE, QUARTER_HOUR_US
from runs_analytics.warehouse.hashing import id_text, md5_pairs
from runs_analytics.zones import Shift, shifts

SEGMENT_SCHEMA: Final = {
    **STORED_SCHEMA,
    **RUN_SCHEMA,
    **RATED_SCHEMA,
    "replaces_started_at": UTC_US,  # started_at of the running row that this one replaces, else null
}
ZERO_DURATION_BUCKET: Final = -1


def stored_rows(
    rated: pl.DataFrame,
    *,
    account: str,
    zone: str,
    ingested_at: datetime,
    import_id: str | None,
    seq: int | None = None,
) -> pl.DataFrame:
    """The rows of `SEGMENT_SCHEMA` for rated runs of one account.

    Args:
        rated: columns of `RUN_SCHEMA` and `RATED_SCHEMA`; `id_hash` and `replaces_started_at` are used when
            they are there, else hashed and null.
        account: the account's id.
        zone: the account's zone, for `local_day`.
        ingested_at: aware; kept as UTC.
        import_id: the import the runs came with, or None.
        seq: their place in the order, when it is known already.
    """
    if "id_hash" not in rated.columns:
        texts = rated.select(pl.concat_str("source", pl.lit(id_text("", "")), "id")).to_series()
        rated = rated.with_columns(md5_pairs(texts)["high"].alias("id_hash"))
    if "replaces_started_at" not in rated.columns:
        rated = rated.with_columns(pl.lit(None, UTC_US).alias("replaces_started_at"))
    microseconds = pl.col("started_at").dt.epoch("us")
    placed = rated.with_columns(
        pl.lit(account).alias("account"),
        pl.col("started_at").dt.date().alias("day"),
        (microseconds // QUARTER_HOUR_US).cast(pl.Int32).alias("quarter_hour"),
        duration_bucket(pl.col("duration_us")).alias("duration_bucket"),
        pl.lit(seq, pl.Int64).alias("seq"),
        pl.lit(ingested_at.replace(tzinfo=None), UTC_US).alias("ingested_at"),
        pl.lit(import_id, pl.String).alias("import_id"),
    )
    return placed.with_columns(local_day(placed, zone)).select(SEGMENT_SCHEMA.keys()).cast(SEGMENT_SCHEMA)  # type: ignore[arg-type]


def duration_bucket(duration_us: pl.Expr) -> pl.Expr:
    """The log-histogram bucket of a duration in microseconds; null stays null, zero has a bucket of its own."""
    bucket = (duration_us.cast(pl.Float64).log() / math.log(DURATION_BUCKET_BASE)).floor()
    return pl.when(duration_us <= 0).then(ZERO_DURATION_BUCKET).otherwise(bucket).cast(pl.Int16)


def local_day(frame: pl.DataFrame, zone: str) -> pl.Series:
    """The date of `quarter_hour` in a zone, as series `local_day`."""
    if not frame.height:
        return pl.Series("local_day", [], pl.Date)
    quarter_hours = frame["quarter_hour"]
    low, high = quarter_hours.min(), quarter_hours.max()
    assert isinstance(low, int)
    assert isinstance(high, int)
    spans = shifts(zone, low, high + 1)
    return frame.select(_shifted(spans).alias("local_day")).to_series()


def _shifted(spans: tuple[Shift, ...]) -> pl.Expr:
    quarter_hour = pl.col("quarter_hour")
    shift = pl.lit(spans[0].quarter_hours)
    for span in spans[1:]:
        shift = pl.when(quarter_hour >= span.start).then(span.quarter_hours).otherwise(shift)
    return ((quarter_hour + shift).floordiv(96)).cast(pl.Int32).cast(pl.Date)
