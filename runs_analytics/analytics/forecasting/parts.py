"""Forecasts of the parts of a total, which share what the total is forecast to be and so need no bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from runs_analytics.analytics.forecasting.engine import point_forecast
from runs_analytics.analytics.forecasting.transforms import Floats

PART_ORIGINS: Final = 8


def part_forecasts(
    parts: Sequence[Sequence[float]], horizon: int, season: int, least_steps: int
) -> list[Floats]:
    """The coming steps (horizon,) of each part by itself; of one that began lately, the mean of its steps."""
    return [_part(np.asarray(part, dtype=float), horizon, season, least_steps) for part in parts]


def _part(values: Floats, horizon: int, season: int, least_steps: int) -> Floats:
    begun = values[int(np.argmax(values != 0)) :] if values.any() else values[-1:]
    if len(begun) < least_steps:
        return np.full(horizon, float(begun.mean()))
    return point_forecast(begun, horizon, season, most_origins=PART_ORIGINS)
