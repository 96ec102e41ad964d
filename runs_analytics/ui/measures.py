"""The measures that pages offer: how each follows from a usage frame and how it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import polars as pl

from runs_analytics.charts.units import BYTES, CREDITS, DURATION, RATE, RUNS, TOKENS, Unit, money_unit
from runs_analytics.exports.document import Kind
from runs_analytics.ui import format as fmt

Number = Decimal | int | float


@dataclass(frozen=True)
class Measure:
    """One measure of runs; a sum, or a level such as a rate, which cannot be added up."""

    name: str
    title: str
    unit: Unit
    exact: pl.Expr
    """From the columns of a usage frame: exact decimals and integers for sums, floats for levels."""

    text: Callable[[Number | None], str]
    kind: Kind
    """How an export writes it."""

    is_level: bool = False

    @property
    def amount(self) -> pl.Expr:
        """The measure as a float, for drawing only."""
        return self.exact.cast(pl.Float64).alias("amount")

    @property
    def per_slot(self) -> str:
        """What follows the title in `Credits per day`: sums are per slot, levels by slot."""
        return "by" if self.is_level else "per"


def measures(currency: str) -> dict[str, Measure]:
    """Every measure by name, in the order in which menus offer them."""
    money = money_unit(currency)
    found = (
        Measure("credits", "Credits", CREDITS, pl.col("credits"), lambda v: fmt.credits(_decimal(v)), "credits"),
        Measure("cost", "Spend", money, pl.col("cost"), lambda v: fmt.money(_decimal(v), currency), "money"),
        Measure("runs", "Runs", RUNS, pl.col("runs"), _integer, "integer"),
        Measure("agent_runs", "Agent runs", RUNS, pl.col("agent_runs"), _integer, "integer"),
        Measure("api_calls", "API calls", RUNS, pl.col("api_calls"), _integer, "integer"),
        Measure("tokens", "Tokens", TOKENS, _TOKENS, _integer, "integer"),
        Measure("bytes", "Bytes", BYTES, _BYTES, lambda v: _of(v, fmt.size), "bytes"),
        Measure(
            "duration", "Mean duration", DURATION, _mean("duration_us", "duration_runs"),
            lambda v: _of(v, fmt.duration), "duration_us", is_level=True,
        ),
        Measure(
            "error_rate", "Error rate", RATE, pl.col("error_rate"),
            lambda v: _of(v, fmt.percent), "percent", is_level=True,
        ),
    )  # fmt: skip
    return {measure.name: measure for measure in found}


def _mean(total: str, runs: str) -> pl.Expr:
    return pl.col(total) / pl.when(pl.col(runs) > 0).then(pl.col(runs))


_TOKENS: Final = pl.col("input_tokens") + pl.col("output_tokens")
_BYTES: Final = pl.col("request_bytes") + pl.col("response_bytes")


def _of(value: Number | None, text: Callable[[float | None], str]) -> str:
    return text(None if value is None else float(value))


def _decimal(value: Number | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _integer(value: Number | None) -> str:
    return fmt.integer(None if value is None else int(value))
