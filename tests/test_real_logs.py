"""Real run logs that nobody here made: imported whole, and their totals agree with an independent reckoning."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from command_line import SHARED, CommandLine

pytestmark = pytest.mark.skipif(
    not (SHARED / "data").exists(), reason="the real logs are not beside this checkout"
)

ALIBABA = [
    *("--map", "started_at=gmt_create", "--map", "service=predict_type", "--map", "status=predict_status"),
    *("--map", "duration=exec_time_seconds", "--unit", "duration=s", "--map", "member=groupId"),
    *(
        "--map",
        "model=checkpoint_model_version_id",
        "--status",
        "SUCCEED=succeeded",
        "--status",
        "FAILED=failed",
    ),
    *("--status", "PENDING=running", "--status", "PROCESSING=running"),
]
OURS = {"SUCCEED": "succeeded", "FAILED": "failed", "PENDING": "running", "PROCESSING": "running"}
EXACT = (
    "rows",
    "first",
    "last",
    "by_day",
    "by_hour",
    "by_weekday",
    "users",
    "top_users",
    "by_service",
    "by_status",
)


@pytest.fixture
def runs(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "data")


def reference(tmp_path: Path) -> dict[str, object]:
    """The totals of the file by the reference script, with statuses in our words."""
    renamed = tmp_path / "renamed.parquet"
    log = pl.read_parquet(SHARED / "data/alibaba_gentd26_requests.parquet")
    log.with_columns(pl.col("predict_status").replace(OURS)).write_parquet(renamed)
    options = (
        "--time gmt_create --user groupId --service predict_type --status predict_status "
        "--duration exec_time_seconds --ok succeeded --open running"
    )
    done = subprocess.run(
        [sys.executable, str(SHARED / "score/usage_totals.py"), str(renamed), *options.split()],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_the_totals_of_a_real_log_agree_with_the_reference(runs: CommandLine, tmp_path: Path) -> None:
    file = SHARED / "data/alibaba_gentd26_requests.parquet"
    done = runs("import", file, "--account", "acme", *ALIBABA, "--json")
    assert done.code == 0
    assert "Created account acme" in done.err
    assert (done.json["accepted"], done.json["rejected"]) == (13_767, 0)

    totals, expected = runs("totals", "--account", "acme", "--json").json, reference(tmp_path)
    assert {k: totals[k] for k in EXACT} == {k: expected[k] for k in EXACT}
    assert totals["top10_share"] == pytest.approx(expected["top10_share"], rel=1e-9)
    assert totals["failure_rate"] == pytest.approx(expected["failure_rate"], rel=1e-9)
    assert {k: totals["duration"][k] for k in ("sum", "mean", "max")} == pytest.approx(
        {k: expected["duration"][k] for k in ("sum", "mean", "max")}, rel=1e-9
    )
    assert totals["duration"] == pytest.approx(expected["duration"], rel=0.01)
    assert set(totals) == set(expected) - {"duplicate_rows"}

    again = runs("import", file, "--account", "acme", *ALIBABA, "--json")
    assert (again.json["accepted"], again.json["duplicates"]) == (0, 13_767)
    assert runs("totals", "--account", "acme", "--json").json == totals
    assert runs("verify").code == 0


def test_undo_takes_an_import_out_and_frees_its_ids(runs: CommandLine) -> None:
    file = SHARED / "data/alibaba_gentd26_requests.parquet"
    first = runs("import", file, "--account", "acme", *ALIBABA, "--json").json
    before = runs("totals", "--account", "acme", "--json").json
    assert runs("imports", "undo", first["import_id"], "--account", "acme").code == 0
    assert runs("totals", "--account", "acme", "--json").json["rows"] == 0
    assert runs("imports", "undo", first["import_id"], "--account", "acme").code == 5
    assert runs("import", file, "--account", "acme", *ALIBABA, "--json").json["accepted"] == 13_767
    assert runs("totals", "--account", "acme", "--json").json == before
    assert runs("rebuild").code == 0
    assert runs("totals", "--account", "acme", "--json").json == before
    assert runs("verify").code == 0


@pytest.mark.parametrize(
    ("file", "options", "rows"),
    [
        (
            "azure_llm_2023_conv.parquet",
            "--map started_at=TIMESTAMP --map input_tokens=ContextTokens "
            "--map output_tokens=GeneratedTokens --set service=LLM",
            19_366,
        ),
        (
            "mooncake_conversation.parquet",
            "--map started_at=timestamp --time-unit ms --origin 2024-06-01T00:00:00Z "
            "--map input_tokens=input_length --map output_tokens=output_length --set service=LLM",
            12_031,
        ),
        (
            "aider_polyglot_leaderboard.parquet",
            "--map started_at=date --map model=model --map cost=total_cost --set service=benchmark",
            69,
        ),
        ("apache_access_2015.log.gz", "", 10_000),
    ],
)
def test_other_real_logs_come_in_whole(runs: CommandLine, file: str, options: str, rows: int) -> None:
    done = runs("import", SHARED / "data" / file, "--account", "acme", *options.split(), "--json")
    assert done.code == 0, done.err
    assert (done.json["accepted"], done.json["rejected"]) == (rows, 0)
    assert runs("totals", "--account", "acme", "--json").json["rows"] == rows
