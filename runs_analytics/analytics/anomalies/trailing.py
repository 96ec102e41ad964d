"""Sums and means of the steps up to each one, by differences of running sums: for many short series."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def trailing_sum(values: Floats, width: int, least: int) -> Floats:
    """Sum of the last `width` values (steps,) at each, of those that are known; NaN where fewer than `least` are."""
    known = ~np.isnan(values)
    counts = _differences(known.astype(float), width)
    sums = _differences(np.where(known, values, 0.0), width)
    return np.where(counts >= least, sums, np.nan)


def trailing_mean(values: Floats, width: int, least: int) -> Floats:
    """Mean of the last `width` values (steps,) at each, likewise."""
    counts = np.maximum(_differences((~np.isnan(values)).astype(float), width), 1.0)
    return np.asarray(trailing_sum(values, width, least) / counts)


def trailing_median(values: Floats, width: int, least: int) -> Floats:
    """Median of the last `width` values (steps,) at each, likewise."""
    known = pl.Series(values, nan_to_null=True).rolling_median(width, min_samples=least)
    return np.array(known.to_numpy())


def median_of_known(rows: Floats) -> Floats:
    """Median of each row (rows, columns) without its NaN; NaN where there is nothing else."""
    ordered, place = np.sort(rows, axis=1), np.arange(len(rows))
    count = rows.shape[1] - np.isnan(rows).sum(axis=1)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, rows.shape[1] - 1)
    middle = (ordered[place, low] + ordered[place, high]) / 2
    return np.asarray(np.where(count > 0, middle, np.nan))


def before(values: Floats) -> Floats:
    """At each step (steps,) what was last known before it; NaN where nothing was."""
    return shifted(filled(values))


def filled(values: Floats) -> Floats:
    """At each step (steps,) what was last known; NaN where nothing was."""
    places = np.where(np.isnan(values), 0, np.arange(len(values)))
    return np.asarray(values[np.maximum.accumulate(places)])


def shifted(values: Floats) -> Floats:
    """At each step (steps,) the value of the one before."""
    return np.concatenate([[np.nan], values[:-1]])


def _differences(values: Floats, width: int) -> Floats:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(sums[1:] - sums[np.maximum(np.arange(len(values)) + 1 - width, 0)])
