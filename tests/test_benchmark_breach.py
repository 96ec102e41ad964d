"""The count of budgets that were passed, by the chance that was given to it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import breach
from benchmarks.breach import Judged, bins_of, figures, plot


def test_each_fifth_of_chances_is_counted_by_itself() -> None:
    found = [Judged(0.1, False), Judged(0.3, True), Judged(0.3, False), Judged(1.0, True), Judged(0.8, True)]
    assert bins_of(found) == [
        (pytest.approx(0.1), 0.0, 1),
        (pytest.approx(0.3), 0.5, 2),
        (pytest.approx(0.9), 1.0, 2),
    ]


def test_a_bin_that_came_true_too_seldom_or_too_often_is_missed() -> None:
    right = [
        Judged(chance, place < chance * 10) for chance in (0.1, 0.3, 0.5, 0.7, 0.9) for place in range(10)
    ]
    wrong = [Judged(one.chance, True) for one in right]
    assert {f.verdict for f in figures(right, {80: 0.8})} == {"PASS", ""}
    assert "MISS" in {f.verdict for f in figures(wrong, {80: 0.8})}


def test_the_plot_has_a_point_for_each_bin() -> None:
    drawn = plot([(0.1, 0.0, 5), (0.9, 1.0, 7)])
    assert drawn.count("<circle") == 2
    assert "100% of 7" in drawn


def test_budgets_of_real_files_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of the public sets' form, made here."""
    dice = np.random.default_rng(1)
    (tmp_path / "data").mkdir()
    for kind in breach.KINDS:
        for part, steps in (("train", 200), ("test", 60)):
            ids = np.repeat([f"s{number}" for number in range(3)], steps)
            frame = pl.DataFrame({"unique_id": ids, "ds": np.tile(np.arange(steps), 3)})
            values = 100 + dice.normal(0, 20, len(ids))
            frame.with_columns(y=pl.Series(values)).write_parquet(
                tmp_path / "data" / f"{kind.name}_{part}.parquet"
            )
    monkeypatch.setenv("RUNS_SHARED", str(tmp_path))
    found, covered = breach.judged(random.Random(2), 2)
    assert len(found) == 6 * breach.BUDGETS
    assert all(0 <= one.chance <= 1 for one in found)
    assert covered.keys() == {80, 95}
    again, _ = breach.judged(random.Random(2), 2)
    assert again == found
