"""Anomalies as a product: what was planted is found with its cause, one event each, and verdicts are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from runs_analytics.analytics import usage
from runs_analytics.analytics.anomalies import history, questions
from runs_analytics.analytics.anomalies.episodes import Episode, Kind
from runs_analytics.analytics.anomalies.events import Event, one_event_each
from runs_analytics.analytics.anomalies.seen import Seen
from runs_analytics.analytics.anomalies.segments import Segment, Series
from runs_analytics.analytics.asking import Ask
from runs_analytics.control.accounts import create_account
from runs_analytics.control.anomalies import Anomaly, Measure, keep_anomalies, list_anomalies
from runs_analytics.demo import company, generate, price_books, truth
from runs_analytics.errors import BadRequest, NotAllowed, NotFound
from runs_analytics.money.price_book import PriceVersion
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.worker.keeper import Keeper

UNTIL = datetime(2026, 11, 29, 3, 30, tzinfo=UTC)
RUNS, DAYS, SEED = 40_000, 120, 1
SCOPE = Scope("sample", "test")
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with Stores.open(Settings(tmp_path_factory.mktemp("anomalies") / "data"), lambda: UNTIL) as stores:
        for scope in (SCOPE, Scope("other", "test")):
            stores.control.write(lambda c, s=scope: create_account(c, s, now=UNTIL, zone=company.ZONE))
        for kind, book in zip(("credits", "cost"), price_books(UNTIL, DAYS), strict=True):
            for version in book["versions"]:
                stores.add_price_version(SCOPE, kind, PriceVersion.from_json(version))  # type: ignore[arg-type]
        stores.load_frames(SCOPE, generate(RUNS, SEED, DAYS, UNTIL), name="sample", rows=RUNS)
        stores.apply_waiting()
        yield stores


@pytest.fixture(scope="module")
def ask(stores: Stores) -> Ask:
    return Ask.of(stores, SCOPE)


@pytest.fixture(scope="module")
def whole(ask: Ask) -> Selection:
    return Selection((UNTIL - DAYS * DAY).date(), UNTIL.date(), ask.zone)


@pytest.fixture(scope="module")
def found(ask: Ask, whole: Selection) -> tuple[Anomaly, ...]:
    return questions.anomalies(ask, whole, UNTIL)


def planted(name: str) -> dict[str, Any]:
    entries: Any = truth(RUNS, SEED, DAYS, UNTIL)["planted"]
    return next(entry for entry in entries if entry["name"] == name)


# On the sample


@pytest.mark.parametrize(
    ("name", "measures"),
    [
        ("spike", {"runs", "credits", "cost"}),
        ("error_burst", {"error_rate"}),
        ("drop", {"runs", "credits", "cost"}),
        ("weekend_surge", {"runs", "credits", "cost"}),
        ("slow_leak", {"credits", "cost"}),
    ],
)
def test_what_was_planted_is_one_event_with_its_cause_named_first(
    found: tuple[Anomaly, ...], name: str, measures: set[str]
) -> None:
    entry = planted(name)
    start, stop = (datetime.fromisoformat(entry[side]) for side in ("from", "to"))
    where = entry["where"].items()
    events = [
        one
        for one in found
        if one.measure in measures and one.start < stop and one.stop > start and _names(one, dict(where))
    ]
    assert len(events) == 1, events
    (event,) = events
    assert abs(event.start - start) <= (21 * DAY if name == "slow_leak" else DAY)
    assert event.direction == ("down" if name == "drop" else "up")
    assert event.peak >= event.start
    assert event.expected_nano < event.actual_nano or name == "drop"


def _names(one: Anomaly, where: dict[str, str]) -> bool:
    """Whether its segment, or the first value that explains it, is where something was planted."""
    if not where:
        return not one.dimension
    first = [(cause.dimension, cause.value) for cause in one.causes[:1]]
    return any(where.get(dimension) == value for dimension, value in [(one.dimension, one.value), *first])


def test_numbers_are_those_of_the_runs_behind_it(ask: Ask, found: tuple[Anomaly, ...]) -> None:
    surge = next(
        one for one in found if _names(one, planted("weekend_surge")["where"]) and one.grain == "day"
    )
    zone = ask.local
    days = Selection(
        surge.start.astimezone(zone).date(), (surge.stop - DAY / 2).astimezone(zone).date(), ask.zone
    ).with_filter(surge.dimension, [surge.value])  # type: ignore[arg-type]
    assert surge.measure == "runs"
    assert usage.totals(ask, days).runs == surge.actual_nano // 10**9
    assert surge.credits_impact_nano is not None
    assert 0 < surge.credits_impact_nano <= usage.totals(ask, days).credits * 10**9


def test_an_event_is_the_same_in_every_period_that_shows_it(
    ask: Ask, whole: Selection, found: tuple[Anomaly, ...]
) -> None:
    week = replace(whole, start=whole.end - 20 * DAY)
    assert set(questions.anomalies(ask, week, UNTIL)) == {
        one for one in found if one.stop > week.start_at and one.start < week.stop_at
    }


def test_nothing_later_changes_what_was_found_before(
    ask: Ask, whole: Selection, found: tuple[Anomaly, ...]
) -> None:
    """Online: as of some day, the ended events are those that are found of that day later."""
    before = UNTIL - 10 * DAY
    then = {one.id for one in questions.anomalies(ask, whole, before) if not one.is_open}
    assert then
    later = {one.id for one in found}
    assert len(then & later) >= 0.8 * len(then)


def test_filters_leave_the_anomalies_of_what_they_leave(ask: Ask, whole: Selection) -> None:
    part = questions.anomalies(ask, whole.with_filter("service", ["Enrichment"]), UNTIL)
    assert part
    assert not {cause.value for one in part for cause in one.causes if cause.dimension == "service"} - {
        "Enrichment"
    }


def test_an_account_without_runs_has_none(stores: Stores, whole: Selection) -> None:
    assert questions.anomalies(Ask.of(stores, Scope("other", "test")), whole, UNTIL) == ()


# One event each

MONDAY = datetime(2026, 11, 2)  # noqa: DTZ001 - the zone's clock


def seen(
    first: int,
    stop: int,
    *,
    dimension: Any = None,
    value: str = "",
    measure: Measure = "runs",
    grain: Any = "day",
    severity: float = 8.0,
    kind: Kind = "spike",
    extra: float = 100.0,
) -> Seen:
    series = Series(Segment(dimension, value), measure, grain, MONDAY, b"", b"")
    return Seen(series, Episode(first, stop, first, extra, 0.0, severity, kind, False), 0)


@pytest.mark.parametrize(
    ("others", "events"),
    [
        ([seen(3, 4, measure="credits")], 1),
        ([seen(3, 4, measure="error_rate")], 2),
        ([seen(3, 4, kind="drop")], 2),
        ([seen(3, 4, dimension="service", value="LLM")], 1),
        ([seen(4, 5)], 2),
        ([seen(74, 80, grain="hour")], 1),
        ([seen(3, 4, dimension="team", value=name, extra=40) for name in ("red", "blue")], 1),
        ([seen(0, 1, grain="week", severity=9)], 1),
    ],
    ids=["measures", "families", "directions", "a part", "days", "hours of the day", "all parts", "its week"],
)  # fmt: skip
def test_episodes_of_one_cause_are_one_event(others: list[Seen], events: int) -> None:
    if any(one.series.measure == "error_rate" for one in others):
        weights = _weights(400)
        others = [replace(one, series=replace(one.series, weights=weights, values=weights)) for one in others]
    assert len(one_event_each([seen(3, 4), *others])) == events


def test_two_values_of_one_dimension_are_two_events_unless_the_whole_shows_both() -> None:
    red, blue = (seen(3, 4, dimension="team", value=name, severity=9) for name in ("red", "blue"))
    assert len(one_event_each([red, blue])) == 2
    (event,) = one_event_each([red, blue, seen(3, 4, severity=6, extra=300)])
    assert event.lead.segment == Segment()


@pytest.mark.parametrize(
    "slow",
    [
        [
            seen(0, 5, grain="week", severity=3.1, kind="leak", extra=1000),
            seen(0, 5, grain="week", dimension="member", value="ben", severity=52, kind="leak"),
            seen(0, 5, grain="week", dimension="member", value="ana", severity=20, kind="leak"),
        ],
        [
            seen(0, 5, grain="week", dimension="model", value="large", severity=20),
            seen(12, 14, dimension="model", value="large", severity=33),
        ],
        [seen(0, 30, severity=40, kind="rise", extra=1000)],
    ],
    ids=["the whole", "a model that was used", "the whole by days"],
)
def test_what_goes_on_for_weeks_takes_up_no_days_of_somebody_else(slow: list[Seen]) -> None:
    days = seen(12, 14, dimension="member", value="ana", severity=34)
    events = one_event_each([days, *slow])
    assert {one.lead.segment for one in events} == {days.segment, slow[0].segment}


@pytest.mark.parametrize(
    ("whose", "severity", "grain", "goes_on"),
    [
        ("LLM", 5.0, "day", True),
        ("Search", 9.0, "day", True),
        ("Search", 5.0, "day", False),
        ("LLM", 5.0, "hour", True),
        ("LLM", 9.0, "week", False),
    ],
    ids=["its own", "as plain", "a lesser part", "its hours", "its weeks"],
)
def test_an_event_goes_on_while_what_tells_it_does(
    whose: str, severity: float, grain: str, goes_on: bool
) -> None:
    burst = seen(3, 4, dimension="service", value="LLM", severity=8.0)
    other = seen(3, 14, dimension="service", value=whose, severity=severity, grain=grain)
    open_one = replace(other, episode=replace(other.episode, is_open=True))
    assert Event(burst, (open_one,)).is_open is goes_on


def test_hours_that_are_over_do_not_go_on_because_their_day_was_the_last_one() -> None:
    hours = seen(80, 90, dimension="service", value="LLM", grain="hour")
    day = seen(3, 4, dimension="service", value="LLM")
    assert not Event(hours, (replace(day, episode=replace(day.episode, is_open=True)),)).is_open


def test_a_drop_of_a_part_that_had_less_than_was_expected_is_told_by_the_whole() -> None:
    start, hours = 24 * 20, (10, 16)
    whole, part = (np.full(24 * 21, each) for each in (60.0, 8.0))
    for values in (whole, part):
        values[start + hours[0] : start + hours[1]] = 0.0
    first, stop = (start + hour for hour in hours)
    own = seen(first, stop, grain="hour", kind="drop", severity=6, extra=0)
    its = seen(first - 1, stop + 12, grain="hour", kind="drop", dimension="project", value="DACH", severity=7)
    (event,) = one_event_each(
        replace(
            one,
            series=replace(one.series, values=values.tobytes()),
            episode=replace(one.episode, actual=0.0, expected=360.0),
        )
        for one, values in ((own, whole), (its, part))
    )
    assert event.lead.segment == Segment()


def test_a_rate_of_few_runs_is_no_event() -> None:
    few, many = (
        replace(one, series=replace(one.series, weights=_weights(runs), values=_weights(runs)))
        for runs in (10, 400)
        for one in [seen(3, 4, measure="error_rate", extra=0.5)]
    )
    assert one_event_each([few]) == ()
    assert len(one_event_each([many])) == 1


def _weights(runs: float) -> bytes:
    return np.full(10, runs, dtype=float).tobytes()


# Kept, and judged


@pytest.fixture
def judged(tmp_path_factory: pytest.TempPathFactory, stores: Stores) -> Iterator[Stores]:
    yield stores
    with stores.control.read() as connection:
        kept = list_anomalies(connection, SCOPE, UNTIL - 400 * DAY, UNTIL)
    for one in kept:
        history.judge(Ask.of(stores, SCOPE), stores, one.id, None, now=UNTIL)


def test_a_verdict_is_kept_and_can_be_taken_back(ask: Ask, judged: Stores, whole: Selection) -> None:
    one = history.listed(ask, judged, whole, UNTIL)[0].anomaly
    history.judge(ask, judged, one.id, "expected", note="a launch", now=UNTIL)
    (said,) = [x for x in history.listed(ask, judged, whole, UNTIL) if x.judgement]
    assert (said.anomaly.id, said.judgement and said.judgement.verdict) == (one.id, "expected")
    assert said.judgement is not None
    assert (said.judgement.by, said.judgement.note, said.counts) == ("test", "a launch", False)
    history.judge(ask, judged, one.id, None, now=UNTIL)
    assert not any(x.judgement for x in history.listed(ask, judged, whole, UNTIL))


def test_such_are_ignored_from_the_one_on_that_was_ignored(
    ask: Ask, judged: Stores, whole: Selection, found: tuple[Anomaly, ...]
) -> None:
    likes = [one.like for one in found]
    like = max(set(likes), key=likes.count)
    such = sorted((one for one in found if one.like == like), key=lambda one: one.start)
    assert len(such) > 2
    history.judge(ask, judged, such[1].id, "ignore", now=UNTIL)
    ignored = {x.anomaly.id for x in history.listed(ask, judged, whole, UNTIL) if x.is_ignored}
    assert ignored == {one.id for one in such[1:]}
    news = history.new_anomalies(ask, judged, whole.start_at, UNTIL)
    assert {one.id for one in news} == {one.id for one in found if one.start >= whole.start_at} - ignored
    history.judge(ask, judged, such[2].id, "real", now=UNTIL)
    assert such[2].id in {one.id for one in history.new_anomalies(ask, judged, whole.start_at, UNTIL)}


def test_what_was_found_stays_as_it_was_found(ask: Ask, judged: Stores, whole: Selection) -> None:
    assert Keeper(judged).watch() > 0
    assert Keeper(judged).watch() == 0
    assert {x.anomaly.id for x in history.kept_ones(ask, judged, whole)} >= {
        x.anomaly.id for x in history.listed(ask, judged, whole, UNTIL)
    }
    ended = next(x.anomaly for x in history.listed(ask, judged, whole, UNTIL) if not x.anomaly.is_open)
    moved = replace(ended, actual_nano=ended.actual_nano + 1)
    assert history.settled([moved], [ended]) == [ended]
    opened = replace(ended, is_open=True)
    assert history.settled([], [opened]) == [ended]
    grown = replace(moved, id="f" * 16, stop=ended.stop + DAY)
    assert history.settled([grown], [opened]) == [replace(grown, id=ended.id)]
    judged.control.write(lambda c: keep_anomalies(c, SCOPE, [moved], now=UNTIL))
    assert history.one_listed(ask, judged, ended.id, UNTIL).anomaly == ended


def test_who_may_not_judge_is_refused_and_nothing_is_kept_of_what_is_not_there(
    stores: Stores, found: tuple[Anomaly, ...]
) -> None:
    reader = Ask.of(stores, Scope("sample", "key:abc", "service"))
    with pytest.raises(NotAllowed):
        history.judge(reader, stores, found[0].id, "real", now=UNTIL)
    own = Ask.of(stores, SCOPE)
    with pytest.raises(NotFound):
        history.judge(own, stores, "0" * 16, "real", now=UNTIL)
    with pytest.raises(BadRequest, match="real, expected, ignore"):
        history.judge(own, stores, found[0].id, "nonsense", now=UNTIL)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        history.one_listed(Ask.of(stores, Scope("other", "test")), stores, found[0].id, UNTIL)
