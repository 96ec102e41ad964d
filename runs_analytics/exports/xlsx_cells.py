"""Cells of a workbook: typed values, number formats, and text that can never become a formula."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, Final

from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill

from runs_analytics.exports.document import NUMBER_KINDS, Kind
from runs_analytics.exports.palette import INK, SHADE
from runs_analytics.exports.words import plain

MAX_CELL_UNITS: Final = 32_767
"""Longest text of a cell in UTF-16 units; a longer one would be cut by the library without a word."""

PIECE_CHARACTERS: Final = 16_000
EXACT_DIGITS: Final = 10**15
"""Spreadsheet programs round whole numbers from here on, so these are written as text."""

HEAD_FILL: Final = PatternFill("solid", fgColor=SHADE.removeprefix("#"))
HEAD_FONT: Final = Font(bold=True, color=INK.removeprefix("#"))
TOTAL_FONT: Final = Font(bold=True, color=INK.removeprefix("#"))

NUMBER_FORMATS: Final[dict[Kind, str]] = {
    "text": "@",
    "json": "@",
    "integer": "#,##0",
    "credits": "#,##0.00#######",
    "money": "#,##0.00#######",
    "percent": "0.0%",
    "duration_us": "#,##0.000###",
    "bytes": "#,##0",
    "datetime": "yyyy-mm-dd hh:mm:ss",
    "date": "yyyy-mm-dd",
}
WIDTHS: Final[dict[Kind, int]] = {
    "text": 24,
    "json": 30,
    "integer": 12,
    "credits": 16,
    "money": 16,
    "percent": 10,
    "duration_us": 16,
    "bytes": 14,
    "datetime": 20,
    "date": 12,
}

Cell = Any
_UNSAFE: Final = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x08\x0b-\x1f\ufffe\uffff]")


class Pen:
    """Writes the values of one column; every call fills the same cell anew, as the sheet streams it out at once."""

    def __init__(self, sheet: Any, kind: Kind, font: Font | None = None) -> None:
        self.kind = kind
        self._number, self._text = _cell(sheet, NUMBER_FORMATS[kind], font), _cell(sheet, "@", font)
        if kind in NUMBER_KINDS:
            self._text.alignment = Alignment(horizontal="right")

    def cell(self, value: object) -> Cell | None:
        """The cell of a value; None stays empty."""
        if value is None:
            return None
        if isinstance(value, str):
            return fill_text(self._text, value)
        if isinstance(value, date):  # a datetime is one too
            self._number.value = value
            return self._number
        if self.kind == "duration_us":
            value = Decimal(str(value)).scaleb(-6)
        elif isinstance(value, int) and abs(value) >= EXACT_DIGITS:
            return fill_text(self._text, str(value))
        # As text the number keeps all digits; the library rounds floats and decimals to sixteen.
        self._number.value = plain(value)
        self._number.data_type = "n"
        return self._number


def fill_text(cell: Cell, text: str) -> Cell:
    """Put a text into a cell as text, whatever it starts with; it must fit (`pieces`)."""
    cell.value = escaped(text)
    cell.data_type = "s"
    return cell


def text_cell(sheet: Any, text: str, font: Font | None = None, fill: PatternFill | None = None) -> Cell:
    """A new cell of text."""
    cell = _cell(sheet, "@", font)
    if fill:
        cell.fill = fill
    return fill_text(cell, text)


def escaped(text: str) -> str:
    """The text as Office Open XML stores it: characters that XML cannot hold as `_x0001_`."""
    return _UNSAFE.sub(lambda match: f"_x{ord(match[0]):04X}_", text)


def fits(text: str) -> bool:
    """Whether a text goes into one cell whole."""
    return len(text) * 7 <= MAX_CELL_UNITS or len(escaped(text).encode("utf-16-le")) // 2 <= MAX_CELL_UNITS


def pieces(text: str) -> Iterator[str]:
    """The text in parts that each fit into a cell."""
    for start in range(0, len(text), PIECE_CHARACTERS):
        piece = text[start : start + PIECE_CHARACTERS]
        if fits(piece):
            yield piece
        else:
            yield from (
                piece[at : at + MAX_CELL_UNITS // 7] for at in range(0, len(piece), MAX_CELL_UNITS // 7)
            )


def _cell(sheet: Any, number_format: str, font: Font | None) -> Cell:
    cell = WriteOnlyCell(sheet)
    cell.number_format = number_format
    if font:
        cell.font = font
    return cell
