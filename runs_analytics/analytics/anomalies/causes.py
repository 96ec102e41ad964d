"""Which part of the usage an anomaly comes from.

A value explains an anomaly as far as its own change is unlike chance (the likelihood ratio of counts: Kulldorff, *A
spatial scan statistic*, 1997) and those of the other values of its dimension are like it. So the part that changed
comes before a whole that holds it and before the parts that each have some of it, and a large part before a small one
that changed as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

LEAST_SHARE: Final = 0.3
"""A value that explains less of the change is not named first: then the cause is not clear."""

NARROWEST: Final = ("member", "feature", "agent", "model", "service", "project", "team")
"""Dimensions by how narrow a cause in them is: of values with the same runs the first one is named."""

LEAST_TOLD: Final = 0.1
MOST_TOLD: Final = 5
OTHERS_COUNT: Final = 0.5
"""What the changes of the other values of its dimension take away."""

_LEAST_PART: Final = 0.005
"""Part of the whole that is added to all values, so that one that was never there is not endlessly unlike chance."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A dimension value and what it did in an anomaly."""

    dimension: str
    value: str
    actual: float
    expected: float
    share: float
    """Part of the whole's change that is this value's."""


def rank(parts: pl.DataFrame) -> tuple[Cause, ...]:
    """The values that explain a change, the best explanation first; empty when none stands out.

    Args:
        parts: dimension, value, actual, expected, and for means and rates weights (runs behind each value). The
            values of each dimension make up the whole.
    """
    weight = pl.col("weights") if "weights" in parts.columns else pl.lit(1.0)
    moved = ((pl.col("actual") - pl.col("expected")) * weight).fill_nan(None).fill_null(0.0)
    scored = (
        parts.with_columns(moved=moved, least=_LEAST_PART * pl.col("expected").abs().sum().over("dimension"))
        .with_columns(whole=pl.col("moved").sum().over("dimension"), gain=_unlikeliness())
        .filter(pl.col("whole") != 0)
        .with_columns(
            share=pl.col("moved") / pl.col("whole"),
            score=(1 + OTHERS_COUNT) * pl.col("gain") - OTHERS_COUNT * pl.col("gain").sum().over("dimension"),
        )
        .filter(pl.col("share") >= LEAST_TOLD)
        .sort("score", "dimension", "value", descending=[True, False, False])
    )
    if scored.is_empty() or scored["share"][0] < LEAST_SHARE:
        return ()
    told = scored.head(MOST_TOLD).select("dimension", "value", "actual", "expected", "share")
    return tuple(Cause(*row) for row in told.iter_rows())


def _unlikeliness() -> pl.Expr:
    """Logarithm of how much likelier each value's amount is by its own factor than by what was expected."""
    actual, expected = (
        pl.max_horizontal(pl.col(name), pl.lit(0.0)) + pl.max_horizontal(pl.col("least"), pl.lit(1e-12))
        for name in ("actual", "expected")
    )
    return actual * (actual / expected).log() - (actual - expected)
