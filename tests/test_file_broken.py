"""Broken files: good rows come out, bad ones are named by line and reason, never a traceback."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runs_analytics.errors import BadRequest, TooLarge
from runs_analytics.ingest.files import ImportMapping, columns, read_batches
from runs_analytics.ingest.files import workbook as workbook_module
from tests.file_fixtures import csv_file, import_file

HEADER = "service,started_at,input_tokens,input"
GOOD = "api,2026-11-01T10:00:00Z,5,hello"


@pytest.mark.parametrize(
    ("bad_line", "reason"),
    [
        ("api,2026-11-01T10:00:00Z,NaN,x", "'NaN' is no number up to 1,000,000,000,000,000"),
        ("api,2026-11-01T10:00:00Z,12345678901234567890123456,x", "is no number up to"),
        ("api,2026-11-01T10:00:00Z,12.5,x", "'12.5' is not a whole number"),
        ("api,2026-11-01T10:00:00Z,-1,x", "'-1' is negative"),
        ("api,99999-01-01T00:00:00Z,5,x", "'99999-01-01T00:00:00Z' is no time"),
        ("api,2026-02-30,5,x", "'2026-02-30' is no time"),
        ("api,2026-11-22T12:06:00Z,5,x", "is in the future"),
        ("api,1989-12-31T23:59:59Z,5,x", "is before 1990"),
        ("api,,5,x", "started_at is missing"),
        (" ,2026-11-01T10:00:00Z,5,x", "the service is missing"),
        ("a\x00pi,2026-11-01T10:00:00Z,5,x", "holds a control character"),
        ("api,2026-11-01T10:00:00Z,5,a\x00b", "holds a NUL"),
        ("api,2026-11-01T10:00:00Z,5", "the line has 3 columns, the header 4"),
        ("api,2026-11-01T10:00:00Z,5,x,y", "the line has 5 columns, the header 4"),
        ('api,2026-11-01T10:00:00Z,5,"x', "cannot be split into columns"),
        ('api,2026-11-01T10:00:00Z,5,"x"y', "cannot be split into columns"),
        ("x" * 201 + ",2026-11-01T10:00:00Z,5,x", "longer than 200 characters"),
    ],
)
def test_one_bad_row_of_a_thousand_is_rejected_alone(tmp_path: Path, bad_line: str, reason: str) -> None:
    lines = [HEADER, *[GOOD] * 500, bad_line, *[GOOD] * 499]
    found = import_file(csv_file(tmp_path, lines), rows=300)
    assert found.runs.height == 999
    [(line, told)] = found.problems
    assert line == 502
    assert reason in told


def test_text_that_looks_like_a_formula_is_kept_as_text(tmp_path: Path) -> None:
    found = import_file(csv_file(tmp_path, [HEADER, "api,2026-11-01T10:00:00Z,5,=1+1"]))
    assert found.runs["input"].to_list() == ["=1+1"]


def test_a_quoted_field_may_hold_line_breaks_and_lines_still_count(tmp_path: Path) -> None:
    lines = [HEADER, 'api,2026-11-01T10:00:00Z,5,"two\nlines, ""quoted"""', "api,never,5,x"]
    found = import_file(csv_file(tmp_path, lines))
    assert found.runs["input"].to_list() == ['two\nlines, "quoted"']
    assert [line for line, _ in found.problems] == [4]


def test_the_rows_before_the_cut_of_a_gzip_file_come_out(tmp_path: Path) -> None:
    lines = [HEADER, *(f"api,2026-11-01T10:00:00Z,{n},text {n * 7919 % 10007}" for n in range(5000))]
    whole = gzip.compress("\n".join(lines).encode(), mtime=0)
    path = tmp_path / "runs.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    found = import_file(path)
    count = found.runs.height
    assert 1000 < count < 5000
    assert found.runs["input_tokens"].to_list() == list(range(count))
    assert found.problems == [(count + 2, "the gzip file is cut off here; copy it again in full")]


