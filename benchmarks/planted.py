"""`python -m benchmarks.planted --seed S`: how many planted events a detector finds, and whose they are.

1,000 spikes, drops, level shifts, slow leaks and dead hours, of random kind, size, place and dimension value, in usage
series made of public ones (`benchmarks.planting`). Each account's whole series and those of its values are watched and
made events by the code behind the pages (`events.events_in`). Every event told that is not the first of a planted one
counts against precision. Events below three residual spreads are told apart.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.planting import GRAINS, KINDS, Account, Event, accounts, series_of
from benchmarks.report import Figure, figures_table
from runs_analytics.analytics.anomalies.events import Event as ToldEvent
from runs_analytics.analytics.anomalies.events import events_in
from runs_analytics.analytics.anomalies.seen import Seen
from runs_analytics.analytics.anomalies.segments import Looked, Segment, Series

FIRST: Final = datetime(2026, 1, 5)  # noqa: DTZ001 - the zone's clock
LEAST_SIZE: Final = 3.0
EVENTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """An event, and whether it was found and its value named first."""

    grain: str
    event: Event
    found: bool
    named: bool


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All events, and by grain the told ones that are none of them or told one again."""

    events: tuple[Outcome, ...]
    false: tuple[str, ...]


def main(arguments: Sequence[str]) -> int:
    """Plant, judge and count; always 0, because a figure that misses its target is a result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planted", description=__doc__)
    shared = Path(os.environ.get("RUNS_SHARED", "../shared"))
    parser.add_argument("--data", type=Path, default=shared / "data", help="the folder of the public series")
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument(
        "--as-published", action="store_true", help="leave the public series' own events in, counted as false"
    )
    given = parser.parse_args(arguments)
    if not given.data.is_dir():
        raise SystemExit(f"There is no folder {given.data}; name one with --data.")
    for seed in given.seed:
        found = outcomes(given.data, seed, given.events, clean=not given.as_published)
        print(f"seed {seed}\n{figures_table(figures(found))}\n\n{table(found)}")
    return 0


def outcomes(data: Path, seed: int, events: int, *, clean: bool = True) -> Outcomes:
    """Judge accounts with so many events, half of them in each grain."""
    rng = np.random.default_rng(seed)
    judged: list[Outcome] = []
    false: list[str] = []
    for grain in GRAINS:
        for account in accounts(grain, series_of(grain, data), events // len(GRAINS), rng, clean=clean):
            told, extra = judge(account)
            judged += told
            false += [grain.name] * extra
    return Outcomes(tuple(judged), tuple(false))


def judge(account: Account) -> tuple[list[Outcome], int]:
    """The outcome of each event of an account, and the number of told events that are no planted one's first."""
    told = events_in([Looked(series, series.watched()) for series in _series(account)])
    found: list[Outcome] = []
    used: set[int] = set()
    for event in account.events:
        theirs = next(
            (
                place
                for place, one in enumerate(told)
                if place not in used and _matches(event, one.lead, account.grain.seasons[0])
            ),
            None,
        )
        if theirs is not None:
            used.add(theirs)
        is_named = theirs is not None and _is_named(account, event, told[theirs])
        found.append(Outcome(account.grain.name, event, theirs is not None, is_named))
    return found, len(told) - len(used)


def _series(account: Account) -> Iterator[Series]:
    """The series that the product watches of such an account: the whole, and each value of each dimension."""
    segments = [(Segment(), account.whole)]
    segments += [(Segment(dimension, value), series) for dimension, value, series in account.parts()]
    for segment, values in segments:
        yield Series(segment, "credits", account.grain.name, FIRST, values.tobytes(), b"")


def _matches(event: Event, told: Seen, slack: int) -> bool:
    """Whether an episode tells an event: it shares steps with it and goes the same way."""
    lasts = event.kind in ("level shift", "slow leak")
    stop = event.stop + (slack if lasts else 0)
    is_up = told.direction == "up"
    return (
        is_up == (event.direction > 0)
        and told.episode.first_step < stop
        and told.episode.stop_step > event.start
    )


def _is_named(account: Account, event: Event, told: ToldEvent) -> bool:
    """Whether the segment that leads is the value that it happened to, or drives what the whole shows."""
    segment = told.lead.segment
    if segment == Segment() and told.cause:
        return account.same_runs(event, told.cause.dimension, told.cause.value)
    return segment != Segment() and account.same_runs(event, str(segment.dimension), segment.value)


def figures(found: Outcomes) -> list[Figure]:
    """What must be reached."""
    large = [each for each in found.events if each.event.size >= LEAST_SIZE]
    hit = [each for each in large if each.found]
    told = sum(each.found for each in found.events)
    named = sum(each.named for each in hit) / max(len(hit), 1)
    precise = len(hit) / max(len(hit) + len(found.false), 1)
    section = "planted events"
    return [
        Figure(
            section, "recall, of 3 spreads and more", len(hit) / max(len(large), 1), "", 0.9, at_least=True
        ),
        Figure(section, "precision, of 3 spreads and more", precise, "", 0.8, at_least=True),
        Figure(section, "precision, of all that was planted", told / max(told + len(found.false), 1), ""),
        Figure(section, "driving value first", named, "", 0.9, at_least=True),
    ]


def table(found: Outcomes) -> str:
    """One line for each grain and kind, large events and small ones."""
    lines = [f"{'grain':6} {'kind':12} {'>= 3':>6} {'recall':>7} {'first':>6} {'< 3':>6} {'recall':>7}"]
    for grain in GRAINS:
        for kind in KINDS:
            some = [each for each in found.events if (each.grain, each.event.kind) == (grain.name, kind)]
            large = [each for each in some if each.event.size >= LEAST_SIZE]
            small = [each for each in some if each.event.size < LEAST_SIZE]
            hit = [each for each in large if each.found]
            lines.append(
                f"{grain.name:6} {kind:12} {len(large):6} {_share(hit, large):>7} "
                f"{_share([each for each in hit if each.named], hit):>6} {len(small):6} "
                f"{_share([each for each in small if each.found], small):>7}"
            )
        lines.append(f"{grain.name:6} false events: {found.false.count(grain.name)}")
    return "\n".join(lines)


def _share(some: Sequence[Outcome], of: Sequence[Outcome]) -> str:
    return f"{len(some) / len(of):.2f}" if of else "-"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
