"""A document as a workbook: summary, chart, one sheet or more per table, manifest.

Cells are typed, totals are values, nothing is a formula. Rows past the sheet's limit go on in a further sheet; a
text longer than a cell holds is kept whole on the sheet `Long texts`, and its cell says so. Numbers are stored with
all digits, but spreadsheet programs calculate with the first fifteen; the manifest says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.utils import get_column_letter

from runs_analytics.exports.cells import local_values
from runs_analytics.exports.document import Document
from runs_analytics.exports.manifest import Manifest
from runs_analytics.exports.rows import TableReader
from runs_analytics.exports.words import sheet_heading
from runs_analytics.exports.xlsx_cells import (
    HEAD_FILL,
    HEAD_FONT,
    TOTAL_FONT,
    WIDTHS,
    Pen,
    fits,
    pieces,
    text_cell,
)
from runs_analytics.exports.xlsx_front import add_chart, add_manifest, add_summary

MAX_SHEET_ROWS: Final = 1_048_576
LONG_TEXTS: Final = "Long texts"


def write_xlsx(
    path: Path, document: Document, readers: list[TableReader], manifest: Callable[[], Manifest]
) -> None:
    """Write a workbook.

    Args:
        path: the file to write.
        document: its title, headlines and chart.
        readers: the rows, in the document's order.
        manifest: makes the manifest; called after the last row.
    """
    book = Workbook(write_only=True)
    book.properties.title = document.title
    book.properties.creator = "Runs"
    book.properties.created = book.properties.modified = document.generated_at.replace(tzinfo=None)
    with _temporary_files_removed(book):
        add_summary(book, document)
        if document.chart:
            add_chart(book, document.chart)
        long_texts = LongTexts(book)
        for reader in readers:
            _TableSheets(book, reader, document.zone, long_texts).write()
        add_manifest(book, manifest())
        book.save(path)


class LongTexts:
    """The sheet that holds, in parts, every text too long for its cell; made when first needed."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._sheet: Any = None
        self._row = 1

    def keep(self, sheet: str, cell: str, text: str) -> str:
        """Store a text whole; what to show in its cell instead: its start and where the whole is."""
        if self._sheet is None:
            self._sheet = self._book.create_sheet(LONG_TEXTS)
            for letter, width in zip("ABCD", (24, 10, 8, 120), strict=True):
                self._sheet.column_dimensions[letter].width = width
            self._sheet.freeze_panes = "A2"
            heads = ("Sheet", "Cell", "Part", "Text")
            self._sheet.append([text_cell(self._sheet, head, HEAD_FONT, HEAD_FILL) for head in heads])
        first = self._row + 1
        for number, piece in enumerate(pieces(text), start=1):
            shown = (sheet, cell, str(number), piece)
            self._sheet.append([text_cell(self._sheet, value) for value in shown])
            self._row += 1
        return f"{text[:1000]} … [whole text of {len(text):,} characters: sheet {LONG_TEXTS!r}, row {first}]"


class _TableSheets:
    """Writes one table to as many sheets as its rows need."""

    def __init__(self, book: Workbook, reader: TableReader, zone: str, long_texts: LongTexts) -> None:
        self._book, self._reader, self._zone, self._long_texts = book, reader, zone, long_texts
        self._columns = reader.table.columns
        self._sheet: Any = None
        self._pens: list[Pen] = []
        self._rows = 0
        self._sheets = 0

    def write(self) -> None:
        self._open()
        for batch in self._reader.batches():
            for values in local_values(batch.frame, self._columns, self._zone).iter_rows():
                if self._rows == MAX_SHEET_ROWS - 1:  # one row is left for the totals
                    self._close()
                    self._open()
                self._append(values)
        self._append_totals()
        self._close()

    def _open(self) -> None:
        self._sheets += 1
        title = self._reader.table.title
        self._sheet = self._book.create_sheet(sheet_title(title, self._sheets, self._book.sheetnames))
        for number, column in enumerate(self._columns, start=1):
            width = max(WIDTHS[column.kind], len(sheet_heading(column, self._zone)) + 4)
            self._sheet.column_dimensions[get_column_letter(number)].width = width
        self._sheet.freeze_panes = "A2"
        self._pens = [Pen(self._sheet, column.kind) for column in self._columns]
        heads = [sheet_heading(column, self._zone) for column in self._columns]
        self._sheet.append([text_cell(self._sheet, head, HEAD_FONT, HEAD_FILL) for head in heads])
        self._rows = 1

    def _append(self, values: tuple[Any, ...]) -> None:
        cells = []
        for number, (pen, value) in enumerate(zip(self._pens, values, strict=True), start=1):
            if isinstance(value, str) and not fits(value):
                place = f"{get_column_letter(number)}{self._rows + 1}"
                value = self._long_texts.keep(self._sheet.title, place, value)
            cells.append(pen.cell(value))
        self._sheet.append(cells)
        self._rows += 1

    def _close(self) -> None:
        last = get_column_letter(len(self._columns))
        self._sheet.auto_filter.ref = f"A1:{last}{max(self._rows, 2)}"

    def _append_totals(self) -> None:
        self._close()
        totals = self._reader.table.totals
        if not totals:
            return
        values: list[Any] = [totals.get(column.name) for column in self._columns]
        if values[0] is None:
            values[0] = "Total"
        pens = [Pen(self._sheet, column.kind, TOTAL_FONT) for column in self._columns]
        self._sheet.append([pen.cell(value) for pen, value in zip(pens, values, strict=True)])


def sheet_title(title: str, number: int, taken: list[str]) -> str:
    """A sheet's name: at most 31 characters, none that Excel refuses, different from the others."""
    clean = "".join(" " if c in "[]:*?/\\" or ord(c) < 32 else c for c in title).strip(" '") or "Table"
    used = {name.lower() for name in taken}
    while True:
        mark = f" ({number})" if number > 1 else ""
        name = clean[: 31 - len(mark)].rstrip() + mark
        if name.lower() not in used and name.lower() not in ("history", "manifest", LONG_TEXTS.lower()):
            return name
        number += 1


@contextlib.contextmanager
def _temporary_files_removed(book: Workbook) -> Iterator[None]:
    try:
        yield
    except BaseException:
        # The library keeps each sheet in a temporary file, and deletes it only when the workbook is saved.
        for sheet in book.worksheets:
            with contextlib.suppress(Exception):
                sheet.close()
            with contextlib.suppress(Exception):
                sheet._writer.cleanup()
        raise
