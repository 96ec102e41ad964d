"""Scales on which a series may be smoothed, and the way back from each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LARGEST_LOG = 700.0


@dataclass(frozen=True)
class Scale:
    """A name, the way there (`to`), and the way back (`back`), which is made in place."""

    name: str
    to: Callable[[Floats], Floats]
    back: Callable[[Floats], Floats]


def _exp(values: Floats) -> Floats:
    np.minimum(values, LARGEST_LOG, out=values)
    return np.asarray(np.exp(values, out=values))


def _square(values: Floats) -> Floats:
    np.maximum(values, 0.0, out=values)
    return np.asarray(np.multiply(values, values, out=values))


AS_IS = Scale("as it is", lambda values: values, lambda values: values)
LOGARITHM = Scale("logarithm", np.log, _exp)
SQUARE_ROOT = Scale("square root", np.sqrt, _square)


def scales_for(values: Floats) -> tuple[Scale, ...]:
    """The scales that every value of a series allows: logarithms need values above zero, roots none below it."""
    if (values > 0).all():
        return (AS_IS, LOGARITHM, SQUARE_ROOT)
    if (values >= 0).all():
        return (AS_IS, SQUARE_ROOT)
    return (AS_IS,)
