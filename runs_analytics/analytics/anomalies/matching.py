"""Which of the anomalies that are found now are those that were kept before: each event once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from runs_analytics.control.anomalies import FAMILIES, Anomaly

GOES_ON_WITHIN: Final = timedelta(weeks=3)
"""How long after its end one that is seen to go on is still the same; runs seldom come in later."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it was kept and as it is found now; at least one of the two."""

    kept: Anomaly | None
    found: Anomaly | None

    @property
    def is_as_found(self) -> bool:
        """Whether it is told as it is found now: a new one, and one that goes on or goes on again."""
        if self.found is None:
            return False
        return (
            self.kept is None
            or self.kept.is_open
            or (self.found.is_open and _may_go_on(self.found, self.kept))
        )

    @property
    def told(self) -> Anomaly:
        """The event: an ended one as it was kept, any other as it is found now, under the id that it has.

        An open one of which nothing is found now has ended.
        """
        if self.is_as_found and self.found is not None:
            return self.found if self.kept is None else replace(self.found, id=self.kept.id)
        assert self.kept is not None
        return replace(self.kept, is_open=False)


def events(found: Sequence[Anomaly], kept: Sequence[Anomaly]) -> list[Event]:
    """The events of what is found now and what was kept, each once.

    What has the id of a kept one is that one. Of what is left, the nearest are taken together where the kept one may go
    on; what lies within an ended one is a part of it. So what is found changes nothing once it has been kept.
    """
    by_id = {one.id: one for one in kept}
    told = [Event(by_id[one.id], one) for one in found if one.id in by_id]
    named = {one.id for one in found}
    rest, free = [one for one in found if one.id not in by_id], [one for one in kept if one.id not in named]
    nearest = sorted(_like(rest, free), key=lambda pair: _distance(*pair))
    for one, before in nearest:
        if one in rest and before in free and (before.is_open or (one.is_open and _may_go_on(one, before))):
            told.append(Event(before, one))
            rest.remove(one)
            free.remove(before)
    told += [Event(before, None) for before in free]
    parts = {one.id for one, before in nearest if before in free}
    return [*told, *(Event(None, one) for one in rest if one.id not in parts)]


def _may_go_on(found: Anomaly, kept: Anomaly) -> bool:
    return found.stop - kept.stop <= GOES_ON_WITHIN


def _like(found: Sequence[Anomaly], kept: Sequence[Anomaly]) -> Iterator[tuple[Anomaly, Anomaly]]:
    """Every two that may be one: in the same place, measures and direction, at the same time."""
    for one in found:
        for before in kept:
            shared = min(one.stop, before.stop) - max(one.start, before.start)
            # One that goes on may be much longer now than when it was kept.
            least = min(one.duration, before.duration) if before.is_open else one.duration
            if (
                shared > timedelta()
                and shared >= least / 2
                and (FAMILIES[one.measure], one.direction) == (FAMILIES[before.measure], before.direction)
                and (
                    (one.dimension, one.value) in _places(before)
                    or (before.dimension, before.value) in _places(one)
                )
            ):
                yield one, before


def _distance(found: Anomaly, kept: Anomaly) -> tuple[timedelta, bool, str, str]:
    apart = abs(found.start - kept.start) + abs(found.stop - kept.stop)
    own, its = ((one.measure, one.dimension, one.value) for one in (found, kept))
    return apart, own != its, kept.id, found.id


def _places(one: Anomaly) -> set[tuple[str, str]]:
    return {(one.dimension, one.value), *((place.dimension, place.value) for place in one.also)}
