"""Makes one event of the episodes that one thing caused: in several measures, segments and lengths of steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from runs_analytics.analytics.anomalies.beside import Beside, segment_of
from runs_analytics.analytics.anomalies.causes import Cause
from runs_analytics.analytics.anomalies.drivers import ROUNDS, amounts
from runs_analytics.analytics.anomalies.following import LASTING_MERGE_ROUNDS
from runs_analytics.analytics.anomalies.seen import Seen
from runs_analytics.analytics.anomalies.segments import STEP, Looked, Segment
from runs_analytics.control.anomalies import FAMILIES

KNOWN: Final = timedelta(weeks=4)
"""How long a series must have been seen before an event to be known."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Strays from which an event is news."""

    whole: float
    """Of the whole selection."""

    part: float
    """Of a part alone, however small it is."""

    part_of_whole: float
    """Of a part that the whole shows too."""


KNOWN_BARS: Final = Bars(whole=3.0, part=5.0, part_of_whole=4.0)
NEW_BARS: Final = Bars(whole=4.0, part=25.0, part_of_whole=8.0)
"""While chance in a series is not known well."""

PART_THAT_MOVES: Final = 4.0
"""Strays from which a part does that moves the whole."""

MOVED_MORE: Final = 1.1
"""What drives the whole changed by so many times its factor."""

_LEAST_SHARED: Final = 0.5
"""The part of both episodes that they share."""

_TOUCHED: Final = 0.1
"""The part of the shorter one that is enough where one explains the other."""

_MAIN_SHARE: Final = 0.5
"""A value with less of the whole's excess than this is not the event, but a part of it."""

_SHORT: Final = timedelta(days=2)
"""An episode of hours is the same as that of the day around it."""

_FEW_WEEKS: Final = timedelta(weeks=3)
_STARTS_WITHIN: Final = timedelta(days=7)
"""How far apart two lasting changes may be seen to start: small segments show it later than large ones."""


@dataclass(frozen=True, slots=True)
class Event:
    """What one thing caused: the episode that shows it best, the others, and the value that drives it."""

    lead: Seen
    also: tuple[Seen, ...] = ()
    driver: Cause | None = None
    """None where no value stands out among the watched ones."""

    @property
    def cause(self) -> Cause | None:
        """The driver, unless it changed no more than all there is, and so only moved with it."""
        if self.driver is None or self.lead.segment != Segment():
            return self.driver
        own, whole = (one.actual / max(one.expected, 1e-9) for one in (self.driver, self.lead.episode))
        moved_more = own > whole * MOVED_MORE if self.lead.direction == "up" else own * MOVED_MORE < whole
        return self.driver if moved_more else None

    @property
    def all(self) -> tuple[Seen, ...]:
        """Every episode of it."""
        return (self.lead, *self.also)

    @property
    def is_open(self) -> bool:
        """Whether it still goes on where it is told or is as plain; what else it set going may last longer."""
        return self.lead.episode.is_open or any(
            one.episode.is_open and self._tells_its_end(one) for one in self.also
        )

    def _tells_its_end(self, one: Seen) -> bool:
        """Whether an episode says as well as the lead when it ends: longer steps do not."""
        is_as_plain = one.episode.severity >= self.lead.episode.severity
        is_as_fine = STEP[one.series.grain] <= STEP[self.lead.series.grain] and one.series.grain != "week"
        return is_as_fine and (is_as_plain or one.segment in (self.lead.segment, self.whose))

    @property
    def segments(self) -> set[Segment]:
        """Where it was seen, the whole left out."""
        return {one.segment for one in self.all} - {Segment()}

    @property
    def whose(self) -> Segment:
        """The driving segment."""
        return segment_of(self.driver) if self.driver else self.lead.segment


def events_in(looked: Sequence[Looked]) -> tuple[Event, ...]:
    """The events of a selection.

    Args:
        looked: every watched series of the selection; of two that show an event as well the earlier one is preferred.
    """
    seen = (
        Seen(one.series, episode, place)
        for place, one in enumerate(looked)
        for episode in one.watched.episodes
    )
    beside = Beside.of(looked)
    return tuple(event for event in one_event_each(seen, looked) if _matters(event, beside))


def one_event_each(seen: Iterable[Seen], looked: Sequence[Looked] = ()) -> tuple[Event, ...]:
    """The episodes by the event that they belong to.

    From the most severe on, each takes those of its time that its driver explains and that no earlier one has taken.
    The driver leads. Where it is a minor part of what the whole selection shows, the whole does.
    """
    beside = Beside.of(looked)
    loudest_first = sorted(
        (one for one in seen if one.is_enough), key=lambda one: (-one.episode.severity, one.place, one.start)
    )
    alike: dict[tuple[str, str], list[Seen]] = {}
    for one in loudest_first:
        alike.setdefault((one.family, one.direction), []).append(one)
    events: list[Event] = []
    gone: set[int] = set()
    for one in loudest_first:
        while id(one) not in gone:
            waiting = [other for other in alike[one.family, one.direction] if id(other) not in gone]
            events.append(_loudest_event(one, waiting, beside))
            gone.update(map(id, events[-1].all))
    return tuple(_without_told_weeks(list(_with_parts(_once(events, beside)))))


