"""A document as a PDF that can be forwarded: A4 landscape, chart as vectors, manifest on the last page.

A table shows its first `pdf_table.MAX_ROWS` rows and says how many more there are; totals are of all rows. Amounts
stand with as many decimals as they need, durations and sizes as on the pages; the manifest has the exact totals.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    KeepTogether,
    PageBreak,
    PageTemplate,
    Spacer,
    TableStyle,
)
from reportlab.platypus import Table as Flow

from runs_analytics.exports.document import Document, Headline
from runs_analytics.exports.manifest import Manifest, manifest_lines
from runs_analytics.exports.palette import INK, MUTED, RULE
from runs_analytics.exports.pdf_chart import bar_chart
from runs_analytics.exports.pdf_table import MAX_ROWS, read_grid, table_flows
from runs_analytics.exports.pdf_text import UNKNOWN, Face, face
from runs_analytics.exports.rows import TableReader
from runs_analytics.exports.words import quiet_lines

MARGIN: Final = 40.0
PAGE: Final = landscape(A4)
WIDTH: Final = PAGE[0] - 2 * MARGIN
MAX_HEADLINES: Final = 6
"""In one row."""


def write_pdf(
    path: Path, document: Document, readers: list[TableReader], manifest: Callable[[], Manifest]
) -> None:
    """Write a PDF.

    Args:
        path: the file to write.
        document: its title, headlines, chart and notes.
        readers: the rows, in the document's order.
        manifest: makes the manifest; called after the last row.
    """
    letters = face()
    story: list[Flowable] = [*_opening(document, letters)]
    for reader in readers:
        story += _table(reader, document.zone, letters)
    story += [Lines(letters, note, 8, INK) for note in document.notes]
    story += [PageBreak(), *_manifest(manifest(), letters)]
    template = BaseDocTemplate(
        str(path),
        pagesize=PAGE,
        title=document.title,
        author="Runs",
        invariant=True,
        pageTemplates=[PageTemplate(frames=[Frame(MARGIN, MARGIN, WIDTH, PAGE[1] - 2 * MARGIN, 0, 0, 0, 0)])],
    )
    foot = letters.line(f"{document.title} · {quiet_lines(document)[1]}")
    template.build(story, canvasmaker=lambda *given, **named: _Pages(foot, letters, *given, **named))


class Lines(Flowable):  # type: ignore[misc]
    """A text as it is, in as many lines as it needs; markup in it means nothing."""

    def __init__(
        self, letters: Face, text: str, size: float, colour: str, *, bold: bool = False, after: float = 3
    ) -> None:
        super().__init__()
        self._letters, self._text, self._size, self._bold = letters, text, size, bold
        self._colour, self._after = colour, after
        self._lines: list[str] = []

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        """The lines at a width, and how high they are."""
        self._lines = self._lines or self._letters.lines(self._text, width, self._size, bold=self._bold)
        return width, len(self._lines) * self._size * 1.3 + self._after

    def draw(self) -> None:
        """Draw them onto the canvas."""
        font = self._letters.bold if self._bold else self._letters.regular
        self.canv.setFont(font, self._size)
        self.canv.setFillColor(HexColor(self._colour))
        for number, line in enumerate(reversed(self._lines)):
            self.canv.drawString(0, self._after + self._size * (0.25 + 1.3 * number), line)


class _Pages(Canvas):  # type: ignore[misc]
    """Puts page x of y under every page, once the number of pages is known."""

    def __init__(self, foot: str, letters: Face, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._foot, self._letters = foot, letters
        self._states: list[dict[str, Any]] = []

    def showPage(self) -> None:
        """Keep the page until all are known."""
        self._states.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Write every page with its foot."""
        for number, state in enumerate(self._states, start=1):
            self.__dict__.update(state)
            self.setFont(self._letters.regular, 7)
            self.setFillColor(HexColor(MUTED))
            self.drawString(MARGIN, MARGIN / 2, self._foot)
            self.drawRightString(PAGE[0] - MARGIN, MARGIN / 2, f"Page {number} of {len(self._states)}")
            super().showPage()
        super().save()


