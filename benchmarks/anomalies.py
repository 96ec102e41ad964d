"""`python -m benchmarks.anomalies`: judges every series of a table with the product's own online detector.

Reads file, timestamp, value (parquet, csv or csv.gz, rows of a file in order) and writes file, timestamp,
anomaly_score and
is_anomaly by the default threshold. A score counts as an alarm only where one starts; in the steps of rest after it the
score that is written stays below the threshold.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np
import polars as pl

from benchmarks.forecast import read_table, write_table
from runs_analytics.analytics.anomalies.online import THRESHOLD, judge


def main(arguments: Sequence[str]) -> int:
    """Judge a file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.anomalies", description=__doc__)
    parser.add_argument("--data", required=True, help="series: file, timestamp, value")
    parser.add_argument("--out", required=True, help="where to write: .parquet or .csv")
    given = parser.parse_args(arguments)
    series = read_table(given.data).partition_by("file", maintain_order=True)
    write_table(pl.concat([_judged(part) for part in series]), given.out)
    return 0


def _judged(part: pl.DataFrame) -> pl.DataFrame:
    filled = part["value"].cast(pl.Float64).fill_nan(None).forward_fill().fill_null(0.0)
    found = judge(filled.to_numpy())
    told = np.where(found.alarms, found.scores, np.minimum(found.scores, np.nextafter(THRESHOLD, 0)))
    return part.select("file", "timestamp").with_columns(
        anomaly_score=pl.Series(told), is_anomaly=pl.Series(found.alarms).cast(pl.Int8)
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
