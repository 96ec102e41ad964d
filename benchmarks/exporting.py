"""Export: a CSV of a million runs in a process of its own, and the memory that it takes."""

from __future__ import annotations

import shutil
from datetime import date

import polars as pl

from benchmarks import limits
from benchmarks.importing import idle_memory
from benchmarks.processes import MIB, measured
from benchmarks.report import Figure, Say
from benchmarks.workspace import ACCOUNT, ROOT, Workspace
from runs_analytics.analytics import usage
from runs_analytics.analytics.log_totals import whole_log

SECTION = "export"
ROWS = 1_000_000


def measure(workspace: Workspace, say: Say) -> list[Figure]:
    """Export the last whole days that hold a million runs, or all runs when there are fewer."""
    start, end, rows = _last_days(workspace, ROWS)
    folder = workspace.folder / "exports"
    idle = idle_memory(workspace)
    say(f"Exporting {rows:,} runs as CSV")
    query = f"from={start}&to={end}"
    command = ("export", "--account", ACCOUNT, "--what", "runs", "--format", "csv", "--query", query)
    done = measured(workspace.command(*command, "--out", str(folder)), ROOT, workspace.environment)
    size = sum(path.stat().st_size for path in folder.iterdir())
    shutil.rmtree(folder)
    copied = limits.csv_seconds(workspace.source, workspace.folder, rows)
    return [
        Figure(
            SECTION,
            f"CSV of {rows:,} runs",
            done.seconds,
            "s",
            beside=f"{rows / done.seconds:,.0f} runs/s, {size / MIB:,.0f} MiB, {done.cpu_seconds:.1f} s of CPU; "
            f"DuckDB COPY from the Parquet file {copied:.1f} s",
        ),
        Figure(
            SECTION,
            "memory above idle",
            (done.peak_bytes - idle.peak_bytes) / MIB,
            "MiB",
            target=400,
            beside=f"idle {idle.peak_bytes / MIB:,.0f} MiB",
        ),
    ]


def _last_days(workspace: Workspace, rows: int) -> tuple[date, date, int]:
    """First day, last day and runs of the shortest stretch up to the end that holds so many runs."""
    with workspace.ask() as ask:
        whole = whole_log(ask)
        assert whole is not None
        days = usage.over_time(ask, whole, "day").select(pl.col("bucket").dt.date(), "runs")
    counted = days.sort("bucket", descending=True).with_columns(pl.col("runs").cum_sum().alias("held"))
    enough = counted.filter(pl.col("held") - pl.col("runs") < rows)
    first, _, held = enough.row(-1)
    return first, whole.end, held
