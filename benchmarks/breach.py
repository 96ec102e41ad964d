"""`python -m benchmarks.breach`: whether budgets are passed as often as the chance of it says, on public series.

Series of `RUNS_SHARED` (default `../shared`) are cut at random places, forecast from there, and set against budgets
drawn at random around what as many steps used before. Another `--seed` draws other places, budgets and series.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from benchmarks.report import Figure, figures_table
from runs_analytics.analytics.forecasting.engine import forecast
from runs_analytics.analytics.forecasting.transforms import Floats

BINS: Final = 5
BUDGETS: Final = 6
LEVELS: Final = (80, 95)
AWAY: Final = 0.05
"""How far outside of its bin the part that came true may lie."""


@dataclass(frozen=True)
class Kind:
    """Series of one set: their season, how much of them is learned from, and how far is looked."""

    name: str
    season: int
    least: int
    most: int
    horizons: tuple[int, ...]


KINDS: Final = (
    Kind("nn5_daily", 7, 40, 600, (7, 14, 30)),
    Kind("servegen_hourly", 24, 72, 600, (24, 48, 100)),
    Kind("m4_weekly", 1, 60, 400, (4, 13)),
)


@dataclass(frozen=True)
class Judged:
    """A budget: the chance that was given to passing it, and whether it was passed."""

    chance: float
    is_passed: bool


def main(arguments: Sequence[str]) -> int:
    """Print how often budgets of each bin of chances were passed, and how often totals lay in their bands."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.breach", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--series", type=int, default=150, help="of each set")
    parser.add_argument("--plot", type=Path, help="also draw the bins into an SVG file")
    given = parser.parse_args(arguments)
    found, covered = judged(random.Random(given.seed), given.series)
    print(figures_table(figures(found, covered)))
    if given.plot:
        given.plot.write_text(plot(bins_of(found)))
    return 0


def judged(dice: random.Random, series: int) -> tuple[list[Judged], dict[int, float]]:
    """Budgets with their chances and what came; and the part of totals within the band of each level."""
    found: list[Judged] = []
    inside = dict.fromkeys(LEVELS, 0)
    forecasts = 0
    for season, past, coming in _cuts(dice, series):
        made = forecast(past, len(coming), season).totals
        total = float(coming.sum())
        forecasts += 1
        for level, (low, high) in made.bands(LEVELS).items():
            inside[level] += bool(low[-1] <= total <= high[-1])
        for _ in range(BUDGETS):
            budget = float(past[-len(coming) :].sum()) * dice.uniform(0.75, 1.3)
            chance = float(made.chance_above(np.full(len(coming), budget))[-1])
            found.append(Judged(chance, total > budget))
    return found, {level: hits / forecasts for level, hits in inside.items()}


def bins_of(found: Sequence[Judged]) -> list[tuple[float, float, int]]:
    """For each fifth of chances: their mean, the part that was passed, and how many there are."""
    bins: list[list[Judged]] = [[] for _ in range(BINS)]
    for one in found:
        bins[min(int(one.chance * BINS), BINS - 1)].append(one)
    return [
        (sum(o.chance for o in part) / len(part), sum(o.is_passed for o in part) / len(part), len(part))
        for part in bins
        if part
    ]


def figures(found: Sequence[Judged], covered: dict[int, float]) -> list[Figure]:
    """The rows of the table, with what each bin may be at most and must be at least."""
    rows = []
    for place, (said, came, count) in enumerate(bins_of(found)):
        low, high = place / BINS, (place + 1) / BINS
        what = f"given {low:.0%} to {high:.0%}"
        beside = f"{said:.2f} said, {count} budgets"
        rows.append(Figure("breach", f"{what}, passed at most", came, "", high + AWAY, beside=beside))
        if low:
            rows.append(Figure("breach", f"{what}, passed at least", came, "", low - AWAY, at_least=True))
    return rows + [Figure("breach", f"totals within {lv} %", part, "", None) for lv, part in covered.items()]


def plot(bins: Sequence[tuple[float, float, int]]) -> str:
    """What was said against what came, as SVG."""
    points = "".join(
        f'<circle cx="{60 + 300 * said:.1f}" cy="{340 - 300 * came:.1f}" r="6" fill="#2F5FDE"/>'
        f'<text x="{70 + 300 * said:.1f}" y="{344 - 300 * came:.1f}" fill="#5B6678">{came:.0%} of {count}</text>'
        for said, came, count in bins
    )
    ticks = "".join(
        f'<text x="{60 + 3 * at}" y="360" text-anchor="middle" fill="#5B6678">{at} %</text>'
        f'<text x="52" y="{344 - 3 * at}" text-anchor="end" fill="#5B6678">{at} %</text>'
        f'<path d="M60 {340 - 3 * at}H360" stroke="#E6E9EF"/>'
        for at in range(0, 101, 20)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 460 400" font-family="sans-serif" font-size="12">'
        '<rect width="460" height="400" fill="#FFFFFF"/>'
        f'{ticks}<path d="M60 340L360 40" stroke="#9AA5B5" stroke-dasharray="4 4"/>{points}'
        '<text x="210" y="385" text-anchor="middle" fill="#1A2233">chance given to passing the budget</text>'
        '<text x="60" y="24" fill="#1A2233">budgets that were passed</text></svg>\n'
    )


def _cuts(dice: random.Random, series: int) -> Iterator[tuple[int, Floats, Floats]]:
    """Season, past and coming of each forecast."""
    data = Path(os.environ.get("RUNS_SHARED", "../shared")).resolve() / "data"
    for kind in KINDS:
        whole = pl.concat(
            pl.read_parquet(data / f"{kind.name}_{part}.parquet", columns=["unique_id", "ds", "y"])
            for part in ("train", "test")
        )
        named = [
            group["y"].cast(pl.Float64).to_numpy()
            for _, group in whole.group_by("unique_id", maintain_order=True)
        ]
        for values in dice.sample(named, min(series, len(named))):
            known = values[np.isfinite(values)]
            horizon = dice.choice(kind.horizons)
            most = min(len(known) - horizon, kind.most)
            if most < kind.least:
                continue
            learned = dice.randint(kind.least, most)
            at = dice.randint(learned, len(known) - horizon)
            yield kind.season, known[at - learned : at], known[at : at + horizon]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
