"""The online detector: what it finds, what it leaves alone, and that it never looks ahead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks import anomalies as command
from runs_analytics.analytics.anomalies.online import (
    LARGEST,
    LEAST_HISTORY,
    THRESHOLD,
    alarms_of,
    improbability,
    judge,
)

Floats = NDArray[np.float64]


def noise(steps: int = 1500, seed: int = 7) -> Floats:
    return np.random.default_rng(seed).normal(100, 5, steps)


def changed(kind: str) -> Floats:
    values = noise()
    if kind == "spike":
        values[1000:1003] += 80
    elif kind == "drop":
        values[1000:1030] -= 60
    elif kind == "level shift":
        values[1000:] += 40
    elif kind == "scatter":
        values[1000:1100] += np.random.default_rng(1).normal(0, 40, 100)
    elif kind == "dead hours":
        values[1000:1040] = 0
    return values


@pytest.mark.parametrize("kind", ["spike", "drop", "level shift", "scatter", "dead hours"])
def test_an_event_is_told_once_and_soon(kind: str) -> None:
    found = np.flatnonzero(judge(changed(kind)).alarms)
    after = [int(step) for step in found if step >= 1000]
    assert after, kind
    assert after[0] < 1040
    assert len(after) <= 2


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_seldom_an_alarm(seed: int) -> None:
    assert judge(noise(3000, seed)).alarms.sum() <= 3


@pytest.mark.parametrize(
    "values",
    [np.zeros(0), np.ones(1), np.zeros(400), np.full(400, 7.0), np.arange(400.0), -noise(400)],
    ids=["none", "one", "zeros", "constant", "a line", "below zero"],
)
@pytest.mark.filterwarnings("error")
def test_every_edge_is_judged(values: Floats) -> None:
    found = judge(values)
    assert found.scores.shape == found.alarms.shape == values.shape
    assert np.isfinite(found.scores).all()


def test_a_level_shift_becomes_usual() -> None:
    values = np.concatenate([noise(1500), noise(3000, 8) + 60])
    assert judge(values).alarms[3000:].sum() == 0


@settings(max_examples=20, deadline=None)
@given(cut=st.integers(60, 500), factor=st.floats(-1e6, 1e6))
def test_no_score_depends_on_what_comes_later(cut: int, factor: float) -> None:
    values = noise(600)
    later = values.copy()
    later[cut:] *= factor
    assert np.array_equal(judge(values).scores[:cut], judge(later).scores[:cut])


def test_improbability_is_that_of_the_tail() -> None:
    view = np.concatenate([np.arange(1.0, 101.0), [95.0], [50.0], [1e9]])
    found = improbability(view)
    assert (found[:LEAST_HISTORY] == 0).all()
    assert found[101] == pytest.approx(-np.log10(53 / 102), abs=0.02)
    assert found[102] == LARGEST


def test_alarms_rest_after_one_another() -> None:
    scores = np.zeros(30)
    scores[[3, 4, 8, 14, 25]] = THRESHOLD
    assert np.flatnonzero(alarms_of(scores, rest=10)).tolist() == [3, 14, 25]


def test_the_command_writes_a_score_and_an_alarm_for_each_row(tmp_path: Path) -> None:
    values = changed("spike")
    times = [f"2026-01-01 {step:06}" for step in range(len(values))]
    table = pl.DataFrame({"file": ["a"] * len(values), "timestamp": times, "value": values})
    table.write_parquet(tmp_path / "data.parquet")
    out = tmp_path / "scores.parquet"
    assert command.main(["--data", str(tmp_path / "data.parquet"), "--out", str(out)]) == 0
    written = pl.read_parquet(out)
    assert written.columns == ["file", "timestamp", "anomaly_score", "is_anomaly"]
    assert written["timestamp"].to_list() == times
    told = written["anomaly_score"].to_numpy() >= THRESHOLD
    assert np.array_equal(told, written["is_anomaly"].to_numpy() == 1)
    assert told[1000:1006].any()
