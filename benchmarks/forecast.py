"""`python -m benchmarks.forecast`: forecasts every series of a long table with the product's own engine.

Reads unique_id, ds, y (parquet, csv or csv.gz; ds a step number or a time) and writes unique_id, ds, runs and
runs-lo-L, runs-hi-L for each level. A series that the engine refuses is named on stderr and left out.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from runs_analytics.analytics.forecasting.engine import forecast
from runs_analytics.errors import BadRequest

STEPS = {"h": "1h", "d": "1d", "w": "1w", "m": "1mo", "ms": "1mo", "me": "1mo", "q": "3mo", "y": "1y"}

Job = tuple[str, np.ndarray[Any, Any], int, int, tuple[int, ...]]


def main(arguments: Sequence[str]) -> int:
    """Forecast a file; 0 when every series was answered, 1 when some were refused."""
    given = _parser().parse_args(arguments)
    train = read_table(given.train).sort("unique_id", "ds", maintain_order=True)
    series = train.partition_by("unique_id", maintain_order=True)
    jobs: list[Job] = [
        (
            part["unique_id"][0],
            filled(part["y"].cast(pl.Float64).to_numpy(), given.season),
            given.horizon,
            given.season,
            tuple(given.levels),
        )
        for part in series
    ]
    frames, refused = [], 0
    for part, (answer, refusal) in zip(series, answered(jobs, given.processes), strict=True):
        if answer is None:
            refused += 1
            sys.stderr.write(f"{part['unique_id'][0]}: refused: {refusal}\n")
            continue
        times = following(part["ds"], given.horizon, given.freq)
        frames.append(
            pl.DataFrame({"unique_id": [part["unique_id"][0]] * given.horizon, "ds": times} | answer)
        )
    if frames:
        write_table(pl.concat(frames), given.out)
    return int(refused > 0)


def answered(jobs: Sequence[Job], processes: int) -> list[tuple[dict[str, Any] | None, str]]:
    """Forecast columns of each job, or why there are none, in the order of the jobs."""
    if processes <= 1 or len(jobs) < 4:
        return [_answer(job) for job in jobs]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return list(pool.map(_answer, jobs, chunksize=max(1, len(jobs) // (processes * 8))))


def _answer(job: Job) -> tuple[dict[str, Any] | None, str]:
    _, values, horizon, season, levels = job
    try:
        made = forecast(values, horizon, season, levels)
    except BadRequest as error:
        return None, error.message
    columns: dict[str, Any] = {"runs": made.point}
    for level, (low, high) in made.bands.items():
        columns |= {f"runs-lo-{level}": low, f"runs-hi-{level}": high}
    return columns, ""


def filled(values: np.ndarray[Any, Any], season: int) -> np.ndarray[Any, Any]:
    """Values without gaps: a missing one takes the value of the season before, else the one before, else the next."""
    values = values.copy()
    for step in np.flatnonzero(~np.isfinite(values)):
        before = [values[at] for at in (step - season, step - 1) if at >= 0 and np.isfinite(values[at])]
        later = values[step + 1 :][np.isfinite(values[step + 1 :])]
        values[step] = before[0] if before else later[0] if len(later) else 0.0
    return values


def following(times: pl.Series, horizon: int, freq: str | None) -> pl.Series:
    """The steps or times after the last one; the distance is `freq`, else the usual one between neighbours."""
    last = times[-1]
    if times.dtype.is_numeric():
        return pl.Series([last + step for step in range(1, horizon + 1)], dtype=times.dtype)
    moments = times if times.dtype.is_temporal() else times.str.to_datetime()
    last = moments[-1]
    if freq:
        every = STEPS.get(freq.lower().split("-")[0], freq)
    else:
        gap = moments.diff().drop_nulls().mode().min()
        every = f"{int(gap.total_seconds())}s"  # type: ignore[union-attr]
    offsets = pl.Series([last] * horizon).dt.offset_by(
        pl.Series([_times(every, step) for step in range(1, horizon + 1)])
    )
    return offsets if times.dtype.is_temporal() else offsets.dt.to_string("%Y-%m-%d %H:%M:%S")


def _times(every: str, count: int) -> str:
    digits = "".join(sign for sign in every if sign.isdigit()) or "1"
    return f"{int(digits) * count}{every.lstrip('0123456789')}"


def read_table(path: str | Path) -> pl.DataFrame:
    """Read parquet, csv or csv.gz by the name's ending."""
    return (
        pl.read_parquet(path) if str(path).endswith(".parquet") else pl.read_csv(path, try_parse_dates=True)
    )


def write_table(table: pl.DataFrame, path: str | Path) -> None:
    """Write parquet or csv by the name's ending."""
    if str(path).endswith(".parquet"):
        table.write_parquet(path)
    else:
        table.write_csv(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast", description=__doc__)
    parser.add_argument("--train", required=True, help="history: unique_id, ds, y")
    parser.add_argument("--horizon", type=int, required=True, help="steps to forecast")
    parser.add_argument("--season", type=int, required=True, help="steps in a season; 1 is none")
    parser.add_argument("--freq", help="distance of times: h, D, W, M, or such as 15m; found when not given")
    parser.add_argument("--levels", type=int, nargs="+", default=[80, 95], help="bands in percent")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", required=True, help="where to write: .parquet or .csv")
    return parser


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    raise SystemExit(main(sys.argv[1:]))
