"""`python -m benchmarks.accuracy`: how right the forecasts and their bands are on public data, beside other tools.

Reads the data and the scorer of `RUNS_SHARED` (default `../shared`), which are no part of the project. Everything is
forecast by `benchmarks.forecast`, the code behind the pages, with one set of settings. With `--peers` single models of
statsforecast (requirements-bench.txt) forecast the same series in the same run, so that their bands are measured too.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from benchmarks import forecast as command
from benchmarks.report import Figure, figures_table


@dataclass(frozen=True)
class Set:
    """One public set of series: how far it is forecast, its season, and what must be reached."""

    name: str
    horizon: int
    season: int
    targets: dict[str, float]


SETS: Final = (
    Set("m4_hourly", 48, 24, {"owa": 0.53}),
    Set("m4_weekly", 13, 1, {"owa": 0.915}),
    Set("nn5_daily", 56, 7, {"owa": 0.655}),
    Set("m3_monthly", 18, 12, {"owa": 0.79}),
    Set("servegen_hourly", 48, 24, {"wape": 0.33, "mase": 1.0}),
)
COVERAGE: Final = {80: (0.77, 0.83), 95: (0.925, 0.97)}


def main(arguments: Sequence[str]) -> int:
    """Measure each set; always 0, because a figure that misses its target is a result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[one.name for one in SETS])
    parser.add_argument(
        "--peers", action="store_true", help="measure models of statsforecast in the same run"
    )
    given = parser.parse_args(arguments)
    shared = Path(os.environ.get("RUNS_SHARED", "../shared")).resolve()
    scorer = _scorer(shared)
    figures: list[Figure] = []
    for one in SETS:
        if given.only and one.name not in given.only:
            continue
        sys.stderr.write(f"{one.name}\n")
        figures += measured(one, shared / "data", scorer, with_peers=given.peers)
    print(figures_table(figures))
    return 0


def measured(one: Set, data: Path, scorer: ModuleType, *, with_peers: bool) -> list[Figure]:
    """The figures of one set."""
    with tempfile.TemporaryDirectory(prefix="runs-accuracy-") as folder:
        made = Path(folder) / "forecasts.parquet"
        train, actual = data / f"{one.name}_train.parquet", data / f"{one.name}_test.parquet"
        asked = ["--train", str(train), "--horizon", str(one.horizon), "--season", str(one.season)]
        command.main([*asked, "--out", str(made)])
        tables = [scorer.read_table(str(path)) for path in (train, actual, made)]
        ours = scorer.score(*tables, one.season).iloc[-1]
    peers = _published(data / "baselines_forecast.csv", one.name)
    figures = []
    for metric, target in one.targets.items():
        best = min((float(row[metric]), row["model"]) for row in peers)
        beside = f"best of the table: {best[1]} {best[0]:.3f}"
        figures.append(Figure(one.name, metric, float(ours[metric]), "", target, beside=beside))
    for level, (least, most) in COVERAGE.items():
        covered = float(ours[f"cover{level}"])
        figures.append(Figure(one.name, f"covered by {level} %, at most", covered, "", most))
        figures.append(Figure(one.name, f"covered by {level} %, at least", covered, "", least, at_least=True))
    spread = _peer_spreads(one, tables[0], tables[1], scorer) if with_peers else {}
    for level in COVERAGE:
        found = min(((row[f"msis{level}"], name) for name, row in spread.items()), default=None)
        beside = f"best single model: {found[1]} {found[0]:.2f}" if found else "--peers measures others"
        target = found[0] if found else None
        figures.append(
            Figure(one.name, f"MSIS {level}", float(ours[f"msis{level}"]), "", target, beside=beside)
        )
    return figures


def _peer_spreads(one: Set, train: Any, actual: Any, scorer: ModuleType) -> dict[str, dict[str, float]]:
    from statsforecast import StatsForecast, models

    m = one.season
    field = [models.SeasonalNaive(m), models.DynamicOptimizedTheta(m), models.AutoTheta(m), models.AutoETS(m)]
    if m > 1:
        field.append(models.MSTL(m))
    train = train[["unique_id", "ds", "y"]].sort_values(["unique_id", "ds"])
    first = dict(train.groupby("unique_id").ds.min())
    gap = train.groupby("unique_id").ds.diff().dropna().min()
    steps = [
        frame.assign(
            ds=[round((at - first[name]) / gap) for name, at in zip(frame.unique_id, frame.ds, strict=True)]
        )
        for frame in (train, actual)
    ]
    found = {}
    for model in field:
        engine = StatsForecast(models=[model], freq=1, fallback_model=models.SeasonalNaive(m))
        made = engine.forecast(df=steps[0], h=one.horizon, level=[80, 95])
        row = scorer.score(*steps, made, m).iloc[-1]
        found[str(row["model"])] = {f"msis{level}": float(row[f"msis{level}"]) for level in COVERAGE}
    return found


def _published(path: Path, name: str) -> list[dict[str, str]]:
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] == name]
    return [row for row in rows if "reference" not in row["model"]]


def _scorer(shared: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "forecast_metrics", shared / "score" / "forecast_metrics.py"
    )
    if spec is None or spec.loader is None or not (shared / "score").is_dir():
        raise SystemExit(
            f"There is no scorer in {shared}; set RUNS_SHARED to the folder with data/ and score/."
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
