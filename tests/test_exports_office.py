"""Exports for people: workbooks and PDF documents, parsed back."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from export_fixtures import ACTIVE, CHART, FIRST, PASSIVE, document, frame, table, texts_table
from pypdf import PdfReader

from runs_analytics.exports import BarChart, Column, Document, Table, export, pdf_text, xlsx_file
from runs_analytics.exports.palette import GREY, SERIES, colour_of
from runs_analytics.exports.pdf_chart import axis_ticks, tick_text
from runs_analytics.exports.pdf_table import MAX_ROWS, column_groups
from runs_analytics.exports.xlsx_cells import MAX_CELL_UNITS, escaped, pieces
from runs_analytics.exports.xlsx_file import sheet_title


def workbook(made: Document, folder: Path) -> Any:
    return openpyxl.load_workbook(export(made, "xlsx", folder).path)


def pages(made: Document, folder: Path) -> list[str]:
    return [page.extract_text() for page in PdfReader(export(made, "pdf", folder).path).pages]


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_workbook_has_typed_cells_and_the_page_totals(tmp_path: Path) -> None:
    book = workbook(document(), tmp_path)
    assert book.sheetnames == ["Summary", "Chart", "By feature", "Manifest"]
    sheet = book["By feature"]
    heads, first, second, totals = sheet.iter_rows(values_only=True)
    assert heads[:3] == ("Feature", "Started (Europe/Berlin)", "Day")
    assert heads[5:8] == ("Cost (USD)", "Share", "Duration (s)")
    local = datetime.fromisoformat("2026-10-25T02:30:00.250")
    assert first == (
        "search", local, datetime.fromisoformat("2026-10-25"), 3, 12.500000001, -0.25, 0.75, 4.2, 1_048_576,
        '["env=prod","team=red"]',
    )  # fmt: skip
    assert second[5:8] == (None, None, None)
    assert totals[:6] == ("Total", None, None, 4, 19.500000001, -0.25)
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:J3"  # the totals are not sorted in among the rows
    assert (sheet["E2"].number_format, sheet["G2"].number_format) == ("#,##0.00#######", "0.0%")


def test_a_workbook_stores_every_digit(tmp_path: Path) -> None:
    large = Decimal("12345678901234567.123456789")
    path = export(document(table(FIRST | {"credits": large, "runs": 10**17 + 1})), "xlsx", tmp_path).path
    with zipfile.ZipFile(path) as archive:
        xml = archive.read("xl/worksheets/sheet3.xml").decode()
    assert f"<v>{large}</v>" in xml
    assert f"<t>{10**17 + 1}</t>" in xml


def test_a_workbook_never_holds_a_formula_or_a_link(tmp_path: Path) -> None:
    texts = [*ACTIVE, *PASSIVE, "https://example.org", "#REF!", "_x0041_", "bell \x07", "a\r\nb"]
    made = document(texts_table(texts), title="=1+1", notes=("=2+2", "@x"), account="=acme")
    path = export(made, "xlsx", tmp_path).path
    with zipfile.ZipFile(path) as archive:
        sheets = [archive.read(name).decode() for name in archive.namelist() if "worksheets/sheet" in name]
        assert not [name for name in archive.namelist() if "external" in name.lower()]
    assert not re.search(r"<f[ >]|hyperlink", "".join(sheets))
    cells = [row[1] for row in openpyxl.load_workbook(path)["Texts"].iter_rows(min_row=2, values_only=True)]
    assert [office_text(cell) for cell in cells] == [text or "" for text in texts]


def office_text(cell: str | None) -> str:
    """What a spreadsheet program shows for a stored text."""
    return re.sub(r"_x([0-9A-F]{4})_", lambda match: chr(int(match[1], 16)), cell or "")


def test_rows_past_the_limit_go_on_in_further_sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_file, "MAX_SHEET_ROWS", 4)
    rows = [FIRST | {"runs": number} for number in range(5)]
    book = workbook(document(table(*rows, totals={"runs": 10})), tmp_path)
    assert book.sheetnames[2:5] == ["By feature", "By feature (2)", "By feature (3)"]
    found = [
        row[3] for name in book.sheetnames[2:5] for row in book[name].iter_rows(min_row=2, values_only=True)
    ]
    assert found == [0, 1, 2, 3, 4, 10]
    assert max(book[name].max_row for name in book.sheetnames[2:5]) <= 4


def test_a_text_longer_than_a_cell_is_kept_whole_on_its_own_sheet(tmp_path: Path) -> None:
    long = "".join(f"{number}\x01🚀 " for number in range(9_000))
    book = workbook(document(texts_table(["short", long])), tmp_path)
    assert book["Texts"]["B3"].value.endswith(
        f"[whole text of {len(long):,} characters: sheet 'Long texts', row 2]"
    )
    parts = list(book["Long texts"].iter_rows(min_row=2, values_only=True))
    assert {part[:2] for part in parts} == {("Texts", "B3")}
    assert "".join(office_text(part[3]) for part in parts) == long


@pytest.mark.parametrize("text", ["", "a" * 100_000, "🚀" * 40_000, "\x01" * 40_000])
def test_pieces_fit_and_join_to_the_whole(text: str) -> None:
    parts = list(pieces(text))
    assert "".join(parts) == text
    assert all(len(escaped(part).encode("utf-16-le")) // 2 <= MAX_CELL_UNITS for part in parts)


@pytest.mark.parametrize(
    ("title", "taken", "name"),
    [
        ("By feature", [], "By feature"),
        ("A/B: [x]*?", [], "A B   x"),
        ("x" * 40, [], "x" * 31),
        ("x" * 40, ["X" * 31], "x" * 27 + " (2)"),
        ("Manifest", [], "Manifest (2)"),
        ("''", [], "Table"),
    ],
)
def test_a_sheet_name_is_one_that_excel_takes(title: str, taken: list[str], name: str) -> None:
    assert sheet_title(title, 1, taken) == name


def test_the_chart_sheet_has_a_native_chart_of_its_figures(tmp_path: Path) -> None:
    sheet = workbook(document(), tmp_path)["Chart"]
    assert list(sheet.iter_rows(values_only=True)) == [
        (None, "search", "other"),
        ("24 Oct", 1, 0),
        ("25 Oct", 12.5, 7),
    ]
    (chart,) = sheet._charts
    assert (chart.grouping, len(chart.series)) == ("stacked", 2)


def test_the_manifest_sheet_tells_where_the_numbers_come_from(tmp_path: Path) -> None:
    result = export(document(), "xlsx", tmp_path)
    read = dict(openpyxl.load_workbook(result.path)["Manifest"].iter_rows(min_row=2, values_only=True))
    assert read["Account"] == "acme"
    assert read["By feature: rows"] == "2"
    assert read["By feature: total credits"] == "19.500000001"
    assert read["By feature: rows_sha256"] == result.manifest["tables"][0]["rows_sha256"]


def test_a_failed_workbook_leaves_no_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spool))

    def batches() -> Iterator[pl.DataFrame]:
        yield frame(FIRST)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        export(document(table(FIRST, batches=batches)), "xlsx", tmp_path)
    assert list(spool.iterdir()) == []


def test_a_pdf_shows_what_the_page_shows(tmp_path: Path) -> None:
    first, last = pages(document(), tmp_path)
    shown = words(first)
    for text in (
        "Costs by feature",
        "1 Oct 2026 – 31 Oct 2026 (31 days, Europe/Berlin) · project: alpha, beta & co",
        "acme · made 1 Nov 2026 09:00, Europe/Berlin",
        "19.5 +3.1 %",
        "Credits by day (credits)",
        "search 2026-10-25 02:30:00 2026-10-25 3 12.50 -0.25 75.0 % 4.2 s 1.0 MB",
        "Total 4 19.50 -0.25",
        "One run has no price.",
        "Page 1 of 2",
    ):
        assert text in shown
    assert "By feature: total credits 19.500000001" in words(last)
    assert "Page 2 of 2" in words(last)


def test_a_pdf_gives_a_column_the_decimals_that_its_smallest_amount_needs(tmp_path: Path) -> None:
    rows = [FIRST | {"credits": Decimal(text)} for text in ("12.5", "0.00025")]
    text = words(pages(document(table(*rows)), tmp_path)[0])
    assert "12.50000 -0.25" in text
    assert "0.00025 -0.25" in text


def test_a_pdf_shows_markup_as_text(tmp_path: Path) -> None:
    hostile = '<img src="/etc/hostname"/> <b>&amp;</i> <a href="javascript:x">'
    made = document(
        texts_table([hostile]), title=hostile, account=hostile, notes=(hostile,),
        chart=BarChart(hostile, [hostile], [(hostile, [1.0])], hostile),
    )  # fmt: skip
    reader = PdfReader(export(made, "pdf", tmp_path).path)
    text = words(" ".join(page.extract_text() for page in reader.pages))
    assert text.count('<img src="/etc/hostname"/>') >= 3
    assert not any("/Annots" in page or page.images for page in reader.pages)


def test_a_pdf_of_many_rows_says_how_many_it_does_not_show(tmp_path: Path) -> None:
    many = texts_table([f"row {number}" for number in range(MAX_ROWS + 345)])
    made = document(replace(many, totals={"number": 2_747_340}), chart=None)
    text = words(" ".join(pages(made, tmp_path)))
    assert "The first 2,000 of 2,345 rows; 345 more are in the CSV, XLSX, JSON and Parquet exports" in text
    assert "row 1999" in text
    assert "row 2000" not in text
    assert "2,747,340" in text


def test_a_pdf_continues_columns_that_do_not_fit(tmp_path: Path) -> None:
    columns = tuple(Column(f"c{number}", f"Column {number}", "text") for number in range(14))
    values = pl.DataFrame({column.name: [f"{column.name} " + "w" * 18] for column in columns})
    text = words(" ".join(pages(document(Table("wide", "Wide", columns, lambda: iter([values]))), tmp_path)))
    assert all(f"c{number} " in text for number in range(14))
    assert "Wide, columns continued (2 of" in text


def test_column_groups_repeat_the_first_column() -> None:
    assert column_groups([10, 40, 40, 40, 90, 5], 95) == [[0, 1, 2], [0, 3], [0, 4], [0, 5]]


@pytest.mark.parametrize("font", ["DejaVuSans", "Vera"])
def test_characters_that_the_face_lacks_are_marked_and_counted(
    font: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        pdf_text, "FACES", [face for face in pdf_text.FACES if face[0] == font] + [pdf_text.FACES[-1]]
    )
    pdf_text._registered.cache_clear()
    text = words(" ".join(pages(document(texts_table(["東京 ok", "é"])), tmp_path)))
    pdf_text._registered.cache_clear()
    assert "◊◊ ok" in text
    assert "é" in text
    assert "it does so 2 times" in text


def test_a_long_name_is_wrapped_and_a_long_text_says_what_it_leaves_out(tmp_path: Path) -> None:
    made = document(texts_table(["n" * 80, "e " * 5_000]), title="T" * 200)
    text = " ".join(pages(made, tmp_path))
    assert "n" * 80 in text.replace("\n", "")
    assert "[9,700 more characters]" in words(text)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 0, [0, 1]),
        (0, 5_800, [0, 2_000, 4_000, 6_000]),
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (-30, 60, [-40, -20, 0, 20, 40, 60]),
        (0, 0.003, [0, 0.001, 0.002, 0.003]),
    ],
)
def test_axis_ticks_are_round_and_hold_zero_and_both_ends(
    low: float, high: float, ticks: list[float]
) -> None:
    assert axis_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (950, "950"), (4_000, "4 k"), (-2.5e6, "-2.5 M"), (0.002, "0.002")]
)
def test_an_axis_is_labelled_with_prefixes(value: float, text: str) -> None:
    assert tick_text(value) == text


@pytest.mark.parametrize("bars", [0, 1, 400])
def test_any_number_of_bars_can_be_drawn(bars: int, tmp_path: Path) -> None:
    labels = [f"{number} Oct" for number in range(bars)]
    made = document(chart=BarChart("Many", labels, [("a", [float(n - 3) for n in range(bars)])], "runs"))
    assert "Many (runs)" in pages(made, tmp_path)[0]
    assert "Chart" in workbook(made, tmp_path).sheetnames


def test_every_value_keeps_its_given_colour() -> None:
    chart = replace(CHART, colours={"search": "#123456"})
    assert [colour_of(chart, 0), colour_of(chart, 1), colour_of(CHART, 0)] == ["#123456", GREY, SERIES[0]]


def test_an_empty_table_says_why_it_is_empty(tmp_path: Path) -> None:
    assert "Nothing matches this selection." in words(pages(document(table()), tmp_path)[0])
    assert workbook(document(table()), tmp_path)["By feature"].max_row == 1
