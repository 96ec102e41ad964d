"""What the coming steps add up to: bands of totals and the chance of going past an amount."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs_analytics.analytics.forecasting.engine import Forecast, forecast

RANDOM = np.random.default_rng(20261124)


def weekly(days: int, noise: float, dice: np.random.Generator = RANDOM) -> np.ndarray:
    """A weekly shape around 100 with noise."""
    shape = 100 + 30 * np.sin(np.arange(days) * 2 * np.pi / 7)
    return np.maximum(shape + dice.normal(0, noise, days), 0)


def chance(made: Forecast, amount: float) -> float:
    return float(made.totals.chance_above(np.full(len(made.point), amount))[-1])


def test_the_running_total_is_the_sum_of_the_steps() -> None:
    made = forecast(weekly(140, 10), 30, 7)
    assert made.totals.point == pytest.approx(np.cumsum(made.point))


def test_an_amount_far_below_is_passed_for_sure_and_one_far_above_never() -> None:
    made = forecast(weekly(140, 10), 30, 7)
    whole = float(made.point.sum())
    assert chance(made, whole * 0.5) > 0.99
    assert chance(made, whole * 1.5) < 0.01
    assert chance(made, whole) == pytest.approx(0.5, abs=0.2)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_a_larger_amount_is_never_likelier_to_be_passed(seed: int, horizon: int) -> None:
    made = forecast(weekly(90, 25, np.random.default_rng(seed)), horizon, 7)
    amounts = np.linspace(0, 2 * made.point.sum() + 1, 15)
    chances = [chance(made, amount) for amount in amounts]
    assert chances == sorted(chances, reverse=True)
    assert all(0 <= one <= 1 for one in chances)


def test_misses_that_go_the_same_way_for_days_widen_a_total() -> None:
    """A level that wanders misses the total by far more than single days that scatter as much."""
    wandering = 1000 + np.cumsum(RANDOM.normal(0, 20, 200))
    scattering = 1000 + RANDOM.normal(0, 60, 200)

    def width(values: np.ndarray) -> float:
        low, high = forecast(values, 30, 1).totals.bands((80,))[80]
        return float(high[-1] - low[-1])

    assert width(wandering) > 2 * width(scattering)


def test_chances_are_right_as_often_as_they_say() -> None:
    """Of months forecast from series that are drawn anew, those given 20 to 80 % go past about as often."""
    given_chance, went_past = [], []
    for seed in range(40):
        dice = np.random.default_rng(seed)
        values = weekly(150, 30, dice) * np.exp(np.cumsum(dice.normal(0, 0.02, 150)))
        made = forecast(values[:120], 30, 7)
        for share in (0.9, 1.0, 1.1):
            amount = float(made.point.sum()) * share
            given_chance.append(chance(made, amount))
            went_past.append(values[120:].sum() > amount)
    said, came = np.array(given_chance), np.array(went_past)
    unsure = (said > 0.2) & (said < 0.8)
    assert unsure.sum() > 30
    assert abs(said[unsure].mean() - came[unsure].mean()) < 0.12


@pytest.mark.parametrize("values", [np.zeros(40), np.full(40, 7.0)], ids=["all zero", "constant"])
def test_series_that_never_missed_have_a_chance_all_the_same(values: np.ndarray) -> None:
    made = forecast(values, 10, 7)
    assert chance(made, float(values[0]) * 10 + 1) < 0.5