def _opening(document: Document, letters: Face) -> list[Flowable]:
    about, made = quiet_lines(document)
    flows: list[Flowable] = [
        Lines(letters, document.title, 18, INK, bold=True, after=5),
        Lines(letters, about, 8, MUTED, after=1),
        Lines(letters, made, 8, MUTED, after=10),
    ]
    for start in range(0, len(document.headlines), MAX_HEADLINES):
        flows += [_headlines(document.headlines[start : start + MAX_HEADLINES], letters), Spacer(0, 8)]
    if document.chart:
        flows += [Spacer(0, 4), bar_chart(document.chart, WIDTH, letters), Spacer(0, 12)]
    return flows


def _headlines(headlines: tuple[Headline, ...], letters: Face) -> Flow:
    columns = max(len(headlines), 4)
    width = WIDTH / columns

    def row(texts: list[str], size: float, *, bold: bool = False) -> list[str]:
        return ["\n".join(letters.lines(text, width - 14, size, bold=bold)) for text in texts]

    flow = Flow(
        [
            row([headline.label for headline in headlines], 7.5),
            row([headline.value for headline in headlines], 14, bold=True),
            row([headline.note for headline in headlines], 7.5),
        ],
        colWidths=[width] * len(headlines),
        hAlign="LEFT",
    )
    style = [
        ("FONT", (0, 0), (-1, -1), letters.regular, 7.5, 9.5),
        ("FONT", (0, 1), (-1, 1), letters.bold, 14, 17),
        ("TEXTCOLOR", (0, 0), (-1, -1), HexColor(MUTED)),
        ("TEXTCOLOR", (0, 1), (-1, 1), HexColor(INK)),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ("LEFTPADDING", (0, 0), (-1, -1), 8),
        ("RIGHTPADDING", (0, 0), (-1, -1), 6),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
    style += [("LINEBEFORE", (at, 0), (at, -1), 1.2, HexColor(RULE)) for at in range(len(headlines))]
    flow.setStyle(TableStyle(style))
    return flow


def _table(reader: TableReader, zone: str, letters: Face) -> list[Flowable]:
    grid = read_grid(reader, zone, letters)
    hidden = reader.rows - len(grid.cells[0])
    counted = "1 row" if reader.rows == 1 else f"{reader.rows:,} rows"
    if hidden:
        counted = (
            f"The first {MAX_ROWS:,} of {counted}; {hidden:,} more are in the CSV, XLSX, JSON and Parquet exports of "
            "this view, which hold all of them. Totals are of all rows."
        )
    head = [
        Lines(letters, reader.table.title, 11, INK, bold=True, after=1),
        Lines(letters, counted, 8, MUTED, after=4),
    ]
    if not reader.rows:
        return [KeepTogether(head), Lines(letters, "Nothing matches this selection.", 8, INK, after=12)]
    first, *others = table_flows(grid, WIDTH, letters)
    for flow in head:
        flow.keepWithNext = 1
    flows: list[Flowable] = [*head, first]
    for number, other in enumerate(others, start=2):
        title = f"{reader.table.title}, columns continued ({number} of {len(others) + 1})"
        continued = Lines(letters, title, 9, INK, bold=True, after=4)
        continued.keepWithNext = 1
        flows += [continued, other]
    return flows


def _manifest(manifest: Manifest, letters: Face) -> list[Flowable]:
    lines = manifest_lines(manifest)
    if letters.replaced:
        lines.append(
            (
                "Note",
                f"{UNKNOWN} stands for a character that the letters of this document lack; it does so "
                f"{letters.replaced:,} times. The other formats hold every character.",
            )
        )
    label, rest = WIDTH * 0.24, WIDTH * 0.76
    rows = [
        ["\n".join(letters.lines(name, label - 8, 7.5)), "\n".join(letters.lines(text, rest - 8, 7.5))]
        for name, text in lines
    ]
    flow = Flow(rows, colWidths=[label, rest], hAlign="LEFT")
    flow.setStyle(
        TableStyle(
            [
                ("FONT", (0, 0), (-1, -1), letters.regular, 7.5, 9.5),
                ("TEXTCOLOR", (0, 0), (0, -1), HexColor(MUTED)),
                ("TEXTCOLOR", (1, 0), (1, -1), HexColor(INK)),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, HexColor(RULE)),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
            ]
        )
    )
    return [
        Lines(letters, "Manifest", 11, INK, bold=True, after=1),
        Lines(letters, "What this document holds, and how to check it.", 8, MUTED, after=6),
        flow,
    ]
