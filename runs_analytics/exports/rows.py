"""A table's rows on their way out: typed, counted, summed and hashed as they pass.

The hash is that of the table's CSV text whatever the format, so two files hold the same rows exactly when their
`rows_sha256` agree, and a CSV file proves itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Final

import polars as pl

from runs_analytics.errors import Damaged
from runs_analytics.exports.cells import csv_bytes, csv_texts, typed
from runs_analytics.exports.document import Table
from runs_analytics.exports.words import plain

BATCH_ROWS: Final = 20_000

_EXACT: Final = Context(prec=100)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows, typed as their columns say (`cells.typed`), and the same rows as CSV lines."""

    frame: pl.DataFrame
    csv: bytes


@dataclass(slots=True)
class TableReader:
    """Reads one table once."""

    table: Table
    zone: str
    advance: Callable[[int], None]
    """Told the number of rows of each batch."""

    rows: int = 0
    """Rows read so far."""

    _sums: dict[str, Decimal] = field(default_factory=dict)
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def header(self) -> bytes:
        """The CSV header line; names need no quoting."""
        return (",".join(column.name for column in self.table.columns) + "\n").encode()

    @property
    def rows_sha256(self) -> str:
        """SHA-256 of the CSV text of all rows read, header included."""
        return self._digest.hexdigest()

    def batches(self) -> Iterator[Batch]:
        """The rows in order, at most BATCH_ROWS at a time.

        Raises:
            Damaged: when a frame lacks a column or holds another type than its kind, or when the rows are not as
                many, or do not add up to what, the page shows.
        """
        columns = self.table.columns
        self._digest.update(self.header)
        for given in self.table.batches():
            for part in given.iter_slices(BATCH_ROWS):
                frame = typed(part, columns)
                text = csv_bytes(csv_texts(frame, columns, self.zone))
                self._digest.update(text)
                self.rows += frame.height
                self._add(frame)
                yield Batch(frame, text)
                self.advance(frame.height)
        self._check_rows()
        self._check_totals()

    def _add(self, frame: pl.DataFrame) -> None:
        for column in self.table.columns:
            if column.adds_up:
                before = self._sums.get(column.name, Decimal(0))
                self._sums[column.name] = _EXACT.add(before, Decimal(frame[column.name].sum() or 0))

    def _check_rows(self) -> None:
        table = self.table
        if table.rows is not None and self.rows != table.rows:
            raise Damaged(
                f"Table {table.name} gave {self.rows:,} rows where the page counted {table.rows:,}; nothing was "
                "exported. Try again, and run verify if it happens twice.",
                field=table.name,
                value=self.rows,
            )

    def _check_totals(self) -> None:
        totals = self.table.totals or {}
        for column in self.table.columns:
            total = totals.get(column.name)
            found = self._sums.get(column.name, Decimal(0))
            if column.adds_up and total is not None and Decimal(str(total)) != found:
                raise Damaged(
                    f"The rows of table {self.table.name} add up to {plain(found)} {column.name} where the page "
                    f"shows {plain(total)}; nothing was exported.",
                    field=column.name,
                    value=plain(found),
                )
