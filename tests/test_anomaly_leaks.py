"""Slow leaks: what each run uses grows by a little every week, in segments whose sums chance moves far more."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
import pytest
from anomaly_series import Floats

from runs_analytics.analytics.anomalies.episodes import Episode
from runs_analytics.analytics.anomalies.events import Event, events_in
from runs_analytics.analytics.anomalies.leaks import Leak, leaks_in
from runs_analytics.analytics.anomalies.parts import causes_among
from runs_analytics.analytics.anomalies.seen import Seen
from runs_analytics.analytics.anomalies.segments import Grain, Looked, Segment, Series, watch_all
from runs_analytics.control.anomalies import Measure
from runs_analytics.vocabulary import Dimension

WEEKS, BEGINS = 30, 22
SPREAD = 0.5
"""Of the logarithm of what a run uses."""

CHANCE = float(np.sqrt(np.exp(SPREAD**2) - 1))
LUMP = float(np.exp(SPREAD**2 / 2) * (1 + CHANCE**2))
MONDAY = datetime(2026, 1, 5)  # noqa: DTZ001 - the zone's clock


def used(runs: Floats, growth: Floats | float = 1.0, seed: int = 1) -> Floats:
    """What so many runs of each week use, by chance, times a factor of each week."""
    random = np.random.default_rng(seed)
    return growth * np.array([random.lognormal(0, SPREAD, int(count)).sum() for count in runs])


def some_runs(a_week: float = 80, seed: int = 1, weeks: int = WEEKS) -> Floats:
    return np.random.default_rng(seed).poisson(a_week, weeks).astype(float)


def ramp(a_week: float = 0.08, weeks: int = WEEKS) -> Floats:
    return (1 + a_week) ** np.maximum(np.arange(weeks) - BEGINS + 1.0, 0)


def found(growth: Floats | float, seed: int = 1) -> tuple[Leak, ...]:
    runs = some_runs(seed=seed)
    return leaks_in(used(runs, growth, seed), runs, CHANCE)


@pytest.mark.parametrize("seed", range(5))
def test_a_slow_leak_of_a_small_segment_is_told_once(seed: int) -> None:
    (leak,) = found(ramp(), seed)
    assert abs(leak.first - BEGINS) <= 4
    assert leak.stop == WEEKS
    assert leak.usual == pytest.approx(np.exp(SPREAD**2 / 2), rel=0.1)


@pytest.mark.parametrize("seed", range(20))
def test_neither_chance_nor_more_runs_nor_less_use_of_each_is_a_leak(seed: int) -> None:
    runs = some_runs(seed=seed) * np.linspace(1, 4, WEEKS).round(1)
    assert leaks_in(used(runs, seed=seed), runs, CHANCE) == ()
    assert found(1 / ramp(), seed) == ()


@pytest.mark.parametrize("seed", range(5))
def test_a_step_is_no_leak(seed: int) -> None:
    assert found(np.where(np.arange(WEEKS) < BEGINS, 1.0, 1.8), seed) == ()


def test_a_leak_that_is_mended_ends_and_one_that_stays_becomes_usual() -> None:
    mended, stays = np.ones(60), np.full(60, ramp()[-1])
    mended[:WEEKS] = stays[:WEEKS] = ramp()
    runs = some_runs(200, weeks=60)
    for growth, last in ((mended, WEEKS), (stays, WEEKS + 8)):
        (leak,) = leaks_in(used(runs, growth), runs, CHANCE)
        assert BEGINS < leak.stop <= last


def test_what_leaks_again_later_is_told_again() -> None:
    runs = some_runs(200, weeks=2 * WEEKS)
    first, again = leaks_in(used(runs, np.tile(ramp(), 2)), runs, CHANCE)
    assert first.stop <= WEEKS < again.first
    assert abs(again.first - WEEKS - BEGINS) <= 4


def test_no_leak_depends_on_what_comes_later() -> None:
    runs = some_runs()
    amounts = used(runs, ramp())
    (whole,) = leaks_in(amounts, runs, CHANCE)
    seen = next(stop for stop in range(BEGINS, WEEKS) if leaks_in(amounts[:stop], runs[:stop], CHANCE))
    assert seen < WEEKS
    (then,) = leaks_in(amounts[:seen], runs[:seen], CHANCE)
    assert (then.first, then.usual, then.spread) == (whole.first, whole.usual, whole.spread)


@pytest.mark.parametrize("weeks", [0, 1, 9, 10, 40])
@pytest.mark.parametrize("value", [0.0, 5.0])
@pytest.mark.filterwarnings("error")
def test_every_edge_is_watched(weeks: int, value: float) -> None:
    steady, sparse = np.full(weeks, value), np.where(np.arange(weeks) % 3 == 0, value, 0.0)
    for amounts in (steady, sparse, -steady):
        assert leaks_in(amounts, np.full(weeks, 7.0), 0.0) == ()
        assert leaks_in(np.full(weeks, 3.0), np.zeros(weeks), 0.0) == ()


# As events


def looked(segment: Segment, amounts: Floats, runs: Floats, grain: Grain = "week") -> list[Looked]:
    measures: tuple[tuple[Measure, Floats, float], ...] = (("credits", amounts, LUMP), ("runs", runs, 1.0))
    series = [
        Series(segment, measure, grain, MONDAY, values.tobytes(), b"", lump)
        for measure, values, lump in measures
    ]
    return [Looked(one, watched) for one, watched in zip(series, watch_all(tuple(series)), strict=True)]


def told(parts: dict[tuple[Dimension, str], tuple[Floats, Floats]]) -> tuple[Event, ...]:
    return events_in([one for key, its in parts.items() for one in looked(Segment(*key), *its)])


def test_a_leak_is_one_event_of_the_value_whose_runs_use_more() -> None:
    notes, others = some_runs(), some_runs(150, seed=2)
    leaking, steady = used(notes, ramp()), used(others, seed=2)
    (event,) = told({
        ("feature", "Notes"): (leaking, notes),
        ("feature", "Mail"): (steady, others),
        ("model", "medium"): (leaking + steady, notes + others),
    })  # fmt: skip
    lead = event.lead
    assert (lead.segment, lead.series.measure, lead.episode.kind) == (
        Segment("feature", "Notes"),
        "credits",
        "leak",
    )
    assert event.is_open
    its = slice(lead.episode.first_step, lead.episode.stop_step)
    assert lead.episode.actual == pytest.approx(leaking[its].sum())
    assert lead.episode.expected == pytest.approx(notes[its].sum() * np.exp(SPREAD**2 / 2), rel=0.1)


def test_more_runs_in_the_time_of_a_leak_do_not_hide_it() -> None:
    notes, others = some_runs(), some_runs(15, seed=2)
    others[BEGINS + 1 :] *= 4
    events = told({
        ("feature", "Notes"): (used(notes, ramp(0.05)), notes),
        ("model", "medium"): (used(others, seed=2), others),
    })  # fmt: skip
    assert {event.lead.segment.value: event.lead.episode.kind for event in events} == {
        "Notes": "leak",
        "medium": "spike",
    }


def test_two_leaks_of_unlike_sizes_are_two_events() -> None:
    notes, others = some_runs(), some_runs(900, seed=2)
    events = told({
        ("feature", "Notes"): (used(notes, ramp()), notes),
        ("member", "Ann"): (used(others, ramp(), seed=2), others),
    })  # fmt: skip
    assert {event.lead.segment.value for event in events} == {"Notes", "Ann"}


@pytest.mark.parametrize(("growth", "named"), [((1.3, 1.3), ()), ((1.0, 2.0), ("blue",))], ids=["all", "one"])
def test_the_cause_of_a_leak_is_a_value_whose_runs_use_more_and_not_one_that_has_more_runs(
    growth: tuple[float, float], named: tuple[str, ...]
) -> None:
    before, now = (100, 100), (60, 140)
    rows = [
        {
            "dimension": "team",
            "value": team,
            "is_during": during,
            "runs": runs,
            "credits": 2.0 * runs * factor,
        }
        for during, counts, factors in ((False, before, (1.0, 1.0)), (True, now, growth))
        for team, runs, factor in zip(("red", "blue"), counts, factors, strict=True)
    ]
    unused = ("cost", "error_runs", "log_duration", "finished_runs", "duration_runs")
    found = pl.DataFrame(rows).with_columns(pl.lit(0.0).alias(name) for name in unused)
    series = Series(Segment("feature", "Notes"), "credits", "week", MONDAY, b"", b"")
    leak = Episode(0, 4, 3, 0.0, 0.0, 6.0, "leak", is_open=True, is_per_run=True)
    assert tuple(cause.value for cause in causes_among(found, Seen(series, leak, 0), 1)) == named
