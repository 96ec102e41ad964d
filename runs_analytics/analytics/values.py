"""The values that an account ever used, for filters and for what a page can be split by."""

from __future__ import annotations

from typing import Final

import polars as pl

from runs_analytics.analytics.asking import Ask
from runs_analytics.vocabulary import KINDS, STATUSES, Dimension

CLOSED: Final[dict[Dimension, tuple[str, ...]]] = {"kind": KINDS, "status": STATUSES}
"""Dimensions whose values are the same in every account."""


def values_of(ask: Ask, dimension: Dimension) -> list[str]:
    """Every value of a dimension that the account ever used, most runs first."""
    if dimension in CLOSED:
        return list(CLOSED[dimension])
    account = ask.scope.account
    found = ask.kept(
        "values.by_dimension",
        make=lambda: ask.warehouse.frame("values/by_dimension", {"account": account}),
    )
    return found.filter(pl.col("dimension") == dimension)["value"].to_list()
