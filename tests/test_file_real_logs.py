"""Run logs that other teams published: every row comes in."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from runs_analytics.ingest.files import ImportMapping
from tests.file_fixtures import SHARED, import_file

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real logs in {SHARED}")

ALIBABA = ImportMapping.parse(
    [
        "started_at=gmt_create",
        "service=predict_type",
        "status=predict_status",
        "duration=exec_time_seconds",
        "member=groupId",
        "model=checkpoint_model_version_id",
    ],
    units=["duration=s"],
    statuses=["SUCCEED=succeeded", "FAILED=failed", "PENDING=running", "PROCESSING=running"],
)
AZURE = ImportMapping.parse(
    ["started_at=TIMESTAMP", "input_tokens=ContextTokens", "output_tokens=GeneratedTokens"], ["service=conv"]
)
MOONCAKE = ImportMapping.parse(
    ["started_at=timestamp", "input_tokens=input_length", "output_tokens=output_length"],
    ["service=kimi"],
    time_unit="ms",
    origin="2024-06-01T00:00:00Z",
)
AIDER = ImportMapping.parse(
    [
        "started_at=date",
        "model=model",
        "cost=total_cost",
        "input_tokens=prompt_tokens",
        "output_tokens=completion_tokens",
        "tag:format=edit_format",
    ],
    ["service=benchmark", "agent=aider"],
)


@pytest.mark.parametrize(
    ("name", "mapping", "rows"),
    [
        ("alibaba_gentd26_requests.parquet", ALIBABA, 13_767),
        ("azure_llm_2023_conv.parquet", AZURE, 19_366),
        ("mooncake_conversation.parquet", MOONCAKE, 12_031),
        ("aider_polyglot_leaderboard.parquet", AIDER, 69),
        ("apache_access_2015.log.gz", ImportMapping(), 10_000),
    ],
)
def test_a_published_log_comes_in_whole(name: str, mapping: ImportMapping, rows: int) -> None:
    found = import_file(SHARED / name, mapping)
    assert found.rejected.rows() == []
    assert found.runs.height == rows
    assert found.runs["id"].n_unique() == rows
    small_batches = import_file(SHARED / name, mapping, rows=1_000)
    assert small_batches.runs.drop("line").equals(found.runs.drop("line"))


def test_the_alibaba_log_keeps_its_totals() -> None:
    runs = import_file(SHARED / "alibaba_gentd26_requests.parquet", ALIBABA).runs
    raw = pl.read_parquet(SHARED / "alibaba_gentd26_requests.parquet")
    assert runs["duration_us"].sum() == raw["exec_time_seconds"].sum() * 1_000_000
    assert dict(runs["status"].value_counts().rows()) == {"succeeded": 13_531, "failed": 227, "running": 9}
    assert runs["started_at"].min() == raw["gmt_create"].min()
    assert runs["member"].n_unique() == raw["groupId"].n_unique()


def test_a_parquet_log_written_as_text_gives_the_same_runs(tmp_path: Path) -> None:
    typed = SHARED / "aider_polyglot_leaderboard.parquet"
    text = tmp_path / "aider.csv"
    pl.read_parquet(typed).write_csv(text)
    given = ["row_high", "row_low", "id", "line"]
    from_text = import_file(text, AIDER)
    assert from_text.rejected.rows() == []
    assert from_text.runs.drop(given).equals(import_file(typed, AIDER).runs.drop(given))


def test_a_web_log_says_who_what_and_how(tmp_path: Path) -> None:
    runs = import_file(SHARED / "apache_access_2015.log.gz").runs
    first = runs.row(0, named=True)
    assert (first["service"], first["kind"], first["feature"]) == ("web", "api_call", "/presentations")
    assert (first["member"], first["status"], first["response_bytes"]) == (
        "83.149.9.216",
        "succeeded",
        203_023,
    )
    assert first["tags"] == ["code=200", "method=GET"]
    assert first["input"].startswith("GET /presentations/logstash")
