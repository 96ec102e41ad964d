"""`python -m benchmarks`: measures one section after the other and prints every figure beside its target."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks import (
    authorizing,
    exporting,
    forecasting,
    importing,
    ingest,
    questions,
    sizes,
    starting,
    visible,
)
from benchmarks.report import Figure, figures_table, write_json
from benchmarks.workspace import Workspace, prepare

RUNS: Final = 10_000_000
SECTIONS: Final[dict[str, Callable[[Workspace, Callable[[str], None]], Any]]] = {
    "import": importing.measure,
    "start": starting.measure,
    "ingest": ingest.measure,
    "visible": visible.measure,
    "questions": questions.measure,
    "forecasting": forecasting.measure,
    "export": exporting.measure,
    "authorize": authorizing.measure,
    "sizes": sizes.measure,
}
"""In the order in which they run: each finds the stores as the ones before left them."""


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; always 0, because a figure that misses its target is a result."""
    given, load = _parser().parse_args(arguments), os.getloadavg()[0]
    kept = os.environ.get("RUNS_BENCH_DIR")
    with tempfile.TemporaryDirectory(prefix="runs-bench-") as temporary:
        folder = Path(kept or temporary).resolve()
        workspace = prepare(folder, given.runs, say)
        figures, details = _measure(workspace, given.only or list(SECTIONS))
    machine = _machine(load)
    print(f"\n{workspace.runs:,} runs in one account · " + " · ".join(f"{k} {v}" for k, v in machine.items()))
    print(figures_table(figures))
    if given.out:
        print(write_json(given.out, machine | {"runs": workspace.runs}, figures, details))
    return 0


def say(text: str) -> None:
    """A line about what is being done, on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _measure(workspace: Workspace, names: Sequence[str]) -> tuple[list[Figure], dict[str, Any]]:
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    if names and "import" not in names and not workspace.data_dir.exists():
        say("Importing first, as the other sections need its stores")
        importing.fill(workspace)
    for name in SECTIONS:
        if name not in names:
            continue
        say(f"== {name}")
        started = time.perf_counter()
        try:
            found = SECTIONS[name](workspace, say)
        except Exception as problem:
            traceback.print_exc()
            words = f"{type(problem).__name__}: {problem}".splitlines()[0][:200]
            figures.append(Figure(name, "the whole section", None, "", target=0, beside=words))
        else:
            measured, more = found if isinstance(found, tuple) else (found, {})
            figures += measured
            details |= more
        say(f"   {time.perf_counter() - started:.0f} s")
    return figures, details


def _machine(load: float) -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "load before": f"{load:.1f}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
        "polars": version("polars"),
        "streamlit": version("streamlit"),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    default = int(os.environ.get("RUNS_BENCH_RUNS") or RUNS)
    parser.add_argument("--runs", type=int, default=default, help="runs of the account (RUNS_BENCH_RUNS)")
    parser.add_argument("--only", action="append", choices=list(SECTIONS), help="section to run; repeatable")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write bench.json there")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
