"""Episodes: one episode for each event, none for what is usual, and never by what comes later."""

from __future__ import annotations

import numpy as np
import pytest
from anomaly_series import DAYS, HOURS, Floats, daily, hourly
from hypothesis import given, settings
from hypothesis import strategies as st

from runs_analytics.analytics.anomalies.episodes import Episode, watch


def found(values: Floats, seasons: tuple[int, ...] = HOURS) -> list[Episode]:
    return list(watch(values, seasons=seasons).episodes)


@pytest.mark.parametrize(
    ("start", "stop", "factor", "kind"),
    [
        (35 * 24 + 10, 35 * 24 + 11, 3.0, "spike"),
        (35 * 24 + 8, 35 * 24 + 14, 2.5, "spike"),
        (35 * 24 + 8, 35 * 24 + 16, 0.3, "drop"),
        (35 * 24 + 9, 35 * 24 + 13, 0.0, "dead"),
    ],
)
def test_an_event_of_hours_is_one_episode(start: int, stop: int, factor: float, kind: str) -> None:
    values = hourly()
    values[start:stop] *= factor
    (told,) = [each for each in found(values) if each.stop_step > start]
    assert told.kind == kind
    assert abs(told.first_step - start) <= 1
    assert abs(told.stop_step - stop) <= 2
    assert told.actual == pytest.approx(values[told.first_step : told.stop_step].sum())
    assert told.expected == pytest.approx(told.actual / factor if factor else told.expected, rel=0.3)
    assert told.severity > 5
    assert not told.is_open


@pytest.mark.parametrize(("factor", "kind"), [(1.6, "rise"), (0.5, "fall")])
def test_a_new_level_is_told_once_and_becomes_usual(factor: float, kind: str) -> None:
    values = daily(180)
    values[90:] *= factor
    (told,) = found(values, DAYS)
    assert told.kind == kind
    assert abs(told.first_step - 90) <= 1
    assert told.stop_step < 125


def test_what_still_goes_on_is_open() -> None:
    values = daily(100)
    values[97:] *= 2
    (told,) = found(values, DAYS)
    assert (told.first_step, told.stop_step, told.is_open) == (97, 100, True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [0.2, 3, 1000])
def test_chance_is_seldom_an_episode(seed: int, size: float) -> None:
    assert len(found(hourly(60, seed, size))) <= 1


@pytest.mark.parametrize("steps", [0, 1, 2, 13, 14, 15, 100])
@pytest.mark.parametrize("value", [0.0, 7.0, -3.0, float("nan")])
@pytest.mark.filterwarnings("error")
def test_every_edge_is_watched(steps: int, value: float) -> None:
    told = watch(np.full(steps, value), seasons=DAYS)
    assert told.expected.shape == told.lower.shape == told.upper.shape == (steps,)
    assert told.episodes == ()


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(200, 700), factor=st.floats(-100, 100))
def test_no_expectation_depends_on_what_comes_later(cut: int, factor: float) -> None:
    values = hourly(30)
    later = values.copy()
    later[cut:] *= factor
    before, after = watch(values, seasons=HOURS), watch(later, seasons=HOURS)
    told = (*before.episodes, *after.episodes)
    same = min([cut, *(each.first_step for each in told if each.stop_step > cut - 24)])
    for name in ("expected", "lower", "upper"):
        assert np.array_equal(getattr(before, name)[:same], getattr(after, name)[:same], equal_nan=True)
    for one, other in ((before, after), (after, before)):
        assert {each for each in one.episodes if each.stop_step < same} <= set(other.episodes)
