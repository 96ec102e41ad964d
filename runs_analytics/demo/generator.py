"""Runs of a sample workspace, made in order of time and a chunk at a time, so that any number fits in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runs_analytics.demo.demand import Demand, demand
from runs_analytics.demo.frames import run_frame
from runs_analytics.demo.patterns import planted_trees
from runs_analytics.demo.rows import rows_of
from runs_analytics.demo.schedule import schedule
from runs_analytics.demo.trees import Trees, join, ordinary_trees
from runs_analytics.errors import BadRequest

CHUNK_ROWS: Final = 100_000
MOST_DAYS: Final = 3_650
_CHUNK_HOURS: Final = 6
"""Chunks are whole multiples of it, longer than any agent run: only one chunk back can reach into one."""


def generate(runs: int, seed: int, days: int, until: datetime) -> Iterator[pl.DataFrame]:
    """The sample's runs as run frames of about 100,000 rows, sorted by `started_at` over all of them.

    The same arguments give the same runs.

    Args:
        runs: exactly how many rows come, child calls included.
        seed: of all chance.
        days: how far back they reach.
        until: when the last ones start, aware.

    Raises:
        BadRequest: when a number is below its least, or `until` has no zone.
    """
    _check(runs, seed, days, until)
    plan = schedule(until.astimezone(UTC), days)
    volume = demand(seed, plan)
    planted = planted_trees(runs, seed, plan)
    chunks = _chunks(volume, runs - int(planted.size.sum()), seed)
    number, waiting = 0, None
    for chunk, (hours, ordinary) in enumerate(chunks):
        random = np.random.default_rng([seed, 3, chunk])
        stop = int(volume.starts_us[hours.stop]) if hours.stop < len(volume.starts_us) else None
        trees = join([ordinary_trees(random, volume, hours, ordinary), _between(planted, volume, hours)])
        rows = rows_of(random, trees, plan, number)
        number += len(rows)
        rows = rows if waiting is None else waiting.then(rows)
        rows = rows.take(np.argsort(rows.started_us, kind="stable"))
        ready = len(rows) if stop is None else int(np.searchsorted(rows.started_us, stop))
        waiting = rows.take(slice(ready, None))
        if ready:
            yield run_frame(rows.take(slice(ready)), seed)


def _check(runs: int, seed: int, days: int, until: datetime) -> None:
    if runs < 1:
        raise BadRequest(f"runs is {runs}; use at least 1.", field="runs", value=runs)
    if seed < 0:
        raise BadRequest(f"seed is {seed}; use 0 or more.", field="seed", value=seed)
    if not 1 <= days <= MOST_DAYS:
        raise BadRequest(f"days is {days}; use 1 to {MOST_DAYS}.", field="days", value=days)
    if until.tzinfo is None:
        raise BadRequest(f"until is {until}; give it a zone.", field="until", value=until)


def _chunks(volume: Demand, rows: int, seed: int) -> list[tuple[slice, int]]:
    """Spans of hours and how many ordinary rows each has; together exactly `rows`."""
    hours = len(volume.starts_us)
    edges = [*range(hours, 0, -_CHUNK_HOURS), 0][::-1]
    weights = np.add.reduceat(volume.weights.sum(axis=1), edges[:-1])
    counts = np.random.default_rng([seed, 4]).multinomial(rows, weights / weights.sum())
    result: list[tuple[slice, int]] = []
    first, gathered = 0, 0
    for number, count in enumerate(counts):
        gathered += int(count)
        if gathered >= CHUNK_ROWS or number == len(counts) - 1:
            result.append((slice(first, edges[number + 1]), gathered))
            first, gathered = edges[number + 1], 0
    return result


def _between(planted: Trees, volume: Demand, hours: slice) -> Trees:
    """The planted trees that start in some hours."""
    starts: NDArray[np.int64] = volume.starts_us
    first = np.searchsorted(planted.start_us, starts[hours.start])
    stop = np.searchsorted(planted.start_us, starts[hours.stop]) if hours.stop < len(starts) else len(planted)
    return planted.take(slice(int(first), int(stop)))
