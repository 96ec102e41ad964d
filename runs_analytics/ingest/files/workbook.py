"""XLSX: the first sheet, its first filled row as the header; formulas are never evaluated or trusted.

A formula's stored result may be stale or forged, so a formula cell is unusable: it rejects its row when
its column is mapped and is otherwise ignored.
"""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import ParseError

import polars as pl

from runs_analytics.errors import BadRequest, TooLarge
from runs_analytics.ingest.files.batch import (
    MAX_COLUMNS,
    SHOWN_CHARACTERS,
    UNUSABLE_SCHEMA,
    RawBatch,
    Rejection,
    rejected_frame,
    unique_names,
)

MAX_ENTRIES: Final = 5_000
MAX_UNPACKED_BYTES: Final = 2**30
_BATCH_ROWS: Final = 50_000
warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    EOFError,
    OSError,
    KeyError,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
)


def read_workbook(path: Path, rows: int) -> Iterator[RawBatch]:
    """The first sheet as raw batches of text: times as ISO text, numbers in their shortest form.

    Raises:
        BadRequest: when the workbook is damaged or its first sheet is empty.
        TooLarge: when it unpacks to more than MAX_UNPACKED_BYTES, as a zip bomb would.
    """
    import openpyxl  # takes a fifth of a second, and few imports read a workbook

    _check_size(path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=False, keep_links=False)
    except _DAMAGE as damage:
        raise _damaged(path, damage) from damage
    try:
        about_lines, cells, header, line = _first_sheet(path, book)
        names = unique_names("" if cell.value is None else str(cell.value) for cell in header)
        if len(names) > MAX_COLUMNS:
            raise BadRequest(f"{path.name} has {len(names)} columns; at most {MAX_COLUMNS}.", field="file")
        yield from _batches(cells, _Sheet(names), line + 1, min(rows, _BATCH_ROWS), about_lines)
    finally:
        book.close()


def _first_sheet(path: Path, book: Any) -> tuple[int, Iterator[tuple[Any, ...]], tuple[Any, ...], int]:
    """The stated number of lines, the rows after the header, the header's cells and its line."""
    try:
        sheet = book.worksheets[0]
        about_lines = sheet.max_row or 0
        sheet.reset_dimensions()  # A stated size that is too small would hide rows.
        rows = sheet.iter_rows()
        for line, row in enumerate(rows, start=1):
            if header := _trimmed(row):
                return about_lines, rows, header, line
    except _DAMAGE as damage:
        raise _damaged(path, damage) from damage
    raise BadRequest(
        f"The first sheet of {path.name} is empty; its first row must name the columns.", field="file"
    )


@dataclass
class _Sheet:
    """Rows of cells gathered into a batch."""

    names: list[str]
    rows: list[list[str | None]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    unusable: list[tuple[int, str, str, str]] = field(default_factory=list)

    def add(self, line: int, cells: tuple[Any, ...]) -> None:
        """Take one row; cells after the last named column reject it."""
        kept = _trimmed(cells)
        if not kept:
            return
        if len(kept) > len(self.names):
            reason = f"the row has {len(kept)} columns, the header {len(self.names)}"
            self.rejections.append(Rejection(line, "", str(kept[-1].value), reason))
            return
        row: list[str | None] = [None] * len(self.names)
        for position, cell in enumerate(kept):
            if cell.value is None:
                continue
            row[position] = _text(cell.value)
            if cell.data_type in ("f", "e"):
                what = (
                    "a formula; paste its value" if cell.data_type == "f" else "an error of the spreadsheet"
                )
                reason = f"cell {cell.coordinate} holds {what}"
                shown = (row[position] or "")[:SHOWN_CHARACTERS]
                self.unusable.append((line, self.names[position], shown, reason))
        self.rows.append(row)
        self.lines.append(line)

    def batch(self, read_fraction: float) -> RawBatch:
        """What was gathered."""
        return RawBatch(
            frame=pl.DataFrame(self.rows, schema=dict.fromkeys(self.names, pl.String), orient="row"),
            lines=pl.Series("line", self.lines, dtype=pl.Int64),
            rejected=rejected_frame(self.rejections),
            unusable=pl.DataFrame(self.unusable, schema=UNUSABLE_SCHEMA, orient="row"),
            read_fraction=read_fraction,
        )


def _batches(
    cells: Iterator[tuple[Any, ...]], sheet: _Sheet, line: int, rows: int, about_lines: int
) -> Iterator[RawBatch]:
    while True:
        try:
            row = next(cells)
        except StopIteration:
            break
        except _DAMAGE as damage:
            sheet.rejections.append(Rejection(line, "", "", f"the sheet is damaged from here on ({damage})"))
            break
        sheet.add(line, row)
        line += 1
        if len(sheet.rows) >= rows:
            yield sheet.batch(min(1.0, line / max(1, about_lines)))
            sheet = _Sheet(sheet.names)
    yield sheet.batch(1.0)


def _check_size(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except _DAMAGE as damage:
        raise _damaged(path, damage) from damage
    unpacked = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_ENTRIES or unpacked > MAX_UNPACKED_BYTES:
        raise TooLarge(
            f"{path.name} unpacks to {unpacked:,} bytes in {len(entries):,} parts; at most "
            f"{MAX_UNPACKED_BYTES:,} bytes in {MAX_ENTRIES:,}. Save the sheet as CSV.",
            field="file",
        )


def _damaged(path: Path, damage: BaseException) -> BadRequest:
    return BadRequest(
        f"{path.name} is an XLSX workbook that cannot be read ({damage}). Save it again or save it as CSV.",
        field="file",
        value=path.name,
    )


def _trimmed(cells: tuple[Any, ...]) -> tuple[Any, ...]:
    count = len(cells)
    while count and cells[count - 1].value is None:
        count -= 1
    return cells[:count]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        microseconds = value // timedelta(microseconds=1)
        return f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(getattr(value, "text", value))