def _loudest_event(first: Seen, waiting: Sequence[Seen], beside: Beside) -> Event:
    """The event of the first of those that wait, which all go the same way in measures that move together."""
    loudest = _days_of(first, waiting)
    cause = beside.driver(loudest)
    lead = _lead(loudest, cause, waiting, beside)
    taken = [one for one in waiting if one is not lead and _is_told_by(lead, loudest, one, beside)]
    return Event(lead, tuple(taken), cause)


def _lead(loudest: Seen, cause: Cause | None, waiting: Sequence[Seen], beside: Beside) -> Seen:
    """The driver's episode, or what it shows in the time of the loudest one; the whole where that is the main part."""
    around = [
        one
        for one in waiting
        if one is loudest or (one.is_per_run == loudest.is_per_run and _is_of_its_time(loudest, one))
    ]
    whose = segment_of(cause) if cause else loudest.segment
    own = [one for one in around if one.segment == whose]
    alike = sorted(
        own, key=lambda one: (one.series.grain != loudest.series.grain, one.series.grain == "week")
    )
    if loudest in own:
        least = _MAIN_SHARE if cause or loudest.series.grain == "week" else 1.0
        return _whole_of(loudest, around, least)
    return _whole_of(alike[0] if alike else beside.borrowed(loudest, whose) or loudest, around)


def _is_told_by(lead: Seen, loudest: Seen, other: Seen, beside: Beside) -> bool:
    """Whether an episode is of the event that one leads."""
    if other is loudest:
        return True
    if not _may_share_a_cause(lead, other):
        return False
    if not (_is_of_its_time(lead, other) or _is_of_its_time(loudest, other)):
        return False
    return other.segment == lead.segment or beside.explains(lead.segment, other)


def _once(events: Sequence[Event], beside: Beside) -> list[Event]:
    """The events, where one that goes on from an earlier told one, or is another side of it, is no news."""
    told: list[Event] = []
    for event in events:
        place = next((place for place, other in enumerate(told) if _goes_on(event, other, beside)), None)
        if place is None:
            told.append(event)
        else:
            told[place] = replace(told[place], also=(*told[place].also, *event.all))
    return told


def _goes_on(event: Event, told: Event, beside: Beside) -> bool:
    one, other = event.lead, told.lead
    if (one.family, one.direction, one.is_per_run) != (other.family, other.direction, other.is_per_run):
        return False
    if one.series.grain == "week" != other.series.grain and one.segment not in (other.segment, Segment()):
        return False
    if _is_slow_beside(other, one):
        shared = min(one.stop, other.stop) - max(one.start, other.start)
        if shared < _LEAST_SHARED * (other.stop - other.start):
            return False
    season, _ = ROUNDS[other.series.grain]
    apart = max(one.start, other.start) - min(one.stop, other.stop)
    near = LASTING_MERGE_ROUNDS * season * STEP[other.series.grain] if other.is_lasting else timedelta()
    if apart > near:
        return False
    if {one.segment, event.whose} & {other.segment, told.whose} - {Segment()}:
        return True
    is_seen_there = {one.segment, event.whose} & told.segments or {other.segment, told.whose} & event.segments
    return bool(is_seen_there) and beside.explains(other.segment, one)


def _matters(event: Event, beside: Beside) -> bool:
    """Whether it is news: the whole shows it, or a part that moves the whole, or a part by a change beyond chance."""
    is_in_whole = any(one.segment == Segment() for one in event.all)
    for one in event.all:
        bars = KNOWN_BARS if one.start - one.series.first >= KNOWN else NEW_BARS
        part = bars.part_of_whole if is_in_whole else bars.part
        if one.episode.severity >= (bars.whole if one.segment == Segment() else part):
            return True
    parts = (one for one in event.all if one.segment != Segment())
    return any(one.episode.severity > PART_THAT_MOVES and beside.is_moved_by(one) for one in parts)


def _with_parts(events: list[Event]) -> Iterator[Event]:
    """The events, where one that lasted for weeks holds the days and hours of it that stood out too."""
    parts: dict[int, list[Seen]] = {}
    for number, event in enumerate(events):
        whole = next((place for place, other in enumerate(events) if _is_part(event, other.lead)), number)
        parts.setdefault(whole, []).extend(event.all)
    for number, event in enumerate(events):
        if number in parts:
            own = set(map(id, event.all))
            yield replace(event, also=(*event.also, *(one for one in parts[number] if id(one) not in own)))


