"""Which anomalies there were: one per event, with what was usual, what it cost and what made it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, time
from itertools import groupby
from typing import Final

import numpy as np

from runs_analytics.analytics.anomalies.causes import Cause
from runs_analytics.analytics.anomalies.drivers import amounts
from runs_analytics.analytics.anomalies.events import Event, events_in
from runs_analytics.analytics.anomalies.parts import MOST_CAUSES, causes_of
from runs_analytics.analytics.anomalies.seen import Seen
from runs_analytics.analytics.anomalies.segments import (
    GRAINS,
    SUMS,
    Grain,
    Looked,
    Segment,
    Series,
    by_week,
    series_of,
    watch_all,
)
from runs_analytics.analytics.asking import Ask
from runs_analytics.control.anomalies import Anomaly, CausePart, Measure, Place
from runs_analytics.selection import Selection
from runs_analytics.vocabulary import NANO
from runs_analytics.zones import local_midnight, zone_named

_ID_CHARACTERS: Final = 16


_Looked = dict[tuple[Segment, Measure, Grain], Looked]


def anomalies(ask: Ask, selection: Selection, now: datetime) -> tuple[Anomaly, ...]:
    """The anomalies that a selection had, newest first: those of which a part lies within its dates.

    What is found does not depend on the dates, so that an event is the same in every period that shows it.

    Args:
        ask: who asks.
        selection: what about; its zone cuts days and hours.
        now: aware; the newest whole hour and day before it are looked at too.
    """
    found = explained(
        ask, selection, [one for one in found_ones(ask, selection, now) if is_within(one, selection)], now
    )
    return tuple(sorted(found, key=lambda one: (one.start, one.spreads, one.id), reverse=True))


def found_ones(ask: Ask, selection: Selection, now: datetime) -> tuple[Anomaly, ...]:
    """The anomalies of what a selection's filters leave, whatever its dates, without their causes."""

    def make() -> tuple[Anomaly, ...]:
        looked = _all_looked_at(ask, selection, now)
        return tuple(
            _anomaly(selection.zone, name, event, looked)
            for name, event in _named(ask, selection, now).items()
        )

    return ask.kept("anomalies.found_ones", _any_dates(selection, now), _hour(now), make=make)


def explained(ask: Ask, selection: Selection, found: Sequence[Anomaly], now: datetime) -> list[Anomaly]:
    """Some of `found_ones` with their causes."""
    named = _named(ask, selection, now)
    leads, everywhere = tuple(named[one.id].lead for one in found), _any_dates(selection, now)
    names = tuple(one.id for one in found)
    causes = ask.kept("anomalies.causes", everywhere, names, make=lambda: causes_of(ask, everywhere, leads))
    return [
        replace(one, causes=tuple(map(_part, _driver_first(named[one.id], its))))
        for one, its in zip(found, causes, strict=True)
    ]


def _driver_first(event: Event, causes: tuple[Cause, ...]) -> tuple[Cause, ...]:
    """The causes, first the value that drives what the whole shows."""
    driver = event.cause
    if event.lead.segment != Segment() or driver is None:
        return causes
    rest = [one for one in causes if (one.dimension, one.value) != (driver.dimension, driver.value)]
    return (driver, *rest)[:MOST_CAUSES]


def is_within(one: Anomaly, selection: Selection) -> bool:
    """Whether a part of it lies within the dates of a selection."""
    return one.start < selection.stop_at and one.stop > selection.start_at


def looked_at(ask: Ask, selection: Selection, now: datetime, grain: Grain) -> _Looked:
    """Every watched series of what a selection's filters leave, whatever its dates."""
    everywhere = _any_dates(selection, now)

    def make() -> _Looked:
        if grain == "week":
            daily = looked_at(ask, selection, now, "day").values()
            series = tuple(week for one in daily if (week := by_week(one.series)))
        else:
            series = series_of(ask, everywhere, now, grain)
        return {(one.series.segment, one.series.measure, grain): one for one in _watched(ask, series)}

    return ask.kept("anomalies.looked_at", everywhere, grain, _hour(now), make=make)


def _watched(ask: Ask, series: Sequence[Series]) -> list[Looked]:
    """Each series with what the detector makes of it, as many dimensions at once as there are processes.

    One dimension at a time is remembered, so that nothing is watched again of which no step has changed.
    """
    groups = [tuple(group) for _, group in groupby(series, key=lambda one: one.segment.dimension)]
    if not groups:
        return []
    ask.check()
    # Whether a visitor is let in is asked where the page runs, and not in other threads.
    let_in = replace(ask, check=lambda: None)
    with ThreadPoolExecutor(len(groups), thread_name_prefix="watching") as threads:
        found = threads.map(lambda group: let_in.computed(watch_all, group), groups)
        return [
            Looked(one, watched)
            for group, made in zip(groups, found, strict=True)
            for one, watched in zip(group, made, strict=True)
        ]


