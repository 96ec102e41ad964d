"""A Selection in parts of bounded size, for questions that are asked bit by bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Final

import polars as pl

from runs_analytics.analytics import usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.selection import Selection

_STRETCH_RUNS: Final = 100_000
"""About how many runs are asked about before the asker may stop."""

_STRETCH_DAYS: Final = 31


def stretches(ask: Ask, selection: Selection) -> Iterator[tuple[Selection, int]]:
    """The Selection in parts of whole local days, newest first, each with its number of runs; empty days in none."""
    days = usage.over_time(ask, selection, "day").select(pl.col("bucket").dt.date(), "runs")
    newest, oldest, runs = None, None, 0
    for day, count in days.filter(pl.col("runs") > 0).sort("bucket", descending=True).iter_rows():
        if newest and oldest and (runs >= _STRETCH_RUNS or newest - day >= timedelta(_STRETCH_DAYS)):
            yield replace(selection, start=oldest, end=newest, period=None), runs
            newest, runs = None, 0
        newest, oldest, runs = newest or day, day, runs + count
    if newest and oldest:
        yield replace(selection, start=oldest, end=newest, period=None), runs
