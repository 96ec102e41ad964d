"""The first days of an account: what is improbable is told, and little else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from page_fixtures import charted, open_page, served, texts
from warehouse_fixtures import NOW, SCOPE, make_runs

from runs_analytics.analytics.anomalies import history, questions
from runs_analytics.analytics.anomalies.young import watch_first_days
from runs_analytics.analytics.asking import Ask
from runs_analytics.control.accounts import create_account
from runs_analytics.selection import Selection
from runs_analytics.stores import Stores

Floats = NDArray[np.float64]

FIRST = (NOW - timedelta(days=7)).astimezone(ZoneInfo("Europe/Berlin")).replace(hour=0, minute=0, second=0)
BURST = (FIRST + timedelta(days=6, hours=9)).astimezone(UTC)


def hours(days: int, mean: float = 50, seed: int = 1) -> Floats:
    """Counts of an account that works by day and little at the weekend."""
    rng = np.random.default_rng(seed)
    step = np.arange(days * 24)
    shape = 0.15 + np.exp(-(((step % 24 - 14) / 4) ** 2))
    weekend = np.where((step // 24) % 7 >= 5, 0.3, 1.0)
    return rng.poisson(mean * shape * weekend).astype(float)


@pytest.mark.parametrize(("scale", "kind"), [(6.0, "spike"), (0.0, None)])
def test_a_burst_is_one_event(scale: float, kind: str | None) -> None:
    values = hours(5)
    values[100:103] *= scale
    told = watch_first_days(values, lump=1.0).episodes
    assert [(one.kind, one.first_step, one.stop_step) for one in told] == ([(kind, 100, 103)] if kind else [])


def test_chance_and_the_first_weekend_are_seldom_told() -> None:
    told = [watch_first_days(hours(8, mean, seed), lump=1.0) for seed in range(40) for mean in (5, 50, 500)]
    assert sum(len(one.episodes) for one in told) <= len(told) / 4


def test_a_rate_of_errors_is_held_against_how_many_runs_it_is_of() -> None:
    rng, runs = np.random.default_rng(3), hours(6, 400)
    rates = rng.binomial(runs.astype(int), 0.02) / runs
    assert watch_first_days(rates, scale="share", weights=runs).episodes == ()
    rates[110:113] = 0.3
    (told,) = watch_first_days(rates, scale="share", weights=runs).episodes
    assert (told.first_step, told.stop_step, round(told.actual, 6)) == (110, 113, 0.3)


@given(
    st.lists(st.floats(0, 1e6) | st.just(float("nan")), max_size=190), st.integers(0, 190), st.floats(0, 100)
)
def test_any_values_are_judged_without_looking_ahead(values: list[float], cut: int, lump: float) -> None:
    whole, part = (watch_first_days(np.array(some), lump=lump) for some in (values, values[:cut]))
    assert np.array_equal(whole.expected[:cut], part.expected, equal_nan=True)
    assert np.array_equal(whole.upper[:cut], part.upper, equal_nan=True)
    assert {one.first_step for one in whole.episodes if one.stop_step < cut} <= {
        one.first_step for one in part.episodes
    }


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """An account of a week, in which a feature crawled for three hours yesterday."""

    def filled(stores: Stores) -> None:
        counts = hours(7, 30).astype(int)
        starts = [
            FIRST.astimezone(UTC).replace(tzinfo=None) + timedelta(hours=step)
            for step, count in enumerate(counts)
            for _ in range(count)
        ]
        usual = make_runs(len(starts)).with_columns(started_at=pl.Series(starts, dtype=pl.Datetime("us")))
        burst = make_runs(900, seed=2).with_columns(
            id=pl.format("burst-{}", pl.int_range(900)),
            feature=pl.lit("crawl"),
            started_at=pl.lit(BURST.replace(tzinfo=None)) + pl.duration(seconds=pl.int_range(900) * 12),
        )
        stores.control.write(lambda c: create_account(c, SCOPE, now=NOW, zone="Europe/Berlin"))
        same = pl.col("started_at")
        runs = (
            pl.concat([usual, burst]).with_columns(ended_at=same, duration_us=pl.lit(0, pl.Int64)).sort(same)
        )
        stores.load_frames(SCOPE, [runs], name="week", rows=len(runs))
        stores.apply_waiting()

    with served(tmp_path_factory.mktemp("young"), filled) as stores:
        yield stores


def test_a_burst_in_the_first_week_is_told_with_its_cause_and_kept(stores: Stores) -> None:
    ask = Ask.of(stores, SCOPE)
    week = Selection(FIRST.date(), NOW.date(), ask.zone)
    (told,) = questions.anomalies(ask, week, NOW)
    assert (told.kind, told.grain, told.start) == ("spike", "hour", BURST)
    assert (told.causes[0].dimension, told.causes[0].value) == ("feature", "crawl")
    history.keep_found(ask, stores, NOW)
    (kept,) = history.kept_ones(ask, stores, week)
    assert kept.anomaly == told


def test_the_page_shows_hours_where_there_are_no_weeks_yet(stores: Stores) -> None:
    app = open_page("anomalies", period="30d", measure="runs")
    assert "919 runs, 48 expected" in texts(app)
    assert max(charted(app, "actual")) > 900 / 3
