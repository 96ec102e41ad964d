"""Each chart as one or two sentences with its main numbers, for people who cannot see it."""

from __future__ import annotations

import polars as pl

from runs_analytics.charts.series import Grain, bucket_text, series_order
from runs_analytics.charts.theme import OTHER
from runs_analytics.charts.units import Unit

_GRAIN_WORDS: dict[Grain, str] = {
    "quarter_hour": "quarter-hour",
    "hour": "hour",
    "day": "day",
    "week": "week",
    "month": "month",
}


def over_time(frame: pl.DataFrame, *, measure_title: str, unit: Unit, grain: Grain) -> str:
    """Total, range, peak and largest series of `bucket`, `value`, `amount`."""
    if frame.is_empty():
        return f"{measure_title}: nothing in this range."
    totals = frame.group_by("bucket").agg(pl.col("amount").sum()).sort("bucket")
    total = float(totals["amount"].sum())
    peak_at, peak = totals.sort(["amount", "bucket"], descending=[True, False]).row(0)
    words = (
        f"{measure_title} per {_GRAIN_WORDS[grain]}, {_range(totals, grain)}: {unit.text(total)} in all, "
        f"most on {bucket_text(peak_at, grain)} with {unit.text(float(peak))}."
    )
    names = [name for name in series_order(frame) if name != OTHER]
    if len(names) > 1:
        largest = float(frame.filter(pl.col("value") == names[0])["amount"].sum())
        words += f" {len(names):,} series; the largest is {names[0]} with {unit.text(largest)}."
    return words


def lines_over_time(known: pl.DataFrame, *, measure_title: str, unit: Unit, grain: Grain) -> str:
    """Range, lowest and highest of `bucket`, `value`, `amount` without nulls."""
    if known.is_empty():
        return f"{measure_title}: nothing in this range."
    ordered = known.sort(["amount", "bucket", "value"])
    ends = []
    for row, word in ((ordered.row(0, named=True), "lowest"), (ordered.row(-1, named=True), "highest")):
        when = bucket_text(row["bucket"], grain)
        ends.append(f"{word} {unit.text(float(row['amount']))} ({row['value']}, {when})")
    return f"{measure_title} per {_GRAIN_WORDS[grain]}, {_range(known, grain)}: {' and '.join(ends)}."


def ranked_bars(frame: pl.DataFrame, *, measure_title: str, unit: Unit, most: int = 3) -> str:
    """The total and the largest of `value`, `amount`."""
    if frame.is_empty():
        return f"{measure_title}: nothing in this range."
    ranked = frame.sort(["amount", "value"], descending=[True, False])
    total = float(ranked["amount"].sum())
    parts = [
        f"{value} {unit.text(float(amount))}" + (f" ({amount / total * 100:.1f} %)" if total > 0 else "")
        for value, amount in ranked.head(most).select("value", pl.col("amount").cast(pl.Float64)).iter_rows()
    ]
    words = f"{measure_title} by size, {unit.text(total)} in all: {'; '.join(parts)}"
    return words + (f"; and {ranked.height - most:,} others." if ranked.height > most else ".")


def distribution_boxes(known: pl.DataFrame, *, measure_title: str, unit: Unit, most: int = 3) -> str:
    """Median and 95th percentile of the first groups."""
    if known.is_empty():
        return f"{measure_title}: nothing in this range."
    parts = [
        f"{row['value']} median {unit.text(row['p50'])}, 95 % below {unit.text(row['p95'])}"
        for row in known.head(most).iter_rows(named=True)
    ]
    rest = f"; and {known.height - most:,} others" if known.height > most else ""
    return f"{measure_title} by group: {'; '.join(parts)}{rest}."


def histogram(bins: pl.DataFrame, *, measure_title: str, unit: Unit) -> str:
    """Number of runs, their bounds and the fullest bin of `lower`, `upper`, `runs`."""
    if bins.is_empty():
        return f"{measure_title}: nothing in this range."
    fullest = bins.sort(["runs", "lower"], descending=[True, False]).row(0, named=True)
    return (
        f"{measure_title} of {int(bins['runs'].sum()):,} runs, from {unit.text(float(bins['lower'].min()))} "  # type: ignore[arg-type]
        f"to {unit.text(float(bins['upper'].max()))}; most, {fullest['runs']:,}, between "  # type: ignore[arg-type]
        f"{unit.text(fullest['lower'])} and {unit.text(fullest['upper'])}."
    )


def _range(frame: pl.DataFrame, grain: Grain) -> str:
    buckets = frame["bucket"].sort().to_list()
    first, last = bucket_text(buckets[0], grain), bucket_text(buckets[-1], grain)
    return first if first == last else f"{first} to {last}"
