"""Rows of text gathered into raw batches of bounded size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from runs_analytics.ingest.files.batch import MAX_BATCH_BYTES, RawBatch, Rejection, rejected_frame
from runs_analytics.ingest.files.streams import LineReader

_CHUNK_ROWS: Final = 20_000


@dataclass
class TextRows:
    """Collects rows of strings; Python strings are turned into columns early because they are large."""

    names: Sequence[str]
    reader: LineReader
    batch_rows: int
    sparse: bool = False
    rejections: list[Rejection] = field(default_factory=list)
    _rows: list[Sequence[str | None]] = field(default_factory=list)
    _numbers: list[int] = field(default_factory=list)
    _chunks: list[pl.DataFrame] = field(default_factory=list)
    _characters_before: int = 0

    def add(self, line: int, row: Sequence[str | None]) -> None:
        """Take one row with as many values as there are names."""
        self._rows.append(row)
        self._numbers.append(line)
        if len(self._rows) >= _CHUNK_ROWS:
            self._fold()

    def reject(self, line: int, text: str, reason: str) -> None:
        """Set one row aside."""
        self.rejections.append(Rejection(line, "", text.rstrip("\r\n"), reason))

    @property
    def is_full(self) -> bool:
        """Whether a batch should be taken now."""
        return (
            len(self._numbers) >= self.batch_rows
            or len(self.rejections) >= self.batch_rows
            or self.reader.characters - self._characters_before >= MAX_BATCH_BYTES
        )

    def take(self) -> RawBatch:
        """The rows gathered so far as one batch."""
        self._fold()
        frame = (
            pl.concat(self._chunks, how="diagonal" if self.sparse else "vertical")
            if self._chunks
            else self._empty()
        )
        batch = RawBatch(
            frame=frame,
            lines=pl.Series("line", self._numbers, dtype=pl.Int64),
            rejected=rejected_frame(self.rejections),
            sparse=self.sparse,
            read_fraction=self.reader.read_fraction,
        )
        self._chunks, self._numbers, self.rejections = [], [], []
        self._characters_before = self.reader.characters
        return batch

    def _fold(self) -> None:
        if self._rows:
            columns = zip(self.names, zip(*self._rows, strict=True), strict=True)
            self._chunks.append(pl.DataFrame([pl.Series(n, list(v), dtype=pl.String) for n, v in columns]))
            self._rows = []

    def _empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=dict.fromkeys(self.names, pl.String))
