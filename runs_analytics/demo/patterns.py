"""The planted patterns that are runs of their own: retry loops, bursts, a weekend surge, runs still going."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runs_analytics.demo.catalog import BATCHED_FEATURE, LOOPING_FEATURE, SURGE_FEATURE
from runs_analytics.demo.company import BATCHING_MEMBER, MEMBERS, SURGING_MEMBER, UNATTENDED, ZONE
from runs_analytics.demo.demand import EPOCH, HOUR_US, microseconds, within
from runs_analytics.demo.schedule import Schedule, Window, overlap
from runs_analytics.demo.trees import (
    BURST,
    FEATURE_NAMES,
    MEMBER_NAMES,
    RETRY_LOOP,
    RUNNING,
    SURGE,
    Trees,
    join,
)
from runs_analytics.zones import zone_named

RETRY_SHARE: Final = 0.006
BURST_SHARE: Final = 0.015
SURGE_SHARE: Final = 0.005
LEAST_RETRIES: Final = 6
MOST_RETRIES: Final = 20
BURST_CALLS: Final = 300
RUNNING_RUNS: Final = 8
RUNNING_SPAN: Final = timedelta(minutes=6)
LONGEST_LOOP: Final = timedelta(hours=2)
"""No loop begins later than this before the end, so that each one ends within the sample."""

MINUTE_US: Final = 60_000_000
_DAY_US: Final = 86_400_000_000


def planted_trees(runs: int, seed: int, plan: Schedule) -> Trees:
    """Every tree of a planted pattern, in order of time; their rows are part of `runs`.

    A pattern whose window lies before the sample, or that would need more rows than its share, is left out.
    """
    random = np.random.default_rng([seed, 2])
    groups = [
        _retry_loops(random, _rows(runs, RETRY_SHARE, plan.retry_loops, plan), plan),
        _bursts(random, _rows(runs, BURST_SHARE, plan.bursts, plan), plan),
        _surge(random, _rows(runs, SURGE_SHARE, plan.weekend_surge, plan), plan),
        _running(random, RUNNING_RUNS if runs >= 1_000 else 0, plan),
    ]
    trees = join(groups)
    # An outage would not be one if planted runs went on in it.
    trees = trees.take(~within(trees.start_us, plan.drop))
    return trees.take(np.argsort(trees.start_us, kind="stable"))


def _rows(runs: int, share: float, window: Window, plan: Schedule) -> int:
    """The rows of a pattern: its share of all, less where the sample covers less of its window."""
    shared = overlap(window, plan.whole)
    if shared is None:
        return 0
    return int(runs * share * ((shared.stop - shared.start) / (window.stop - window.start)))


def _retry_loops(random: np.random.Generator, rows: int, plan: Schedule) -> Trees:
    sizes = 1 + random.integers(LEAST_RETRIES, MOST_RETRIES + 1, rows // (LEAST_RETRIES + 1))
    sizes = sizes[np.cumsum(sizes) <= rows]
    window = overlap(plan.retry_loops, plan.whole) or plan.whole
    start = _uniform(random, Window(window.start, window.stop - LONGEST_LOOP), len(sizes))
    loops = _trees(start, LOOPING_FEATURE, UNATTENDED.name, sizes, RETRY_LOOP, is_agent=True)
    crawlers = [
        number
        for number, member in enumerate(MEMBERS)
        if member.team == "Data" and member.first_day < -1_000 and member.last_day == 0
    ]
    loops.member[:] = random.choice(crawlers, len(sizes))
    return loops


def _bursts(random: np.random.Generator, rows: int, plan: Schedule) -> Trees:
    """Minutes with hundreds of tiny calls, on weekdays between 8 and 18 o'clock local time."""
    count = rows // BURST_CALLS
    minutes = _working_minutes(plan)
    chosen = random.choice(minutes, min(count, len(minutes)), replace=False)
    start = np.repeat(np.sort(chosen), BURST_CALLS)
    start = start + random.integers(0, MINUTE_US, len(start))
    return _trees(start, BATCHED_FEATURE, BATCHING_MEMBER, np.ones(len(start), dtype=np.int64), BURST)


def _working_minutes(plan: Schedule) -> NDArray[np.int64]:
    """First microsecond of every minute in which a burst may be."""
    window = overlap(plan.bursts, plan.whole) or plan.whole
    hours = np.arange(-(-microseconds(window.start) // HOUR_US), microseconds(window.stop) // HOUR_US)
    zone = zone_named(ZONE)
    local = [(EPOCH + int(hour) * timedelta(hours=1)).astimezone(zone) for hour in hours]
    working = hours[[moment.weekday() < 5 and 8 <= moment.hour < 18 for moment in local]]
    return (working[:, None] * HOUR_US + np.arange(60) * MINUTE_US).ravel()


def _surge(random: np.random.Generator, rows: int, plan: Schedule) -> Trees:
    """One member's runs from 8 to 22 o'clock on both days of a weekend."""
    start = microseconds(plan.weekend_surge.start) + random.integers(0, 2, rows) * _DAY_US
    start = start + (random.uniform(8, 22, rows) * HOUR_US).astype(np.int64)
    start = start[(start >= microseconds(plan.whole.start)) & (start < microseconds(plan.whole.stop))]
    return _trees(start, SURGE_FEATURE, SURGING_MEMBER, np.ones(len(start), dtype=np.int64), SURGE)


def _running(random: np.random.Generator, count: int, plan: Schedule) -> Trees:
    window = Window(plan.whole.stop - RUNNING_SPAN, plan.whole.stop)
    start = _uniform(random, window, count)
    sizes = np.ones(count, dtype=np.int64)
    return _trees(start, SURGE_FEATURE, MEMBER_NAMES[0], sizes, RUNNING, is_agent=True)


def _uniform(random: np.random.Generator, window: Window, count: int) -> NDArray[np.int64]:
    return random.integers(microseconds(window.start), microseconds(window.stop), count, dtype=np.int64)


def _trees(
    start: NDArray[np.int64],
    feature: str,
    member: str,
    sizes: NDArray[np.int64],
    pattern: int,
    *,
    is_agent: bool = False,
) -> Trees:
    count = len(start)
    return Trees(
        start_us=start,
        feature=np.full(count, FEATURE_NAMES.index(feature)),
        member=np.full(count, MEMBER_NAMES.index(member)),
        size=sizes,
        is_agent=np.full(count, is_agent),
        pattern=np.full(count, pattern),
    )
