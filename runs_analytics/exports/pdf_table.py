"""Tables of a PDF: columns as wide as their texts, continued below when the page is too narrow for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from reportlab.lib.colors import HexColor
from reportlab.platypus import Table as Flow
from reportlab.platypus import TableStyle

from runs_analytics.exports.cells import local_values
from runs_analytics.exports.document import AMOUNT_KINDS, NUMBER_KINDS, Column
from runs_analytics.exports.palette import INK, MUTED, RULE, SHADE
from runs_analytics.exports.pdf_text import Face, shortened
from runs_analytics.exports.rows import TableReader
from runs_analytics.exports.words import heading, places_needed, shown

MAX_ROWS: Final = 2_000
SIZE: Final = 7.0
LEADING: Final = 9.0
_PADDING: Final = 4.0
_NARROW, _WIDE = 34.0, 150.0
_STRETCH: Final = 2.5


@dataclass(frozen=True, slots=True)
class Grid:
    """The texts of a table's first rows, column by column."""

    columns: tuple[Column, ...]
    heads: list[str]
    cells: list[list[str]]
    """By column, then row."""

    totals: list[str] | None
    widths: list[float]


def read_grid(reader: TableReader, zone: str, face: Face) -> Grid:
    """Read a table to its end and keep the first `MAX_ROWS` rows as texts."""
    columns = reader.table.columns
    kept: list[list[object]] = [[] for _ in columns]
    for batch in reader.batches():
        head = local_values(batch.frame.head(MAX_ROWS - len(kept[0])), columns, zone)
        for values, column in zip(kept, columns, strict=True):
            values.extend(head[column.name].to_list())
    totals = reader.table.totals
    cells, sums = [], []
    for column, values in zip(columns, kept, strict=True):
        total = (totals or {}).get(column.name)
        places = places_needed([*values, total]) if column.kind in AMOUNT_KINDS else 0
        cells.append([face.line(shortened(shown(value, column.kind, places))) for value in values])
        sums.append("" if total is None else face.line(shown(total, column.kind, places)))
    if totals and not sums[0]:
        sums[0] = "Total"
    heads = [face.line(heading(column, zone)) for column in columns]
    widths = [_width(*texts, face) for texts in zip(heads, cells, sums, strict=True)]
    return Grid(columns, heads, cells, sums if totals else None, widths)


def table_flows(grid: Grid, width: float, face: Face) -> list[Flow]:
    """The table in as many parts as the width asks for; each repeats the first column."""
    groups = column_groups(grid.widths, width)
    return [_flow(grid, group, width, face) for group in groups]


def column_groups(widths: Sequence[float], width: float) -> list[list[int]]:
    """The places of the columns of each part: the first column, and what fits beside it."""
    groups: list[list[int]] = [[0]]
    for place in range(1, len(widths)):
        taken = sum(widths[at] for at in groups[-1])
        if taken + widths[place] > width and len(groups[-1]) > 1:
            groups.append([0])
        groups[-1].append(place)
    return groups


def _width(head: str, cells: list[str], total: str, face: Face) -> float:
    longest = sorted({total, *cells}, key=len)[-20:]
    natural = max(face.width(text, SIZE, bold=True) for text in longest)
    word = max(face.width(part, SIZE, bold=True) for part in head.split(" "))
    return min(max(natural, word, _NARROW), _WIDE) + 2 * _PADDING


def _flow(grid: Grid, group: list[int], width: float, face: Face) -> Flow:
    stretch = min(width / sum(grid.widths[at] for at in group), _STRETCH)
    widths = [grid.widths[at] * stretch for at in group]
    rows = [[_wrapped(grid.heads[at], wide, face, bold=True) for at, wide in zip(group, widths, strict=True)]]
    for row in zip(*(grid.cells[at] for at in group), strict=True):
        rows.append([_wrapped(text, wide, face) for text, wide in zip(row, widths, strict=True)])
    if grid.totals:
        sums = [grid.totals[at] if number or at == group[0] else "" for number, at in enumerate(group)]
        rows.append([_wrapped(text, wide, face, bold=True) for text, wide in zip(sums, widths, strict=True)])
    flow = Flow(rows, colWidths=widths, repeatRows=1, hAlign="LEFT", spaceAfter=12)
    flow.setStyle(TableStyle(_style(grid, group, face)))
    return flow


def _wrapped(text: str, width: float, face: Face, *, bold: bool = False) -> str:
    if face.width(text, SIZE, bold=bold) <= width - 2 * _PADDING:
        return text
    return "\n".join(face.lines(text, width - 2 * _PADDING, SIZE, bold=bold))


def _style(grid: Grid, group: list[int], face: Face) -> list[tuple[Any, ...]]:
    style: list[tuple[Any, ...]] = [
        ("FONT", (0, 0), (-1, -1), face.regular, SIZE, LEADING),
        ("FONT", (0, 0), (-1, 0), face.bold, SIZE, LEADING),
        ("TEXTCOLOR", (0, 0), (-1, -1), HexColor(INK)),
        ("TEXTCOLOR", (0, 0), (-1, 0), HexColor(MUTED)),
        ("BACKGROUND", (0, 0), (-1, 0), HexColor(SHADE)),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
        ("LINEBELOW", (0, 1), (-1, -1), 0.4, HexColor(RULE)),
        ("LEFTPADDING", (0, 0), (-1, -1), _PADDING),
        ("RIGHTPADDING", (0, 0), (-1, -1), _PADDING),
        ("TOPPADDING", (0, 0), (-1, -1), 2.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]
    for number, at in enumerate(group):
        if grid.columns[at].kind in NUMBER_KINDS:
            style.append(("ALIGN", (number, 0), (number, -1), "RIGHT"))
    if grid.totals:
        style.append(("FONT", (0, -1), (-1, -1), face.bold, SIZE, LEADING))
        style.append(("LINEABOVE", (0, -1), (-1, -1), 0.9, HexColor(INK)))
    return style
