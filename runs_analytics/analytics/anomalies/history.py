"""Anomalies as pages, API and alerts show them: what is found now and what was kept, with what people say of it.

Of the whole account in its own zone, found anomalies are kept: an ended one stays as it was found, whatever runs come
in later, and an open one keeps its id while more of it is seen. What is told follows from all that is found and all
that was kept, whatever dates are asked for, so that it is the same before and after it was kept. Under filters
anomalies are found anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from runs_analytics.analytics.anomalies.matching import GOES_ON_WITHIN, Event, events
from runs_analytics.analytics.anomalies.questions import anomalies, explained, found_ones, is_within
from runs_analytics.analytics.asking import Ask
from runs_analytics.control.anomalies import (
    Anomaly,
    Judgement,
    Judgements,
    Verdict,
    find_anomaly,
    judge_anomaly,
    keep_anomalies,
    list_anomalies,
    list_judgements,
)
from runs_analytics.control.writer import Connection
from runs_analytics.errors import NotFound
from runs_analytics.roles import require
from runs_analytics.selection import FIRST_DAY, Selection
from runs_analytics.stores import Stores
from runs_analytics.zones import zone_named

SETTLED_AFTER: Final = 2 * GOES_ON_WITHIN
"""How long after its end no runs change whether it is the same."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An anomaly and what is said of it."""

    anomaly: Anomaly
    judgement: Judgement | None
    is_ignored: bool
    """Such are ignored, by a verdict on it or on an earlier one."""

    is_kept: bool
    """Whether it can be judged: it is of the whole account."""

    @property
    def counts(self) -> bool:
        """Whether it is news: not ignored, and not said to be expected."""
        return not self.is_ignored and (self.judgement is None or self.judgement.verdict != "expected")


@dataclass(frozen=True, slots=True)
class Summed:
    """How many of some anomalies are news, and what those upward cost beyond what is usual."""

    count: int
    severe: int
    credits_nano: int
    cost_nano: int


def summed(found: Sequence[Listed]) -> Summed:
    """Some anomalies in a few numbers; where two overlap, what both have counts twice."""
    news = [one.anomaly for one in found if one.counts]
    more = [one for one in news if one.direction == "up"]
    return Summed(
        len(news),
        sum(one.severity == "high" for one in news),
        sum(max(one.credits_impact_nano or 0, 0) for one in more),
        sum(max(one.cost_impact_nano or 0, 0) for one in more),
    )


def listed(ask: Ask, stores: Stores, selection: Selection, now: datetime) -> tuple[Listed, ...]:
    """The anomalies of a selection with what is said of them, newest first."""
    if not is_whole(ask, selection):
        return _unkept(anomalies(ask, selection, now))
    return _told(ask, stores, _explained(ask, _events_in(ask, stores, selection, now), now))


def without_causes(ask: Ask, stores: Stores, selection: Selection, now: datetime) -> tuple[Listed, ...]:
    """As `listed`, without what made each, which takes longest: for how many there were, and what they cost."""
    if not is_whole(ask, selection):
        return _unkept(one for one in found_ones(ask, selection, now) if is_within(one, selection))
    return _told(ask, stores, _events_in(ask, stores, selection, now))


def kept_ones(ask: Ask, stores: Stores, selection: Selection) -> tuple[Listed, ...]:
    """Those that the server has kept, without looking for others; none where it keeps none."""
    if not is_whole(ask, selection):
        return ()
    with stores.control.read() as connection:
        kept = list_anomalies(connection, ask.scope, selection.start_at, selection.stop_at)
        judgements = list_judgements(connection, ask.scope)
    return tuple(_listed(one, judgements) for one in kept)


def one_listed(ask: Ask, stores: Stores, anomaly_id: str, now: datetime) -> Listed:
    """One anomaly of the whole account.

    Raises:
        NotFound: when there is none of that id.
    """
    whole = whole_account(ask, now)
    if not is_whole(ask, whole):
        own = [one for one in found_ones(ask, whole, now) if one.id == anomaly_id]
        found = list(_unkept(explained(ask, whole, own, now)))
    else:
        with stores.control.read() as connection:
            kept = find_anomaly(connection, ask.scope, anomaly_id)
            judgements = list_judgements(connection, ask.scope)
        if kept is not None and not kept.is_open and kept.stop < now - SETTLED_AFTER:
            return _listed(kept, judgements)
        named = [one for one in _events(ask, stores, now) if one.told.id == anomaly_id]
        found = [_listed(one.told, judgements) for one in _explained(ask, named, now)]
    if not found:
        raise NotFound(f"There is no anomaly {anomaly_id!r}.", field="id", value=anomaly_id)
    return found[0]


