"""How many runs each feature gets in each hour: growth, week, day, noise, and the planted changes of volume."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runs_analytics.demo.catalog import (
    FEATURES,
    SHIFTED_FEATURE,
    UNLISTED_FEATURE,
    UNPRICED_FEATURE,
    UNUSED_FEATURE,
)
from runs_analytics.demo.company import ZONE
from runs_analytics.demo.schedule import DROP_FACTOR, SHIFT_FACTOR, SPIKE_FACTOR, Schedule, Window
from runs_analytics.zones import zone_named

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
HOUR_US: Final = 3_600_000_000
MICROSECOND: Final = timedelta(microseconds=1)

SPIKED_SERVICE: Final = "Images"
SPIKED_MODEL: Final = "image-2"

_GROWTH_PER_DAY: Final = 0.35 / 180
_WEEKDAYS: Final = np.array([1.0, 1.08, 1.06, 1.03, 0.9, 0.31, 0.29])
_NIGHT: Final = 0.07


@dataclass(frozen=True, slots=True)
class Demand:
    """Expected volume by hour and feature, up to one common factor."""

    starts_us: NDArray[np.int64]
    """First moment of each hour, microseconds since 1970 UTC; the first and last hour may be cut short."""

    lengths_us: NDArray[np.int64]
    days: NDArray[np.int64]
    """Local day of each hour, in days before the end as numbers up to 0."""

    weights: NDArray[np.float64]
    """Hours × features."""


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (moment - EPOCH) // MICROSECOND


def demand(seed: int, plan: Schedule) -> Demand:
    """The demand of a whole sample: about 35 % growth in half a year, quiet weekends, two peaks a day."""
    starts, lengths = _hours(plan.whole)
    zone = zone_named(ZONE)
    local = [(EPOCH + int(start) * MICROSECOND).astimezone(zone) for start in starts]
    last = plan.whole.stop.astimezone(zone).date()
    days = np.array([(moment.date() - last).days for moment in local], dtype=np.int64)
    weekday = _WEEKDAYS[np.array([moment.weekday() for moment in local])]
    volume = weekday * _daily(np.array([moment.hour + 0.5 for moment in local]))
    volume = volume * (1 + _GROWTH_PER_DAY * (days - days[0])) * (lengths / HOUR_US)
    share = np.array([feature.share for feature in FEATURES])
    weights = volume[:, None] * (share / share.sum())
    weights *= _noise(seed, days, plan, starts) * _planted(plan, starts)
    return Demand(starts, lengths, days, weights)


def within(starts_us: NDArray[np.int64], window: Window) -> NDArray[np.bool_]:
    """Which moments lie in a window."""
    return (starts_us >= microseconds(window.start)) & (starts_us < microseconds(window.stop))


def _hours(whole: Window) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first, stop = microseconds(whole.start), microseconds(whole.stop)
    edges = np.arange(first // HOUR_US, -(-stop // HOUR_US) + 1, dtype=np.int64) * HOUR_US
    edges = np.clip(edges, first, stop)
    return edges[:-1], np.diff(edges)


def _daily(hour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of a day's volume by local hour: a peak in the morning and one after lunch."""
    morning = np.exp(-(((hour - 10.4) / 1.9) ** 2) / 2)
    afternoon = 0.88 * np.exp(-(((hour - 15.1) / 1.9) ** 2) / 2)
    shape: NDArray[np.float64] = _NIGHT + morning + afternoon
    return shape


def _noise(
    seed: int, days: NDArray[np.int64], plan: Schedule, starts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Days that are busier than others for no reason; none where something is planted, so that it shows."""
    random = np.random.default_rng([seed, 1])
    first = int(days[0])
    by_day = random.normal(0, 0.06, (1 - first, 1)) + random.normal(0, 0.1, (1 - first, len(FEATURES)))
    noise: NDArray[np.float64] = np.exp(by_day[days - first] + random.normal(0, 0.05, (len(days), 1)))
    noise[within(starts, plan.spike) | within(starts, plan.drop)] = 1.0
    return noise


def _planted(plan: Schedule, starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Factor by hour and feature."""
    names = [feature.name for feature in FEATURES]
    spiked = np.array(
        [
            feature.call.service == SPIKED_SERVICE and feature.call.model == SPIKED_MODEL
            for feature in FEATURES
        ]
    )
    factor = np.ones((len(starts), len(FEATURES)))
    factor[np.ix_(within(starts, plan.spike), spiked)] *= SPIKE_FACTOR
    factor[within(starts, plan.drop)] *= DROP_FACTOR
    factor[within(starts, plan.level_shift), names.index(SHIFTED_FEATURE)] *= SHIFT_FACTOR
    factor[within(starts, plan.unused_since), names.index(UNUSED_FEATURE)] = 0
    factor[~within(starts, plan.unpriced), names.index(UNPRICED_FEATURE)] = 0
    factor[~within(starts, plan.unlisted), names.index(UNLISTED_FEATURE)] = 0
    return factor
