"""`python -m benchmarks.forecast_speed`: how long forecasts of many series with bands take, beside AutoETS.

Both forecast the same drawn daily series in as many processes as there are cores, started for it, by
`benchmarks.forecast` and by statsforecast (requirements-bench.txt). Before the clock starts each has forecast a few
series, as compiling happens once.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from benchmarks import forecast as command
from benchmarks.report import Figure, figures_table

Series = list[np.ndarray[Any, Any]]

DAYS: Final = 180
HORIZON: Final = 30
WEEK: Final = 7
LEVELS: Final = (80, 95)
MOST_SECONDS: Final = 15
WARMING: Final = 4
"""Series forecast before the clock starts."""


@dataclass(frozen=True)
class Took:
    """What some work took."""

    seconds: float
    cpu_seconds: float


def main(arguments: Sequence[str]) -> int:
    """Print how long both took; always 0, because a figure that misses its target is a result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast_speed", description=__doc__)
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    drawn = daily_series(given.series, given.seed)
    ours = took(_by_runs, drawn, given.processes)
    theirs = took(_by_auto_ets, drawn, given.processes)
    print(figures_table([figure(given.series, ours, theirs)]))
    return 0


def daily_series(series: int, seed: int) -> Series:
    """Usage of days: a level of its own, a shape of the week, a level that wanders, noise, and seldom a dead day."""
    dice = np.random.default_rng(seed)
    days = np.arange(DAYS)
    drawn = []
    for _ in range(series):
        week = 1 + np.where(days % WEEK < 5, 0.0, -dice.uniform(0, 0.8))
        level = np.exp(dice.normal(5, 2) + np.cumsum(dice.normal(0, 0.03, DAYS)))
        alive = dice.random(DAYS) > dice.choice([0.0, 0.02])
        drawn.append(np.round(level * week * np.exp(dice.normal(0, 0.15, DAYS)) * alive, 2))
    return drawn


def figure(series: int, ours: Took, theirs: Took) -> Figure:
    """The row of the table: seconds for all series, with those of AutoETS beside."""
    name = f"{series} daily series of {DAYS} days, {HORIZON} ahead, with bands"
    beside = (
        f"{ours.cpu_seconds:.1f} s of CPU; AutoETS of statsforecast {theirs.seconds:.1f} s, "
        f"{theirs.cpu_seconds:.1f} s of CPU"
    )
    return Figure("speed", name, ours.seconds, "s", MOST_SECONDS, beside=beside)


def took(work: Callable[[Series, int], None], drawn: Series, processes: int) -> Took:
    """Wall time of some work and the processors' time of it and of all processes that it started and ended."""
    work(drawn[:WARMING], processes)
    started, cpu = time.perf_counter(), _cpu_seconds()
    work(drawn, processes)
    return Took(time.perf_counter() - started, _cpu_seconds() - cpu)


def _cpu_seconds() -> float:
    both = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in both)


def _by_runs(drawn: Series, processes: int) -> None:
    jobs = [(str(place), values, HORIZON, WEEK, LEVELS) for place, values in enumerate(drawn)]
    answers = command.answered(jobs, processes)
    assert all(answer for answer, _ in answers)


def _by_auto_ets(drawn: Series, processes: int) -> None:
    from statsforecast import StatsForecast, models

    table = pl.concat(
        [
            pl.DataFrame({"unique_id": str(place), "ds": np.arange(1, len(values) + 1), "y": values})
            for place, values in enumerate(drawn)
        ]
    )
    engine = StatsForecast(models=[models.AutoETS(WEEK)], freq=1, n_jobs=processes)
    engine.forecast(df=table, h=HORIZON, level=list(LEVELS))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    raise SystemExit(main(sys.argv[1:]))
