"""What a series usually is, step by step, known from its past alone: a level, seasons and how far values stray.

Exponential smoothing in error-correction form with a bounded error, so that what is unusual hardly moves what is
usual (robust Holt-Winters smoothing: Gelper, Fried and Croux, 2010). A season that holds a shorter one also has a
part for each whole round of the shorter one: the day of the week is known after a day, each of its hours only
after weeks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVEL_ROUNDS: Final = 2.0
"""Rounds of the shortest season in which the level forgets."""

SEASON_VISITS: Final = 8.0
"""Visits of a phase in which its part of a season forgets."""

BOUND: Final = 2.0
"""An error moves what is usual by at most so many spreads."""

SPREAD_STEPS: Final = 300.0
LARGEST_SPREADS: Final = 4.0
"""One error widens the spread by at most so many."""

ACCEPT_ROUNDS: Final = 2
"""After so many whole rounds of the shortest season on one side, the new level is the usual one."""

FROZEN: Final = 0.25
"""How much slower the level moves while the values stay on one side of it."""


@dataclass(frozen=True, slots=True)
class Usual:
    """Expectation and spread (steps,) of each value by those before it, and where a new level was accepted."""

    expected: Floats
    spread: Floats
    accepted: tuple[int, ...]


@dataclass(slots=True)
class _Part:
    """A part of the expectation that returns: each phase lasts `length` steps, and there are `phases` of them."""

    length: int
    phases: int
    values: list[float] = field(default_factory=list)
    visits: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.values = [0.0] * self.phases
        self.visits = [0] * self.phases


def usual(values: Floats, seasons: tuple[int, ...]) -> Usual:
    """Follow a series of values (steps,), NaN where nothing is known.

    Args:
        values: on a scale on which seasons add up.
        seasons: lengths in steps, shortest first.
    """
    shortest = seasons[0] if seasons else max(len(values) // 8, 7)
    parts = _parts(seasons)
    level, spread, push, pushed = 0.0, 0.0, 0.0, 0
    expected, spreads, errors = [float("nan")] * len(values), [float("nan")] * len(values), []
    accepted: list[int] = []
    seen = 0
    level_gain, spread_gain = 1 / (LEVEL_ROUNDS * shortest), 1 / SPREAD_STEPS
    for step, value in enumerate(values.tolist()):
        phases = [(part, step // part.length % part.phases) for part in parts]
        guess = level + sum(part.values[phase] for part, phase in phases)
        expected[step], spreads[step] = guess, spread
        if value != value:
            errors.append(0.0)
            continue
        if not seen:
            level = value
        error = value - guess if seen else 0.0
        seen += 1
        size = abs(error)
        bound = BOUND * spread if seen > shortest else size
        bounded = error if size <= bound else (bound if error > 0 else -bound)
        errors.append(error)
        slower = FROZEN if abs(push) > 1 else 1.0
        level += max(level_gain, 1 / seen) * bounded * slower
        for part, phase in phases:
            visits = part.visits[phase] // part.length
            part.visits[phase] += 1
            part.values[phase] += bounded * slower * max(1 / SEASON_VISITS, 1 / (visits + 2)) / part.length
        widened = min(size, LARGEST_SPREADS * spread) if seen > shortest else size
        spread += max(spread_gain, 1 / seen) * (1.2533 * widened - spread)
        sided = max(-3.0, min(3.0, error / spread)) if spread > 0 else 0.0
        push += (sided - push) / shortest
        pushed = pushed + 1 if abs(push) > 1 else 0
        if pushed >= ACCEPT_ROUNDS * shortest:
            level += float(np.median(errors[-ACCEPT_ROUNDS * shortest :]))
            push, pushed = 0.0, 0
            accepted.append(step)
    return Usual(np.array(expected), np.array(spreads), tuple(accepted))


def _parts(seasons: tuple[int, ...]) -> list[_Part]:
    parts = [_Part(1, season) for season in seasons]
    for shorter, longer in pairwise(seasons):
        if longer % shorter == 0:
            parts.append(_Part(shorter, longer // shorter))
    return parts
