"""Follows a series step by step, and tells when it leaves what is usual and when it is back.

A level that moves fast foresees the next step; how far steps stray from it, at each phase of the season, is the usual
spread. Differences in spreads add up while they stay on one side (CUSUM: Page, *Continuous inspection schemes*, 1954),
so that one step far off and some a little off are both seen. A slow level beside it shows what creeps. While an event
goes on the level stands still; when the event has lasted for some rounds of the season its level is the usual one.
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

SLOW_ROUNDS: Final = 7
BOUND: Final = 1.5
"""An error moves the level by no more than so many spreads."""

WIDENS: Final = 4.0
"""An error widens the spread by no more than so many."""

SPREAD_ROUNDS: Final = 14
DRIFT: Final = 1.0
"""Spreads that do not add up: what a step may be off."""

ALARM: Final = 2.75
CREEP_ALARM: Final = 4.5
BACK: Final = 1.5
"""Spreads from the level before the event at which it is over."""

WIDE_ROUNDS: Final = 8
USUAL_SIZE: Final = 1.2533
PHASE_GAIN: Final = 0.08
TAIL_GAIN: Final = 0.02
OUTER: Final = 0.98
FAR_CHANCE: Final = 2.5
QUIET_ROUNDS: Final = 150
FAR: Final = 3.5
LONG_MERGE: Final = 3
MERGE_ROUNDS: Final = 1.0
WIDE: Final = 2.6
"""An event reaches so many of the spreads in which values lie around the slow level."""

ACCEPT_ROUNDS: Final = 2
DEAD_ALARM: Final = 9.0
"""Silence is an event where, by the silence before, it is less likely than this power of e."""


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
    """

    def __init__(self, season: int, judged_from: int, *, is_squared: bool) -> None:
        self.is_squared = is_squared
        self.season, self.judged_from = season, judged_from
        self._alarm = 0.5 * math.log(2 * QUIET_ROUNDS * season) - 1.166
        self.calm = max(2, season // 8)
        self.spans: list[Span] = []
        self.levels: list[float] = []
        self.spreads: list[float] = []
        self.values: list[float] = []
        self._level = self._slow = self._spread = self._creep = self._wide = 0.0
        self._tail = 2.33
        self._phases = [1.0] * season
        self._up = self._down = 0.0
        self._up_from = self._down_from = self._over_from = self._under_from = 0
        self._seen = self._settled_from = 0
        self._sign, self._first, self._last, self._severity = 0, 0, 0, 0.0

    def follow(
        self, values: Floats, doubt: Floats, least_spread: Floats, certainty: Floats, factors: Floats
    ) -> None:
        """Take up all steps of a series without its seasons (steps,), NaN where nothing is known."""
        self.factors = factors.tolist()
        for step, (value, unsure, least, certain) in enumerate(
            zip(values.tolist(), doubt.tolist(), least_spread.tolist(), certainty.tolist(), strict=True)
        ):
            spread = max(self._spread * self._phases[step % self.season], least)
            if unsure:
                spread = (spread * spread + unsure * unsure) ** 0.5
            self.levels.append(self._level)
            self.spreads.append(spread / certain)
            self.values.append(value)
            if value != value:
                continue
            if not self._seen:
                self._level = self._slow = value
                self.levels[-1] = value
            self._seen += 1
            distance = certain * (value - self._level) / spread
            if self._sign:
                self._go_on(step, value, distance)
            else:
                self._usual_step(step, value, distance)
        if self._sign:
            self._end(len(self.values))

    def _usual_step(self, step: int, value: float, distance: float) -> None:
        error = value - self._level
        learned = self._seen - 2 * self.season
        size, stray = abs(error), abs(self._apart(step, self._slow))
        if learned > self.season:
            bound = BOUND * self.spreads[-1]
            error = min(bound, max(-bound, error))
            size, stray = min(size, WIDENS * self.spreads[-1]), min(stray, WIDENS * self._wide)
        self._judge(step, distance)
        if self._sign:
            return
        self._level += max(FAST, 1 / self._seen) * error
        self._slow += max(1 / SLOW_ROUNDS / self.season, 1 / self._seen) * (self._level - self._slow)
        if learned > 0:
            self._learn(step, learned, distance, size, stray)

    def _learn(self, step: int, learned: int, distance: float, size: float, stray: float) -> None:
        """Take up how far a step strayed."""
        gain = max(1 / SPREAD_ROUNDS / self.season, 1 / learned)
        self._spread += gain * (USUAL_SIZE * size - self._spread)
        if self._spread > 0:
            phase = step % self.season
            wanted = min(2.0, max(0.5, USUAL_SIZE * size / self._spread))
            self._phases[phase] += PHASE_GAIN * (wanted - self._phases[phase])
        self._wide += max(1 / WIDE_ROUNDS / self.season, 1 / learned) * (USUAL_SIZE * stray - self._wide)
        if learned > self.season:
            self._tail *= 1 + TAIL_GAIN * (OUTER if abs(distance) > self._tail else OUTER - 1)
        crept = abs(self._level - self._slow)
        if learned > 2 * self.season:
            crept = min(crept, 3 * self._creep)
        self._creep += gain * (USUAL_SIZE * crept - self._creep)

    def _apart(self, step: int, level: float) -> float:
        value = self.values[step]
        if self.is_squared:
            return self.factors[step] * (value * abs(value) - level * abs(level))
        return value - level

    def _judge(self, step: int, distance: float) -> None:
        heavy = max(1.0, self._tail / 2.33)
        scaled = distance / heavy
        up, down = self._up + scaled - DRIFT, self._down - scaled - DRIFT
        if self._up <= 0:
            self._up_from = step
        if self._down <= 0:
            self._down_from = step
        self._up, self._down = max(up, 0.0), max(down, 0.0)
        crept = self._level - self._slow
        if crept > 0:
            self._under_from = step
        else:
            self._over_from = step
        if step < self.judged_from or step < self._settled_from:
            self._up, self._down = min(self._up, self._alarm / 2), min(self._down, self._alarm / 2)
            return
        far = self._apart(step, self._slow) / max(self._wide, 1e-9)
        if self._up >= self._alarm or (far >= FAR and scaled > FAR_CHANCE):
            self._start_if_wide(step, 1, self._up_from, self.levels[self._up_from], max(self._up, scaled))
        elif self._down >= self._alarm or (far <= -FAR and scaled < -FAR_CHANCE):
            self._start_if_wide(step, -1, self._down_from, self.levels[self._down_from], max(self._down, -scaled))
        if self._sign:
            return
        if abs(crept) >= CREEP_ALARM * self._creep and abs(crept) > 2 * self.spreads[-1]:
            since = self._over_from if crept > 0 else self._under_from
            self._start(step, 1 if crept > 0 else -1, since, self._slow, abs(self._apart(step, self._slow)) / max(self._wide, 1e-9))

    def _start_if_wide(self, step: int, sign: int, first: int, level: float, severity: float) -> None:
        peak = max(
            sign * self._apart(place, self._slow)
            for place in range(max(first, step - 2 * self.season), step + 1)
            if self.values[place] == self.values[place]
        )
        if peak >= WIDE * self._wide:
            self._start(step, sign, first, level, peak / max(self._wide, 1e-9))

    def _start(self, step: int, sign: int, first: int, level: float, severity: float) -> None:
        last = self.spans[-1] if self.spans else None
        lasted = last and last.stop - last.first >= ACCEPT_ROUNDS * self.season
        if last and last.sign == sign and first - last.stop <= (LONG_MERGE if lasted else MERGE_ROUNDS) * self.season:
            self.spans.pop()
            first, severity = last.first, max(severity, last.severity)
            if self._settled_from <= last.first:
                level = self.levels[first]
        self._sign, self._first, self._last, self._severity = sign, first, step, severity
        self._level = level
        for place in range(last.stop if last and last.first == first else first, step + 1):
            self.levels[place] = level

    def _go_on(self, step: int, value: float, distance: float) -> None:
        ahead = self._sign * distance
        if ahead >= BACK:
            self._last = step
            self._severity = max(
                self._severity, self._sign * self._apart(step, self._level) / max(self._wide, 1e-9)
            )
        if step - self._last >= self.calm:
            self._end(self._last + 1)
            bound = BACK * self.spreads[-1]
            back = _median(self.values[-self.calm :]) - self._level
            self._level += min(bound, max(-bound, back))
        elif step - self._first >= ACCEPT_ROUNDS * self.season:
            self._end(step + 1)
            self._accept(_median(self.values[-self.season :]))

    def _accept(self, level: float) -> None:
        """Take a new level as the usual one: what strays grows with what there is."""
        growth = max(1.0, abs(level) / max(abs(self._level), 1e-9))
        self._slow += level - self._level
        self._level = level
        if self.is_squared:
            self._spread *= growth
            self._creep *= growth
            self._wide *= growth**2
        self._settled_from = len(self.values) + self.season

    def _end(self, stop: int) -> None:
        self.spans.append(Span(self._first, stop, self._sign, self._severity))
        self._sign, self._up, self._down = 0, 0.0, 0.0
        at = len(self.values)
        self._up_from = self._down_from = self._over_from = self._under_from = at


def _median(values: list[float]) -> float:
    return float(np.median([each for each in values if each == each]))
