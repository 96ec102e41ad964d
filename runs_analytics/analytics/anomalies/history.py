"""Anomalies as pages, API and alerts show them: what is found now and what was kept, with what people say of it.

Of the whole account in its own zone, found anomalies are kept: an ended one stays as it was found, whatever runs come
in later, and an open one keeps its id while more of it is seen. Under filters they are found anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from runs_analytics.analytics.anomalies.questions import anomalies
from runs_analytics.analytics.asking import Ask
from runs_analytics.control.anomalies import (
    FAMILIES,
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

KEPT_AGAIN: Final = timedelta(weeks=3)
"""Runs come in up to so late that what is found of the days before would seldom be news."""

SEEN_AGAIN: Final = timedelta(days=2)


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


def listed(ask: Ask, stores: Stores, selection: Selection, now: datetime) -> tuple[Listed, ...]:
    """The anomalies of a selection with what is said of them, newest first."""
    found = anomalies(ask, selection, now)
    if not is_whole(ask, selection):
        return tuple(Listed(one, None, False, False) for one in found)
    with stores.control.read() as connection:
        kept = list_anomalies(connection, ask.scope, selection.start_at, selection.stop_at)
        judgements = list_judgements(connection, ask.scope)
    both = sorted(settled(found, kept), key=lambda one: (one.start, one.spreads, one.id), reverse=True)
    return tuple(_listed(one, judgements) for one in both)


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
    kept, judgements = None, Judgements()
    if is_whole(ask, whole):
        with stores.control.read() as connection:
            kept = find_anomaly(connection, ask.scope, anomaly_id)
            judgements = list_judgements(connection, ask.scope)
    if kept is not None and not kept.is_open:
        return _listed(kept, judgements)
    around = whole if kept is None else replace(whole, start=kept.start.astimezone(ask.local).date())
    for one in settled(anomalies(ask, around, now), [kept] if kept else []):
        if one.id == anomaly_id:
            return Listed(one, judgements.of(one), judgements.is_ignored(one), is_whole(ask, whole))
    raise NotFound(f"There is no anomaly {anomaly_id!r}.", field="id", value=anomaly_id)


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


def keep_found(ask: Ask, stores: Stores, now: datetime, *, is_again: bool = False) -> int:
    """Keep what is found of the whole account; how many anomalies are new or changed.

    Args:
        ask: who keeps.
        stores: where they are kept.
        now: aware.
        is_again: whether only the last weeks are looked at, as the others were before.
    """
    whole = whole_account(ask, now)
    if is_again:
        whole = replace(whole, start=max(whole.start, whole.end - KEPT_AGAIN))
    with stores.control.read() as connection:
        kept = list_anomalies(connection, ask.scope, whole.start_at, whole.stop_at)
    found = settled(anomalies(ask, whole, now), kept)
    known = {one.id: one for one in kept}
    news = [one for one in found if one.id not in known or _has_changed(one, known[one.id], now)]
    if not news:
        return 0
    return stores.control.write(lambda connection: keep_anomalies(connection, ask.scope, news, now=now))


def settled(found: Iterable[Anomaly], kept: Sequence[Anomaly]) -> list[Anomaly]:
    """What was kept and what is found, each event once: an ended one as it was kept, an open one as it is seen now.

    An open one of which nothing is seen now has ended.
    """
    result = {one.id: replace(one, is_open=False) for one in kept}
    for one in found:
        known = next((other for other in kept if _is_same(one, other)), None)
        if known is None:
            result[one.id] = one
        elif known.is_open:
            result[known.id] = replace(one, id=known.id)
    return list(result.values())


def is_whole(ask: Ask, selection: Selection) -> bool:
    """Whether a selection leaves the whole account in its own zone, of which anomalies are kept."""
    return not (selection.filters or selection.tags or ask.scope.member) and selection.zone == ask.zone


def whole_account(ask: Ask, now: datetime) -> Selection:
    """The whole account up to the present day."""
    return Selection(FIRST_DAY, now.astimezone(zone_named(ask.zone)).date(), ask.zone, comparison="none")


def _has_changed(one: Anomaly, kept: Anomaly, now: datetime) -> bool:
    """Whether a kept one is brought up to date; one of which nothing is seen now may be seen again for some days."""
    if not kept.is_open or one == kept:
        return False
    return one != replace(kept, is_open=False) or kept.stop < now - SEEN_AGAIN


def _is_same(found: Anomaly, kept: Anomaly) -> bool:
    if found.id == kept.id:
        return True
    if (FAMILIES[found.measure], found.direction) != (FAMILIES[kept.measure], kept.direction):
        return False
    places, others = _places(found), _places(kept)
    shared = min(found.stop, kept.stop) - max(found.start, kept.start)
    shorter = min(found.duration, kept.duration)
    return (
        shared > timedelta()
        and shared >= shorter / 2
        and ((found.dimension, found.value) in others or (kept.dimension, kept.value) in places)
    )


def _places(one: Anomaly) -> set[tuple[str, str]]:
    return {(one.dimension, one.value), *((place.dimension, place.value) for place in one.also)}


def _listed(one: Anomaly, judgements: Judgements) -> Listed:
    return Listed(one, judgements.of(one), judgements.is_ignored(one), True)
