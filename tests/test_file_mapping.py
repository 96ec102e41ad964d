"""Mappings: read from the command line and JSON, strict, with words that help; previews and rejects."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from runs_analytics.errors import BadRequest
from runs_analytics.ingest.files import (
    REJECTED_SCHEMA,
    ColumnInfo,
    ImportMapping,
    columns,
    detect_format,
    rejects_writer,
    suggest_mapping,
)
from tests.file_fixtures import csv_file

FULL = ImportMapping.parse(
    ["started_at=when", "unit:gpu=gpu = seconds", "member=user"],
    ["service=web", "tag:env=prod"],
    ["duration=ms"],
    ["A=B=failed", "OK=succeeded"],
    zone="Asia/Kolkata",
    origin="2026-01-01T00:00:00",
    key="user, when",
)


def test_the_command_line_forms_are_read() -> None:
    assert FULL.fields == {"started_at": "when", "unit:gpu": "gpu = seconds", "member": "user"}
    assert FULL.fixed == {"service": "web", "tag:env": "prod"}
    assert FULL.statuses == {"A=B": "failed", "OK": "succeeded"}
    assert FULL.origin == datetime(2025, 12, 31, 18, 30, tzinfo=UTC)
    assert FULL.time_unit == "s"
    assert FULL.key == ("user", "when")


def test_a_mapping_survives_json() -> None:
    assert ImportMapping.from_json(FULL.to_json()) == FULL
    assert ImportMapping().to_json() == '{"zone": "UTC"}'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"maps": ["user=groupId"]}, "Unknown field 'user'. The fields are: id, parent_id, project"),
        ({"maps": ["member"]}, "write --map field=column"),
        ({"maps": ["member=a", "member=b"]}, "names member twice"),
        ({"maps": ["member=a"], "sets": ["member=b"]}, "both mapped and fixed"),
        ({"maps": ["tag:=a"]}, "no usable name"),
        ({"sets": ["id=1"]}, "id cannot be the same"),
        ({"maps": ["id=a"], "key": "b"}, "not both"),
        ({"units": ["duration=h"]}, "write duration=s, ms or us"),
        ({"units": ["cost=s"]}, "write duration=s, ms or us"),
        ({"statuses": ["DONE=done"]}, "map to one of: running, succeeded"),
        ({"zone": "Mars/Base"}, "Unknown time zone 'Mars/Base'"),
        ({"time_unit": "min"}, "write s, ms or us"),
        ({"origin": "yesterday"}, "is no time"),
    ],
)
def test_what_is_wrong_is_named(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(BadRequest) as problem:
        ImportMapping.parse(**arguments)
    assert message in str(problem.value)


@pytest.mark.parametrize(
    "text", ["[", "[]", '{"colour": 1}', '{"fields": [1]}', '{"key": "a"}', '{"zone": 1}']
)
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        ImportMapping.from_json(text)


def test_required_fields_and_columns_are_checked_against_the_file() -> None:
    with pytest.raises(BadRequest, match=r"service is required.*The columns are: when, user"):
        ImportMapping.parse(["started_at=when"]).check(["when", "user"])
    with pytest.raises(BadRequest, match="no column 'x' for key column x"):
        ImportMapping.parse(["started_at=when"], ["service=a"], key="x").check(["when", "user"])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["gmt_create", "groupId", "exec_time_seconds"],
            {"started_at": "gmt_create", "member": "groupId", "duration": "exec_time_seconds"},
        ),
        (
            ["TIMESTAMP", "ContextTokens", "GeneratedTokens"],
            {"started_at": "TIMESTAMP", "input_tokens": "ContextTokens", "output_tokens": "GeneratedTokens"},
        ),
        (
            ["date", "total_cost", "prompt_tokens", "completion_tokens"],
            {
                "started_at": "date",
                "cost": "total_cost",
                "input_tokens": "prompt_tokens",
                "output_tokens": "completion_tokens",
            },
        ),
        (["started_at", "time", "Service"], {"started_at": "started_at", "service": "Service"}),
        (["x", "y"], {}),
    ],
)
def test_common_names_are_recognised(names: list[str], expected: dict[str, str]) -> None:
    assert suggest_mapping(ColumnInfo(name, "text", ()) for name in names) == expected


def test_a_preview_shows_types_and_examples(tmp_path: Path) -> None:
    path = csv_file(tmp_path, ["when,n,who", "2026-11-01,1,ann", "2026-11-02,2.5,", "2026-11-02,3,bob"])
    assert columns(path) == (
        ColumnInfo("when", "time", ("2026-11-01", "2026-11-02")),
        ColumnInfo("n", "number", ("1", "2.5", "3")),
        ColumnInfo("who", "text", ("ann", "bob")),
    )


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.csv", "a,b\n1,2\n", "csv"),
        ("a.txt", "a;b\n1;2\n", "csv"),
        ("a.tsv", "a\tb\n", "tsv"),
        ("a.txt", "a\tb\n", "tsv"),
        ("a.txt", '{"a": 1}\n', "jsonl"),
        ("a.log", 'h - - [01/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5\n', "apache"),
    ],
)
def test_the_format_is_found_by_content_and_name(tmp_path: Path, name: str, text: str, expected: str) -> None:
    (tmp_path / name).write_text(text)
    assert detect_format(tmp_path / name) == expected


def test_rejects_are_written_so_that_no_spreadsheet_runs_them(tmp_path: Path) -> None:
    path = tmp_path / "rejected.csv"
    rows = [(2, "cost", "=1+1", "x"), (3, "", "a\x00b\nc", "@y"), (4, "input", "z" * 300, "long")]
    with rejects_writer(path) as writer:
        writer.write(REJECTED_SCHEMA.to_frame())
        writer.write(pl.DataFrame(rows, schema=REJECTED_SCHEMA, orient="row"))
    assert writer.rows == 3
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["line", "field", "value", "reason"],
            ["2", "cost", "'=1+1", "x"],
            ["3", "", "a␀b␊c", "'@y"],
            ["4", "input", "z" * 200, "long"],
        ]
