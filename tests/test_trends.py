"""Trend, rhythm and changes of level: what was put into a series is found in it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warehouse_fixtures import NOW

from runs_analytics.analytics import usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.decomposition import daily_parts, strength, weekly_parts
from runs_analytics.analytics.forecasts import Refusal
from runs_analytics.analytics.levels import level_changes
from runs_analytics.analytics.patterns import MEASURES
from runs_analytics.analytics.trends import Trend, trend
from runs_analytics.selection import Selection

pytest_plugins = ["warehouse_fixtures"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
SUMMER = Selection(date(2026, 6, 1), date(2026, 8, 31), "Europe/Berlin")
TODAY = NOW.date()


def noise(seed: int, days: int, *, sigma: float = 10.0, lasting: float = 0.0) -> Floats:
    """Normal noise; `lasting` is how much of a day's the next one keeps."""
    steps = np.random.default_rng(seed).normal(0, sigma, days)
    for day in range(1, days):
        steps[day] += lasting * steps[day - 1]
    return steps


def with_odd_days(seed: int) -> Floats:
    odd = np.random.default_rng(seed).random(120) < 0.03
    return 100 + noise(seed, 120) + 500.0 * odd


NO_CHANGE: dict[str, Callable[[int], Floats]] = {
    "noise": lambda seed: 100 + noise(seed, 120),
    "strong noise": lambda seed: 100 + noise(seed, 120, sigma=30),
    "noise that lasts": lambda seed: 100 + noise(seed, 120, lasting=0.5),
    "drift": lambda seed: 100 + np.arange(120.0) + noise(seed, 120),
    "growth": lambda seed: 100 * np.exp(np.arange(120) / 80) * (1 + noise(seed, 120) / 100),
    "odd days": with_odd_days,
    "constant": lambda seed: np.full(120, float(seed)),
    "a step of 10 %": lambda seed: np.repeat([100.0, 110.0], 60) + noise(seed, 120, sigma=2),
    "five days of more": lambda seed: 100 + noise(seed, 120) + 100 * (np.arange(120) // 5 == 12),
}


@pytest.mark.parametrize("case", NO_CHANGE)
def test_what_is_no_change_of_level_is_hardly_ever_called_one(case: str) -> None:
    found = sum(bool(level_changes(NO_CHANGE[case](seed).tolist())) for seed in range(60))
    assert found <= 3


@pytest.mark.parametrize(
    ("factor", "sigma"), [(1.3, 8.0), (1.6, 15.0), (0.6, 8.0), (3.0, 25.0), (0.01, 10.0)]
)
def test_a_change_of_level_is_found_within_two_days_of_its_place(factor: float, sigma: float) -> None:
    right = 0
    for seed in range(60):
        values, place = 100 + noise(seed, 120, sigma=sigma), 20 + seed
        values[place:] = values[place:] - 100 + 100 * factor
        found = level_changes(values.tolist())
        right += len(found) == 1 and abs(found[0] - place) <= 2
    assert right >= 54


def test_a_step_on_top_of_growth_is_found_and_the_growth_is_not() -> None:
    values = 100 + 0.5 * np.arange(120) + noise(3, 120, sigma=5)
    values[70:] += 80
    (found,) = level_changes(values.tolist())
    assert abs(found - 70) <= 2


def test_several_changes_are_found_in_their_order() -> None:
    values = np.repeat([100.0, 200.0, 50.0, 120.0], 30) + noise(1, 120, sigma=5)
    assert level_changes(values.tolist()) == (30, 60, 90)


@given(st.lists(st.floats(-1e12, 1e12), max_size=60))
@settings(max_examples=60)
def test_any_series_has_levels_that_hold_for_two_weeks_and_the_newest_for_one(values: list[float]) -> None:
    found = level_changes(values)
    edges = [0, *found, len(values)]
    assert not found or (min(np.diff(edges)[:-1]) >= 14 and np.diff(edges)[-1] >= 7)


@given(st.lists(st.integers(0, 1000), min_size=30, max_size=60), st.sampled_from([0.5, 3.0, 1e6]))
@settings(max_examples=30)
def test_levels_are_the_same_in_any_unit(values: list[int], scale: float) -> None:
    assert level_changes([float(v) for v in values]) == level_changes([v * scale for v in values])


WEEK = np.array([10.0, 12, 11, 10, 9, 2, 1])


def test_a_pure_rhythm_has_strength_one_and_no_trend() -> None:
    parts = weekly_parts(np.tile(WEEK, 8).tolist())
    assert parts.season_strength == pytest.approx(1.0)
    assert np.allclose(parts.season[:7], WEEK - WEEK.mean(), atol=0.05)
    assert np.allclose(parts.trend, WEEK.mean(), atol=0.05)


def test_a_constant_has_neither_trend_nor_rhythm() -> None:
    parts = weekly_parts([5.0] * 56)
    assert (parts.trend_strength, parts.season_strength) == (0.0, 0.0)
    assert weekly_parts([0.0] * 56).season_strength == 0.0


def test_noise_has_a_weak_rhythm_and_a_steady_rise_a_strong_trend() -> None:
    assert weekly_parts((100 + noise(1, 180)).tolist()).season_strength < 0.3
    assert weekly_parts((np.arange(180.0) + noise(1, 180, sigma=3)).tolist()).trend_strength > 0.95


def test_the_rhythm_of_the_day_is_told_from_that_of_the_week() -> None:
    hours = np.arange(28 * 24)
    day, weekend = 10 * (hours % 24 == 9), -3.0 * ((hours // 24) % 7 >= 5)
    parts = daily_parts((20.0 + day + weekend).tolist())
    assert parts.season_strength > 0.95
    assert int(np.argmax(parts.season[:24])) == 9


@pytest.mark.parametrize(
    ("part", "rest", "expected"),
    [
        ([2.0, -2.0], [0.0, 0.0], 1.0),
        ([0.0, 0.0], [2.0, -2.0], 0.0),
        # Variances of 1 and of 4 together.
        ([1.0, -1.0], [1.0, -1.0], 0.75),
        # What is left moves against the part, and more.
        ([1.0, -1.0], [-1.5, 1.5], 0.0),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
    ],
)
def test_strength_is_one_less_the_share_of_variance_left(
    part: list[float], rest: list[float], expected: float
) -> None:
    assert strength(np.array(part), np.array(rest), scale=1.0) == expected


@pytest.mark.parametrize("measure", ["runs", "credits", "errors"])
def test_days_are_those_of_the_usage_and_their_parts_add_up(file_ask: Ask, measure: Any) -> None:
    found = trend(file_ask, SUMMER, measure, today=TODAY)
    assert isinstance(found, Trend)
    assert found.days.height == SUMMER.days
    totals = usage.totals(file_ask, SUMMER)
    expected = totals.error_runs if measure == "errors" else getattr(totals, measure)
    assert found.days["actual"].sum() == pytest.approx(float(expected))
    assert found.weekly["weekday"].to_list() == list(range(7))
    assert found.daily is not None
    assert found.daily["hour"].to_list() == list(range(24))
    assert 0 <= found.weekly_strength <= 1
    assert 0 <= (found.daily_strength or 0) <= 1


def test_levels_have_no_rhythm_of_the_day_and_gaps_are_bridged(file_ask: Ask) -> None:
    found = trend(file_ask, SUMMER, "duration", today=TODAY)
    assert isinstance(found, Trend)
    assert (found.daily, found.daily_strength) == (None, None)
    assert not found.days["actual"].null_count()


def test_today_is_left_out_as_it_is_not_whole(file_ask: Ask) -> None:
    found = trend(file_ask, Selection(date(2026, 8, 1), TODAY, "Europe/Berlin"), "runs", today=TODAY)
    assert isinstance(found, Trend)
    assert found.days["day"].max() == TODAY - timedelta(days=1)


@pytest.mark.parametrize(
    ("selection", "says"),
    [
        (replace(SUMMER, end=date(2026, 6, 27)), "there are 27"),
        (Selection(TODAY, TODAY, "Europe/Berlin"), "begins today or later"),
        (SUMMER.with_filter("service", ["nobody's"]), "no runs"),
    ],
)
def test_too_little_is_refused_with_the_reason(file_ask: Ask, selection: Selection, says: str) -> None:
    for measure in MEASURES:
        found = trend(file_ask, selection, measure, today=TODAY)
        assert isinstance(found, Refusal)
        assert says in found.reason


def test_a_level_with_too_many_empty_days_is_refused(file_ask: Ask) -> None:
    rare = SUMMER.with_filter("member", ["member 3"])
    days = usage.over_time(file_ask, rare, "day").filter(pl.col("finished_runs") > 0).height
    assert 0 < days < 0.9 * SUMMER.days
    assert isinstance(trend(file_ask, rare, "error_rate", today=TODAY), Refusal)
    assert isinstance(trend(file_ask, rare, "runs", today=TODAY), Trend)
