"""How durations, tokens, bytes and units are distributed: percentiles and histograms by a dimension.

Runs are counted in log buckets of base `DURATION_BUCKET_BASE`; a bucket is stood for by its geometric middle, so a
percentile is off by 0.5 % at most. Buckets of parts add up to those of the whole.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import polars as pl

from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.plan import EVERYWHERE, filter_params, plan, same_days
from runs_analytics.selection import Selection
from runs_analytics.vocabulary import DURATION_BUCKET_BASE, Dimension

Measure = Literal[
    "duration_us", "input_tokens", "output_tokens", "cached_tokens", "request_bytes", "response_bytes"
]
MEASURES: Final[tuple[Measure, ...]] = (
    "duration_us",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "request_bytes",
    "response_bytes",
)
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
HISTOGRAM_DIMENSIONS: Final = frozenset({"service", "agent", "model"})
"""Dimensions whose duration histograms are kept by day."""

UNIT_SCALE: Final = 1000.0
"""Quantities of units are bucketed in thousandths, so that fractions keep their buckets."""


def percentiles(
    ask: Ask, selection: Selection, measure: Measure, dimension: Dimension | None = None
) -> pl.DataFrame:
    """Percentiles of one measure, by the values of a dimension or of all runs together.

    Returns:
        `value` ('' for all), `runs` that have the measure, `mean`, `p05` … `p99`, most runs first.
    """

    def make() -> pl.DataFrame:
        return percentiles_of(buckets(ask, selection, measure, dimension))

    return ask.kept("distribution.percentiles", selection, measure, dimension, make=make)


def histogram(ask: Ask, selection: Selection, measure: Measure, *, bars: int = 40) -> pl.DataFrame:
    """How many runs fall into each of about `bars` log-wide ranges of a measure.

    Returns:
        `lower`, `upper` (in the measure's unit), `runs`, ascending.
    """

    def make() -> pl.DataFrame:
        counted = buckets(ask, selection, measure, None)
        if counted.is_empty():
            return pl.DataFrame(schema={"lower": pl.Float64, "upper": pl.Float64, "runs": pl.Int64})
        low, high = int(counted["bucket"].min()), int(counted["bucket"].max())  # type: ignore[arg-type]
        width = max(1, math.ceil((high - low + 1) / bars))
        step = (pl.col("bucket") - low) // width
        return (
            counted.group_by((step * width + low).alias("first"))
            .agg(pl.col("runs").sum())
            .sort("first")
            .select(
                _edge(pl.col("first")).alias("lower"), _edge(pl.col("first") + width).alias("upper"), "runs"
            )
        )

    return ask.kept("distribution.histogram", selection, measure, bars, make=make)


def units(ask: Ask, selection: Selection, dimension: Dimension | None = None) -> pl.DataFrame:
    """Percentiles of every named unit; different names are never summed.

    Returns:
        `unit`, and as `percentiles`, with quantities as floats and `total` as Decimal(38, 9).
    """

    def make() -> pl.DataFrame:
        planned = plan(selection, ask.scope.account, ask.zone, only="runs")
        counted = ask.warehouse.frame(
            "distribution/units",
            planned.params | {"dimension": dimension or "", "base": DURATION_BUCKET_BASE},
            facts="run_units",
        )
        results = []
        for (unit,), part in counted.partition_by("unit", as_dict=True, maintain_order=True).items():
            nano = pl.col("quantity_nano")
            amounts = part.with_columns((nano.cast(pl.Float64) / 1e9).alias("amount"))
            totals = part.group_by("value").agg(nano.sum().alias("total_nano"))
            found = percentiles_of(amounts, scale=1 / UNIT_SCALE).join(totals, on="value")
            results.append(found.with_columns(pl.lit(unit).alias("unit")))
        if not results:
            return pl.DataFrame(schema={"unit": pl.String, "value": pl.String, "runs": pl.Int64})
        return pl.concat(results)

    return ask.kept("distribution.units", selection, dimension, make=make)


def buckets(ask: Ask, selection: Selection, measure: Measure, dimension: Dimension | None) -> pl.DataFrame:
    """Runs by log bucket: `value`, `bucket`, `runs`, `amount` (sum of the measure, float)."""
    narrow = {d for d, _ in selection.filters} | ({dimension} if dimension else set())
    kept_by_day = (
        measure == "duration_us"
        and same_days(selection, ask.zone)
        and not selection.tags
        and not narrow & EVERYWHERE
        and len(narrow) <= 1
        and narrow <= HISTOGRAM_DIMENSIONS
    )
    if kept_by_day:
        return _buckets_by_day(ask, selection, dimension, narrow)
    planned = plan(selection, ask.scope.account, ask.zone, only="runs")
    if measure == "duration_us":
        return ask.frame("distribution/duration", planned, dimension=dimension or "")
    return ask.frame(
        "distribution/quantity",
        planned,
        dimension=dimension or "",
        measure=measure,
        base=DURATION_BUCKET_BASE,
    )


def percentiles_of(counted: pl.DataFrame, *, scale: float = 1.0) -> pl.DataFrame:
    """Percentiles from bucket counts, by linear interpolation between the two nearest ranks.

    Args:
        counted: `value`, `bucket`, `runs`, `amount`, sorted by bucket within each value.
        scale: what a bucket's value is multiplied with.
    """
    ranked = counted.sort("value", "bucket").with_columns(
        pl.col("runs").cum_sum().over("value").alias("upto"),
        (_middle(pl.col("bucket")) * scale).alias("middle"),
    )
    total = pl.col("runs").sum()
    found = ranked.group_by("value", maintain_order=True).agg(
        total.alias("total"),
        (pl.col("amount").sum() / total).alias("mean"),
        *(_quantile(q).alias(f"p{round(q * 100):02d}") for q in QUANTILES),
    )
    return found.rename({"total": "runs"}).sort(["runs", "value"], descending=[True, False])


def _quantile(q: float) -> pl.Expr:
    position = (pl.col("runs").sum() - 1) * q
    low = position.floor()
    at_low = pl.col("middle").filter(pl.col("upto") > low).first()
    at_high = pl.col("middle").filter(pl.col("upto") > position.ceil()).first()
    return at_low + (at_high - at_low) * (position - low)


def _buckets_by_day(
    ask: Ask, selection: Selection, dimension: Dimension | None, narrow: set[Dimension]
) -> pl.DataFrame:
    kept = next(iter(narrow), None)
    params = filter_params(selection, ask.scope.account)
    found = ask.warehouse.frame(
        "distribution/duration_by_day",
        {
            "account": params["account"],
            "start_day": selection.start,
            "end_day": selection.end,
            "rollup_dimension": kept or "(all)",
            "values": params[kept] if kept else None,
        },
    )
    if dimension is None and kept is not None:
        grouped = found.group_by("bucket").agg(pl.col("runs").sum(), pl.col("amount").sum()).sort("bucket")
        return grouped.select(pl.lit("").alias("value"), "bucket", "runs", "amount")
    return found


def _middle(bucket: pl.Expr) -> pl.Expr:
    return pl.when(bucket < 0).then(0.0).otherwise(_power(bucket.cast(pl.Float64) + 0.5))


def _edge(bucket: pl.Expr) -> pl.Expr:
    return pl.when(bucket < 0).then(0.0).otherwise(_power(bucket.cast(pl.Float64)))


def _power(exponent: pl.Expr) -> pl.Expr:
    return (exponent * math.log(DURATION_BUCKET_BASE)).exp()