def events_of(ask: Ask, selection: Selection, now: datetime) -> tuple[Event, ...]:
    """Every event of what a selection's filters leave, whatever its dates, as the episodes that show it."""

    def make() -> tuple[Event, ...]:
        return events_in(tuple(_all_looked_at(ask, selection, now).values()))

    return ask.kept("anomalies.events", _any_dates(selection, now), _hour(now), make=make)


def moment_of(local: datetime, zone_name: str) -> datetime:
    """A time of a zone's clock as a moment in UTC."""
    zone = zone_named(zone_name)
    if local.time() == time():
        return local_midnight(local.date(), zone)
    return local.replace(tzinfo=zone).astimezone(UTC)


def _named(ask: Ask, selection: Selection, now: datetime) -> dict[str, Event]:
    """Every event by its id."""
    named: dict[str, Event] = {}
    for event in events_of(ask, selection, now):
        name = _id(ask, selection, event.lead)
        # Of two that begin together in one segment, as a week and its first day do, the later one has an id of its own.
        again = _id(ask, selection, event.lead, event.lead.series.grain)
        named[again if name in named else name] = event
    return named


def _all_looked_at(ask: Ask, selection: Selection, now: datetime) -> _Looked:
    return {key: one for grain in GRAINS for key, one in looked_at(ask, selection, now, grain).items()}


def _anomaly(zone: str, name: str, event: Event, looked: _Looked) -> Anomaly:
    lead = event.lead
    episode, series = lead.episode, lead.series
    own = (series.measure, lead.segment)
    also = dict.fromkeys((one.series.measure, one.segment) for one in event.also)
    return Anomaly(
        id=name,
        measure=series.measure,
        dimension=lead.segment.dimension or "",
        value=lead.segment.value,
        grain=series.grain,
        kind=episode.kind,
        direction=lead.direction,
        start=moment_of(lead.start, zone),
        stop=moment_of(lead.stop, zone),
        peak=moment_of(series.start_of(episode.peak_step), zone),
        is_open=event.is_open,
        actual_nano=_nano(episode.actual),
        expected_nano=_nano(episode.expected),
        spreads=round(float(episode.severity), 2),
        credits_impact_nano=_impact_nano(lead, "credits", looked),
        cost_impact_nano=_impact_nano(lead, "cost", looked),
        also=tuple(Place(m, s.dimension or "", s.value) for m, s in also if (m, s) != own),
    )


def _part(cause: Cause) -> CausePart:
    return CausePart(
        cause.dimension,
        cause.value,
        _nano(cause.actual),
        _nano(cause.expected),
        round(float(cause.share), 4),
    )


def _impact_nano(lead: Seen, measure: Measure, looked: _Looked) -> int | None:
    """An amount above what was usual in the event's own segment and time."""
    found = looked.get((lead.segment, measure, lead.series.grain))
    if found is None or lead.series.measure == "duration":
        return None
    steps = slice(lead.episode.first_step, lead.episode.stop_step)
    values = found.series.array()[steps]
    if lead.series.measure in SUMS:
        expected = found.watched.expected[steps]
        if np.isnan(expected).all():
            actual, usual = amounts(found.series, steps.start, steps.stop)
            return _nano(actual - usual)
        return _nano(float(np.nansum(values - expected)))
    # Of what was used in that time, the part of the errors above the usual rate.
    return _nano(float(values.sum()) * (lead.episode.actual - lead.episode.expected))


def _id(ask: Ask, selection: Selection, lead: Seen, *more: str) -> str:
    """The same for the same event, however much of it has been seen and whoever of an account asks."""
    parts = (
        ask.scope.account,
        ask.scope.member,
        selection.zone,
        selection.filters,
        selection.tags,
        lead.segment.dimension,
        lead.segment.value,
        lead.series.measure,
        lead.direction,
        lead.start.isoformat(),
        *more,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:_ID_CHARACTERS]


def _any_dates(selection: Selection, now: datetime) -> Selection:
    """The same filters and zone, with the present day as its dates."""
    today = now.astimezone(zone_named(selection.zone)).date()
    return replace(selection, start=today, end=today, period=None, comparison="none")


def _hour(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)


def _nano(amount: float) -> int:
    return round(float(amount) * NANO)
