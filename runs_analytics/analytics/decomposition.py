"""A series of days, and one of hours, taken apart into trend, season and what is left; in a process of its own.

Days by STL with a robust fit (Cleveland et al. 1990), hours by MSTL with a day and a week as periods (Bandara, Hyndman,
Bergmeir 2021). The strength of a part is max(0, 1 - Var(rest) / Var(part + rest)), of Wang, Smith, Hyndman 2006.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

DAYS_IN_WEEK: Final = 7
HOURS_IN_DAY: Final = 24
HOURS_IN_WEEK: Final = 168

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a series is made of; trend, season and rest add up to it."""

    trend: tuple[float, ...]
    season: tuple[float, ...]
    trend_strength: float
    season_strength: float


def ready() -> bool:
    """Load what takes a second to load."""
    import statsmodels.tsa.seasonal  # noqa: F401 - heavy, and only needed here

    return True


def weekly_parts(days: Sequence[float]) -> Parts:
    """Days taken apart with a week as period; at least two weeks of them."""
    from statsmodels.tsa.seasonal import STL

    found = STL(np.asarray(days, np.float64), period=DAYS_IN_WEEK, robust=True).fit()
    return _parts(found.trend, found.seasonal, found.resid)


def daily_parts(hours: Sequence[float]) -> Parts:
    """Hours taken apart with a day and a week as periods; the season is that of the day. At least two weeks of them."""
    from statsmodels.tsa.seasonal import MSTL

    found = MSTL(np.asarray(hours, np.float64), periods=(HOURS_IN_DAY, HOURS_IN_WEEK)).fit()
    return _parts(found.trend, found.seasonal[:, 0], found.resid)


def strength(part: Floats, rest: Floats, *, scale: float) -> float:
    """How much of a part with the rest is the part, from 0 to 1; 0 where nothing moves that `scale` would show."""
    whole = float(np.var(part + rest))
    # What the rounding of floats leaves of a constant is no movement.
    if whole <= (1e-9 * scale) ** 2:
        return 0.0
    return max(0.0, 1.0 - float(np.var(rest)) / whole)


def _parts(trend: Floats, season: Floats, rest: Floats) -> Parts:
    scale = float(np.max(np.abs(trend + season + rest)))
    strengths = (strength(part, rest, scale=scale) for part in (trend, season))
    return Parts(tuple(map(float, trend)), tuple(map(float, season)), *strengths)
