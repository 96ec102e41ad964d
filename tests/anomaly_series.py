"""Series with seasons, in which tests of detectors plant events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HOURS = (24, 168)
DAYS = (7,)


def hourly(days: int = 42, seed: int = 3, size: float = 60) -> Floats:
    """Runs by the hour of a team with working days and quiet nights."""
    hour = np.arange(24 * days)
    by_day = 1.2 + np.sin(2 * np.pi * (hour % 24 - 9) / 24)
    weekend = np.where(hour // 24 % 7 >= 5, 0.3, 1.0)
    return np.random.default_rng(seed).poisson(size * by_day * weekend).astype(float)


def daily(days: int = 120, seed: int = 5, size: float = 400) -> Floats:
    weekend = np.where(np.arange(days) % 7 >= 5, 0.4, 1.0)
    return np.random.default_rng(seed).normal(size * weekend, 12)
