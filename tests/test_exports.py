"""Exports as data: CSV, JSON and Parquet, their manifest, and what is refused."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from export_fixtures import ACTIVE, FIRST, PASSIVE, SECOND, TOTALS, document, frame, table, texts_table
from hypothesis import given
from hypothesis import strategies as st

from runs_analytics.errors import BadRequest, Damaged
from runs_analytics.exports import FORMATS, BarChart, Column, Table, amount, export
from runs_analytics.exports.cells import guarded, unguarded

GOLDEN_CSV = (
    "feature,started_at,day,runs,credits,cost,share,duration_us,response_bytes,tags\n"
    'search,2026-10-25T02:30:00.250000+02:00,2026-10-25,3,12.500000001,-0.25,0.75,4200000,1048576,"[""env=prod"",""team=red""]"\n'
    "(none),2026-10-25T02:30:00.000000+01:00,2026-10-25,1,7,,,,0,[]\n"
)


def test_a_csv_file_holds_every_value_in_one_plain_form(tmp_path: Path) -> None:
    result = export(document(), "csv", tmp_path, bundle=False)
    assert result.path.read_bytes().decode() == GOLDEN_CSV
    assert result.file_name == "costs-by-feature-2026-10-01-to-2026-10-31.csv"
    assert result.rows == 2


def test_a_csv_bundle_proves_itself(tmp_path: Path) -> None:
    result = export(document(), "csv", tmp_path)
    with zipfile.ZipFile(result.path) as archive:
        assert archive.namelist() == ["features.csv", "manifest.json"]
        data, manifest = archive.read("features.csv"), json.loads(archive.read("manifest.json"))
    digest = hashlib.sha256(data).hexdigest()
    assert manifest == result.manifest
    assert manifest["files"] == [{"name": "features.csv", "bytes": len(data), "sha256": digest}]
    assert manifest["tables"][0]["rows_sha256"] == digest
    assert hashlib.sha256(result.path.read_bytes()).hexdigest() == result.sha256


def test_the_manifest_says_what_the_page_said(tmp_path: Path) -> None:
    manifest = export(document(), "json", tmp_path).manifest
    assert manifest["selection"] == {
        "address": "from=2026-10-01&to=2026-10-31&zone=Europe%2FBerlin&project=alpha&project=beta+%26+co",
        "words": "1 Oct 2026 – 31 Oct 2026 (31 days, Europe/Berlin) · project: alpha, beta & co"
        " · compared with 1 Sep 2026 – 30 Sep 2026",
    }
    assert manifest["generated_at"] == "2026-11-01T09:00:00+01:00"
    assert manifest["headlines"] == [{"label": "Credits used", "value": "19.5", "note": "+3.1 %"}]
    assert manifest["tables"][0]["totals"] == {"runs": "4", "credits": "19.500000001", "cost": "-0.25"}
    assert manifest["tables"][0]["rows"] == 2
    assert (manifest["account"], manifest["applied_seq"]) == ("acme", 42)


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_format_has_the_same_proof_of_its_rows(file_format: Any, tmp_path: Path) -> None:
    manifest = export(document(), file_format, tmp_path).manifest
    assert manifest["tables"][0]["rows_sha256"] == hashlib.sha256(GOLDEN_CSV.encode()).hexdigest()


def test_a_json_file_holds_rows_and_manifest(tmp_path: Path) -> None:
    result = export(document(), "json", tmp_path)
    read = json.loads(result.path.read_bytes())
    assert read["manifest"] == result.manifest
    assert read["tables"]["features"][0] == {
        "feature": "search",
        "started_at": "2026-10-25T02:30:00.250000+02:00",
        "day": "2026-10-25",
        "runs": 3,
        "credits": "12.500000001",
        "cost": "-0.25",
        "share": 0.75,
        "duration_us": 4_200_000,
        "response_bytes": 1_048_576,
        "tags": ["env=prod", "team=red"],
    }
    assert read["tables"]["features"][1]["share"] is None


def test_a_parquet_file_keeps_exact_types_and_carries_its_manifest(tmp_path: Path) -> None:
    result = export(document(), "parquet", tmp_path, bundle=False)
    read = pq.read_table(result.path)
    assert str(read.schema.field("credits").type) == "decimal128(38, 9)"
    assert str(read.schema.field("started_at").type) == "timestamp[us, tz=UTC]"
    assert read.column("credits").to_pylist() == [FIRST["credits"], SECOND["credits"]]
    assert read.column("started_at").to_pylist()[0] == FIRST["started_at"].replace(tzinfo=UTC)
    assert json.loads(pq.read_metadata(result.path).metadata[b"runs_manifest"]) == result.manifest


@pytest.mark.parametrize("file_format", ["json", "csv", "parquet"])
def test_several_tables_share_one_file(file_format: Any, tmp_path: Path) -> None:
    two = document(table(FIRST, SECOND), texts_table(["a"]))
    result = export(two, file_format, tmp_path)
    assert [made["rows"] for made in result.manifest["tables"]] == [2, 1]
    if file_format == "json":
        assert json.loads(result.path.read_bytes())["tables"]["texts"] == [{"number": 0, "text": "a"}]
        return
    with zipfile.ZipFile(result.path) as archive:
        assert archive.namelist() == [f"features.{file_format}", f"texts.{file_format}", "manifest.json"]
    with pytest.raises(BadRequest, match="holds one; bundle them"):
        export(two, file_format, tmp_path, bundle=False)


def test_text_that_a_spreadsheet_might_run_is_guarded_and_comes_back(tmp_path: Path) -> None:
    texts = [*ACTIVE, *PASSIVE, "'=1", "'quoted'"]
    result = export(document(texts_table(texts)), "csv", tmp_path, bundle=False)
    cells = [
        row["text"] for row in csv.DictReader(io.StringIO(result.path.read_bytes().decode(), newline=""))
    ]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))]
    assert [unguarded(cell) for cell in cells] == [text or "" for text in texts]


@given(st.text())
def test_guarding_is_reversible(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert not guarded(text).startswith(tuple("=+-@\t\r\n＝＋－＠"))


def test_a_lone_absent_value_keeps_its_line(tmp_path: Path) -> None:
    one = Table(
        "notes",
        "Notes",
        (Column("note", "Note", "text"),),
        lambda: iter([pl.DataFrame({"note": ["a", None]})]),
    )
    assert export(document(one), "csv", tmp_path, bundle=False).path.read_bytes() == b'note\na\n""\n'


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("rows", [(), (FIRST,)])
def test_a_table_may_be_empty_or_have_one_row(file_format: Any, rows: Any, tmp_path: Path) -> None:
    result = export(document(table(*rows)), file_format, tmp_path)
    assert result.rows == len(rows) == result.manifest["tables"][0]["rows"]


def test_no_batches_at_all_is_an_empty_table(tmp_path: Path) -> None:
    result = export(document(table(batches=lambda: iter([]))), "parquet", tmp_path, bundle=False)
    assert pq.read_table(result.path).num_rows == 0


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 3}, "gave 2 rows where the page counted 3"),
        (
            {"totals": TOTALS | {"credits": Decimal("19.5")}},
            "add up to 19.500000001 credits where the page shows 19.5",
        ),
        ({"batches": lambda: iter([frame(FIRST, SECOND).drop("cost")])}, "no column 'cost'"),
        (
            {"batches": lambda: iter([frame(FIRST).with_columns(cost=0.5)])},
            "'cost' is of kind money, but .* Float64",
        ),
    ],
)
def test_what_does_not_match_the_page_is_not_kept(
    file_format: Any, changes: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(Damaged, match=message):
        export(document(table(FIRST, SECOND, **changes)), file_format, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_store_that_fails_half_way_leaves_no_file(file_format: Any, tmp_path: Path) -> None:
    def batches() -> Iterator[pl.DataFrame]:
        yield frame(FIRST)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        export(document(table(FIRST, SECOND, batches=batches)), file_format, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_the_rows_of_all_tables(tmp_path: Path) -> None:
    seen: list[int] = []
    export(document(table(FIRST, SECOND), texts_table(["a"])), "csv", tmp_path, seen.append)
    assert seen == [2, 3]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Größe & Kosten", "groe-kosten-2026-10-01-to-2026-10-31.json"),
        ("../../etc/passwd", "etc-passwd-2026-10-01-to-2026-10-31.json"),
        ("a\r\nX-Evil: 1", "a-x-evil-1-2026-10-01-to-2026-10-31.json"),
        ("日本", "export-2026-10-01-to-2026-10-31.json"),
        ("z" * 300, f"{'z' * 60}-2026-10-01-to-2026-10-31.json"),
    ],
)
def test_a_file_name_is_plain_ascii(title: str, name: str, tmp_path: Path) -> None:
    result = export(document(title=title), "json", tmp_path)
    assert result.file_name == name
    assert result.path.parent == tmp_path


def test_two_exports_of_one_page_are_two_files(tmp_path: Path) -> None:
    first, second = (export(document(), "csv", tmp_path) for _ in range(2))
    assert first.path != second.path
    assert first.sha256 == second.sha256


def test_an_unknown_format_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"'docx'\. Use one of: csv, xlsx, pdf, json, parquet"):
        export(document(), "docx", tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Table("t", "T", (Column("a b", "A", "text"),), lambda: iter([])),
            "names no table or column",
        ),
        (lambda: replace(document(), tables=()), "no table"),
        (lambda: document(table(FIRST), table(FIRST)), "different names"),
        (lambda: table(FIRST, totals={"spend": 1}), "none of"),
        (lambda: document(generated_at=datetime(2026, 1, 1)), "without a zone"),  # noqa: DTZ001
        (lambda: BarChart("c", ["a"], [(f"s{n}", [1.0]) for n in range(7)], "runs"), "at most 6"),
        (lambda: BarChart("c", ["a"], [("s", [])], "runs"), "0 bars for 1 places"),
    ],
)
def test_a_document_that_cannot_be_right_is_refused(make: Any, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        make()


@given(st.integers(-(2**63), 2**63 - 1))
def test_billionths_become_exact_decimals(nano: int) -> None:
    made = pl.DataFrame({"nano": [nano]}, schema={"nano": pl.Int64}).select(amount("nano")).item()
    assert made == Decimal(nano).scaleb(-9)