def _is_part(event: Event, lasting: Seen) -> bool:
    lead = event.lead
    return (
        lasting.series.grain == "week" != lead.series.grain
        and lasting.segment != Segment()
        and lasting.stop - lasting.start > _FEW_WEEKS
        and (FAMILIES[lead.series.measure], lead.direction)
        == (FAMILIES[lasting.series.measure], lasting.direction)
        and lasting.start <= lead.start
        and lead.stop <= lasting.stop
        and lasting.segment in (event.lead.segment, event.whose)
        and (not lasting.is_per_run or _is_of_amounts(event, lasting.segment))
    )


def _is_of_amounts(event: Event, segment: Segment) -> bool:
    """Whether all of it is of what the runs of one segment used, and not of how many there were."""
    return all(one.segment == segment and one.series.measure != "runs" for one in event.all)


def _without_told_weeks(events: list[Event]) -> list[Event]:
    """The events, where weeks that stand out because of the days that are told already are a part of the largest."""
    weeks = [event for event in events if event.lead.series.grain == "week" and not event.lead.is_per_run]
    told = [event for event in events if event not in weeks]
    for week in weeks:
        within = [place for place, event in enumerate(told) if _is_within(event.lead, week.lead)]
        extra = [abs(told[place].lead.extra) for place in within]
        if within and sum(extra) >= _LEAST_SHARED * abs(week.lead.extra):
            largest = within[extra.index(max(extra))]
            told[largest] = replace(told[largest], also=(*told[largest].also, *week.all))
        else:
            told.append(week)
    return told


def _is_within(one: Seen, week: Seen) -> bool:
    """Whether an event of days or hours is among those that make up what some weeks show."""
    return (
        (one.series.measure, one.direction) == (week.series.measure, week.direction)
        and week.segment in (one.segment, Segment())
        and one.start < week.stop
        and week.start < one.stop
    )


def _days_of(lead: Seen, waiting: Sequence[Seen]) -> Seen:
    """The days or hours that make a week stand out, where there are such, else the lead itself."""
    if lead.series.grain != "week" or lead.is_per_run:
        return lead
    return next(
        (
            one
            for one in waiting
            if one.segment == lead.segment and one.series.grain != "week" and _is_of_its_time(one, lead)
        ),
        lead,
    )


def _whole_of(lead: Seen, waiting: Sequence[Seen], least: float = _MAIN_SHARE) -> Seen:
    """The same in the whole selection where the lead is less than such a part of it, else the lead itself."""
    if lead.segment == Segment():
        return lead
    for one in waiting:
        is_whole = one.segment == Segment() and one.series.measure == lead.series.measure
        if is_whole and _is_as_long(one, lead) and _is_minor(lead, one, least):
            return one
    return lead


def _is_minor(part: Seen, whole: Seen, least: float) -> bool:
    """Whether a part has less than so much of the whole's excess; a drop takes no more than the rounds before had."""
    excess = abs(part.extra)
    if part.direction == "down" and not part.series.weights:
        actual, usual = amounts(part.series, part.episode.first_step, part.episode.stop_step)
        excess = min(excess, max(usual - actual, 0.0))
    return excess < least * abs(whole.extra)


def _is_of_its_time(lead: Seen, other: Seen) -> bool:
    """Whether both go the same way at the same time in measures that move together."""
    if lead.family != other.family or lead.direction != other.direction:
        return False
    shared = min(lead.stop, other.stop) - max(lead.start, other.start)
    if other.series.grain == "week" != lead.series.grain:
        # A week that stands out because of the days that are told already.
        return shared >= _LEAST_SHARED * (lead.stop - lead.start) and other.stop - other.start <= _FEW_WEEKS
    if _is_slow_beside(lead, other):
        return shared >= _LEAST_SHARED * (lead.stop - lead.start)
    if lead.is_lasting and other.is_lasting and abs(lead.start - other.start) <= _STARTS_WITHIN:
        return shared > timedelta()
    return shared >= _TOUCHED * min(lead.stop - lead.start, other.stop - other.start)


def _is_slow_beside(lead: Seen, other: Seen) -> bool:
    """Whether it shows what is slow, which is not what made some days of another segment stand out.

    All that is selected shares the days of each of its parts, and so would explain every one of them.
    """
    if lead.segment == other.segment or other.series.grain == "week":
        return False
    is_long = lead.stop - lead.start > _FEW_WEEKS
    return lead.series.grain == "week" or (lead.segment == Segment() and is_long)


def _is_as_long(one: Seen, other: Seen) -> bool:
    """Whether both share at least half of the longer one, or are of hours and the day around them."""
    shared = min(one.stop, other.stop) - max(one.start, other.start)
    shorter, longer = sorted((one.stop - one.start, other.stop - other.start))
    return shared >= _LEAST_SHARED * shorter and (longer <= _SHORT or shared >= _LEAST_SHARED * longer)


def _may_share_a_cause(lead: Seen, other: Seen) -> bool:
    """Two values of one dimension have no run in common; how many runs there are does not change what each uses."""
    if lead.is_per_run != other.is_per_run:
        return lead.is_per_run and lead.segment == other.segment
    return lead.segment.dimension != other.segment.dimension or lead.segment == other.segment
