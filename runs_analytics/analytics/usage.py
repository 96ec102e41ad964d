"""How much was used: totals, breakdowns and series of every measure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, Self

import polars as pl

from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.plan import Facts, Grain, plan, shift_params
from runs_analytics.selection import Selection
from runs_analytics.vocabulary import Dimension

SLOT_QUARTER_HOURS: Final[dict[Grain, int]] = {"hour": 4, "day": 96, "week": 96, "month": 96}


@dataclass(frozen=True, slots=True)
class Totals:
    """Every measure of the selected runs; sums of stored integers, so parts add up to it exactly."""

    runs: int
    agent_runs: int
    api_calls: int
    finished_runs: int
    error_runs: int
    """Failed and timed out; cancelled and blocked are apart."""
    cancelled_runs: int
    blocked_runs: int
    credits: Decimal
    unpriced_runs: int
    """Runs without a price: not in `credits`, and not zero."""
    cost: Decimal
    uncosted_runs: int
    duration_us: int
    duration_runs: int
    """Runs that have a duration; likewise below."""
    input_tokens: int
    input_runs: int
    output_tokens: int
    output_runs: int
    cached_tokens: int
    request_bytes: int
    request_runs: int
    response_bytes: int
    response_runs: int

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        """From a row of a usage query."""
        values = dict(row) | {"credits": _amount(row["credits_nano"]), "cost": _amount(row["cost_nano"])}
        return cls(**{f.name: values[f.name] for f in fields(cls)})

    @property
    def error_rate(self) -> float | None:
        """Share of the finished runs that failed or timed out; None when none finished."""
        return self.error_runs / self.finished_runs if self.finished_runs else None

    @property
    def mean_duration_us(self) -> float | None:
        """Mean over the runs that have a duration."""
        return self.duration_us / self.duration_runs if self.duration_runs else None


def totals(ask: Ask, selection: Selection, *, only: Facts | None = None) -> Totals:
    """Every measure of the selected runs."""

    def make() -> Totals:
        planned = plan(selection, ask.scope.account, ask.zone, only=only)
        return Totals.of(ask.frame("usage/total", planned).row(0, named=True))

    return ask.kept("usage.totals", selection, only, make=make)


def totals_and_seq(ask: Ask, selection: Selection) -> tuple[Totals, int]:
    """The totals, and the seq up to which runs were applied when they were read."""
    while True:
        seq = ask.warehouse.applied_seq
        found = totals(ask, selection)
        if ask.warehouse.applied_seq == seq:
            return found, seq


def by_value(
    ask: Ask, selection: Selection, dimension: Dimension, *, only: Facts | None = None
) -> pl.DataFrame:
    """Every measure by the values of one dimension, most credits first.

    Returns:
        `value`, the measures of `Totals` (credits and cost as Decimal(38, 9)), `error_rate`.
    """

    def make() -> pl.DataFrame:
        planned = plan(selection, ask.scope.account, ask.zone, dimension=dimension, only=only)
        return _finished(ask.frame("usage/by_value", planned, dimension=dimension))

    return ask.kept("usage.by_value", selection, dimension, only, make=make)


def over_time(
    ask: Ask,
    selection: Selection,
    grain: Grain,
    dimension: Dimension | None = None,
    *,
    only: Facts | None = None,
) -> pl.DataFrame:
    """Every measure by local slot, and by the values of a dimension when one is given.

    Args:
        ask: who asks.
        selection: what about; its zone cuts the slots.
        grain: hour, day, ISO week (its Monday) or month (its first day).
        dimension: what to split each slot by.
        only: facts to use whatever they cost.

    Returns:
        `bucket` (Datetime, the slot's start on the zone's clock), `value` when split, the measures, `error_rate`.
        Slots without runs are absent.
    """

    def make() -> pl.DataFrame:
        planned = plan(selection, ask.scope.account, ask.zone, dimension=dimension, grain=grain, only=only)
        suffix = "_and_value" if dimension else ""
        extra: dict[str, Any] = {"dimension": dimension} if dimension else {}
        if planned.local and grain != "hour":
            frame = ask.frame(f"usage/by_day{suffix}", planned, **extra)
        else:
            extra |= shift_params(selection) | {"slot_quarter_hours": SLOT_QUARTER_HOURS[grain]}
            frame = ask.frame(f"usage/by_slot{suffix}", planned, **extra)
        return _finished(_coarser(frame, grain))

    return ask.kept("usage.over_time", selection, grain, dimension, only, make=make)


def suggested_grain(selection: Selection) -> Grain:
    """Hours up to three days, days up to half a year, weeks up to two years, else months."""
    for days, grain in ((3, "hour"), (190, "day"), (730, "week")):
        if selection.days <= days:
            return grain  # type: ignore[return-value]
    return "month"


def bucket_stop(bucket: Any, grain: Grain) -> Any:
    """The first local moment after a slot that starts at `bucket`."""
    if grain == "month":
        return (bucket.replace(day=1) + timedelta(days=32)).replace(day=1)
    return bucket + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}[grain]


def _coarser(frame: pl.DataFrame, grain: Grain) -> pl.DataFrame:
    if grain not in ("week", "month") or frame.is_empty():
        return frame
    keys = [k for k in ("bucket", "value") if k in frame.columns]
    measures = [c for c in frame.columns if c not in keys]
    cut = frame.with_columns(pl.col("bucket").dt.truncate("1w" if grain == "week" else "1mo"))
    return cut.group_by(keys, maintain_order=True).agg(pl.col(measures).sum()).sort(keys)


def _finished(frame: pl.DataFrame) -> pl.DataFrame:
    """Amounts as decimals, and the rates that follow from the sums."""
    if "value" in frame.columns and frame["value"].null_count():
        raise AssertionError("a rollup was asked for a dimension that it does not hold")
    return frame.with_columns(
        nano_amount("credits_nano").alias("credits"),
        nano_amount("cost_nano").alias("cost"),
        (pl.col("error_runs") / pl.when(pl.col("finished_runs") > 0).then(pl.col("finished_runs"))).alias(
            "error_rate"
        ),
    ).drop("credits_nano", "cost_nano")


def nano_amount(column: str) -> pl.Expr:
    """A column of billionths as an exact Decimal(38, 9)."""
    return pl.col(column).cast(pl.Decimal(38, 0)) * pl.lit(Decimal("0.000000001"), pl.Decimal(38, 9))


def _amount(nano: Any) -> Decimal:
    return Decimal(int(nano)).scaleb(-9)
