"""Every watched series of a selection, to hold what one shows against what another does at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from runs_analytics.analytics.anomalies.causes import Cause
from runs_analytics.analytics.anomalies.drivers import ROUNDS, amounts, drivers
from runs_analytics.analytics.anomalies.episodes import BAND
from runs_analytics.analytics.anomalies.seen import Seen
from runs_analytics.analytics.anomalies.segments import STEP, Grain, Looked, Segment, Series
from runs_analytics.control.anomalies import Measure

Floats = NDArray[np.float64]

EXPLAINED: Final = 0.5
"""The part of another's excess, in its time and at its peak, that explains it: others add to it, or take away."""

DRIVEN: Final = 0.2
"""The part of an episode's excess at its peak that what drives it has at least."""

ALIKE: Final = 0.5
"""How alike (cosine) both excesses are over that time and a round of the season around it."""

MOVED_SPREADS: Final = 1.5
"""A part moves the whole when its change is so many of the whole's spreads."""


@dataclass(frozen=True)
class Beside:
    """The watched series with what the detector made of them."""

    places: dict[tuple[Segment, Measure, Grain], int]
    looked: tuple[Looked, ...]

    @classmethod
    def of(cls, looked: Sequence[Looked]) -> Self:
        """Those of a selection."""
        places = {
            (one.series.segment, one.series.measure, one.series.grain): n for n, one in enumerate(looked)
        }
        return cls(places, tuple(looked))

    def _find(self, segment: Segment, like: Series) -> Looked | None:
        place = self.places.get((segment, like.measure, like.grain))
        return None if place is None else self.looked[place]

    def driver(self, seen: Seen) -> Cause | None:
        """The value that drives an episode, where one stands out among the watched ones and has enough of it.

        None for the weeks of a part: they show the slow changes of small parts, beside which others have larger ones.
        """
        if seen.series.grain == "week" and seen.segment != Segment():
            return None
        first, stop = seen.episode.first_step, seen.episode.stop_step
        found = drivers(seen.series, first, stop, (one.series for one in self.looked))
        return next((one for one in found if self._may_drive(segment_of(one), seen)), None)

    def _may_drive(self, segment: Segment, seen: Seen) -> bool:
        """Whether a segment had more (or less) than usual where an episode is at its peak."""
        found = self._find(segment, seen.series)
        if segment.dimension == seen.segment.dimension:
            return segment == seen.segment
        if found is None:
            return True
        first, peak = seen.episode.first_step, seen.episode.peak_step
        later = (found.series.first - seen.series.first) // STEP[seen.series.grain]
        own, its_own = amounts(seen.series, peak, peak + 1, first)
        part, its_part = amounts(found.series, peak - later, peak - later + 1, first - later)
        sign = -1 if seen.direction == "down" else 1
        return sign * (part - its_part) >= DRIVEN * sign * (own - its_own)

    def borrowed(self, seen: Seen, segment: Segment) -> Seen | None:
        """What a segment shows in the time of an episode of another one; None where it is not watched."""
        found = self._find(segment, seen.series)
        if found is None:
            return None
        series, steps = found.series, _steps(seen, found.series)
        weights = np.frombuffer(series.weights) if series.weights else None
        episode = found.watched.during(seen.episode, steps.start, steps.stop, series.array(), weights)
        if (episode.actual < episode.expected) != (seen.direction == "down"):
            return None
        return Seen(series, episode, self.places[series.segment, series.measure, series.grain])

    def explains(self, segment: Segment, seen: Seen) -> bool:
        """Whether a segment has enough of an episode's excess to be behind it; so it may where it is not watched."""
        if segment.dimension == seen.segment.dimension:
            return segment == seen.segment
        driving, own = self._find(segment, seen.series), self._find(seen.segment, seen.series)
        if driving is None or own is None or driving.series.is_lumpy:
            return True
        sign = -1 if seen.direction == "down" else 1
        first, stop = seen.episode.first_step, seen.episode.stop_step
        around = ROUNDS[seen.series.grain][0]
        wide = slice(max(first - around, 0), stop + around)
        excess, its_own = (
            sign * _excess(one, _moved(wide, seen.series, one.series)) for one in (driving, own)
        )
        if len(excess) != len(its_own):
            return False
        during = slice(first - wide.start, stop - wide.start)
        if seen.is_per_run and its_own[during].sum() < EXPLAINED * excess[during].sum():
            # All slow leaks have like courses: one that is part of another one is as large.
            return False
        peak = seen.episode.peak_step - wide.start
        return bool(
            excess[during].sum() >= EXPLAINED * its_own[during].sum()
            and excess[peak] >= EXPLAINED * its_own[peak]
            and excess @ its_own >= ALIKE * np.linalg.norm(excess) * np.linalg.norm(its_own)
        )

    def is_moved_by(self, part: Seen) -> bool:
        """Whether a part's change is more than the whole's usual spread, and the whole went the same way."""
        whole = self._find(Segment(), part.series)
        if whole is None:
            return True
        steps = _steps(part, whole.series)
        expected = whole.watched.expected[steps]
        edge = (whole.watched.lower if part.direction == "down" else whole.watched.upper)[steps]
        if np.isnan(edge - expected).all():
            return True
        runs = np.frombuffer(whole.series.weights)[steps] if whole.series.weights else np.ones(len(edge))
        usual = float(np.nanmedian(np.abs(edge - expected))) / BAND * max(float(runs.sum()), 1.0)
        sign = -1 if part.direction == "down" else 1
        return abs(part.extra) >= MOVED_SPREADS * usual and sign * _excess(whole, steps).sum() >= usual


def segment_of(cause: Cause) -> Segment:
    """The segment that a cause names."""
    return Segment(cause.dimension, cause.value)  # type: ignore[arg-type]


def _steps(seen: Seen, series: Series) -> slice:
    """The steps of a series in the time of an episode of another one."""
    return _moved(slice(seen.episode.first_step, seen.episode.stop_step), seen.series, series)


def _moved(steps: slice, series: Series, other: Series) -> slice:
    """Steps of a series as those of another one that begins at another time."""
    later = (other.first - series.first) // STEP[series.grain]
    return slice(max(steps.start - later, 0), max(steps.stop - later, 0))


def _excess(one: Looked, steps: slice) -> Floats:
    """How much more than expected there was in each of some steps; of levels, times the runs that have them."""
    more = np.nan_to_num(one.series.array()[steps] - one.watched.expected[steps])
    return more * np.frombuffer(one.series.weights)[steps] if one.series.weights else more
