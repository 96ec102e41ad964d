"""One series forecast by the engine: sensible answers at every edge, laws that hold for any series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks import forecast as command
from runs_analytics.analytics.forecasting.bands import Misses, misses_of
from runs_analytics.analytics.forecasting.engine import (
    LEAST_STEPS,
    Forecast,
    forecast,
    point_forecast,
    seasonal_naive,
)
from runs_analytics.analytics.forecasting.field import seasons_for, trial_of
from runs_analytics.analytics.forecasting.smoothing import smooth
from runs_analytics.errors import BadRequest

Floats = NDArray[np.float64]

RANDOM = np.random.default_rng(20261123)
WEEK = 100 + 40 * np.sin(np.arange(140) * 2 * np.pi / 7)
NOISE = RANDOM.normal(0, 5, 140)


def _sound(made: Forecast, horizon: int) -> None:
    low80, high80 = made.bands[80]
    low95, high95 = made.bands[95]
    for values in (made.point, made.naive, low80, high80, low95, high95):
        assert values.shape == (horizon,)
        assert np.isfinite(values).all()
    assert (low95 <= low80).all()
    assert (low80 <= made.point).all()
    assert (made.point <= high80).all()
    assert (high80 <= high95).all()
    assert sum(model.weight for model in made.models) == pytest.approx(1)


EDGES: dict[str, Floats] = {
    "constant": np.full(60, 5.0),
    "all zero": np.zeros(60),
    "as short as may be": np.arange(float(LEAST_STEPS)),
    "a negative correction": np.concatenate([RANDOM.poisson(20, 60), [-5], RANDOM.poisson(20, 30)]).astype(
        float
    ),
    "a level jump": np.concatenate([RANDOM.poisson(20, 60), RANDOM.poisson(200, 30)]).astype(float),
    "a constant that jumped": np.array([2.0] * 40 + [30.0] * 14),
    "a thousand times as much since a week": np.array([5.0] * 40 + [5000.0] * 7)
    * RANDOM.uniform(0.7, 1.4, 47),
    "seldom": ((RANDOM.random(90) < 0.1) * RANDOM.poisson(50, 90)).astype(float),
    "began lately": np.concatenate([np.zeros(80), RANDOM.poisson(20, 10)]).astype(float),
    "billionths": RANDOM.poisson(20, 60) * 1e15,
    "below a billionth": RANDOM.random(60) * 1e-9,
}


@pytest.mark.parametrize("season", [1, 7])
@pytest.mark.parametrize("name", EDGES)
@pytest.mark.filterwarnings("error")
def test_every_edge_has_a_sound_answer(name: str, season: int) -> None:
    values = EDGES[name]
    made = forecast(values, 14, season)
    _sound(made, 14)
    if (values >= 0).all():
        assert made.bands[95][0].min() >= 0


def test_a_constant_stays_constant_with_a_band_of_no_width() -> None:
    made = forecast(np.full(60, 5.0), 14, 7)
    assert made.point == pytest.approx(np.full(14, 5.0))
    assert made.bands[95][1] - made.bands[95][0] == pytest.approx(np.zeros(14), abs=1e-3)


@pytest.mark.parametrize(
    ("name", "least", "most"), [("a level jump", 150, 250), ("a constant that jumped", 25, 40)]
)
def test_after_a_level_jump_the_new_level_is_forecast(name: str, least: float, most: float) -> None:
    made = forecast(EDGES[name], 7, 7)
    assert least < made.point.mean() < most
    assert (made.bands[80][1] >= EDGES[name][-1]).all()


def test_after_a_jump_to_any_height_nothing_is_forecast_far_above_what_was_seen() -> None:
    """Trends of logarithms over the jump, and misses by a thousand times, reach for millions."""
    values = EDGES["a thousand times as much since a week"]
    made = forecast(values, 14, 7)
    assert made.point.max() <= 2 * values.max()
    assert made.bands[95][1].max() <= 4 * values.max()
    assert made.totals.bands((95,))[95][1][-1] <= 14 * 4 * values.max()


def test_growth_goes_on_as_far_as_it_has_come_in_as_many_steps() -> None:
    values = np.arange(1.0, 61.0)
    ceiling = trial_of(values, 120, 1).ceiling[-1]
    assert ceiling[59] == 60 + 59
    assert ceiling[119] == 60 + 2 * 59
    assert forecast(values, 60, 1).point[-1] > 90


def test_a_weekly_shape_is_continued_better_than_by_last_week() -> None:
    made = forecast(WEEK + NOISE, 14, 7)
    coming = 100 + 40 * np.sin(np.arange(140, 154) * 2 * np.pi / 7)
    assert np.abs(made.point - coming).mean() < np.abs(made.naive - coming).mean()
    assert made.accuracy.error < made.accuracy.naive_error


def test_the_measured_coverage_is_near_what_a_band_promises() -> None:
    made = forecast(WEEK + NOISE, 14, 7)
    assert made.accuracy.coverage[80] == pytest.approx(0.8, abs=0.1)
    assert made.accuracy.coverage[95] == pytest.approx(0.95, abs=0.05)


@pytest.mark.parametrize(
    ("values", "horizon", "season", "words"),
    [
        (np.arange(7.0), 7, 7, "at least 8 values of history, and there are 7"),
        (np.array([1.0]), 7, 7, "there are 1"),
        (np.array([1.0] * 9 + [np.nan]), 7, 7, "fill gaps first"),
        (np.arange(20.0), 0, 7, "horizon 0 must be between 1"),
        (np.arange(20.0), 5000, 7, "horizon 5000 must be between 1"),
        (np.arange(20.0), 7, 0, "season 0 must be at least 1"),
    ],
)
def test_what_cannot_be_forecast_is_refused_with_the_reason(
    values: Floats, horizon: int, season: int, words: str
) -> None:
    with pytest.raises(BadRequest, match=words):
        forecast(values, horizon, season)


@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(st.floats(0, 1e6, width=32), min_size=LEAST_STEPS, max_size=60),
    horizon=st.integers(1, 20),
    season=st.sampled_from([1, 5, 7]),
)
def test_any_series_of_counts_has_a_sound_answer_never_below_zero(
    values: list[float], horizon: int, season: int
) -> None:
    made = forecast(np.array(values), horizon, season)
    _sound(made, horizon)
    assert made.bands[95][0].min() >= 0
    assert made.totals.bands((95,))[95][0].min() >= 0
    assert made.point.min() >= 0


@settings(max_examples=15, deadline=None)
@given(
    values=st.lists(st.floats(1, 1000), min_size=20, max_size=60), factor=st.sampled_from([0.001, 7.0, 1e9])
)
def test_the_unit_does_not_matter(values: list[float], factor: float) -> None:
    here, there = forecast(np.array(values), 7, 7), forecast(np.array(values) * factor, 7, 7)
    assert there.point == pytest.approx(here.point * factor, rel=1e-3, abs=factor)


@pytest.mark.parametrize("name", ["a level jump", "a negative correction", "began lately"])
def test_a_point_made_alone_is_the_point_of_the_whole_forecast(name: str) -> None:
    alone = point_forecast(EDGES[name], 20, 7, most_origins=8)
    assert alone == pytest.approx(forecast(EDGES[name], 20, 7, (), most_origins=8).point, rel=1e-9)


def test_states_at_an_origin_know_nothing_of_what_comes_after() -> None:
    values = (WEEK + NOISE)[:, None]
    changed = values.copy()
    changed[100:] *= 50
    origins = np.array([60, 80, 100])
    here, there = smooth(values, 7, origins), smooth(changed, 7, origins)
    assert np.array_equal(here.levels[:3], there.levels[:3])
    assert np.array_equal(here.seasons[:3], there.seasons[:3])
    assert np.array_equal(here.ahead[:101], there.ahead[:101])


def test_the_seasonal_naive_repeats_the_last_cycle_before_each_end() -> None:
    values = np.arange(20.0)
    naive = seasonal_naive(values, np.array([3, 14, 20]), 8, 7)
    assert naive[0].tolist() == [2.0] * 8
    assert naive[1].tolist() == [7, 8, 9, 10, 11, 12, 13, 7]
    assert naive[2].tolist() == [13, 14, 15, 16, 17, 18, 19, 13]


def test_targets_beyond_the_end_count_for_nothing() -> None:
    trial = trial_of(np.arange(30.0), 10, 7)
    assert np.isnan(trial.actual[-1, 1:]).all()
    assert (trial.weight[-1, 1:] == 0).all()
    assert (trial.weight[:, 0] > 0).all()


@pytest.mark.parametrize(
    ("steps", "season", "seasons"),
    [
        (13, 7, (1,)),
        (14, 7, (1, 7)),
        (251, 24, (1, 24)),
        (252, 24, (1, 24, 168)),
        (156, 1, (1, 52)),
        (155, 1, (1,)),
    ],
)
def test_a_season_is_tried_once_enough_cycles_are_there(
    steps: int, season: int, seasons: tuple[int, ...]
) -> None:
    assert seasons_for(steps, season) == seasons


def test_the_command_forecasts_each_series_and_names_the_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = pl.datetime_range(pl.datetime(2026, 1, 1), pl.datetime(2026, 2, 9), "1d", eager=True)
    long = pl.DataFrame({"unique_id": ["long"] * 40, "ds": times, "y": [*WEEK[:39], None]})
    short = pl.DataFrame({"unique_id": ["short"] * 3, "ds": times[:3], "y": [1.0, 2.0, 3.0]})
    pl.concat([long, short]).write_parquet(tmp_path / "train.parquet")
    out = tmp_path / "out.csv"
    ended = command.main(
        ["--train", str(tmp_path / "train.parquet"), "--horizon", "5", "--season", "7", "--out", str(out)]
    )
    made = pl.read_csv(out, try_parse_dates=True)
    assert ended == 1
    assert "short: refused: a forecast needs at least 8" in capsys.readouterr().err
    assert made.columns == ["unique_id", "ds", "runs", "runs-lo-80", "runs-hi-80", "runs-lo-95", "runs-hi-95"]
    assert made["unique_id"].unique().to_list() == ["long"]
    assert made["ds"].dt.date().to_list() == [
        times[-1].date() + (times[1] - times[0]) * k for k in range(1, 6)
    ]


def test_the_less_the_back_test_covers_the_wider_is_a_band_and_its_tails_most() -> None:
    short, long = (_misses(np.arange(float(steps)) % 7 + NOISE[:steps], 10) for steps in (30, 140))
    assert short.widening(80) > long.widening(80) > 1
    assert short.widening(95) - 1 > 1.5 * (short.widening(80) - 1)
    assert long.widening(95) < 1.1


def _misses(values: Floats, horizon: int) -> Misses:
    trial = trial_of(values, horizon, 7)
    return misses_of(trial, seasonal_naive(values, trial.ends, horizon, 7))
