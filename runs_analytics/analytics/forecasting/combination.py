"""One forecast out of many: families weighted by their errors in the back-test."""

from __future__ import annotations

import numpy as np

from runs_analytics.analytics.forecasting.field import Family
from runs_analytics.analytics.forecasting.transforms import Floats

# More windows of back-test tell families apart more surely, so weights become sharper with them.
LEAST_SHARPNESS = 3.0
SHARPNESS_PER_WINDOW = 2.0
LARGEST_SHARPNESS = 25.0


def family_weights(families: list[Family]) -> Floats:
    """Weights (families,) that add up to one."""
    errors = np.array([family.log_error for family in families])
    windows = max(family.windows for family in families)
    sharpness = min(LARGEST_SHARPNESS, max(LEAST_SHARPNESS, SHARPNESS_PER_WINDOW * windows))
    weights = np.exp(-sharpness * (errors - errors.min()))
    return np.asarray(weights / weights.sum())


def combined(families: list[Family], weights: Floats) -> Floats:
    """The weighted mean of the families' forecasts, shape (origins + 1, horizon)."""
    return np.asarray(np.einsum("f,foh->oh", weights, np.stack([family.forecasts for family in families])))
