"""Scales: square roots with a sign, on which the chance of counts is everywhere alike, and spreads by medians."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MEDIAN_DISTANCES: Final = 1.4826
"""Spread of a normal distribution in median absolute distances."""


def rooted(values: Floats) -> Floats:
    """Values (steps,) on the scale of square roots, each with its sign."""
    return np.asarray(np.sign(values) * np.sqrt(np.abs(values)), dtype=float)


def squared(values: Floats) -> Floats:
    """Values (steps,) back from the scale of square roots."""
    return np.asarray(np.sign(values) * values**2, dtype=float)
