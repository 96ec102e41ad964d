"""Whose event it is: the value that something happened to is named, whatever else shows it, and each event once."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from anomaly_series import Floats, hourly

from runs_analytics.analytics.anomalies.drivers import usual_before
from runs_analytics.analytics.anomalies.events import Event, events_in
from runs_analytics.analytics.anomalies.segments import Looked, Segment, Series

DAYS = 42
START = 35 * 24 + 10
MEMBERS, MODELS = ("ana", "ben", "cleo"), ("large", "small")
PROJECT_OF = {"ana": "web", "ben": "web", "cleo": "app"}
MONDAY = datetime(2026, 1, 5)  # noqa: DTZ001 - the zone's clock


def cells() -> dict[tuple[str, str], Floats]:
    """Runs by the hour of each member with each model."""
    return {
        (member, model): hourly(DAYS, seed=10 * n + m, size=20 * (n + 1) / (m + 1))
        for n, member in enumerate(MEMBERS)
        for m, model in enumerate(MODELS)
    }


def told(runs: dict[tuple[str, str], Floats]) -> tuple[Event, ...]:
    """The events of an account with such runs."""

    def summed(of: str) -> Floats:
        own = [each for (member, model), each in runs.items() if of in (member, model, PROJECT_OF[member])]
        return np.sum(own, axis=0)

    segments = [(Segment(), np.sum(list(runs.values()), axis=0))]
    segments += [(Segment("member", value), summed(value)) for value in MEMBERS]
    segments += [(Segment("model", value), summed(value)) for value in MODELS]
    segments += [(Segment("project", value), summed(value)) for value in ("web", "app")]
    series = [Series(segment, "runs", "hour", MONDAY, one.tobytes(), b"", 1.0) for segment, one in segments]
    return events_in([Looked(one, one.watched()) for one in series])


@pytest.mark.parametrize(
    ("dimension", "value", "factor", "hours"),
    [
        ("member", "ana", 4.0, 5),
        ("member", "cleo", 0.0, 6),
        ("model", "small", 3.0, 4),
        ("model", "large", 0.0, 5),
        ("project", "web", 3.0, 3),
        ("project", "web", 0.0, 8),
    ],
)
def test_what_happens_to_a_value_is_one_event_of_that_value(
    dimension: str, value: str, factor: float, hours: int
) -> None:
    runs = cells()
    for (member, model), each in runs.items():
        if value in (member, model, PROJECT_OF[member]):
            each[START : START + hours] *= factor
    events = [one for one in told(runs) if one.lead.episode.first_step < START + hours]
    assert [one.whose for one in events] == [Segment(dimension, value)]  # type: ignore[arg-type]
    assert events[0].lead.direction == ("up" if factor > 1 else "down")


def test_what_happens_to_two_members_at_once_is_an_event_of_each() -> None:
    runs = cells()
    for model, hours in (("large", 4), ("small", 4)):
        runs["ana", model][START : START + hours] *= 5
        runs["cleo", model][START : START + hours] *= 3
    leads = {one.lead.segment for one in told(runs) if one.lead.episode.stop_step > START}
    assert Segment() in leads or {Segment("member", "ana"), Segment("member", "cleo")} <= leads


def test_what_all_have_less_of_is_told_of_the_whole() -> None:
    runs = cells()
    for each in runs.values():
        each[START : START + 6] = np.round(each[START : START + 6] * 0.1)
    (event,) = [one for one in told(runs) if one.lead.episode.stop_step > START]
    assert event.lead.segment == Segment()
    assert event.cause is None


def test_nothing_is_told_of_what_is_usual() -> None:
    assert len(told(cells())) <= 1, "42 days of eight series, by chance"


@pytest.mark.parametrize(
    ("values", "first", "stop", "usual"),
    [
        ([1.0, 2.0, 1.0, 2.0, 1.0, 9.0], 5, 6, 2.0),
        ([1.0, 2.0, 1.0, 2.0, 9.0, 9.0], 4, 6, 3.0),
        ([4.0, 4.0, 16.0, 16.0, 99.0, 99.0], 4, 6, 20 * 4**0.5),
        ([3.0, 8.0], 1, 2, 3.0),
        ([0.0, 0.0, 0.0, 5.0], 3, 4, 0.0),
    ],
    ids=["the step before in the round", "a round", "half way to the last level", "no round before", "nothing"],
)  # fmt: skip
def test_what_would_have_been_is_known_by_the_rounds_before(
    values: list[float], first: int, stop: int, usual: float
) -> None:
    assert usual_before(np.array(values), first, stop, 2, 4, first) == pytest.approx(usual, rel=0.01)
