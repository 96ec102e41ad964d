"""The measurement of many forecasts: what is drawn, and what its row says."""

from __future__ import annotations

import numpy as np

from benchmarks.forecast_speed import DAYS, Took, daily_series, figure, took


def test_the_same_seed_draws_the_same_series_of_usage() -> None:
    drawn, again, other = daily_series(3, 1), daily_series(3, 1), daily_series(3, 2)
    assert [values.shape for values in drawn] == [(DAYS,)] * 3
    assert all((values >= 0).all() for values in drawn)
    assert np.array_equal(drawn, again)
    assert not np.array_equal(drawn, other)


def test_all_series_are_forecast_on_the_clock_and_a_few_before_it() -> None:
    seen: list[int] = []
    found = took(lambda drawn, processes: seen.append(len(drawn)), daily_series(6, 1), 2)
    assert seen == [4, 6]
    assert found.seconds >= 0


def test_a_row_holds_ours_against_the_limit_and_names_the_other_beside() -> None:
    fast = figure(200, Took(6.0, 11.0), Took(9.5, 18.0))
    assert (fast.verdict, fast.value) == ("PASS", 6.0)
    assert fast.beside == "11.0 s of CPU; AutoETS of statsforecast 9.5 s, 18.0 s of CPU"
    assert figure(200, Took(15.1, 29.0), Took(9.5, 18.0)).verdict == "MISS"
