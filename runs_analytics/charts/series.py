"""Frames made ready to draw: the largest series, buckets with their bounds, values without gaps."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final, Literal

import polars as pl

from runs_analytics.charts.theme import MAX_SERIES, OTHER

Grain = Literal["quarter_hour", "hour", "day", "week", "month"]
Moment = date | datetime

_EVERY: Final[dict[Grain, str]] = {
    "quarter_hour": "15m",
    "hour": "1h",
    "day": "1d",
    "week": "1w",
    "month": "1mo",
}
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - buckets are local times without a zone
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def top_series(frame: pl.DataFrame, n: int = MAX_SERIES) -> pl.DataFrame:
    """The same sums with at most `n` series; the smaller ones are added up as `OTHER`.

    Args:
        frame: `bucket`, `value`, `amount`; several rows per bucket and value are added up.
        n: how many series keep their name, the largest by absolute total first, ties by name.

    Returns:
        `bucket`, `value`, `amount`, one row per bucket and series, sorted by bucket and then by total.
    """
    ranked = series_order(frame)
    kept = [name for name in ranked if name != OTHER]
    named = kept[:n]
    rank = pl.DataFrame({"value": [*named, OTHER], "rank": range(len(named) + 1)})
    grouped = frame.with_columns(
        pl.when(pl.col("value").is_in(named)).then(pl.col("value")).otherwise(pl.lit(OTHER)).alias("value")
    )
    return (
        grouped.group_by("bucket", "value")
        .agg(pl.col("amount").sum())
        .join(rank, on="value", how="left")
        .sort("bucket", "rank")
        .select("bucket", "value", "amount")
    )


def series_order(frame: pl.DataFrame) -> list[str]:
    """The names of the series, largest absolute total first, ties by name, `OTHER` last."""
    totals = frame.group_by("value").agg(pl.col("amount").sum().abs().alias("total"))
    names: list[str] = totals.sort(["total", "value"], descending=[True, False])["value"].to_list()
    return sorted(names, key=lambda name: name == OTHER)


def with_gaps(frame: pl.DataFrame, grain: Grain) -> pl.DataFrame:
    """The frame with a null amount for each bucket that a series misses between its first and last."""
    parts = []
    for (_,), part in frame.group_by(["value"], maintain_order=True):
        whole = part.sort("bucket").upsample("bucket", every=_EVERY[grain])
        parts.append(whole.with_columns(pl.col("value").fill_null(strategy="forward")))
    return pl.concat(parts) if parts else frame


def bucket_end(bucket: Moment, grain: Grain) -> datetime:
    """The first moment after a bucket, as a local time without a zone."""
    start = as_datetime(bucket)
    if grain == "month":
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    step = {"quarter_hour": timedelta(minutes=15), "hour": timedelta(hours=1), "day": timedelta(days=1)}
    return start + step.get(grain, timedelta(days=7))


def as_datetime(bucket: Moment) -> datetime:
    """A bucket as a local time without a zone."""
    return bucket if isinstance(bucket, datetime) else datetime.combine(bucket, time())


def epoch_ms(bucket: Moment) -> float:
    """A bucket as milliseconds, read as if its local time were UTC."""
    return (as_datetime(bucket) - _EPOCH).total_seconds() * 1_000


def bucket_text(bucket: Moment, grain: Grain) -> str:
    """A bucket in words: `Wed 11 Nov 2026`, `Wed 11 Nov 2026, 14:00–15:00`, `Nov 2026`."""
    start = as_datetime(bucket)
    month = f"{_MONTHS[start.month - 1]} {start.year}"
    day = f"{_WEEKDAYS[start.weekday()]} {start.day} {month}"
    if grain == "month":
        return month
    if grain == "week":
        return f"week of {day}"
    if grain == "day":
        return day
    return f"{day}, {start:%H:%M}–{bucket_end(start, grain):%H:%M}"


def bucket_key(bucket: Moment) -> str:
    """A bucket as a selection returns it: `2026-11-11`, or `2026-11-11T14:00:00` within a day."""
    return bucket.isoformat()
