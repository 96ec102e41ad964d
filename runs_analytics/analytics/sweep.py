"""The sweep over starts and ends of spans that finds how many overlap, exactly.

A span holds its start and not its end. The number of spans at once only rises where one starts, and is there the spans
started so far less those ended so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

Ints = np.ndarray[Any, np.dtype[np.int64]]

QUARTER_US: Final = 900_000_000
SLOTS: Final = pl.Schema({"quarter_hour": pl.Int64, "peak": pl.Int64, "peak_us": pl.Int64})


@dataclass
class Sweep:
    """The highest number of spans at once among those taken in so far; moments are microseconds."""

    peak: int = 0
    peak_us: int = 0
    lasted_us: int = 0
    busy_us: int = 0

    def add(self, started: Ints, ended: Ints, stop_us: int) -> None:
        """Take in the spans of one more stretch of time, starts and ends sorted each by itself.

        Every span ends after it starts; one that began before the stretch is given as beginning with it.
        """
        if not started.size:
            return
        counts = levels(started, ended)
        place = int(np.argmax(counts))
        self.busy_us += int(np.minimum(ended, stop_us).sum() - started.sum())
        if counts[place] > self.peak:
            self.peak, self.peak_us = int(counts[place]), int(started[place])
            # Nothing starts before the next end, or the number would be higher still.
            self.lasted_us = int(ended[np.searchsorted(ended, self.peak_us, side="right")]) - self.peak_us


def levels(started: Ints, ended: Ints) -> Ints:
    """How many are in progress when each starts; of several that start at once the last has them all."""
    found: Ints = np.arange(1, started.size + 1) - np.searchsorted(ended, started, side="right")
    return found


def slots(started: Ints, ended: Ints, start: int, stop: int) -> pl.DataFrame:
    """The highest number of each quarter-hour, and when it was first reached."""
    edges = np.arange(start, stop) * QUARTER_US
    carried = np.searchsorted(started, edges, side="right") - np.searchsorted(ended, edges, side="right")
    rows = pl.DataFrame(
        {
            "moment_us": np.concatenate([edges, started]),
            "level": np.concatenate([carried, levels(started, ended)]),
        }
    )
    first = pl.col("level").arg_max()
    return (
        rows.group_by((pl.col("moment_us") // QUARTER_US).alias("quarter_hour"), maintain_order=True)
        .agg(pl.col("level").max().alias("peak"), pl.col("moment_us").get(first).alias("peak_us"))
        .sort("quarter_hour")
        .cast(SLOTS)
    )
