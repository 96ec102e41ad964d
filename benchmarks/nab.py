"""`python -m benchmarks.nab`: how many labelled anomalies of NAB the online detector finds, beside other detectors.

Judges all series by `benchmarks.anomalies` at its one default threshold, and scores them by the scorer of `RUNS_SHARED`
(default `../shared`), which is no part of the project. The published detectors' figures are those of the table there.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import anomalies
from benchmarks.report import Figure, figures_table

LEAST_SCORE: Final = 65.0
MOST_FALSE_ALARMS: Final = 80


def main(arguments: Sequence[str]) -> int:
    """Judge, score and print; always 0, because a figure that misses its target is a result."""
    argparse.ArgumentParser(prog="python -m benchmarks.nab", description=__doc__).parse_args(arguments)
    shared = Path(os.environ.get("RUNS_SHARED", "../shared")).resolve()
    if not (shared / "score" / "nab_score.py").is_file():
        raise SystemExit(
            f"There is no scorer in {shared}; set RUNS_SHARED to the folder with data/ and score/."
        )
    found = scored(shared)
    with (shared / "data" / "baselines_nab.csv").open() as file:
        peers = list(csv.DictReader(file))
    print(f"{figures_table(figures(found, peers))}\n\n{table(found, peers)}")
    return 0


def scored(shared: Path) -> dict[str, Any]:
    """The scorer's row of the standard profile for what the product finds."""
    data = shared / "data" / "nab.parquet"
    with tempfile.TemporaryDirectory(prefix="runs-nab-") as folder:
        made = Path(folder) / "alarms.parquet"
        anomalies.main(["--data", str(data), "--out", str(made)])
        command = [sys.executable, str(shared / "score" / "nab_score.py"), "--data", str(data)]
        command += ["--windows", str(data.with_name("nab_windows.json")), "--scores", str(made)]
        command += ["--column", "is_anomaly", "--threshold", "0.5", "--profile", "standard", "--json"]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
    row: dict[str, Any] = json.loads(said.stdout)[0]
    return row


def figures(found: dict[str, Any], peers: Sequence[dict[str, str]]) -> list[Figure]:
    """What must be reached, each beside the detector of the table that does best there."""
    best = max(peers, key=lambda row: float(row["nab_standard"]))
    fewest = min(
        (row for row in peers if float(row["nab_standard"]) >= LEAST_SCORE),
        key=lambda row: int(row["false_alarm_runs"]),
    )
    return [
        Figure(
            "NAB",
            "standard profile, default threshold",
            float(found["nab"]),
            "",
            LEAST_SCORE,
            at_least=True,
            beside=f"best of the table: {best['detector']} {float(best['nab_standard']):.1f}",
        ),
        Figure(
            "NAB",
            "false alarm runs",
            float(found["false_alarm_runs"]),
            "",
            MOST_FALSE_ALARMS,
            beside=f"fewest at {LEAST_SCORE:.0f} and more: {fewest['detector']} {fewest['false_alarm_runs']}",
        ),
    ]


def table(found: dict[str, Any], peers: Sequence[dict[str, str]]) -> str:
    """The product among the detectors of the table, the best first."""
    ours = ("runs", float(found["nab"]), int(found["windows_found"]), int(found["false_alarm_runs"]))
    rows = [
        (
            row["detector"],
            float(row["nab_standard"]),
            int(row["windows_found"]),
            int(row["false_alarm_runs"]),
        )
        for row in peers
    ]
    lines = [f"{'detector':32} {'standard':>8} {'windows':>7} {'false':>5}"]
    lines += [
        f"{name:32} {score:8.2f} {windows:7} {false:5}"
        for name, score, windows, false in sorted([*rows, ours], key=lambda row: -row[1])
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
