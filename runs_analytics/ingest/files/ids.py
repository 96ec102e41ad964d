"""Ids of rows that bring none: the hash of the row, and an ordinal among identical rows of the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

Integers = NDArray[np.int64]
_SEALED_ROWS: Final = 2_000_000


@dataclass(slots=True)
class _Seen:
    """Distinct hashes sorted by (high, low), with how often each was seen; 20 bytes each."""

    high: Integers
    low: Integers
    count: NDArray[np.int32]

    def find(self, high: Integers, low: Integers) -> Integers:
        """Position of each hash, or -1; all 128 bits are compared."""
        at = np.searchsorted(self.high, high)
        last = len(self.high) - 1
        while True:
            inside = np.minimum(at, last)
            passed = (at <= last) & (self.high[inside] == high) & (self.low[inside] < low)
            if not passed.any():
                break
            at = at + passed
        found = (at <= last) & (self.high[inside] == high) & (self.low[inside] == low)
        return np.where(found, inside, -1)

    def merged(self, other: _Seen) -> _Seen:
        """Both as one; they share no hash."""
        high = np.concatenate([self.high, other.high])
        low = np.concatenate([self.low, other.low])
        order = np.lexsort((low, high))
        return _Seen(high[order], low[order], np.concatenate([self.count, other.count])[order])


class RowOrdinals:
    """Counts identical rows over all batches of one file; about 20 bytes per distinct row."""

    def __init__(self) -> None:
        self._levels: list[_Seen] = []

    def number(self, high: Integers, low: Integers) -> Integers:
        """How many identical rows came before each row, in this batch and all earlier ones."""
        if not len(high):
            return np.zeros(0, np.int64)
        order = np.lexsort((low, high))
        sorted_high, sorted_low = high[order], low[order]
        is_first = np.r_[True, (np.diff(sorted_high) != 0) | (np.diff(sorted_low) != 0)]
        starts = np.flatnonzero(is_first)
        counts = np.diff(np.r_[starts, len(high)]).astype(np.int32)
        before = self._count(sorted_high[starts], sorted_low[starts], counts)
        group = np.cumsum(is_first) - 1
        ordinals = np.empty(len(high), np.int64)
        ordinals[order] = np.arange(len(high)) - starts[group] + before[group]
        return ordinals

    def _count(self, high: Integers, low: Integers, counts: NDArray[np.int32]) -> Integers:
        before = np.zeros(len(high), np.int64)
        is_new = np.ones(len(high), bool)
        for level in self._levels:
            at = level.find(high, low)
            known = at >= 0
            before[known] = level.count[at[known]]
            level.count[at[known]] += counts[known]
            is_new &= ~known
        if is_new.any():
            self._keep(_Seen(high[is_new], low[is_new], counts[is_new]))
        return before

    def _keep(self, seen: _Seen) -> None:
        """Merge small levels so that a lookup visits few; large ones stay, which bounds the memory peak."""
        while self._levels and len(self._levels[-1].high) <= min(2 * len(seen.high), _SEALED_ROWS):
            seen = self._levels.pop().merged(seen)
        self._levels.append(seen)


def hash_texts(high: pl.Series, low: pl.Series) -> pl.Series:
    """The md5 of each pair as 32 hex digits, as md5 is usually written."""
    pairs = np.ascontiguousarray(np.stack([low.to_numpy(), high.to_numpy()], axis=1), dtype="<i8")
    binary = pa.Array.from_buffers(pa.binary(16), len(pairs), [None, pa.py_buffer(pairs.tobytes())])
    return pl.Series("id", binary.cast(pa.binary())).bin.encode("hex")