def test_a_damaged_gzip_file_says_so(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress("\n".join([HEADER, *[GOOD] * 3]).encode() + b"\n", mtime=0))
    packed[-8] ^= 1
    path = tmp_path / "runs.csv.gz"
    path.write_bytes(packed)
    found = import_file(path)
    assert found.runs.height == 3
    assert "damaged" in found.problems[0][1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_unicode_text_is_read_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(f"{HEADER}\r\nzürich,2026-11-01T10:00:00Z,5,héllo 😀\r\n".encode(encoding))
    found = import_file(path)
    assert found.problems == []
    assert found.runs.select("service", "input").rows() == [("zürich", "héllo 😀")]


def test_latin_1_lines_are_rejected_and_plain_ones_kept(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes("\n".join([HEADER, GOOD, GOOD.replace("hello", "café"), GOOD]).encode("latin-1"))
    found = import_file(path)
    assert found.runs.height == 2
    assert found.problems == [(3, "byte 0xe9 is not UTF-8; save the file as UTF-8")]


def test_a_line_of_many_megabytes_is_rejected_alone(tmp_path: Path) -> None:
    found = import_file(csv_file(tmp_path, [HEADER, GOOD, "x" * (17 * 2**20), GOOD]))
    assert found.runs.height == 2
    assert found.problems == [(3, "the line is longer than 16 MiB")]


def test_a_missing_column_is_named_beside_those_that_exist(tmp_path: Path) -> None:
    path = csv_file(tmp_path, [HEADER, GOOD])
    with pytest.raises(BadRequest, match=r"no column 'when' for started_at.*service, started_at, input"):
        import_file(path, ImportMapping.parse(["started_at=when"]))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"service":"a","started_at":NaN}', "NaN is not a number in JSON"),
        ('{"service":"a","started_at":-Infinity}', "-Infinity is not a number in JSON"),
        ('{"service":"a","service":"b"}', "the name 'service' is given twice"),
        ('{"service":' + "[" * 17 + "]" * 17 + "}", "nested deeper than 16"),
        ('{"service":' + "[" * 200_000, "nested deeper than 16"),
        ('{"service":"\\ud800"}', "service holds half of a surrogate pair"),
        ('{"service":"a"', "not JSON"),
        ('["a"]', "JSON but no object"),
        ("{" + ",".join(f'"k{n}":1' for n in range(501)) + "}", "501 names; at most 500"),
        ('{"service":"a","started_at":"2026-11-01","input_tokens":true}', "'true' is no number"),
    ],
)
def test_one_bad_json_line_is_rejected_alone(tmp_path: Path, line: str, reason: str) -> None:
    good = '{"service":"a","started_at":"2026-11-01T10:00:00Z","input_tokens":3}'
    found = import_file(csv_file(tmp_path, [good, line, good], "runs.jsonl"))
    assert found.runs["input_tokens"].to_list() == [3, 3]
    [(number, told)] = found.problems
    assert number == 2
    assert reason in told


def test_names_that_first_appear_late_in_a_json_file_are_columns(tmp_path: Path) -> None:
    first = '{"service":"a","started_at":"2026-11-01T10:00:00Z"}'
    late = '{"started_at":"2026-11-01T10:00:01Z","service":"a","error":"boom","usage":{"in":12}}'
    mapping = ImportMapping.parse(["input_tokens=usage.in", "output=usage"])
    found = import_file(csv_file(tmp_path, [*[first] * 300, late], "runs.jsonl"), mapping, rows=100)
    assert found.problems == []
    assert found.runs.tail(1).select("error", "input_tokens", "output").rows() == [("boom", 12, '{"in": 12}')]


def test_a_formula_cell_rejects_its_row_only_when_its_column_is_used(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (
        ["service", "started_at", "input_tokens", "note"],
        ["api", "2026-11-01", "=1+1", "x"],
        ["api", "2026-11-01", 2, "=A1"],
        ["api", "2026-11-01", "#DIV/0!", "x"],
    ):
        book.active.append(row)
    path = tmp_path / "runs.xlsx"
    book.save(path)
    found = import_file(path)
    assert found.runs["input_tokens"].to_list() == [2]
    assert found.problems == [
        (2, "cell C2 holds a formula; paste its value"),
        (4, "cell C4 holds an error of the spreadsheet"),
    ]


def test_a_workbook_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook_module, "MAX_UNPACKED_BYTES", 1_000_000)
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * 2_000_000)
    with pytest.raises(TooLarge, match="unpacks to 2,000,000 bytes"):
        list(read_batches(path))


def test_a_damaged_row_group_is_rejected_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "runs.parquet"
    table = pa.table({"service": [f"s{n}" for n in range(3000)], "started_at": ["2026-11-01"] * 3000})
    pq.write_table(table, path, row_group_size=1000, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[pq.read_metadata(path).row_group(1).column(0).data_page_offset + 200] ^= 1
    path.write_bytes(content)
    found = import_file(path)
    assert found.runs.height == 2000
    [(line, reason)] = found.problems
    assert line == 1001
    assert reason.startswith("rows 1001 to 2000 cannot be read")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "is empty"),
        ("blank.csv", b"\n\n\n", "no line of text"),
        ("cut.parquet", b"PAR1abcdef", "Parquet file that is cut or damaged"),
        ("cut.xlsx", b"PK\x03\x04abcdef", "zip or XLSX file that is cut or damaged"),
        ("old.xls", b"\xd0\xcf\x11\xe0rest", "save it as .xlsx"),
        ("report.pdf", b"%PDF-1.7", "export the table as CSV"),
        ("array.json", b'[{"service": "a"}]', "one JSON object per line"),
        ("binary.csv", b"\x01\x00\x02\x00\x03\x01\x00", "it is binary"),
        ("packed.parquet.gz", gzip.compress(b"PAR1\x00\x00", mtime=0), "unpack it first"),
        ("nothing.csv.gz", gzip.compress(b"service", mtime=0)[:12], "cut off"),
        ("quote.csv", b'"service,started_at\n', "The header line"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_refused_with_advice(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadRequest, match=message):
        list(read_batches(path))


def test_an_absent_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(BadRequest, match="cannot be opened"):
            columns(path)


def test_a_header_without_rows_still_names_its_columns(tmp_path: Path) -> None:
    path = csv_file(tmp_path, ["service,,service"])
    assert [column.name for column in columns(path)] == ["service", "column 2", "service (2)"]
