"""Makes one event of the episodes that one thing caused: in several measures, segments and lengths of steps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import numpy as np

from runs_analytics.analytics.anomalies.episodes import Episode, Kind
from runs_analytics.analytics.anomalies.segments import Segment, Series
from runs_analytics.control.anomalies import FAMILIES

Direction = Literal["up", "down"]
LASTING: Final[tuple[Kind, ...]] = ("rise", "fall", "leak")
"""Kinds that go on until they are what is usual; the others end by themselves."""

DOWNWARD: Final[tuple[Kind, ...]] = ("drop", "fall", "dead")

_LEAST_SHARED: Final = 0.5
"""The part of both episodes that they share."""

_MAIN_SHARE: Final = 0.5
"""A value with less of the whole's excess than this is not the event, but a part of it."""

LEAST_RUNS: Final = 50
"""Runs that a level must have been seen in: a rate of fewer moves by chance."""

_LEAST_RATE: Final = 0.01
_CHANCE: Final = 5.0
"""How many standard deviations of a draw of so many runs a rate must be off."""

_SHORT: Final = timedelta(days=2)
"""An episode of hours is the same as that of the day around it."""

_FEW_WEEKS: Final = timedelta(weeks=3)
_STARTS_WITHIN: Final = timedelta(days=7)
"""How far apart two lasting changes may be seen to start: small segments show it later than large ones."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An episode in the series that showed it."""

    series: Series
    episode: Episode
    place: int
    """Of the series among all; the first ones are preferred where two are as severe."""

    @property
    def segment(self) -> Segment:
        """Where it was seen."""
        return self.series.segment

    @property
    def start(self) -> datetime:
        """Its first moment, on the zone's clock."""
        return self.series.start_of(self.episode.first_step)

    @property
    def stop(self) -> datetime:
        """The first moment after it."""
        return self.series.start_of(self.episode.stop_step)

    @property
    def direction(self) -> Direction:
        """Whether there was more or less than usual."""
        return "down" if self.episode.kind in DOWNWARD else "up"

    @property
    def is_enough(self) -> bool:
        """Whether it is more than chance: of a level, whether runs enough had it."""
        if not self.series.weights:
            return True
        runs, share = self.runs, max(self.episode.expected, _LEAST_RATE)
        if self.series.measure != "error_rate":
            return runs >= LEAST_RUNS
        return runs >= LEAST_RUNS and abs(self.extra) >= _CHANCE * math.sqrt(
            runs * share * (1 - min(share, 0.99))
        )

    @property
    def runs(self) -> float:
        """Runs that had the level while it lasted; of sums none are counted."""
        steps = slice(self.episode.first_step, self.episode.stop_step)
        return float(np.frombuffer(self.series.weights)[steps].sum())

    @property
    def extra(self) -> float:
        """How much more there was than usual; of levels, times the runs that have them."""
        difference = self.episode.actual - self.episode.expected
        if not self.series.weights:
            return difference
        return difference * self.runs

    @property
    def is_lasting(self) -> bool:
        """Whether it is a change that stays."""
        return self.episode.kind in LASTING


def one_event_each(seen: Iterable[Seen]) -> tuple[tuple[Seen, ...], ...]:
    """The episodes by the event that they belong to, the one that shows it best first.

    From the most severe on, each takes those that it explains and that no earlier one has taken. Where it is a minor
    part of what the whole selection shows, it is the whole that leads.
    """
    waiting = sorted(
        (one for one in seen if one.is_enough), key=lambda one: (-one.episode.severity, one.place, one.start)
    )
    events = []
    while waiting:
        lead = _whole_of(_days_of(waiting[0], waiting), waiting)
        taken = [one for one in waiting if one is not lead and _is_same(lead, one)]
        events.append((lead, *taken))
        gone = {id(one) for one in (lead, *taken)}
        waiting = [one for one in waiting if id(one) not in gone]
    return tuple(_with_parts(events))


def _with_parts(events: list[tuple[Seen, ...]]) -> Iterator[tuple[Seen, ...]]:
    """The events, where one that lasted for weeks holds the days and hours of it that stood out too."""
    parts: dict[int, list[Seen]] = {}
    for number, event in enumerate(events):
        whole = next((place for place, other in enumerate(events) if _is_part(event, other[0])), number)
        parts.setdefault(whole, []).extend(event)
    for number, event in enumerate(events):
        if number in parts:
            own = set(map(id, event))
            yield (*event, *(one for one in parts[number] if id(one) not in own))


def _is_part(event: Sequence[Seen], lasting: Seen) -> bool:
    lead = event[0]
    return (
        lasting.series.grain == "week" != lead.series.grain
        and lasting.segment != Segment()
        and lasting.stop - lasting.start > _FEW_WEEKS
        and (FAMILIES[lead.series.measure], lead.direction)
        == (FAMILIES[lasting.series.measure], lasting.direction)
        and lasting.start <= lead.start
        and lead.stop <= lasting.stop
        and any(one.segment == lasting.segment for one in event)
    )


def _days_of(lead: Seen, waiting: Sequence[Seen]) -> Seen:
    """The days or hours that make a week stand out, where there are such, else the lead itself."""
    if lead.series.grain != "week":
        return lead
    return next((one for one in waiting if one.series.grain != "week" and _is_same(one, lead)), lead)


def _whole_of(lead: Seen, waiting: Sequence[Seen]) -> Seen:
    """The same in the whole selection where the lead is less than half of it, else the lead itself."""
    if lead.segment == Segment():
        return lead
    for one in waiting:
        is_whole = one.segment == Segment() and one.series.measure == lead.series.measure
        if is_whole and _is_same(one, lead) and abs(lead.extra) < _MAIN_SHARE * abs(one.extra):
            return one
    return lead


def _is_same(lead: Seen, other: Seen) -> bool:
    if (
        FAMILIES[lead.series.measure] != FAMILIES[other.series.measure]
        or lead.direction != other.direction
        or not _may_share_a_cause(lead.segment, other.segment)
    ):
        return False
    shared = min(lead.stop, other.stop) - max(lead.start, other.start)
    if other.series.grain == "week" != lead.series.grain:
        # A week that stands out because of the days that are told already.
        return shared >= _LEAST_SHARED * (lead.stop - lead.start) and other.stop - other.start <= _FEW_WEEKS
    if lead.is_lasting and other.is_lasting:
        return shared > timedelta() and abs(lead.start - other.start) <= _STARTS_WITHIN
    lengths = sorted((lead.stop - lead.start, other.stop - other.start))
    return shared >= _LEAST_SHARED * lengths[0] and (
        lengths[1] <= _SHORT or shared >= _LEAST_SHARED * lengths[1]
    )


def _may_share_a_cause(lead: Segment, other: Segment) -> bool:
    """Two values of one dimension have no run in common, so that one does not explain the other."""
    return lead.dimension != other.dimension or lead.value == other.value
