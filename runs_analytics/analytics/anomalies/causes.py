"""Which part of the usage an anomaly comes from.

A value explains an anomaly when its own change makes up that of the whole (explanatory power: Bhagwan and others,
*Adtributor: revenue debugging in advertising systems*, 2014) and the other values of its dimension did not move. Where
several dimensions do so for the same runs, the value that changed most against what it usually is comes first: what
happened to a part of a project is no news about the project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

LEAST_SHARE: Final = 0.3
"""A value that explains less of the change is not named first: then the cause is not clear."""

LEAST_TOLD: Final = 0.1
MOST_TOLD: Final = 5
CHANGE_COUNTS: Final = 1.5
"""What a value's own relative change counts beside its share of the whole's change."""

OTHERS_COUNT: Final = 0.8
"""What the changes of the other values of its dimension take away."""


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
    own = pl.max_horizontal(pl.col("actual").abs(), pl.col("expected").abs())
    scored = (
        parts.with_columns(moved=moved)
        .with_columns(
            whole=pl.col("moved").sum().over("dimension"),
            stirred=pl.col("moved").abs().sum().over("dimension"),
        )
        .filter(pl.col("whole") != 0)
        .with_columns(
            share=pl.col("moved") / pl.col("whole"),
            collateral=(pl.col("stirred") - pl.col("moved").abs()) / pl.col("whole").abs(),
            change=(pl.col("actual") - pl.col("expected")).abs() / own,
        )
        .with_columns(
            score=pl.min_horizontal(pl.col("share"), pl.lit(1.0))
            - OTHERS_COUNT * pl.min_horizontal(pl.col("collateral"), pl.lit(1.0))
            + CHANGE_COUNTS * pl.col("change")
        )
        .filter(pl.col("share") >= LEAST_TOLD)
        .sort("score", "dimension", "value", descending=[True, False, False])
    )
    if scored.is_empty() or scored["share"][0] < LEAST_SHARE:
        return ()
    told = scored.head(MOST_TOLD).select("dimension", "value", "actual", "expected", "share")
    return tuple(Cause(*row) for row in told.iter_rows())
