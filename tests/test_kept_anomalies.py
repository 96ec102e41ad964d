"""What is told of anomalies is the same before they are kept, afterwards, when kept again, and after a restart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from warehouse_fixtures import make_runs

from runs_analytics.analytics.anomalies import history
from runs_analytics.analytics.anomalies.history import kept_ones, listed, new_anomalies, one_listed, settled
from runs_analytics.analytics.asking import Ask
from runs_analytics.control.accounts import create_account
from runs_analytics.control.anomalies import Anomaly, CausePart, Place
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NANO
from runs_analytics.worker.keeper import Keeper

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SCOPE = Scope("acme", "test")
CAUSES = (CausePart("feature", "crawl", 9 * NANO, NANO, 0.9),)


def anomaly(
    name: str, first: int, days: int, *, is_open: bool = False, value: str = "LLM", measure: str = "runs"
) -> Anomaly:
    """One of a service that began so many days before now."""
    start = NOW - first * DAY
    return Anomaly(
        name, measure, "service", value, "day", "spike", "up", start, start + days * DAY, start, is_open,
        300 * NANO, 50 * NANO, 13.0, 5 * NANO, None,
    )  # type: ignore[arg-type]  # fmt: skip


WEEKS = replace(
    anomaly("weeks", 35, 35, is_open=True, value="Search"), also=(Place("credits", "service", "LLM"),)
)
SPIKE = anomaly("spike", 10, 1, measure="credits")
TODAY = anomaly("today", 1, 1, is_open=True, value="Vision")
OTHERS = anomaly("others", 10, 1, measure="error_rate")
FOUND = (TODAY, SPIKE, OTHERS, WEEKS)
"""The spike lies within the weeks, in a place where these were seen too, and is an event of its own all the same."""


class Detector:
    """Finds what a test says."""

    found: tuple[Anomaly, ...] = FOUND


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> Detector:
    detector = Detector()

    def explained(ask: Ask, selection: Selection, found: Sequence[Anomaly], now: datetime) -> list[Anomaly]:
        return [replace(one, causes=CAUSES) for one in found]

    monkeypatch.setattr(history, "found_ones", lambda ask, selection, now: detector.found)
    monkeypatch.setattr(history, "explained", explained)
    return detector


def opened(folder: Path) -> Stores:
    return Stores.open(Settings(folder / "data"), lambda: NOW)


@pytest.fixture
def stores(tmp_path: Path, detector: Detector) -> Iterator[Stores]:
    with opened(tmp_path) as stores:
        stores.control.write(lambda c: create_account(c, SCOPE, now=NOW, zone="Europe/Berlin"))
        yield stores


def told(stores: Stores, days: int = 30) -> dict[str, bool]:
    """What the page and the API list, and whether each goes on; alerts and single ones say the same."""
    ask = Ask.of(stores, SCOPE)
    dates = Selection((NOW - days * DAY).date(), NOW.date(), ask.zone)
    found = {one.anomaly.id: one.anomaly for one in listed(ask, stores, dates, NOW)}
    for one in found.values():
        assert one.causes == CAUSES
        assert one_listed(ask, stores, one.id, NOW).anomaly == one
    for new in new_anomalies(ask, stores, dates.start_at, NOW):
        assert found[new.id] == new
    return {name: one.is_open for name, one in found.items()}


def attention(stores: Stores, days: int = 30) -> dict[str, bool]:
    """The same of those that are kept, as other pages show them."""
    ask = Ask.of(stores, SCOPE)
    dates = Selection((NOW - days * DAY).date(), NOW.date(), ask.zone)
    return {one.anomaly.id: one.anomaly.is_open for one in kept_ones(ask, stores, dates)}


def test_keeping_and_a_restart_change_nothing_that_is_told(stores: Stores, tmp_path: Path) -> None:
    before = told(stores)
    assert before == {"weeks": True, "spike": False, "today": True, "others": False}
    assert Keeper(stores).watch() == 4
    assert (told(stores), attention(stores)) == (before, before)
    assert Keeper(stores).watch() == 0
    stores.close()
    with opened(tmp_path) as again:
        assert (told(again), attention(again)) == (before, before)
        assert Keeper(again).watch() == 0
        assert told(again, days=3) == attention(again, days=3) == {"weeks": True, "today": True}


def test_one_of_which_nothing_is_found_has_ended_and_goes_on_when_it_is_found_again(
    stores: Stores, detector: Detector
) -> None:
    Keeper(stores).watch()
    detector.found = (SPIKE, OTHERS, TODAY)
    ended = told(stores)
    assert ended["weeks"] is False
    Keeper(stores).watch()
    assert (told(stores), attention(stores)) == (ended, ended)
    detector.found = FOUND
    assert told(stores)["weeks"] is True
    Keeper(stores).watch()
    assert attention(stores) == told(stores)


def test_an_ended_one_stays_as_it_was_kept_and_what_is_found_within_it_is_a_part_of_it(
    stores: Stores, detector: Detector
) -> None:
    Keeper(stores).watch()
    grown = replace(SPIKE, id="another", start=SPIKE.start - DAY / 4, actual_nano=NANO)
    detector.found = (TODAY, grown, OTHERS, WEEKS)
    assert told(stores) == attention(stores)
    assert Keeper(stores).watch() == 0
    ask = Ask.of(stores, SCOPE)
    assert one_listed(ask, stores, "spike", NOW).anomaly.actual_nano == SPIKE.actual_nano


def test_what_goes_on_is_told_beside_an_ended_part_of_it(stores: Stores, detector: Detector) -> None:
    detector.found = (SPIKE,)
    Keeper(stores).watch()
    detector.found = (anomaly("lasting", 40, 40, is_open=True, measure="credits"),)
    assert told(stores) == {"spike": False, "lasting": True}
    Keeper(stores).watch()
    assert told(stores) == attention(stores) == {"spike": False, "lasting": True}


def test_what_a_file_brings_in_is_looked_at_within_the_same_hour(stores: Stores, detector: Detector) -> None:
    detector.found = ()
    keeper = Keeper(stores, seconds=lambda: 0.0)
    assert keeper.watch() == 0
    detector.found = FOUND
    assert keeper.watch() == 0
    stores.load_frames(SCOPE, [make_runs(20)], name="late", rows=20)
    assert keeper.watch() == 0, "it waits until the runs can be seen"
    stores.apply_waiting()
    assert keeper.watch() == len(FOUND)


_SEGMENTS = [("service", "LLM"), ("service", "Search"), ("member", "Ana"), ("", "")]


@st.composite
def anomalies(draw: st.DrawFn, most: int) -> list[Anomaly]:
    """Events on a short stretch of days, so that many of them overlap; one id for each beginning in a place."""
    made = {}
    for _ in range(draw(st.integers(0, most))):
        first, days = draw(st.integers(0, 12)), draw(st.integers(1, 12))
        dimension, value = draw(st.sampled_from(_SEGMENTS))
        measure = draw(st.sampled_from(["runs", "credits", "error_rate"]))
        is_open = draw(st.booleans())
        place = Place("cost", *draw(st.sampled_from(_SEGMENTS)))
        one = anomaly(
            f"{first} {measure} {dimension} {value}", 30 - first, days, measure=measure, is_open=is_open
        )
        made[one.id] = replace(one, dimension=dimension, value=value, also=(place,))
    return list(made.values())


@given(found=anomalies(8), kept=anomalies(8))
def test_what_is_told_is_the_same_once_it_was_kept(found: list[Anomaly], kept: list[Anomaly]) -> None:
    once = settled(found, kept)
    assert len({one.id for one in once}) == len(once)
    assert by_id(settled(found, once)) == by_id(once)
    assert by_id(settled(found, [])) == by_id(found)
    ended = {one.id: one for one in kept if not one.is_open}
    assert all(one.is_open or one == ended.get(one.id, one) for one in once)
    assert {one.id for one in kept} <= {one.id for one in once}


def by_id(found: list[Anomaly]) -> list[Anomaly]:
    return sorted(found, key=lambda one: one.id)