def new_anomalies(ask: Ask, stores: Stores, since: datetime, now: datetime) -> tuple[Anomaly, ...]:
    """The whole account's anomalies that began at a moment or later and are not ignored, for alerts; newest first."""
    zone = zone_named(ask.zone)
    selection = Selection(since.astimezone(zone).date(), now.astimezone(zone).date(), ask.zone)
    found = listed(ask, stores, selection, now)
    return tuple(one.anomaly for one in found if one.counts and one.anomaly.start >= since)


def judge(
    ask: Ask,
    stores: Stores,
    anomaly_id: str,
    verdict: Verdict | None,
    *,
    now: datetime,
    note: str = "",
    check: Callable[[Listed], None] = lambda _: None,
) -> Listed:
    """Say what an anomaly of the whole account was, and keep it as it is seen now; None takes back what was said.

    Args:
        ask: who judges.
        stores: where it is kept.
        anomaly_id: which.
        verdict: what it was.
        now: aware.
        note: a few words to it.
        check: called with the anomaly as it is just before; when it raises, nothing changes.

    Raises:
        NotAllowed: when the scope may not judge.
        NotFound: when the account has no such anomaly.
        BadRequest: on an unusable note.
    """
    require(ask.scope, "anomalies.judge")
    found = one_listed(ask, stores, anomaly_id, now).anomaly

    def act(connection: Connection) -> Listed:
        check(_listed(found, list_judgements(connection, ask.scope)))
        keep_anomalies(connection, ask.scope, [found], now=now)
        judge_anomaly(connection, ask.scope, anomaly_id, verdict, note=note, now=now)
        return _listed(found, list_judgements(connection, ask.scope))

    return stores.control.write(act)


def keep_found(ask: Ask, stores: Stores, now: datetime) -> int:
    """Keep what is found of the whole account; how many anomalies are new or changed."""
    every = _explained(ask, _events(ask, stores, now), now)
    news = [one.told for one in every if one.told != one.kept]
    if not news:
        return 0
    return stores.control.write(lambda connection: keep_anomalies(connection, ask.scope, news, now=now))


def settled(found: Sequence[Anomaly], kept: Sequence[Anomaly]) -> list[Anomaly]:
    """What was kept and what is found, each event once: an ended one as it was kept, an open one as it is seen now."""
    return [one.told for one in events(found, kept)]


def is_whole(ask: Ask, selection: Selection) -> bool:
    """Whether a selection leaves the whole account in its own zone, of which anomalies are kept."""
    return not (selection.filters or selection.tags or ask.scope.member) and selection.zone == ask.zone


def whole_account(ask: Ask, now: datetime) -> Selection:
    """The whole account up to the present day."""
    return Selection(FIRST_DAY, now.astimezone(zone_named(ask.zone)).date(), ask.zone, comparison="none")


def _events(ask: Ask, stores: Stores, now: datetime) -> list[Event]:
    """Every event of the whole account, whenever it was; what is found has no causes yet."""
    with stores.control.read() as connection:
        kept = list_anomalies(connection, ask.scope)
    return events(found_ones(ask, whole_account(ask, now), now), kept)


def _explained(ask: Ask, some: Sequence[Event], now: datetime) -> list[Event]:
    """The events, with the causes of those that are told as they are found."""
    found = [one.found for one in some if one.found is not None and one.is_as_found]
    told = {one.id: one for one in explained(ask, whole_account(ask, now), found, now)}
    return [replace(one, found=told.get(one.found.id, one.found)) if one.found else one for one in some]


def _events_in(ask: Ask, stores: Stores, selection: Selection, now: datetime) -> list[Event]:
    return [one for one in _events(ask, stores, now) if is_within(one.told, selection)]


def _told(ask: Ask, stores: Stores, both: Sequence[Event]) -> tuple[Listed, ...]:
    """Events as they are told, newest first, with what is said of them."""
    with stores.control.read() as connection:
        judgements = list_judgements(connection, ask.scope)
    told = (one.told for one in both)
    newest = sorted(told, key=lambda one: (one.start, one.spreads, one.id), reverse=True)
    return tuple(_listed(one, judgements) for one in newest)


def _unkept(found: Iterable[Anomaly]) -> tuple[Listed, ...]:
    return tuple(Listed(one, None, False, False) for one in found)


def _listed(one: Anomaly, judgements: Judgements) -> Listed:
    return Listed(one, judgements.of(one), judgements.is_ignored(one), True)
