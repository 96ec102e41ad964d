"""Uses of a feature: one plain call, or an agent run with its child calls. Each becomes one or more rows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from runs_analytics.demo.catalog import FEATURES
from runs_analytics.demo.company import MEMBERS, PROJECTS
from runs_analytics.demo.demand import Demand

Integers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

ORDINARY: Final = 0
RETRY_LOOP: Final = 1
BURST: Final = 2
SURGE: Final = 3
RUNNING: Final = 4

FEATURE_NAMES: Final = tuple(feature.name for feature in FEATURES)
MEMBER_NAMES: Final = tuple(member.name for member in MEMBERS)
TEAM_AFFINITY: Final = 4.0
"""How many times more a feature is used by the team it was made for."""

USUAL_PROJECT_SHARE: Final = 0.8

_STEPS: Final = np.array([len(feature.steps) for feature in FEATURES])
_AGENT_SHARE: Final = np.array([feature.agent_share for feature in FEATURES])
MEAN_SIZE: Final = 1 + _AGENT_SHARE * (_STEPS + 0.5)
"""Expected rows of one use, by feature."""


@dataclass(frozen=True, slots=True)
class Trees:
    """Uses of features, one per position of every array."""

    start_us: Integers
    feature: Integers
    """Position in FEATURES."""

    member: Integers
    """Position in MEMBERS."""

    size: Integers
    """Rows, the first one included."""

    is_agent: Flags
    pattern: Integers
    """ORDINARY or one of the planted patterns."""

    def __len__(self) -> int:
        return len(self.start_us)

    def take(self, chosen: Flags | Integers | slice) -> Self:
        """Those of a mask, of positions in their order, or of a slice."""
        return type(self)(*(getattr(self, field.name)[chosen] for field in fields(self)))


def join(parts: list[Trees]) -> Trees:
    """All trees of several groups, in their order; at least one group."""
    return Trees(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Trees)))


def ordinary_trees(random: np.random.Generator, demand: Demand, hours: slice, rows: int) -> Trees:
    """Trees of some hours with exactly so many rows, drawn in no order so that cutting the last favours none.

    Args:
        random: the chunk's generator.
        demand: volume of the whole sample.
        hours: which hours of it.
        rows: how many rows the trees have together.
    """
    cells, is_agent, size = _drawn(random, np.cumsum(demand.weights[hours] / MEAN_SIZE), rows)
    hour, feature = cells // len(FEATURES) + hours.start, cells % len(FEATURES)
    start = demand.starts_us[hour] + (random.random(len(cells)) * demand.lengths_us[hour]).astype(np.int64)
    return Trees(
        start_us=start,
        feature=feature,
        member=_members(random, demand.days[hour], feature),
        size=size,
        is_agent=is_agent,
        pattern=np.full(len(cells), ORDINARY),
    )


def _drawn(
    random: np.random.Generator, cumulative: NDArray[np.float64], rows: int
) -> tuple[Integers, Flags, Integers]:
    """Cell (hour × feature), whether an agent ran, and size of as many trees as make up the rows."""
    cells, sizes = np.zeros((2, 0), dtype=np.int64)
    is_agent = np.zeros(0, dtype=np.bool_)
    while (missing := rows - int(sizes.sum())) > 0:
        count = missing // 2 + 16
        cell = np.searchsorted(cumulative, random.random(count) * cumulative[-1], side="right")
        agent = random.random(count) < _AGENT_SHARE[cell % len(FEATURES)]
        size = np.where(agent, 1 + _STEPS[cell % len(FEATURES)] + random.integers(0, 2, count), 1)
        rows_before = np.cumsum(size) - size
        size = np.minimum(size, missing - rows_before)
        keep = size > 0
        cells = np.concatenate([cells, cell[keep]])
        is_agent = np.concatenate([is_agent, agent[keep]])
        sizes = np.concatenate([sizes, size[keep]])
    return cells, is_agent, sizes


def projects_of(random: np.random.Generator, member: Integers) -> Integers:
    """Mostly each member's usual project, otherwise any by its share; positions in PROJECTS."""
    names = list(PROJECTS)
    usual: Integers = np.array([names.index(person.project) for person in MEMBERS])
    other = draw(random, tuple(PROJECTS.values()), len(member))
    at_usual = random.random(len(member)) < USUAL_PROJECT_SHARE
    return np.where(at_usual, usual[member], other)


def draw(random: np.random.Generator, shares: tuple[float, ...], count: int) -> Integers:
    """Positions drawn by relative share."""
    cumulative: NDArray[np.float64] = np.cumsum(shares)
    positions: Integers = np.searchsorted(cumulative, random.random(count) * cumulative[-1], side="right")
    return positions


def _members(random: np.random.Generator, day: Integers, feature: Integers) -> Integers:
    """Who used a feature on a day: those who were there, more likely the feature's team."""
    if len(day) == 0:
        return np.zeros(0, dtype=np.int64)
    first = int(day.min())
    days = np.arange(first, int(day.max()) + 1)
    joined, left = (np.array([getattr(m, name) for m in MEMBERS]) for name in ("first_day", "last_day"))
    there = (days[:, None] >= joined) & (days[:, None] <= left)
    shares = (there[:, None, :] * _affinity()).reshape(-1, len(MEMBERS))
    shares = np.cumsum(shares, axis=1)
    # One rising sequence over all rows of the table, so that one search finds row and member at once.
    table = (shares / shares[:, -1:] + np.arange(len(shares))[:, None]).ravel()
    row = (day - first) * len(FEATURES) + feature
    found = np.searchsorted(table, row + random.random(len(row)), side="right") - row * len(MEMBERS)
    return np.clip(found, 0, len(MEMBERS) - 1).astype(np.int64)


@cache
def _affinity() -> NDArray[np.float64]:
    """Share by feature and member."""
    made_for = np.array([[member.team == feature.team for member in MEMBERS] for feature in FEATURES])
    shares: NDArray[np.float64] = np.array([member.share for member in MEMBERS]) * np.where(
        made_for, TEAM_AFFINITY, 1
    )
    return shares
