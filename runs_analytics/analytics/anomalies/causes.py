"""Which part of the usage an anomaly comes from.

A value explains an anomaly as far as its own change is unlike chance (the likelihood ratio of counts: Kulldorff, *A
spatial scan statistic*, 1997) and those of the other values of its dimension are like it. So the part that changed
comes before a whole that holds it and before the parts that each have some of it, and a large part before a small one
that changed as much.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
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


Part = tuple[str, str, float, float, float]


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
    weighted = parts if "weights" in parts.columns else parts.with_columns(weights=pl.lit(1.0))
    return ranked(weighted.select("dimension", "value", "actual", "expected", "weights").iter_rows())


def ranked(parts: Iterable[Part]) -> tuple[Cause, ...]:
    """The same of rows: dimension, value, actual, expected and weight."""
    by_dimension: dict[str, list[Part]] = {}
    for part in parts:
        by_dimension.setdefault(part[0], []).append(part)
    scored = [pair for its in by_dimension.values() for pair in _scored(its) if pair[1].share >= LEAST_TOLD]
    causes = [cause for _, cause in sorted(scored, key=lambda one: (-one[0], one[1].dimension, one[1].value))]
    if not causes or causes[0].share < LEAST_SHARE:
        return ()
    return tuple(causes[:MOST_TOLD])


def _scored(parts: Sequence[Part]) -> Iterator[tuple[float, Cause]]:
    """The values of one dimension with how well each explains the whole's change."""
    moved = [(actual - expected) * weight for _, _, actual, expected, weight in parts]
    whole = sum(moved)
    if not whole:
        return
    least = max(_LEAST_PART * sum(abs(part[3]) for part in parts), 1e-12)
    gains = [_unlikeliness(part[2], part[3], least) for part in parts]
    others = OTHERS_COUNT * sum(gains)
    for part, more, gain in zip(parts, moved, gains, strict=True):
        yield (1 + OTHERS_COUNT) * gain - others, Cause(*part[:4], more / whole)


def _unlikeliness(actual: float, expected: float, least: float) -> float:
    """Logarithm of how much likelier an amount is by its own factor than by what was expected."""
    actual, expected = (max(amount, 0.0) + least for amount in (actual, expected))
    return actual * math.log(actual / expected) - (actual - expected)
