"""The sheets of a workbook around its tables: summary, chart and manifest."""

from __future__ import annotations

from typing import Any, Final

from openpyxl import Workbook
from openpyxl.chart import BarChart as NativeBars
from openpyxl.chart import Reference
from openpyxl.styles import Font

from runs_analytics.exports.document import BarChart, Document
from runs_analytics.exports.manifest import Manifest, manifest_lines
from runs_analytics.exports.palette import INK, MUTED, colour_of
from runs_analytics.exports.words import quiet_lines
from runs_analytics.exports.xlsx_cells import HEAD_FILL, HEAD_FONT, Pen, pieces, text_cell

_TITLE: Final = Font(bold=True, size=16, color=INK.removeprefix("#"))
_LARGE: Final = Font(bold=True, size=12, color=INK.removeprefix("#"))
_QUIET: Final = Font(color=MUTED.removeprefix("#"))


def add_summary(book: Workbook, document: Document) -> None:
    """Title, dates and zone, headlines and notes, as the page shows them."""
    sheet = book.create_sheet("Summary")
    for letter, width in zip("ABC", (32, 22, 60), strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.sheet_view.showGridLines = False
    sheet.append([text_cell(sheet, document.title, _TITLE)])
    for line in quiet_lines(document):
        sheet.append([text_cell(sheet, line, _QUIET)])
    sheet.append([])
    for headline in document.headlines:
        sheet.append(
            [
                text_cell(sheet, headline.label),
                text_cell(sheet, headline.value, _LARGE),
                text_cell(sheet, headline.note, _QUIET),
            ]
        )
    sheet.append([])
    for note in document.notes:
        sheet.append([text_cell(sheet, note)])


def add_chart(book: Workbook, chart: BarChart) -> None:
    """A sheet with the chart's figures and a native stacked bar chart of them."""
    sheet = book.create_sheet("Chart")
    sheet.column_dimensions["A"].width = 18
    heads = ["", *(name for name, _ in chart.series)]
    sheet.append([text_cell(sheet, head, HEAD_FONT, HEAD_FILL) for head in heads])
    for number, label in enumerate(chart.x):
        values = [Pen(sheet, "credits").cell(series[number]) for _, series in chart.series]
        sheet.append([text_cell(sheet, label), *values])
    if chart.x and chart.series:
        sheet.add_chart(_native(sheet, chart), f"{'C' if len(chart.series) < 2 else 'J'}2")


def add_manifest(book: Workbook, manifest: Manifest) -> None:
    """The manifest as names and values, all text."""
    sheet = book.create_sheet("Manifest")
    sheet.column_dimensions["A"].width = 40
    sheet.column_dimensions["B"].width = 90
    sheet.freeze_panes = "A2"
    sheet.append([text_cell(sheet, head, HEAD_FONT, HEAD_FILL) for head in ("Name", "Value")])
    for name, value in manifest_lines(manifest):
        for piece in pieces(value) if value else [""]:
            sheet.append([text_cell(sheet, name), text_cell(sheet, piece)])


def _native(sheet: Any, chart: BarChart) -> NativeBars:
    bars = NativeBars()
    bars.type, bars.grouping, bars.overlap, bars.gapWidth = "col", "stacked", 100, 40
    bars.title, bars.style = chart.title, 10
    bars.y_axis.title = chart.unit
    bars.x_axis.delete = bars.y_axis.delete = False
    bars.height, bars.width = 10, 24
    bars.legend.position = "b"
    last = len(chart.x) + 1
    data = Reference(sheet, min_col=2, max_col=len(chart.series) + 1, min_row=1, max_row=last)
    bars.add_data(data, titles_from_data=True)
    bars.set_categories(Reference(sheet, min_col=1, min_row=2, max_row=last))
    for number, drawn in enumerate(bars.series):
        drawn.graphicalProperties.solidFill = colour_of(chart, number).removeprefix("#")
        drawn.graphicalProperties.line.noFill = True
    return bars
