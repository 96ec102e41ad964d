"""The import command on broken, awkward and repeated files: good rows in, bad rows listed, never a traceback."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
from command_line import CommandLine

HEADER = "id,service,started_at,duration,input_tokens,cost,error\n"
GOOD = "a{n},LLM,2026-11-01T10:00:{n:02d}Z,1.5,100,0.02,\n"


@pytest.fixture
def runs(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "data")


def lines(count: int) -> str:
    return "".join(GOOD.format(n=n) for n in range(count))


def log(folder: Path, content: str | bytes, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


BAD_ROWS = [
    ("NaN", "b,LLM,2026-11-01T10:00:00Z,1,NaN,,\n", "input_tokens"),
    ("26 digits", f"b,LLM,2026-11-01T10:00:00Z,1,{'9' * 26},,\n", "input_tokens"),
    ("year 99999", "b,LLM,99999-01-01T00:00:00Z,1,1,,\n", "started_at"),
    ("no time", "b,LLM,,1,1,,\n", "started_at"),
    ("NUL", "b,L\0M,2026-11-01T10:00:00Z,1,1,,\n", "service"),
    ("negative duration", "b,LLM,2026-11-01T10:00:00Z,-1,1,,\n", "duration"),
    ("future", "b,LLM,2027-11-01T10:00:00Z,1,1,,\n", "started_at"),
    ("endless cost", "b,LLM,2026-11-01T10:00:00Z,1,1,Infinity,\n", "cost"),
    ("ragged", "b,LLM\n", ""),
]


@pytest.mark.parametrize(("bad", "field"), [b[1:] for b in BAD_ROWS], ids=[b[0] for b in BAD_ROWS])
def test_one_bad_row_of_many_is_listed_and_the_others_are_in(
    runs: CommandLine, tmp_path: Path, bad: str, field: str
) -> None:
    path = log(tmp_path, HEADER + lines(20) + bad + lines(40).split("\n", 20)[20])
    done = runs("import", path, "--account", "acme", "--json")
    assert done.code == 0, done.err
    assert (done.json["read"], done.json["accepted"], done.json["rejected"]) == (41, 40, 1)
    (shown,) = done.json["first_rejections"]
    assert shown["line"] == 22
    assert field in shown["field"]
    with Path(done.json["rejects_file"]).open(newline="") as opened:
        assert [row["line"] for row in csv.DictReader(opened)] == ["22"]
    assert runs("totals", "--account", "acme", "--json").json["rows"] == 40


def test_a_cut_gzip_gives_the_rows_before_the_cut(runs: CommandLine, tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + lines(50) * 1).encode(), mtime=0)
    done = runs(
        "import", log(tmp_path, whole[: len(whole) - 30], "log.csv.gz"), "--account", "acme", "--json"
    )
    assert done.code == 0, done.err
    assert 0 < done.json["accepted"] < 51
    assert done.json["rejected"] == 1
    assert runs("totals", "--account", "acme", "--json").json["rows"] == done.json["accepted"]


def test_a_wrong_encoding_rejects_only_the_rows_it_hits(runs: CommandLine, tmp_path: Path) -> None:
    content = (HEADER + lines(10)).encode() + "x,Übersetzung,2026-11-01T10:00:00Z,1,1,,\n".encode("latin-1")
    done = runs("import", log(tmp_path, content), "--account", "acme", "--json")
    assert (done.json["accepted"], done.json["rejected"]) == (10, 1)


def test_a_formula_in_a_cell_is_never_run(runs: CommandLine, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["id", "service", "started_at", "input_tokens"])
    sheet.append(["a", "LLM", "2026-11-01T10:00:00Z", 5])
    sheet.append(["b", "LLM", "2026-11-01T10:00:00Z", "=1+1"])
    book.save(tmp_path / "log.xlsx")
    done = runs("import", tmp_path / "log.xlsx", "--account", "acme", "--json")
    assert (done.json["accepted"], done.json["rejected"]) == (1, 1)


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (HEADER + lines(2), ["--map", "member=who"], "who"),
        ("id,when\na,2026-11-01\n", [], "service"),
        (HEADER + lines(2), ["--zone", "Mars/Olympus"], "Mars/Olympus"),
        (HEADER + lines(2), ["--map", "colour=id"], "colour"),
        (b"\x00\x01\x02\x03" * 50, [], ""),
        ("", [], ""),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_words_and_leaves_nothing(
    runs: CommandLine, tmp_path: Path, content: str | bytes, options: list[str], words: str
) -> None:
    runs("accounts", "create", "acme")
    done = runs("import", log(tmp_path, content), "--account", "acme", *options)
    assert done.code == 2, (done.out, done.err)
    assert words in done.err
    assert runs("totals", "--account", "acme", "--json").json["rows"] == 0
    assert not list((runs.data_dir / "archive").rglob("*.parquet"))


def test_a_dry_run_counts_everything_and_stores_nothing(runs: CommandLine, tmp_path: Path) -> None:
    path = log(tmp_path, HEADER + lines(5) + "b,LLM,never,1,1,,\n")
    done = runs("import", path, "--account", "acme", "--dry-run", "--json")
    assert (done.json["accepted"], done.json["rejected"], done.json["import_id"]) == (5, 1, None)
    assert runs("totals", "--account", "acme", "--json").json["rows"] == 0
    assert runs("imports", "list", "--account", "acme", "--json").json == []


def test_a_later_final_row_replaces_a_running_one_once(runs: CommandLine, tmp_path: Path) -> None:
    header = "id,service,started_at,status,duration\n"
    first = log(
        tmp_path, header + "r1,LLM,2026-11-01T10:00:00Z,running,\nr2,LLM,2026-11-01T10:00:00Z,running,\n"
    )
    assert runs("import", first, "--account", "acme", "--json").json["accepted"] == 2
    second = log(tmp_path, header + "r1,LLM,2026-11-01T10:00:00Z,succeeded,3\n", "later.csv")
    done = runs("import", second, "--account", "acme", "--json").json
    assert (done["accepted"], done["replaced"]) == (1, 1)
    totals = runs("totals", "--account", "acme", "--json").json
    assert totals["by_status"] == {"running": 1, "succeeded": 1}
    assert totals["rows"] == 2
    third = log(tmp_path, header + "r1,LLM,2026-11-01T10:00:00Z,failed,9\n", "conflict.csv")
    assert runs("import", third, "--account", "acme", "--json").json["rejected"] == 1
    assert runs("imports", "undo", done["import_id"], "--account", "acme").code == 0
    assert runs("totals", "--account", "acme", "--json").json["by_status"] == {"running": 2}
    assert runs("verify").code == 0
    assert runs("rebuild").code == 0
    assert runs("totals", "--account", "acme", "--json").json["by_status"] == {"running": 2}


def test_identical_rows_without_an_id_are_all_kept(runs: CommandLine, tmp_path: Path) -> None:
    row = "LLM,2026-11-01T10:00:00Z\n"
    path = log(tmp_path, "service,started_at\n" + row * 3)
    assert runs("import", path, "--account", "acme", "--json").json["accepted"] == 3
    assert runs("import", path, "--account", "acme", "--json").json["duplicates"] == 3


def test_commands_work_in_a_process_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("id,service,started_at,cost\na,LLM,2026-01-05T10:00:00Z,0.25\n")

    def run(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "runs_analytics", *arguments],
            cwd=Path(__file__).parents[1],
            env={**os.environ, "RUNS_DATA_DIR": str(tmp_path / "data")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    run("import", str(tmp_path / "log.csv"), "--account", "acme")
    assert json.loads(run("totals", "--account", "acme", "--json"))["rows"] == 1
    for file_format in ("csv", "xlsx", "pdf", "json", "parquet"):
        out = tmp_path / file_format
        query = "from=2026-01-01&to=2026-01-31"
        run(*f"export --account acme --what runs --format {file_format} --query {query} --out {out}".split())
        assert any(path.stat().st_size for path in out.iterdir())
    run("verify")
