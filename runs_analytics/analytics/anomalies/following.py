"""Follows a series step by step, and tells when it leaves what is usual and when it is back.

A level that moves fast foresees the next step; how far steps stray from it, at each phase of the season, is their usual
spread. Differences in spreads add up while they stay on one side (CUSUM: Page, *Continuous inspection schemes*, 1954),
so that one step far off and some a little off are both seen. A slow level beside it tells how much of that matters:
an event is also far from the slow level, by how values lay around it before. While an event goes on the level
stands still; when it has lasted for some rounds of the season its level is the usual one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FAST: Final = 0.3
"""Part of an error that the level takes up."""

BOUND: Final = 1.5
"""An error moves the level by no more than so many spreads."""

WIDENS: Final = 4.0
"""An error widens the spread by no more than so many."""

SLOW_ROUNDS: Final = 7
SPREAD_ROUNDS: Final = 14
STRAY_ROUNDS: Final = 8
PHASE_GAIN: Final = 0.08
USUAL_SIZE: Final = 1.2533
"""Spread of a normal distribution in mean absolute distances."""

OUTER, OUTER_SPREADS, OUTER_GAIN = 0.98, 2.33, 0.02
"""Where tails are heavy, so that more than 2 % lie beyond 2.33 spreads, distances count for less."""

DRIFT: Final = 1.0
"""Spreads that do not add up: what a step may be off."""

STRAYS: Final = 2.6
"""An event is so many times as far from the slow level as values usually are."""

FAR_SPREADS: Final = 2.5
"""So many spreads from what was foreseen, a single step that is far away is an event."""

BACK: Final = 1.5
"""Spreads from the level before the event at which it is over."""

MERGE_ROUNDS, LASTING_MERGE_ROUNDS = 1, 3
"""What comes so soon after an event (one that lasted) on the same side is the same one."""

ACCEPT_ROUNDS: Final = 2


@dataclass(frozen=True, slots=True)
class Sureness:
    """How unlike chance an event is."""

    quiet_rounds: int
    """Rounds of the season after which chance alone, without heavy tails, adds up to an alarm on one side."""

    far_strays: float
    """A single step is an event when so many times as far from the slow level as values usually are."""

    creep: float
    """A slow change is an event when the fast level is so many times as far from the slow one as it usually is."""


ONE_SERIES: Final = Sureness(150, 3.5, 4.5)
ONE_OF_MANY: Final = Sureness(3_000, 4.0, 6.0)
"""Of a series among dozens, of which each may be off by chance."""


@dataclass(frozen=True, slots=True)
class Span:
    """Steps of an event: the first, the first no longer in it, the direction (1 or -1), the largest distance."""

    first: int
    stop: int
    sign: int
    severity: float


class Follower:
    """What is known of a series after some of its steps.

    Args:
        season: steps of the shortest season.
        judged_from: first step that may start an event.
        sureness: how unlike chance an event is.
        is_rooted: whether values are square roots, which a factor at each step brought to one level.
    """

    def __init__(self, season: int, judged_from: int, sureness: Sureness, *, is_rooted: bool) -> None:
        self._season, self._judged_from, self._is_rooted = season, judged_from, is_rooted
        self._sureness = sureness
        # Mean steps to a false alarm of a CUSUM: Siegmund, Sequential analysis, 1985.
        self._alarm = math.log(2 * DRIFT**2 * sureness.quiet_rounds * season) / (2 * DRIFT) - 1.166
        self._calm = max(2, season // 8)
        self._gain, self._slow_gain = 1 / SPREAD_ROUNDS / season, 1 / SLOW_ROUNDS / season
        self._stray_gain = 1 / STRAY_ROUNDS / season
        self.spans: list[Span] = []
        self.levels: list[float] = []
        self.spreads: list[float] = []
        self._values: list[float] = []
        self._factors: list[float] = []
        self._least = 0.0
        self._level = self._slow = self._spread = self._creep = self._stray = 0.0
        self._outer = OUTER_SPREADS
        self._phases = [1.0] * season
        self._up = self._down = 0.0
        self._up_from = self._down_from = self._over_from = self._under_from = 0
        self._seen = self._settled_from = 0
        self._sign, self._first, self._last, self._severity = 0, 0, 0, 0.0

    def follow(
        self, values: Floats, factors: Floats, least: Floats, doubt: Floats, certainty: Floats
    ) -> None:
        """Take up all steps of a series.

        Args:
            values: without their seasons (steps,), NaN where nothing is known.
            factors: what multiplies the squared level at each step.
            least: least spread at each step.
            doubt: how unsure the season is at each step.
            certainty: how much surer than usual each value is.
        """
        self._factors = factors.tolist()
        columns = (each.tolist() for each in (values, least, doubt, certainty))
        phases, season = self._phases, self._season
        for step, (value, floor, unsure, certain) in enumerate(zip(*columns, strict=True)):
            spread = self._spread * phases[step % season]
            if spread < floor:
                spread = floor
            if unsure:
                spread = math.hypot(spread, unsure)
            self._least = floor
            self.levels.append(self._level)
            self.spreads.append(spread / certain)
            self._values.append(value)
            if value != value:
                continue
            if not self._seen:
                self._level = self._slow = self.levels[-1] = value
            self._seen += 1
            distance = certain * (value - self._level) / spread
            if self._sign:
                self._go_on(step, distance)
            else:
                self._usual_step(step, value, distance, spread / certain)
        if self._sign:
            self._end(len(self._values))

    # A step is judged some hundred thousand times for a page: comparisons are written out, as a call takes longer.

    def _usual_step(self, step: int, value: float, distance: float, spread: float) -> None:
        level, seen = self._level, self._seen
        error = value - level
        learned = seen - 2 * self._season
        apart, usual = self._apart(step, self._slow), self._usual_stray(step)
        size, stray = abs(error), abs(apart)
        if learned > self._season:
            bound, widest = BOUND * spread, WIDENS * spread
            error = bound if error > bound else -bound if error < -bound else error
            size = widest if size > widest else size
            stray = WIDENS * usual if stray > WIDENS * usual else stray
        self._judge(step, distance, spread, apart / usual if usual else math.inf, usual)
        if self._sign:
            return
        gain, slow_gain = 1 / seen, self._slow_gain
        level += (FAST if gain < FAST else gain) * error
        self._level = level
        self._slow += (slow_gain if slow_gain > gain else gain) * (level - self._slow)
        if learned > 0:
            self._learn(step, learned, distance, size, stray)

    def _learn(self, step: int, learned: int, distance: float, size: float, stray: float) -> None:
        """Take up how far a step strayed; the first rounds, whose season is not known, do not count."""
        first, gain, stray_gain = 1 / learned, self._gain, self._stray_gain
        gain = gain if gain > first else first
        self._spread += gain * (USUAL_SIZE * size - self._spread)
        if self._spread > 0:
            phase = step % self._season
            wanted = USUAL_SIZE * size / self._spread
            wanted = 2.0 if wanted > 2.0 else 0.5 if wanted < 0.5 else wanted
            self._phases[phase] += PHASE_GAIN * (wanted - self._phases[phase])
        self._stray += (stray_gain if stray_gain > first else first) * (USUAL_SIZE * stray - self._stray)
        if learned > self._season:
            self._outer *= 1 + OUTER_GAIN * (OUTER if abs(distance) > self._outer else OUTER - 1)
        crept = abs(self._level - self._slow)
        if learned > 2 * self._season:
            most = 3 * (self._creep if self._creep > self._least else self._least)
            crept = most if crept > most else crept
        self._creep += gain * (USUAL_SIZE * crept - self._creep)

    def _apart(self, step: int, level: float) -> float:
        """How far a step's value lies from a level, on the series' own scale."""
        value = self._values[step]
        if self._is_rooted:
            return self._factors[step] * (value * abs(value) - level * abs(level))
        return value - level

    def _usual_stray(self, step: int) -> float:
        least = self._least
        if self._is_rooted:
            level = abs(self._level)
            least *= 2 * self._factors[step] * (level if level > least else least)
        return self._stray if self._stray > least else least

    def _judge(self, step: int, distance: float, spread: float, far: float, usual: float) -> None:
        """Add up the distance, and start an event where it is one."""
        heavy = self._outer / OUTER_SPREADS
        scaled = distance / heavy if heavy > 1.0 else distance
        up, down = self._up, self._down
        if up <= 0:
            self._up_from = step
        if down <= 0:
            self._down_from = step
        up, down = up + scaled - DRIFT, down - scaled - DRIFT
        self._up, self._down = up if up > 0.0 else 0.0, down if down > 0.0 else 0.0
        crept = self._level - self._slow
        if crept > 0:
            self._under_from = step
        else:
            self._over_from = step
        if step < self._judged_from or step < self._settled_from:
            self._up, self._down = min(self._up, self._alarm / 2), min(self._down, self._alarm / 2)
            return
        sureness = self._sureness
        if self._up >= self._alarm or (far >= sureness.far_strays and scaled > FAR_SPREADS):
            self._start_if_it_matters(step, 1, self._up_from, usual)
        elif self._down >= self._alarm or (far <= -sureness.far_strays and scaled < -FAR_SPREADS):
            self._start_if_it_matters(step, -1, self._down_from, usual)
        if self._sign:
            return
        least = self._creep if self._creep > self._least else self._least
        if abs(crept) >= sureness.creep * least and abs(crept) > 2 * spread:
            since = self._over_from if crept > 0 else self._under_from
            self._start(step, 1 if crept > 0 else -1, since, self._slow, abs(far))

    def _start_if_it_matters(self, step: int, sign: int, first: int, usual: float) -> None:
        recent = range(max(first, step - 2 * self._season), step + 1)
        known = [place for place in recent if self._values[place] == self._values[place]]
        farthest = max(sign * self._apart(place, self._slow) for place in known) / usual
        if farthest >= STRAYS:
            self._start(step, sign, first, self.levels[first], farthest)

    def _start(self, step: int, sign: int, first: int, level: float, severity: float) -> None:
        since = first
        last = self.spans[-1] if self.spans else None
        if last and last.sign == sign:
            lasted = last.stop - last.first >= ACCEPT_ROUNDS * self._season
            if first - last.stop <= (LASTING_MERGE_ROUNDS if lasted else MERGE_ROUNDS) * self._season:
                self.spans.pop()
                first, since, severity = last.first, last.stop, max(severity, last.severity)
                if self._settled_from <= first:
                    level = self.levels[first]
        self._sign, self._first, self._last, self._severity = sign, first, step, severity
        self._level = level
        for place in range(since, step + 1):
            self.levels[place] = level

    def _go_on(self, step: int, distance: float) -> None:
        if self._sign * distance >= BACK:
            self._last = step
            apart = self._sign * self._apart(step, self._level)
            self._severity = max(self._severity, apart / self._usual_stray(step))
        if step - self._last >= self._calm:
            self._end(self._last + 1)
            back = _median(self._values[-self._calm :]) - self._level
            self._level += min(BACK * self.spreads[-1], max(-BACK * self.spreads[-1], back))
        elif step - self._first >= ACCEPT_ROUNDS * self._season:
            self._end(step + 1)
            self._accept(_median(self._values[-self._season :]))

    def _accept(self, level: float) -> None:
        """Take a new level as the usual one: what strays grows with what there is."""
        growth = max(1.0, abs(level) / max(abs(self._level), self._least, 1e-12))
        self._slow += level - self._level
        self._level = level
        if self._is_rooted:
            self._spread *= growth
            self._creep *= growth
            self._stray *= growth**2
        self._settled_from = len(self._values) + self._season

    def _end(self, stop: int) -> None:
        self.spans.append(Span(self._first, stop, self._sign, self._severity))
        self._sign, self._up, self._down = 0, 0.0, 0.0
        at = len(self._values)
        self._up_from = self._down_from = self._over_from = self._under_from = at


def _median(values: list[float]) -> float:
    return float(np.median([each for each in values if each == each]))
