"""What a file reader hands on: raw rows with their lines, and the rows it could not read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import polars as pl

REJECTED_SCHEMA: Final = pl.Schema(
    {"line": pl.Int64(), "field": pl.String(), "value": pl.String(), "reason": pl.String()}
)
"""One rejected row; `line` counts from 1 and includes the header line, except in Parquet, which has none."""

UNUSABLE_SCHEMA: Final = pl.Schema(
    {"line": pl.Int64(), "column": pl.String(), "value": pl.String(), "reason": pl.String()}
)
"""One cell that rejects its row when its column is mapped, such as a formula."""

SHOWN_CHARACTERS: Final = 200
"""Rejected values are shown up to this length."""

MAX_COLUMNS: Final = 500
MAX_LINE_BYTES: Final = 16 * 2**20
MAX_BATCH_BYTES: Final = 64 * 2**20
"""A batch ends early at about this much raw data, so that long payloads do not fill the memory."""


class Rejection(NamedTuple):
    """One row that could not be read."""

    line: int
    field: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class RawBatch:
    """A part of a file, as it stands there."""

    frame: pl.DataFrame
    """Columns of the file: typed from Parquet, String from every other format."""

    lines: pl.Series
    """Int64, the line of each row of `frame`: its first line in a text file, its number in Parquet."""

    rejected: pl.DataFrame
    """Rows that could not be read, with REJECTED_SCHEMA."""

    unusable: pl.DataFrame = field(default_factory=lambda: UNUSABLE_SCHEMA.to_frame())
    """Cells that may be skipped but not used, with UNUSABLE_SCHEMA."""

    sparse: bool = False
    """Whether a column may be absent from one batch and present in another, as in JSONL."""

    read_fraction: float = 0.0
    """How much of the file was read when this batch was complete, 0 to 1."""

    @property
    def first_line(self) -> int:
        """The line of the first row, or 0 when every row was rejected."""
        return int(self.lines[0]) if len(self.lines) else 0


def rejected_frame(rejections: Iterable[Rejection]) -> pl.DataFrame:
    """Rejections as a frame with REJECTED_SCHEMA, values cut to what is shown."""
    rows = [(r.line, r.field, r.value[:SHOWN_CHARACTERS], r.reason) for r in rejections]
    return pl.DataFrame(rows, schema=REJECTED_SCHEMA, orient="row")


def unique_names(names: Iterable[str]) -> list[str]:
    """Header names as they are, with `column 3` for an empty one and `name (2)` for a repeated one."""
    result: list[str] = []
    for position, given in enumerate(names, start=1):
        name = base = given.strip() or f"column {position}"
        copy = 1
        while name in result:
            copy += 1
            name = f"{base} ({copy})"
        result.append(name)
    return result
