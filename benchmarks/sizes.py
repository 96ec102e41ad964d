"""Sizes: bytes per run of everything in the data folder, and how many rows each table of the warehouse has."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import duckdb

from benchmarks.report import Figure, Say, table
from benchmarks.workspace import Workspace

SECTION: Final = "sizes"
ROLLUPS: Final = ("rollup_day", "rollup_quarter_hour", "rollup_day_cube", "duration_histogram")


def measure(workspace: Workspace, say: Say) -> tuple[list[Figure], dict[str, Any]]:
    """Look at the closed stores."""
    rows = _table_rows(workspace.data_dir / "warehouse.duckdb")
    runs = rows["runs"]
    parts = {path.name: size for path in sorted(workspace.data_dir.iterdir()) if (size := _bytes(path))}
    say(
        "\n"
        + table(
            ("table", "rows", "share of runs"), [(t, f"{n:,}", f"{n / runs:.2%}") for t, n in rows.items()]
        )
    )
    source = _bytes(workspace.source) / workspace.runs
    figures = [
        Figure(SECTION, f"{name}, per run", size / runs, "bytes", beside=f"{size / 1e6:,.1f} MB")
        for name, size in parts.items()
        if size / runs >= 0.05
    ]
    figures[0:0] = [Figure(SECTION, "the imported Parquet file, per run", source, "bytes")]
    figures += [
        Figure(SECTION, f"{name}, rows", rows[name], "", beside=f"{rows[name] / runs:.2%} of the runs")
        for name in ROLLUPS
    ]
    return figures, {"bytes": parts, "rows": rows}


def _bytes(path: Path) -> int:
    """Size of a file, or of all files below a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def _table_rows(path: Path) -> dict[str, int]:
    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
        return {
            name: int(connection.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0])
            for (name,) in names
        }
