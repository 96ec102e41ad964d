"""Episodes in the series that showed them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

import numpy as np

from runs_analytics.analytics.anomalies.episodes import Episode, Kind
from runs_analytics.analytics.anomalies.segments import Segment, Series
from runs_analytics.control.anomalies import FAMILIES

Direction = Literal["up", "down"]
LASTING: Final[tuple[Kind, ...]] = ("rise", "fall", "leak")
"""Kinds that go on until they are what is usual; the others end by themselves."""

DOWNWARD: Final[tuple[Kind, ...]] = ("drop", "fall", "dead")

LEAST_RUNS: Final = 50
"""Runs that a level must have been seen in: a rate of fewer moves by chance."""

_LEAST_RATE: Final = 0.01
_CHANCE: Final = 5.0
"""How many standard deviations of a draw of so many runs a rate must be off."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An episode in the series that showed it."""

    series: Series
    episode: Episode
    place: int
    """Of the series among all; the first ones are preferred where two are as severe."""

    start: datetime = field(init=False, repr=False, compare=False)
    stop: datetime = field(init=False, repr=False, compare=False)
    """The first moment after it."""

    def __post_init__(self) -> None:
        """Know its time, which every episode is held against."""
        object.__setattr__(self, "start", self.series.start_of(self.episode.first_step))
        object.__setattr__(self, "stop", self.series.start_of(self.episode.stop_step))

    @property
    def segment(self) -> Segment:
        """Where it was seen."""
        return self.series.segment

    @property
    def family(self) -> str:
        """Of its measure: those of one family move together."""
        return FAMILIES[self.series.measure]

    @property
    def direction(self) -> Direction:
        """Whether there was more or less than usual."""
        return "down" if self.episode.kind in DOWNWARD else "up"

    @property
    def is_enough(self) -> bool:
        """Whether it is more than chance: of a level, whether runs enough had it."""
        if not self.series.weights:
            return True
        runs, share = self.runs, max(self.episode.expected, _LEAST_RATE)
        if self.series.measure != "error_rate":
            return runs >= LEAST_RUNS
        return runs >= LEAST_RUNS and abs(self.extra) >= _CHANCE * math.sqrt(
            runs * share * (1 - min(share, 0.99))
        )

    @property
    def runs(self) -> float:
        """Runs that had the level while it lasted; of sums none are counted."""
        steps = slice(self.episode.first_step, self.episode.stop_step)
        return float(np.frombuffer(self.series.weights)[steps].sum())

    @property
    def extra(self) -> float:
        """How much more there was than usual; of levels, times the runs that have them."""
        difference = self.episode.actual - self.episode.expected
        if not self.series.weights:
            return difference
        return difference * self.runs

    @property
    def is_per_run(self) -> bool:
        """Whether what a run uses grew, which no number of runs explains."""
        return self.episode.is_per_run

    @property
    def is_lasting(self) -> bool:
        """Whether it is a change that stays."""
        return self.episode.kind in LASTING
